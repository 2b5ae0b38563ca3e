"""One person goes from every table and stays out; everybody else stays as they were."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis import cli
from analysis.config import read_config
from analysis.errors import ConfigError
from analysis.intake import forget_member, import_sources, write_tables
from analysis.intake.forget import read_forgotten
from analysis.intake.salt import FILE as SALT_FILE
from analysis.intake.salt import write_salt
from analysis.reports.counted import find_counted

SALT = "ab" * 32


def stored(name: str, salt: str = SALT) -> str:
    return hashlib.sha256(f"{salt}{name}".encode()).hexdigest()[:16]


@pytest.fixture
def club(tmp_path: Path):
    """Five members; b was invited by a; a wrote twice and answered b; b wrote a post."""
    days = pd.to_datetime([f"2026-10-0{n}" for n in range(1, 6)])
    frames = {
        "members": pd.DataFrame(
            {"member_id": list("abcde"), "joined_at": days, "inviter_member_id": [None, "a", "a", "b", None]}
        ),
        "activity": pd.DataFrame({"member_id": ["a", "a", "b"], "date": days[[0, 1, 1]], "n_messages": 1}),
        "content": pd.DataFrame({"content_id": ["p", "q"], "published_at": days[:2], "author_member_id": ["b", "a"]}),
    }
    write_tables(frames, tmp_path / "processed", salt=SALT)
    write_salt(tmp_path, SALT)
    (tmp_path / "community.yml").write_text("community: club\n", "utf-8")
    return read_config(tmp_path / "community.yml")


def rows(folder: Path, table: str) -> pd.DataFrame:
    return duckdb.sql(f"SELECT * FROM '{folder / 'processed' / table}.parquet'").df()


def test_one_person_goes_from_every_table_and_the_others_stay(club, tmp_path):
    before = {table: rows(tmp_path, table) for table in ("members", "activity", "content")}
    done = forget_member(club, "a")
    assert done.member_id == stored("a")
    assert dict(done.n_erased) == {"members": 1, "activity": 2}
    assert dict(done.n_blanked) == {"members": 2, "content": 1}
    for path in (tmp_path / "processed").glob("*.parquet"):
        assert stored("a") not in rows(tmp_path, path.stem).astype(str).to_numpy()
    after = rows(tmp_path, "members")
    assert set(after.member_id) == {stored(name) for name in "bcde"}
    assert after.set_index("member_id").inviter_member_id[stored("d")] == stored("b")
    assert after.inviter_member_id.notna().sum() == 1
    assert list(after.columns) == list(before["members"].columns)
    assert (after.dtypes == before["members"].dtypes).all()
    assert len(rows(tmp_path, "content")) == 2


def test_the_stored_id_does_as_well_and_an_unknown_one_is_refused(club, tmp_path):
    assert forget_member(club, stored("b")).n_erased["members"] == 1
    mark = (tmp_path / "processed/members.parquet").read_bytes()
    with pytest.raises(ConfigError, match="Nobody of this id") as refused:
        forget_member(club, "nobody-4711")
    assert "4711" not in str(refused.value)
    assert (tmp_path / "processed/members.parquet").read_bytes() == mark


def test_an_old_export_does_not_bring_anybody_back(tmp_path):
    export = tmp_path / "members_2026-10-05.csv"
    export.write_text("member_id,joined_at\nann,2026-10-01\nbob,2026-10-02\ncleo,2026-10-03\n", "utf-8")
    into = tmp_path / "club"
    import_sources([export], into=into)
    forget_member(read_config(into / "community.yml"), "ann")
    salt = (into / SALT_FILE).read_text().strip()
    later = tmp_path / "members_2026-10-12.csv"
    later.write_text(export.read_text() + "dora,2026-10-08\n", "utf-8")
    import_sources([later], into=into)
    assert set(rows(into, "members").member_id) == {stored(name, salt) for name in ("bob", "cleo", "dora")}
    assert read_forgotten(into / "processed") == {stored("ann", salt)}


def test_a_lost_salt_is_told_and_the_stored_id_still_serves(club, tmp_path):
    (tmp_path / SALT_FILE).unlink()
    with pytest.raises(ConfigError, match="no id can be matched"):
        forget_member(club, "a")
    assert forget_member(club, stored("a")).n_erased["members"] == 1
    export = tmp_path / "members_2026-10-12.csv"
    export.write_text("member_id,joined_at\nzoe,2026-10-11\n", "utf-8")
    with pytest.raises(ConfigError, match="hashed with another salt"):
        import_sources([export], into=tmp_path)


def test_another_salt_needs_a_new_folder_where_everything_is_imported_again(tmp_path):
    """Rotation: the same exports into a new folder; ids are new ones, counts are the same."""
    export = tmp_path / "members_2026-10-05.csv"
    export.write_text("member_id,joined_at\nann,2026-10-01\nbob,2026-10-02\n", "utf-8")
    first, second = (import_sources([export], into=tmp_path / name) for name in ("old", "new"))
    assert dict(first.n_rows) == dict(second.n_rows)
    old, new = (set(rows(tmp_path / name, "members").member_id) for name in ("old", "new"))
    assert old.isdisjoint(new)


def test_the_reports_that_still_count_the_person_and_the_lists_that_name_them_are_told(club, tmp_path):
    run = tmp_path / "reports/club/2026-10-05_20261006T000000000Z_ab"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"run": run.name}), "utf-8")
    (run / "01.risk_list.csv").write_text(f"rank,member_id\n1,{stored('a')}\n", "utf-8")
    (run / "02.risk_list.csv").write_text(f"rank,member_id\n1,{stored('b')}\n", "utf-8")
    counted = find_counted(tmp_path / "reports/club", member_id=stored("a"))
    assert (counted.runs, counted.lists) == ((run.name,), (run / "01.risk_list.csv",))
    failed = tmp_path / "reports/club/failed" / run.name / "01.ipynb"
    failed.parent.mkdir(parents=True)
    failed.write_text(f"KeyError: '{stored('a')}'", "utf-8")
    assert failed in find_counted(tmp_path / "reports/club", member_id=stored("a")).lists
    told = CliRunner().invoke(cli.app, ["forget", str(club.path), "a", "--reports", str(tmp_path / "reports")])
    assert told.exit_code == 0, told.output
    assert "activity: 2 rows erased" in told.output
    assert f"in the report {run.name}" in told.output
    assert "01.risk_list.csv: delete" in told.output.replace("\n", "")
    assert CliRunner().invoke(cli.app, ["forget", str(club.path), "a"]).exit_code == 2
