"""Tables as of a day, by five members; the ledger decides how far one may look."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path

import narwhals as nw
import pandas as pd
import pytest

from analysis.config import Community
from analysis.errors import ConfigError, RefusalCode, RefusedAnalysis
from analysis.intake import Tables, open_tables, write_tables
from analysis.intake.ledger import Ledger, read_ledger, write_ledger
from analysis.intake.needs import list_needs

SALT = "ab" * 32


def day(text: str) -> int:
    """Return an ISO date as days since 1970-01-01."""
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def times(*texts: str | None) -> pd.Series:
    """Return moments."""
    return pd.Series(pd.to_datetime(pd.Series(texts, dtype="object"), format="ISO8601"))


def community(tmp_path: Path, **settings: object) -> Community:
    """Return settings whose tables lie in the test's folder."""
    return Community(community="club", path=tmp_path / "community.yml", **settings)


def members(**more: object) -> pd.DataFrame:
    """Return five members who joined on 1 to 5 October."""
    joined = times(*(f"2026-10-0{n} 09:00" for n in range(1, 6)))
    return pd.DataFrame({"member_id": list("abcde"), "joined_at": joined, **more})


def collect(tables: Tables, table: str) -> pd.DataFrame:
    """Return a frame's rows as pandas, by joining day or as they come."""
    return nw.to_native(tables.frame(table).collect("pandas"))


def test_written_tables_have_hashed_ids_and_days_beside_times(tmp_path: Path) -> None:
    write_tables({"members": members()}, tmp_path / "processed", salt=SALT)
    frame = collect(open_tables(community(tmp_path)), "members").sort_values("joined_day")
    assert list(frame.columns) == ["member_id", "joined_at", "joined_day"]
    assert frame.member_id.tolist() == [hashlib.sha256(f"{SALT}{name}".encode()).hexdigest()[:16] for name in "abcde"]
    assert frame.joined_day.tolist() == [day(f"2026-10-0{n}") for n in range(1, 6)]
    assert frame.joined_day.dtype == "int32"


def test_as_of_defaults_to_the_last_day_common_to_all_sources(tmp_path: Path) -> None:
    """Members reach the 5th, activity the 9th, content the 2nd; content has no say: the 5th."""
    activity = pd.DataFrame({"member_id": ["a", "a"], "date": times("2026-10-05", "2026-10-09")})
    content = pd.DataFrame({"content_id": ["x"], "published_at": times("2026-10-02")})
    write_tables({"members": members(), "activity": activity, "content": content}, tmp_path / "processed", salt=SALT)
    tables = open_tables(community(tmp_path))
    assert (tables.first_day, tables.as_of_day) == (day("2026-10-01"), day("2026-10-05"))
    assert len(collect(tables, "activity")) == 1


def test_a_stream_that_stopped_holds_the_day_back(tmp_path: Path) -> None:
    folder = tmp_path / "processed"
    write_tables({"members": members()}, folder, salt=SALT)
    (record,) = read_ledger(folder).records
    weekly = [replace(record, file=f"{name}_w{week}.csv", covers_until_day=day(until)) for name, week, until in
              (("qq", 1, "2026-10-03"), ("qq", 2, "2026-10-04"), ("wechat", 1, "2026-10-05"))]  # fmt: skip
    write_ledger(Ledger(records=tuple(weekly)), folder)
    assert open_tables(community(tmp_path)).as_of_day == day("2026-10-04")


def test_joins_and_leavings_after_the_day_are_not_known(tmp_path: Path) -> None:
    """As of the 4th: e has not joined; a left on the 3rd; b's leaving on the 5th, with its reason, is not known yet."""
    left = times("2026-10-03", "2026-10-05", None, None, None)
    reasons = ["self_quit", "removed", None, None, None]
    frame = members(left_at=left, leave_reason=reasons)
    write_tables({"members": frame}, tmp_path / "processed", salt=SALT)
    seen = collect(open_tables(community(tmp_path), as_of="2026-10-04"), "members").sort_values("joined_day")
    assert seen.left_day.tolist()[:2] == [day("2026-10-03"), pd.NA]
    assert seen.left_at.isna().tolist() == [False, True, True, True]
    assert seen.leave_reason.isna().tolist() == [False, True, True, True]


def test_of_leaving_between_two_looks_nothing_is_known_before_the_second(tmp_path: Path) -> None:
    """a: present on the 2nd, gone on the 6th. As of the 4th a is a member like any other; as of the 6th both days stand."""
    frame = members(left_after=times("2026-10-02", *[None] * 4), left_by=times("2026-10-06", *[None] * 4))
    write_tables({"members": frame}, tmp_path / "processed", salt=SALT)
    early = collect(open_tables(community(tmp_path), as_of="2026-10-04"), "members")
    assert early[["left_after", "left_by", "left_after_day", "left_by_day"]].isna().all(axis=None)
    late = collect(open_tables(community(tmp_path)), "members")
    assert late[["left_after_day", "left_by_day"]].dropna().to_numpy().tolist() == [
        [day("2026-10-02"), day("2026-10-06")]
    ]


def test_a_last_visit_that_knows_later_days_is_refused_as_a_column(tmp_path: Path) -> None:
    write_tables({"members": members(last_seen_at=times(*["2026-10-08"] * 5))}, tmp_path / "processed", salt=SALT)
    early = open_tables(community(tmp_path), as_of="2026-10-07")
    assert early.refused_columns == ("members.last_seen_at",)
    assert not early.has("members", "last_seen_at")
    assert list(collect(early, "members").columns) == ["member_id", "joined_at", "joined_day"]
    assert open_tables(community(tmp_path)).has("members", "joined_at", "last_seen_at")


def test_visits_on_the_day_of_the_export_count_as_of_the_day_before(tmp_path: Path) -> None:
    """Exported during the 8th, complete up to the 7th: a visit on the 8th shows that its member had not left by the 7th."""
    seen = times("2026-10-08 10:00", "2026-10-05", "2026-10-06", "2026-10-06", "2026-10-07")
    folder = tmp_path / "processed"
    write_tables({"members": members(last_seen_at=seen)}, folder, salt=SALT, covers_until_day=day("2026-10-07"))
    tables = open_tables(community(tmp_path))
    assert tables.refused_columns == ()
    frame = collect(tables, "members")
    assert frame.last_seen_day.max() == day("2026-10-07")
    assert frame.last_seen_at.max() == pd.Timestamp("2026-10-07 23:59:59")
    write_tables({"members": members(last_seen_at=seen)}, folder, salt=SALT, covers_until_day=day("2026-10-06"))
    assert open_tables(community(tmp_path)).refused_columns == ("members.last_seen_at",)


def test_days_to_come_stand_in_the_calendar_and_groups_without_a_date_stay(tmp_path: Path) -> None:
    calendar = pd.DataFrame({"date": times("2026-10-01", "2027-02-06"), "kind": "holiday", "name": ["国庆", "春节"]})
    groups = pd.DataFrame(
        {"group_id": ["g", "h"], "created_at": times(None, "2026-10-05"), "dissolved_at": times(None, None)}
    )
    write_tables({"members": members(), "calendar": calendar, "groups": groups}, tmp_path / "processed", salt=SALT)
    tables = open_tables(community(tmp_path), as_of="2026-10-04")
    assert len(collect(tables, "calendar")) == 2
    assert collect(tables, "groups").group_id.tolist() == ["g"]


@pytest.mark.parametrize(
    ("as_of", "words"),
    [
        ("2026-10-06", "as_of 2026-10-06: the exports are complete only up to 2026-10-05. Choose that day"),
        ("2026-09-30", "as_of 2026-09-30: the tables begin on 2026-10-01"),
        ("10/5/2026", "write it as YYYY-MM-DD"),
    ],
)
def test_days_outside_the_exports_are_refused_with_a_remedy(tmp_path: Path, as_of: str, words: str) -> None:
    write_tables({"members": members()}, tmp_path / "processed", salt=SALT)
    with pytest.raises(ConfigError, match=words):
        open_tables(community(tmp_path), as_of=as_of)


def test_without_tables_the_remedy_is_an_import(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing imported yet\. Run: community import SOURCE --into"):
        open_tables(community(tmp_path))


def test_a_damaged_ledger_is_told(tmp_path: Path) -> None:
    write_tables({"members": members()}, tmp_path / "processed", salt=SALT)
    (tmp_path / "processed" / "imports.json").write_text("{")
    with pytest.raises(ConfigError, match=r"imports\.json: cannot be read"):
        open_tables(community(tmp_path))


def test_a_missing_table_is_a_refused_analysis(tmp_path: Path) -> None:
    write_tables({"members": members()}, tmp_path / "processed", salt=SALT)
    tables = open_tables(community(tmp_path))
    assert not tables.has("groups")
    with pytest.raises(RefusedAnalysis) as refused:
        tables.frame("groups")
    assert (refused.value.code, refused.value.facts) == (RefusalCode.MISSING_TABLE, {"table": "groups"})


def test_frames_of_one_community_join(tmp_path: Path) -> None:
    activity = pd.DataFrame({"member_id": ["a", "b"], "date": times("2026-10-05", "2026-10-05"), "n_messages": [2, 3]})
    write_tables({"members": members(), "activity": activity}, tmp_path / "processed", salt=SALT)
    tables = open_tables(community(tmp_path))
    joined = tables.frame("members").join(tables.frame("activity"), on="member_id").select(nw.col("n_messages").sum())
    assert joined.collect("pandas").item() == 5


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("x", "y"):
        write_tables({"members": members().sample(frac=1, random_state=len(name))}, tmp_path / name, salt=SALT)
    assert {f.name: f.read_bytes() for f in (tmp_path / "x").iterdir()} == {
        f.name: f.read_bytes() for f in (tmp_path / "y").iterdir()
    }


def test_needs_name_what_is_missing(tmp_path: Path) -> None:
    """Five days of history carry a silence of one day, not of 30."""
    activity = pd.DataFrame({"member_id": ["a"], "date": times("2026-10-05")})
    write_tables({"members": members(), "activity": activity}, tmp_path / "processed", salt=SALT)
    asked = {"churn": {"groupings": ("tier",)}, "covariates": {"town": {}}}
    needs = {need.asked: need.missing for need in list_needs(open_tables(community(tmp_path, **asked)))}
    assert needs["leaving by silence of 30 days"].startswith("90 days of history (there are 5)")
    assert needs["comparing by tier"] == "tier in members or groups"
    assert "map it in community.yml" in needs["covariate town"]
    brief = community(tmp_path, churn={"silent_days": 1})
    assert {need.asked: need.missing for need in list_needs(open_tables(brief))}["leaving by silence of 1 days"] == ""
