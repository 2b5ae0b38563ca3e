"""What each definition of leaving, and each comparison asked for, needs from the tables and does not find there."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.intake.store import Tables

_GROUP_COLUMNS = ("group_type", "owner_staff_id")


@dataclass(frozen=True, kw_only=True)
class Need:
    """One thing that was asked of the tables.

    Parameters
    ----------
    asked
        What it is for, in plain English.
    missing
        What to supply; "" where everything is there.
    """

    asked: str
    missing: str


def list_needs(tables: Tables) -> list[Need]:
    """Return the definitions of leaving, then the comparisons and covariates of the settings, with what they miss."""
    churn, k = tables.community.churn, tables.community.churn.silent_days
    left = any(tables.has(table, column) for table in ("members", "memberships") for column in ("left_at", "left_by"))
    needs = [
        Need(asked="leaving by the day they left", missing="" if left else "left_at in members or memberships"),
        Need(asked=f"leaving by silence of {k} days", missing=_silence(tables, k)),
        Need(asked=f"leaving by last visit, {k} days ago or more", missing=_last_seen(tables)),
        Need(asked="intervals that allow for groups", missing="" if tables.has("memberships") else "memberships"),
    ]
    for column in dict.fromkeys([*churn.groupings, *churn.strata]):
        there = tables.has("members", column) or (column in _GROUP_COLUMNS and tables.has("groups", column))
        needs.append(Need(asked=f"comparing by {column}", missing="" if there else f"{column} in members or groups"))
    for column in tables.community.covariates:
        there = tables.has("members", column)
        missing = (
            "" if there else f"map it in community.yml (sources, members, columns: {column}: HEADER) and import again"
        )
        needs.append(Need(asked=f"covariate {column}", missing=missing))
    return needs


def _silence(tables: Tables, k: int) -> str:
    if not tables.has("activity"):
        return "activity"
    history = tables.as_of_day - tables.first_day + 1
    return "" if history >= 3 * k else f"{3 * k} days of history (there are {history}), or a shorter silent_days"


def _last_seen(tables: Tables) -> str:
    if "members.last_seen_at" in tables.refused_columns:
        return "a members export as old as the other exports: this one knows later visits"
    return "" if tables.has("members", "last_seen_at") else "last_seen_at in members"
