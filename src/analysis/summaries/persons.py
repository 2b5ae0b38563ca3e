"""Who people are: one row per person, with the columns that comparisons group by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import narwhals as nw

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries.calendar import campaign_name, find_campaigns
from analysis.summaries.tables import Tables

UNKNOWN = "unknown"
"""Stands where a category is missing, so that no person is lost from a count."""

MEMBER_COLUMNS = ("platform", "channel_id", "member_type", "tier")
GROUP_COLUMNS = ("group_type", "owner_staff_id")
CAMPAIGN = "campaign"
"""Made here: the own campaign during which somebody joined."""
HOME = "group_id"
"""The first group of a stay."""


def list_groupings(tables: Tables) -> tuple[str, ...]:
    """Return the columns that :func:`find_stays` can carry in ``by``, in the order of the schema."""
    members = (*MEMBER_COLUMNS, *tables.community.covariates)
    found = [column for column in members if tables.has("members", column)]
    if tables.has("memberships", HOME):
        found.append(HOME)
        found += [column for column in GROUP_COLUMNS if tables.has("groups", column)]
    if find_campaigns(tables):
        found.append(CAMPAIGN)
    return tuple(dict.fromkeys(found))


def read_persons(tables: Tables, columns: Iterable[str]) -> nw.LazyFrame:
    """Return one row per person: who joined several platforms counts from the first, with its values.

    Parameters
    ----------
    tables
        Checked tables.
    columns
        Columns of ``members`` beside ``member_id`` and ``joined_day``. ``last_seen_day`` is the last on any
        platform.

    Returns
    -------
    LazyFrame
        ``member_id, joined_day, *columns``.
    """
    names = dict.fromkeys(("member_id", "joined_day", *columns))
    members = tables.frame("members")
    if not tables.has("members", "platform"):
        return members.select(*names)  # the key is the person: one scan, no sort
    if "last_seen_day" in names:
        members = members.with_columns(nw.col("last_seen_day").max().over("member_id"))
    return _first_rows(members, order_by=["joined_day", "platform"]).select(*names)


def _first_rows(rows: nw.LazyFrame, *, order_by: list[str]) -> nw.LazyFrame:
    place = nw.col("one").cum_sum().over("member_id", order_by=order_by)
    return rows.with_columns(one=nw.lit(1)).with_columns(place=place).filter(nw.col("place") == 1)


def split_groupings(tables: Tables, by: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which columns of ``by`` stand in ``members`` and which in ``groups``.

    Raises
    ------
    RefusedAnalysis
        A column stands in neither.
    """
    of_members, of_groups = [], []
    for column in by:
        if column in (HOME, CAMPAIGN):
            continue
        if tables.has("members", column):
            of_members.append(column)
        elif tables.has("groups", column) and tables.has("memberships", HOME):
            of_groups.append(column)
        else:
            raise RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": column})
    return of_members, of_groups


def add_group_columns(stays: nw.LazyFrame, tables: Tables, columns: Sequence[str]) -> nw.LazyFrame:
    """Return the stays with columns of their home group."""
    if not columns:
        return stays
    return stays.join(tables.frame("groups").select(HOME, *columns), on=HOME, how="left")


def add_home_group(stays: nw.LazyFrame, tables: Tables) -> nw.LazyFrame:
    """Return the stays with the first group that each person joined as ``group_id``."""
    if not tables.has("memberships", HOME):
        return stays.with_columns(nw.lit(None, dtype=nw.String).alias(HOME))
    first = _first_rows(tables.frame("memberships"), order_by=["joined_day", HOME])
    return stays.join(first.select("member_id", HOME), on="member_id", how="left")


def fill_unknown(stays: nw.LazyFrame, tables: Tables, by: Sequence[str]) -> nw.LazyFrame:
    """Return the stays with the campaign column if asked for, and missing categories named."""
    if CAMPAIGN in by:
        name = campaign_name(nw.col("joined_day"), find_campaigns(tables))
        stays = stays.with_columns(name.alias(CAMPAIGN))
    schema = stays.collect_schema()
    texts = [column for column in by if schema[column] == nw.String]
    return stays.with_columns(nw.col(column).fill_null(UNKNOWN) for column in texts) if texts else stays
