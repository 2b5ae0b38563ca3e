"""Who is told of what, and that a hook that fails changes nothing."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from analysis.reports import notify
from analysis.reports.alerts import Alert
from analysis.reports.order import Order
from analysis.reports.pages import Fate

FATES = (
    Fate(notebook="00_quality", status="published", headline={"en": "All is well.", "zh": "一切正常。"}),
    Fate(notebook="01_churn", status="stale", cause="cell_error", reason="cell 3: KeyError: 'member 4711'"),
)


@pytest.fixture
def mailbox(tmp_path):
    """A command that keeps what it reads."""
    script = tmp_path / "keep.py"
    script.write_text(
        f"import sys, pathlib; pathlib.Path({str(tmp_path / 'told.json')!r}).write_bytes(sys.stdin.buffer.read())"
    )
    return [sys.executable, str(script)]


def tell(hooks, *, exit_code=0, fates=FATES, folder=Path("reports/demo/run-1"), alarms=()):
    order = Order.model_validate({"notify": hooks, "recipients": ["an"]})
    told = {"exit_code": exit_code, "fates": fates, "folder": folder, "alarms": alarms}
    return notify.tell(order, community="demo", locale="zh", **told)


def read(tmp_path):
    path = tmp_path / "told.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


@pytest.mark.parametrize(
    ("exit_code", "event"), [(0, "success"), (1, "failure"), (2, "failure"), (3, "alert"), (130, "failure")]
)
def test_success_failure_and_alarm_are_told_apart(tmp_path, mailbox, exit_code, event):
    for other in {"success", "failure", "alert"} - {event}:
        assert tell({other: [{"command": mailbox}]}, exit_code=exit_code) == []
    assert read(tmp_path) is None
    assert tell({event: [{"command": mailbox}]}, exit_code=exit_code) == []
    told = read(tmp_path)
    assert (told["event"], told["exit_code"], told["recipients"]) == (event, exit_code, ["an"])
    assert told["index"] == "reports/demo/latest/index.html"


def test_no_number_of_the_community_and_no_word_of_its_data_is_sent_unless_asked_for(tmp_path, mailbox):
    tell({"failure": [{"command": mailbox}]}, exit_code=1)
    told = json.dumps(read(tmp_path), ensure_ascii=False)
    assert "01_churn未能更新" in told
    assert "4711" not in told
    assert "一切正常" not in told
    tell({"failure": [{"command": mailbox, "headlines": True}]}, exit_code=1)
    assert read(tmp_path)["headlines"] == {"00_quality": "一切正常。"}


def test_who_asked_for_alarms_hears_of_them_whatever_the_exit_code(tmp_path, mailbox):
    """A page's own alarm leaves the exit code 0: success is told to whoever hears of success, the alarm to whoever asked."""
    assert notify.find_events(0, alarmed=True) == ["success", "alert"]
    assert notify.find_events(3, alarmed=True) == ["alert"]
    assert notify.find_events(1, alarmed=True) == ["failure", "alert"]
    assert notify.find_events(0, alarmed=False) == ["success"]
    alarm = Alert(notebook="01", claim="churn.change", group="", side="above", bound=0, estimate=0.1, sentence={})
    tell({"alert": [{"command": mailbox}]}, alarms=(alarm,))
    assert read(tmp_path)["event"] == "alert"
    assert read(tmp_path)["alarms"] == [{"notebook": "01", "claim": "churn.change", "group": ""}]


def test_a_run_that_could_not_start_is_told_too(tmp_path, mailbox):
    tell({"failure": [{"command": mailbox}]}, exit_code=2, fates=(), folder=None)
    assert read(tmp_path)["text"] == "demo：报告未能生成，原有内容没有改动。"
    assert read(tmp_path)["run"] == ""


class Chat(BaseHTTPRequestHandler):
    """Stands in for a chat's webhook."""

    heard: ClassVar[list] = []
    status = 200

    def do_POST(self):
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def chat(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Chat.heard.clear()
    monkeypatch.setenv("CHAT", f"http://127.0.0.1:{server.server_port}/send?key=secret")
    yield Chat
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("form", "where"), [("wecom", ("text", "content")), ("slack", ("text",)), ("json", ("text",))])
def test_webhooks_get_what_their_chat_understands_at_an_address_from_the_environment(chat, form, where):
    assert tell({"success": [{"webhook": "env:CHAT", "form": form, "headlines": True}]}) == []
    (said,) = chat.heard
    for key in where:
        said = said[key]
    assert said.startswith("demo：报告已更新。")


def test_a_hook_that_fails_is_told_without_its_address_and_the_next_is_called_all_the_same(
    tmp_path, mailbox, chat, monkeypatch
):
    monkeypatch.setattr(chat, "status", 500)
    hooks = [{"webhook": "env:CHAT"}, {"webhook": "env:ABSENT"}, {"command": ["false"]}, {"command": ["/no/such"]}]
    faults = tell({"success": [*hooks, {"command": mailbox}]})
    assert len(faults) == 4
    assert "secret" not in "".join(faults)
    assert read(tmp_path)["event"] == "success"


def test_a_hook_that_hangs_is_left(monkeypatch):
    monkeypatch.setattr(notify, "PATIENCE", 0.2)
    assert tell({"success": [{"command": ["sleep", "60"]}]}) == ["success: sleep could not be told: TimeoutExpired"]
