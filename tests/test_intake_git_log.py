"""A git history as a community, by small repositories with set dates."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.config import read_config
from analysis.errors import SchemaError
from analysis.intake import import_sources, open_tables
from analysis.intake.git_log import is_bot, is_repository, mail_kind, read_history

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(repository: Path, *command: str, **env: str) -> None:
    """Run git, apart from the settings of whoever runs the tests."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(repository), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "-C", str(repository), *command], check=True, capture_output=True, env={**plain, **env})


def commit(repository: Path, who: str, authored: str, committed: str = "") -> None:
    """Add an empty commit by ``Name <mail>``."""
    name, mail = who.rstrip(">").split(" <")
    dates = {"GIT_AUTHOR_DATE": authored, "GIT_COMMITTER_DATE": committed or authored}
    people = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", name), ("EMAIL", mail))
    }
    git(repository, "commit", "--allow-empty", "-q", "-m", "x", **dates, **people)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return an empty repository called engine."""
    folder = tmp_path / "engine"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def read(file: Path) -> list[list[str]]:
    """Return a CSV file's rows below its header."""
    with file.open(encoding="utf-8", newline="") as rows:
        return list(csv.reader(rows))[1:]


def test_history_becomes_members_and_active_days(repository: Path, tmp_path: Path) -> None:
    """Ann commits twice on the 1st and once on the 3rd, Bo once on the 2nd."""
    commit(repository, "Ann <Ann@Work.com>", "2024-03-01T08:00:00+0000")
    commit(repository, "Ann <ann@work.com>", "2024-03-01T09:00:00+0000")
    commit(repository, "Bo <bo@gmail.com>", "2024-03-02T09:00:00+0000")
    commit(repository, "Ann <ann@work.com>", "2024-03-03T09:30:00+0000")
    history = read_history([repository], into=tmp_path, timezone="UTC")
    assert read(history.files["members"]) == [
        ["ann@work.com", "2024-03-01 08:00:00", "2024-03-03 09:30:00", "organisation"],
        ["bo@gmail.com", "2024-03-02 09:00:00", "2024-03-02 09:00:00", "webmail"],
    ]
    assert read(history.files["activity"]) == [
        ["ann@work.com", "2024-03-01", "2"],
        ["ann@work.com", "2024-03-03", "1"],
        ["bo@gmail.com", "2024-03-02", "1"],
    ]
    assert history.corrections == {}


def test_days_are_counted_in_the_communitys_zone(repository: Path, tmp_path: Path) -> None:
    """20:00 in UTC on the 1st is 04:00 on the 2nd in Shanghai, whatever zone the author's clock was in."""
    commit(repository, "Ann <ann@work.com>", "2024-03-01T15:00:00-0500")
    history = read_history([repository], into=tmp_path, timezone="Asia/Shanghai")
    assert read(history.files["activity"]) == [["ann@work.com", "2024-03-02", "1"]]


def test_several_repositories_are_one_community(repository: Path, tmp_path: Path) -> None:
    """Ann's first commit is in one, her last in the other, and on the 2nd she commits to both."""
    commit(repository, "Ann <ann@work.com>", "2024-03-01T08:00:00+0000")
    commit(repository, "Ann <ann@work.com>", "2024-03-02T08:00:00+0000")
    other = tmp_path / "docs"
    git(tmp_path, "init", "-q", str(other))
    commit(other, "Ann <ann@work.com>", "2024-03-02T09:00:00+0000")
    commit(other, "Ann <ann@work.com>", "2024-03-05T09:00:00+0000")
    history = read_history([repository, other], into=tmp_path, timezone="UTC")
    assert history.files["members"].name == "docs+engine-members.csv"
    assert [row[1:3] for row in read(history.files["members"])] == [["2024-03-01 08:00:00", "2024-03-05 09:00:00"]]
    assert [row[1:] for row in read(history.files["activity"])] == [
        ["2024-03-01", "1"],
        ["2024-03-02", "2"],
        ["2024-03-05", "1"],
    ]


def test_mailmap_makes_one_person_of_two_addresses(repository: Path, tmp_path: Path) -> None:
    (repository / ".mailmap").write_text("Ann <ann@work.com> <ann@home.org>\n")
    commit(repository, "Ann <ann@work.com>", "2024-03-01T08:00:00+0000")
    commit(repository, "ann <ann@home.org>", "2024-03-02T08:00:00+0000")
    history = read_history([repository], into=tmp_path, timezone="UTC")
    assert [row[0] for row in read(history.files["members"])] == ["ann@work.com"]


def test_bots_and_impossible_dates_are_left_out_and_counted(repository: Path, tmp_path: Path) -> None:
    """Of 41 commits one is a bot's and two have impossible dates (2 in 41 is 4.9 %)."""
    for hour in range(38):
        commit(repository, "Ann <ann@work.com>", f"2024-03-{1 + hour // 24:02}T{hour % 24:02}:00:00+0000")
    commit(
        repository, "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>", "2024-03-04T00:00:00+0000"
    )
    commit(repository, "Bo <bo@gmail.com>", "1970-01-01T00:00:09+0000", "2024-03-05T00:00:00+0000")
    commit(repository, "Bo <bo@gmail.com>", "2031-01-01T00:00:00+0000", "2024-03-05T00:00:00+0000")
    history = read_history([repository], into=tmp_path, timezone="UTC")
    assert history.corrections == {"bot": 1, "impossible_date": 2}
    assert len(read(history.files["members"])) == 1


def test_too_many_impossible_dates_are_refused(repository: Path, tmp_path: Path) -> None:
    commit(repository, "Bo <bo@gmail.com>", "1970-01-01T00:00:09+0000", "2024-03-05T00:00:00+0000")
    with pytest.raises(SchemaError, match=r"engine: more than 5 % of the commits .* \(1 row\)"):
        read_history([repository], into=tmp_path, timezone="UTC")


def test_no_commits_and_shallow_clones_are_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="engine: no commits"):
        read_history([repository], into=tmp_path, timezone="UTC")
    commit(repository, "Ann <ann@work.com>", "2024-03-01T08:00:00+0000")
    commit(repository, "Ann <ann@work.com>", "2024-03-02T08:00:00+0000")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "cut")
    with pytest.raises(SchemaError, match=r"cut: a shallow clone.*git fetch --unshallow"):
        read_history([tmp_path / "cut"], into=tmp_path, timezone="UTC")


def test_settings_of_a_repository_run_nothing(repository: Path, tmp_path: Path) -> None:
    """A signed commit and a repository that names its own program for signatures would run it under a plain `git log`."""
    commit(repository, "Ann <ann@work.com>", "2024-03-01T08:00:00+0000")
    tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the empty tree
    who = "Ann <ann@work.com> 1709280000 +0000"
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n"
    raw = tmp_path / "commit"
    raw.write_text(f"tree {tree}\nauthor {who}\ncommitter {who}\n{signature}\nx\n")
    git(repository, "hash-object", "-t", "commit", "-w", "--literally", str(raw))
    name = hashlib.sha1(b"commit %d\0" % raw.stat().st_size + raw.read_bytes()).hexdigest()
    git(repository, "update-ref", "HEAD", name)
    trap = repository / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for setting in ("core.fsmonitor", "gpg.program", "core.pager"):
        git(repository, "config", setting, str(trap))
    git(repository, "config", "log.showSignature", "true")
    read_history([repository], into=tmp_path, timezone="UTC")
    assert not (tmp_path / "sprung").exists()
    git(repository, "log")
    assert (tmp_path / "sprung").exists(), "the trap does not work"


def test_a_bare_repository_imports_and_opens(repository: Path, tmp_path: Path) -> None:
    commit(repository, "Ann <ann@work.com>", "2024-03-01T08:00:00+0000")
    commit(repository, "Bo <bo@gmail.com>", "2024-03-09T09:00:00+0000")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "engine.git")
    assert is_repository(tmp_path / "engine.git")
    assert not is_repository(tmp_path)
    report = import_sources([tmp_path / "engine.git"], into=tmp_path / "club")
    assert [(f.record.file, f.record.n_added) for f in report.files] == [
        ("engine-members.csv", 2),
        ("engine-activity.csv", 2),
    ]
    tables = open_tables(read_config(report.community.path))
    assert tables.has("members", "joined_at", "last_seen_at", "channel_id")
    assert tables.as_of_day == 19_791  # 2024-03-09
    commit(repository, "Bo <bo@gmail.com>", "2024-03-10T09:00:00+0000")
    again = import_sources([repository], into=tmp_path / "club")
    assert [(f.record.n_added, f.record.n_changed, f.record.n_unchanged) for f in again.files] == [(0, 1, 1), (1, 0, 2)]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("1+x@users.noreply.github.com", "noreply"),
        ("x@noreply.gitee.com", "noreply"),
        ("x@yahoo.co.uk", "webmail"),
        ("x@vip.qq.com", "webmail"),
        ("x@pku.edu.cn", "academic"),
        ("x@cs.stanford.edu", "academic"),
        ("x@mail.example.org", "organisation"),
        ("root@build-7", "local"),
        ("nonsense", "local"),
    ],
)
def test_mail_domains_have_kinds(address: str, kind: str) -> None:
    assert mail_kind(address) == kind


def test_people_who_sound_like_bots_stay() -> None:
    assert not is_bot("robot@work.com", "Rob Ott")
    assert is_bot("bot@renovateapp.com", "Renovate Bot")
