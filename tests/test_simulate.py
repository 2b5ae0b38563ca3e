from __future__ import annotations

import filecmp
import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from analysis.config import Churn, read_config
from analysis.intake import open_tables
from analysis.sample import write_sample
from analysis.schema import TABLES
from analysis.simulate import Parameters, Simulated, draw_community
from analysis.summaries import count_churn, count_present, count_stays, find_spells, find_stays
from analysis.survival import Rules, watch_groups
from memory_tables import MemoryTables

SMALL = Parameters(n_people=900, n_before=120)


@cache
def drawn() -> Simulated:
    return draw_community(rng=np.random.default_rng(7))


@cache
def drawn_tables() -> MemoryTables:
    return tables_of(drawn())


def tables_of(simulated: Simulated) -> MemoryTables:
    tables = {}
    for name, table in simulated.tables.items():
        times = table.select_dtypes("datetime").columns
        tables[name] = table.assign(**{column: (table[column] - pd.Timestamp(0)).dt.days for column in times})
    first = int(tables["members"]["joined_at"].min())
    return MemoryTables(as_of_day=simulated.as_of_day, first_day=first, **tables)


def churn() -> Churn:
    return Churn(tracking_from=Parameters().tracking_from)


def survival_at(counts: pd.DataFrame, day: int) -> tuple[float, float]:
    """Kaplan-Meier and Greenwood's standard error, the long way round."""
    survival, variance = 1.0, 0.0
    at_risk = (counts["n_events"] + counts["n_censored"] - counts["n_entered"]).sum()
    for row in counts.sort_values("duration_days").itertuples():
        if row.duration_days > day:
            break
        survival *= 1 - row.n_events / at_risk
        variance += row.n_events / (at_risk * (at_risk - row.n_events))
        at_risk += row.n_entered - row.n_events - row.n_censored
    return survival, survival * variance**0.5


def test_the_same_seed_draws_the_same_community():
    one = draw_community(rng=np.random.default_rng(3), parameters=SMALL)
    other = draw_community(rng=np.random.default_rng(3), parameters=SMALL)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name])


def test_the_committed_sample_is_what_its_seed_draws(tmp_path, root):
    """Byte for byte; tables row for row, since another DuckDB may write the same rows differently."""
    write_sample(tmp_path)
    sample = root / "data" / "sample"
    for name in ("community.yml", "truth.json", "processed/imports.json"):
        assert filecmp.cmp(tmp_path / name, sample / name, shallow=False), name
    tables = sorted(path.name for path in (sample / "processed").glob("*.parquet"))
    assert tables == sorted(path.name for path in (tmp_path / "processed").glob("*.parquet"))
    for name in tables:
        committed, fresh = (pd.read_parquet(folder / "processed" / name) for folder in (sample, tmp_path))
        pd.testing.assert_frame_equal(committed, fresh)


def test_the_sample_is_small_and_opens(root):
    sample = root / "data" / "sample"
    assert sum(path.stat().st_size for path in sample.rglob("*") if path.is_file()) < 3_000_000
    community = read_config(sample / "community.yml")
    tables = open_tables(community)
    counts = count_stays(find_stays(tables, churn=community.churn, by=("group_type",)), by=("group_type",))
    truth = json.loads((sample / "truth.json").read_text("utf-8"))["survival"]["group_type"]
    for kind, part in counts.groupby("group_type"):
        survival, error = survival_at(part, 30)
        assert survival == pytest.approx(truth[kind]["30"], abs=3.5 * error)


def test_tables_keep_the_rules_of_the_schema():
    for name, table in drawn().tables.items():
        schema = TABLES[name]
        assert set(table.columns) <= set(schema.columns)
        assert table[list(schema.required)].notna().all(axis=None), name
        key = [column for column in schema.key if column in table]
        assert not table.duplicated(key).any(), name
        for column, rule in schema.columns.items():
            if rule.not_before and {column, rule.not_before} <= set(table.columns):
                both = table[[column, rule.not_before]].dropna()
                assert (both[column] >= both[rule.not_before]).all(), (name, column)
            if rule.values and column in table and table[column].dtype == object:
                assert set(table[column].dropna()) <= set(rule.values), (name, column)


def test_nobody_is_active_before_joining_or_after_leaving():
    tables = drawn().tables
    joined = tables["members"].groupby("member_id")["joined_at"].min().dt.floor("D")
    since = tables["activity"]["date"] - tables["activity"]["member_id"].map(joined)
    assert since.min() >= pd.Timedelta(0)
    assert tables["activity"]["date"].max() <= pd.Timestamp(Parameters().as_of)


def test_the_shape_that_the_field_reports():
    """58 % of those in unmanaged groups are gone after 30 days; 15 % are core; 43/28/19/10 % kinds; 20 % v 47 %."""
    truth, tables = drawn().truth, drawn().tables
    assert truth.loss("group_type", day=30)["unmanaged"] == pytest.approx(0.58, abs=0.01)
    assert truth.figures["core_share_present"] == pytest.approx(0.15, abs=0.015)
    kinds = tables["members"].drop_duplicates("member_id")["member_type"].value_counts(normalize=True)
    expected = {"social": 0.43, "utility": 0.28, "participating": 0.19, "silent": 0.10}
    assert kinds.to_dict() == pytest.approx(expected, abs=0.02)
    shares = truth.interaction.set_index("group_type")["interaction"]
    assert (shares["red_packet"], shares["gamified_task"]) == pytest.approx((0.20, 0.47), abs=1e-3)
    assert 6_000 < truth.figures["n_members"] < 9_000


@pytest.mark.parametrize("by", ["all", "group_type", "channel_id", "member_type", "platform"])
def test_survival_curves_recover_the_truth(by):
    """At 7, 30 and 90 days, within 3.5 standard errors and one point for what drifts between cohorts."""
    columns = () if by == "all" else (by,)
    counts = count_stays(find_stays(drawn_tables(), churn=churn(), by=columns), by=columns)
    parts = [("all", counts)] if by == "all" else counts.groupby(by)
    for level, part in parts:
        for day in (7, 30, 90):
            survival, error = survival_at(part, day)
            assert survival == pytest.approx(1 - drawn().truth.loss(by, day=day)[level], abs=3.5 * error + 0.01)


def test_stays_come_out_of_memberships_as_they_went_in():
    """Moves are bridged, returns are new spells, and everybody who is there is found."""
    spells = find_spells(drawn_tables(), away_days=7).collect().to_pandas()
    figures = drawn().truth.figures
    assert len(spells) == figures["n_stays"]
    assert (spells["spell"] == 2).sum() == figures["n_rejoined"]
    assert spells["member_id"].nunique() == figures["n_members"]
    there = count_present(drawn_tables(), churn=churn())["n_present"].sum()
    unseen = (spells["leave_reason"] == "out_of_sight").sum()
    assert 0 <= there - figures["n_present"] <= unseen
    reasons = spells["leave_reason"].value_counts()
    assert reasons["group_dissolved"] == figures["n_group_dissolved"]
    assert reasons["capacity_cleanup"] == figures["n_capacity_cleanup"]


def test_weekly_interaction_recovers_the_truth():
    """Members of one stay, present from Monday to Sunday outside holidays: share with any activity in the week."""
    tables, truth = drawn().tables, drawn().truth
    spells = find_spells(drawn_tables(), away_days=7).collect().to_pandas()
    kinds = tables["groups"].set_index("group_id")["group_type"]
    active = tables["activity"]
    day = (active["date"] - pd.Timestamp(0)).dt.days
    seen = pd.MultiIndex.from_arrays([active["member_id"], day - (day + 3) % 7]).unique()
    mondays = [20_318, 20_325, 20_332, 20_437, 20_444]  # 2025-08-18 and on; 2025-12-15 and on
    for kind, share in truth.interaction.set_index("group_type")["interaction"].items():
        home = spells[(spells["group_id"].map(kinds) == kind) & (spells["leave_reason"] != "out_of_sight")]
        hits = n = 0
        for monday in mondays:
            there = home[(home["joined_day"] <= monday) & ~(home["left_day"] < monday + 7)]
            hits += pd.MultiIndex.from_product([there["member_id"], [monday]]).isin(seen).sum()
            n += len(there)
        assert hits / n == pytest.approx(share, abs=3.5 * (share * (1 - share) / n) ** 0.5 + 0.01)


def test_people_on_several_platforms_are_counted_where_ids_match():
    members, overlap = drawn().tables["members"], drawn().truth.overlap.set_index("platforms")["n_people"]
    on = {platform: set(part["member_id"]) for platform, part in members.groupby("platform")}
    assert len(on["wechat"] & on["xiaohongshu"]) == overlap["wechat+xiaohongshu"]
    assert not on["wechat"] & on["douyin"]
    assert len(on["douyin"]) == overlap["douyin"]
    low = max(0, len(on["wechat"]) + len(on["douyin"]) - drawn().truth.figures["n_people"])
    assert low <= overlap["wechat+douyin"] <= min(len(on["wechat"]), len(on["douyin"]))


def test_the_stories_of_the_sample_are_in_its_tables():
    p, tables = Parameters(), drawn().tables
    snapshots = tables["snapshots"].groupby("group_id")["taken_at"].max()
    unseen = snapshots[list(p.unseen)]
    assert (unseen < pd.Timestamp(p.as_of) - pd.Timedelta(14, "D")).all()
    groups = tables["groups"].set_index("group_id")
    assert groups["dissolved_at"].notna().sum() == 1
    assert tables["group_owner_history"]["group_id"].duplicated().sum() == 1
    assert tables["members"].drop_duplicates("member_id")["is_minor"].sum() == p.n_minors
    assert 0.03 < tables["members"]["consent_at"].isna().mean() < 0.05
    captured = (tables["members"]["joined_at"] >= pd.Timestamp(p.tracking_from)).sum()
    assert 0.96 < captured / tables["platform_counts"]["new_members"].sum() < 0.98


def test_the_two_troubled_groups_of_the_sample_are_found(root):
    community = read_config(root / "data" / "sample" / "community.yml")
    counts = count_churn(open_tables(community), churn=community.churn)
    rules = Rules(**counts.reading, min_cell=community.min_cell)
    watched = watch_groups(counts.recent, rules=rules, days=counts.recent_days)
    assert set(watched.foremost["group_id"]) == {trouble.group_id for trouble in Parameters().troubles}
    assert watched.n_flagged == 2
