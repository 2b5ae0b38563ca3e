"""The tables of experiments go in from Chinese exports, and nothing that they add confuses the older tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.config import read_config
from analysis.errors import SchemaError
from analysis.intake import import_sources, open_tables
from analysis.schema import TABLES

DESIGN = (
    "实验编号,分组单位,对照组,计划分流,随机方式,主要指标,次要指标,期望方向,最小效果,查看日期,激励结束日期,停止日期\n"
    "红包一期,按群,对照,对照:0.5;红包:0.5,配对随机,留存30天,发言数,上升,2%,2026-03-01;2026-03-15,2026-03-31,2026-04-30\n"
)
ASSIGNMENTS = (
    "实验编号,群ID,组别,分组时间,首次触达时间,激励成本,配对编号\n"
    "红包一期,群一,对照,2026-02-01,,0,1\n红包一期,群二,红包,2026-02-01,2026-02-02,￥300,1\n"
)
OUTCOMES = (
    "实验编号,成员ID,群ID,指标,阶段,数值,观测时间\n"
    "红包一期,甲,群一,留存30天,实验后,1,2026-03-01\n红包一期,乙,群二,留存30天,实验后,,2026-03-01\n"
    "红包一期,乙,群二,发言数,实验前,12,2026-01-31\n"
)
ORDERS = "订单号,会员ID,支付时间,实付金额,毛利,币种\n1,甲,2026-02-10 08:00,￥99.5,30,CNY\n"
COSTS = "发放时间,费用类型,金额,成员ID\n2026-02-10,红包,5,甲\n2026-02-10,红包,5,乙\n2026-02-11,投放,200,\n"
FILES = {"实验设计": DESIGN, "实验分组": ASSIGNMENTS, "实验结果": OUTCOMES, "订单": ORDERS, "费用": COSTS}


def import_files(folder: Path, **files: str):
    source = folder / "exports"
    source.mkdir()
    for name, text in files.items():
        (source / f"{name}.csv").write_text(text, "utf-8")
    import_sources([source], into=folder / "community")
    return open_tables(read_config(folder / "community" / "community.yml"))


def rows_of(tables, table: str, *columns: str) -> list[tuple]:
    frame = tables.frame(table).select(*columns).collect().to_pandas().astype(object)
    return sorted(frame.where(frame.notna(), None).itertuples(index=False, name=None), key=str)


def test_chinese_exports_of_an_experiment_go_in(tmp_path):
    """2026-02-01 is day 20,485. The stop lies after all exports, and stands: it is a plan."""
    tables = import_files(tmp_path, **FILES)
    design = ("unit", "planned_split", "assignment", "direction", "margin", "looks", "incentive_ends_day", "stop_day")
    assert rows_of(tables, "experiments", *design) == [
        ("group", "对照:0.5;红包:0.5", "paired", "up", 0.02, "2026-03-01;2026-03-15", 20_543, 20_573)
    ]
    drawn = rows_of(
        tables, "assignments", "group_id", "variant", "assigned_day", "first_exposed_day", "unit_cost", "pair"
    )
    assert drawn == [("群一", "对照", 20_485, None, 0.0, "1"), ("群二", "红包", 20_485, 20_486, 300.0, "1")]
    found = rows_of(tables, "outcomes", "metric", "period", "value", "observed_day")
    assert found == [
        ("发言数", "pre", 12.0, 20_484),
        ("留存30天", "post", 1.0, 20_513),
        ("留存30天", "post", None, 20_513),
    ]
    assert rows_of(tables, "orders", "amount", "margin", "currency", "at_day") == [(99.5, 30.0, "CNY", 20_494)]
    assert [row[:2] for row in rows_of(tables, "costs", "cost_type", "amount")] == [
        ("incentive", 5.0),
        ("incentive", 5.0),
        ("media", 200.0),
    ]


def test_members_of_experiments_are_hashed_and_groups_are_not(tmp_path):
    tables = import_files(tmp_path, **FILES)
    (person,) = {row[0] for row in rows_of(tables, "orders", "member_id")}
    assert person != "甲"
    assert person in {row[0] for row in rows_of(tables, "outcomes", "member_id")}
    assert {row[0] for row in rows_of(tables, "outcomes", "group_id")} == {"群一", "群二"}


def test_a_unit_in_two_arms_is_kept_and_one_drawn_twice_to_an_arm_is_refused(tmp_path):
    """Both arms reach the analysis, which refuses them; two different rows of one arm are a fault of the file."""
    both = ASSIGNMENTS + "红包一期,群一,红包,2026-02-01,,0,1\n"
    tables = import_files(tmp_path, 实验分组=both)
    assert len(rows_of(tables, "assignments", "group_id", "variant")) == 3
    twice = ASSIGNMENTS + "红包一期,群一,对照,2026-02-05,,0,1\n"
    (tmp_path / "again").mkdir()
    with pytest.raises(SchemaError, match="rows of one key that differ"):
        import_files(tmp_path / "again", 实验分组=twice)


def test_exposure_before_assignment_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="first_exposed_at lies before assigned_at"):
        import_files(tmp_path, 实验分组=ASSIGNMENTS.replace("2026-02-02", "2026-01-02"))


def test_later_outcomes_are_cut_with_the_day(tmp_path):
    tables = import_files(tmp_path, **FILES)
    early = open_tables(tables.community, as_of="2026-02-20")
    assert rows_of(early, "outcomes", "metric", "period") == [("发言数", "pre")]
    assert rows_of(early, "experiments", "stop_day") == [(20_573,)]


def test_every_table_of_experiments_is_in_the_schema():
    assert {"experiments", "assignments", "outcomes", "orders", "costs"} <= set(TABLES)
