"""A reader of ``latest`` sees the old report or the new one, never half of either."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from analysis.errors import ConfigError
from analysis.reports import exchange, publish


def publish_one(folder, number, n_files=20):
    with publish.lock(folder), publish.staging(folder) as stage:
        for place in range(n_files):
            (stage / f"{place}.html").write_text(str(number))
        return publish.publish(stage, folder, run=f"run-{number:03}")


def read_latest(folder):
    """Return the pages of ``latest`` as somebody reads them who opens the folder once."""
    handle = os.open(folder / "latest", os.O_RDONLY | os.O_DIRECTORY)
    try:
        return [Path(f"/proc/self/fd/{handle}", name).read_text() for name in os.listdir(handle)]
    finally:
        os.close(handle)


@pytest.mark.skipif(sys.platform != "linux", reason="two folders change names in one step on Linux only")
def test_a_reader_who_opens_latest_sees_one_whole_run(tmp_path):
    publish_one(tmp_path, 0)
    torn, n_reads, n_overtaken, done = [], [0], [0], threading.Event()

    def read():
        while not done.is_set():
            try:
                pages = read_latest(tmp_path)
                torn.extend([pages] if len(set(pages)) != 1 or len(pages) != 20 else [])
                assert (tmp_path / "latest/7.html").read_text()  # by its path, every page is there at every moment
            except FileNotFoundError:
                n_overtaken[0] += 1  # by two runs while it read one
            n_reads[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 31):
        publish_one(tmp_path, number)
    done.set()
    reader.join()
    assert n_reads[0] > 30
    assert not torn
    assert n_overtaken[0] <= n_reads[0] / 20
    assert set(read_latest(tmp_path)) == {"30"}
    assert not list(tmp_path.glob(".staging-*"))


def test_latest_is_a_copy_of_real_files_and_the_one_before_stays_readable(tmp_path):
    publish_one(tmp_path, 1, n_files=2)
    reader = os.open(tmp_path / "latest", os.O_RDONLY)
    publish_one(tmp_path, 2, n_files=2)
    assert Path(f"/proc/self/fd/{reader}/1.html").read_text() == "1"
    os.close(reader)
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    (tmp_path / "latest/0.html").write_text("somebody wrote into the copy")
    assert (tmp_path / "run-002/0.html").read_text() == "2"


def test_a_link_that_an_earlier_version_left_becomes_a_copy(tmp_path):
    (tmp_path / "run-000").mkdir()
    (tmp_path / "run-000/0.html").write_text("0")
    (tmp_path / "latest").symlink_to("run-000")
    for number in (1, 2):
        publish_one(tmp_path, number, n_files=1)
        assert (tmp_path / "latest/0.html").read_text() == str(number)
    assert not (tmp_path / "latest").is_symlink()
    assert (tmp_path / "run-000/0.html").read_text() == "0"


def test_lists_of_members_are_not_kept_in_the_hidden_copy(tmp_path):
    with publish.staging(tmp_path) as stage:
        (stage / "01_churn.risk_list.csv").write_text("member_id")
        publish.publish(stage, tmp_path, run="run-001")
    assert (tmp_path / "latest/01_churn.risk_list.csv").is_file()
    publish_one(tmp_path, 2)
    assert not list((tmp_path / ".latest-before").glob("*.csv"))


@pytest.fixture
def without_exchange(monkeypatch):
    """A system that knows only plain renames."""
    monkeypatch.setattr(exchange, "_renameat2", lambda: None)


def test_where_folders_cannot_change_names_at_once_two_renames_do_it(tmp_path, without_exchange):
    for number in range(3):
        publish_one(tmp_path, number, n_files=2)
        assert set(read_latest(tmp_path)) == {str(number)}
    assert {path.name for path in tmp_path.iterdir()} >= {"latest", "run-000", "run-001", "run-002"}
    assert not list(tmp_path.glob("*.aside"))


@pytest.mark.parametrize("n_renames", [1, 2])
def test_a_process_killed_between_the_renames_is_settled_by_the_next(
    tmp_path, without_exchange, monkeypatch, n_renames
):
    """After one rename ``latest`` is missing and comes back as it was; after two it is the new one."""
    publish_one(tmp_path, 1, n_files=2)
    rename, done = Path.rename, []

    def killed(self, target):
        if "latest" in self.name:
            done.append(self)
        if len(done) > n_renames:
            raise SystemExit
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(SystemExit):
            publish_one(tmp_path, 2, n_files=2)
    assert (tmp_path / "latest").exists() == (n_renames == 2)
    assert publish.previous(tmp_path) == tmp_path / "latest"
    assert set(read_latest(tmp_path)) == {str(n_renames)}
    publish_one(tmp_path, 3, n_files=2)
    assert set(read_latest(tmp_path)) == {"3"}
    assert not list(tmp_path.glob("*.aside"))


def test_what_the_system_refuses_leaves_both_folders_as_they_were(tmp_path):
    (tmp_path / "fresh").mkdir()
    with pytest.raises(OSError, match="No such file"):
        exchange.exchange(tmp_path / "fresh", tmp_path / "absent")
    assert (tmp_path / "fresh").is_dir()


def test_a_second_run_of_one_community_is_refused_while_the_first_lasts(tmp_path):
    with publish.lock(tmp_path / "demo"):
        with pytest.raises(ConfigError, match="demo: another run"), publish.lock(tmp_path / "demo"):
            pass
        with publish.lock(tmp_path / "other"):
            pass
    with publish.lock(tmp_path / "demo"):
        pass


def test_what_a_killed_run_left_is_cleared_away_and_an_error_leaves_nothing(tmp_path):
    (tmp_path / ".staging-dead").mkdir()
    (tmp_path / ".staging-dead" / "half.html").write_text("half")
    (tmp_path / ".history.zh.html.25794").write_text("half")

    def fail():
        with publish.staging(tmp_path) as stage:
            (stage / "half.html").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_publication_that_fails_leaves_latest_as_it_was(tmp_path, monkeypatch):
    publish_one(tmp_path, 1)

    def full(_path):
        raise OSError("no space left on device")

    monkeypatch.setattr(publish, "_sync", full)
    with pytest.raises(OSError, match="no space"):
        publish_one(tmp_path, 2)
    assert set(read_latest(tmp_path)) == {"1"}
    assert not (tmp_path / "run-002").exists()


def test_no_run_before_the_first(tmp_path):
    assert publish.previous(tmp_path) is None
