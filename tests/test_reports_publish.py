"""A reader of ``latest`` sees the old report or the new one, never half of either."""

from __future__ import annotations

import threading

import pytest

from analysis.errors import ConfigError
from analysis.reports import publish


def publish_one(folder, number, n_files=20):
    with publish.lock(folder), publish.staging(folder) as stage:
        for place in range(n_files):
            (stage / f"{place}.html").write_text(str(number))
        return publish.publish(stage, folder, run=f"run-{number:03}")


def test_a_reader_who_follows_latest_sees_one_whole_run(tmp_path):
    publish_one(tmp_path, 0)
    torn, n_reads, done = [], [0], threading.Event()

    def read():
        while not done.is_set():
            try:
                run = (tmp_path / "latest").resolve(strict=True)
                pages = [page.read_text() for page in run.glob("*.html")]
                torn.extend([run] if len(set(pages)) != 1 or len(pages) != 20 else [])
            except OSError as gone:
                torn.append(gone)
            n_reads[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 31):
        publish_one(tmp_path, number)
    done.set()
    reader.join()
    assert n_reads[0] > 30
    assert not torn
    assert publish.previous(tmp_path) == tmp_path / "run-030"
    assert not list(tmp_path.glob(".staging-*"))


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
    assert publish.previous(tmp_path) == tmp_path / "run-001"
    assert not (tmp_path / "run-002").exists()


def test_no_run_before_the_first(tmp_path):
    assert publish.previous(tmp_path) is None
