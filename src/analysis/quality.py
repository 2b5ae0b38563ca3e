"""Can the data carry the questions? The verdicts of ``00_data_quality``, from counts.

A question is *good* when every table, column and length of history that its method needs is there;
otherwise it is refused, with what to supply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.summaries import HISTORY_SHARE, WIDE_MOST

QUESTIONS = ("leaving", "silence", "differences", "platforms")
"""What the suite is asked, in the order of the page."""

FRESH_DAYS = 14
"""A group without a look for longer than this is stale."""

CAPTURE_LEAST = 0.95
"""Below this share of the platform's own joins, newcomers are missing."""

MATCH_LEAST = 0.95
"""Below this share of known ids, tables cannot be joined."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """One question: whether the data carry it, and otherwise why not."""

    question: str
    refused: RefusedAnalysis | None

    @property
    def good(self) -> bool:
        """Whether the question can be answered."""
        return self.refused is None


@dataclass(frozen=True, kw_only=True, eq=False)
class Freshness:
    """Groups by when they were last looked at.

    ``stale`` lists groups without a look for more than :data:`FRESH_DAYS` days: ``group_id, last_day``.
    """

    n_groups: int
    n_covered: int
    stale: pd.DataFrame
    oldest_day: float

    @property
    def share(self) -> float:
        """Share of groups looked at in the last :data:`FRESH_DAYS` days."""
        return self.n_covered / self.n_groups if self.n_groups else np.nan


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """One thing that must hold before members' data may be used: ``n`` of ``n_members`` break it.

    A number between 1 and ``min_cell`` is not shown (``is_small``).
    """

    name: str
    n: float
    n_members: int
    min_cell: int

    @property
    def known(self) -> bool:
        """Whether the data say anything about it."""
        return not np.isnan(self.n)

    @property
    def is_small(self) -> bool:
        """Whether so few break it that the number would point at them."""
        return 0 < self.n < self.min_cell

    @property
    def passed(self) -> bool:
        """Whether nobody breaks it."""
        return self.known and self.n == 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlap:
    """Members on two platforms, one row per pair: ``platform_a, platform_b, n_a, n_b, low, high, counted``.

    Where ids match (``counted``), ``low`` = ``high`` = the count. Where they do not, the bounds of Fréchet
    (1951): at least max(0, a + b − all), at most min(a, b); without the number of all people the lower
    bound is 0.
    """

    table: pd.DataFrame


def check_freshness(snapshots: pd.DataFrame, *, as_of_day: int) -> Freshness:
    """Return which groups were looked at lately.

    Parameters
    ----------
    snapshots
        One row per group: ``group_id, n_snapshots, last_day``; dissolved groups may carry ``dissolved_day``.
    """
    alive = snapshots
    if "dissolved_day" in snapshots:
        alive = snapshots[~(snapshots["dissolved_day"].astype(float) <= as_of_day)]
    fresh = as_of_day - alive["last_day"] <= FRESH_DAYS
    stale = alive.loc[~fresh, ["group_id", "last_day"]].sort_values(["last_day", "group_id"], ignore_index=True)
    oldest = stale["last_day"].min() if len(stale) else np.nan
    return Freshness(n_groups=len(alive), n_covered=int(fresh.sum()), stale=stale, oldest_day=float(oldest))


def estimate_capture(joins: pd.DataFrame) -> float:
    """Return the share of the platform's own count of new members that our tables hold.

    Parameters
    ----------
    joins
        One row per platform: ``platform, n_captured, n_counted``, over the same days.

    Raises
    ------
    RefusedAnalysis
        The platform counted nobody.
    """
    counted = float(joins["n_counted"].sum())
    if counted == 0:
        raise RefusedAnalysis(RefusalCode.NO_PLATFORM_COUNTS)
    return float(joins["n_captured"].sum()) / counted


def estimate_match(ids: pd.DataFrame) -> float:
    """Return the share of ids in other tables that ``members`` knows; nan without other tables."""
    total = ids["n_ids"].sum()
    return float(ids["n_matched"].sum() / total) if total else np.nan


def check_gates(people: Mapping[str, float], *, min_cell: int) -> tuple[Gate, ...]:
    """Return the gates: everybody agreed, nobody is under age.

    Raises
    ------
    RefusedAnalysis
        Fewer members than ``min_cell``.
    """
    n = int(people["n_members"])
    if n < min_cell:
        raise RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": n, "needed": min_cell})
    return (
        Gate(name="consent", n=float(people["n_without_consent"]), n_members=n, min_cell=min_cell),
        Gate(name="minors", n=float(people["n_minors"]), n_members=n, min_cell=min_cell),
    )


def estimate_overlap(pairs: pd.DataFrame, *, shared_ids: tuple[tuple[str, ...], ...] = ()) -> Overlap:
    """Return how many members two platforms share: counted where ids match, bounded where they do not.

    Parameters
    ----------
    pairs
        One row per pair: ``platform_a, platform_b, n_a, n_b, n_both``.
    shared_ids
        Sets of platforms whose ids are the same person's; without any, a pair with a match is taken as one.

    Raises
    ------
    RefusedAnalysis
        Fewer than two platforms.
    """
    if pairs.empty:
        raise RefusedAnalysis(RefusalCode.ONE_PLATFORM)
    counted = _find_matching(pairs, shared_ids)
    most = pairs[["n_a", "n_b"]].min(axis=1)
    table = pairs.assign(
        counted=counted,
        low=np.where(counted, pairs["n_both"], 0),
        high=np.where(counted, pairs["n_both"], most),
    )
    return Overlap(table=table.drop(columns="n_both"))


def count_pairs(overlap: Overlap | RefusedAnalysis) -> dict[str, int]:
    """Return pairs of platforms, and those whose ids do not match, by their names in :class:`Evidence`."""
    if isinstance(overlap, RefusedAnalysis):
        return {"n_pairs": 0, "n_unmatched": 0}
    return {"n_pairs": len(overlap.table), "n_unmatched": int((~overlap.table["counted"]).sum())}


def _find_matching(pairs: pd.DataFrame, shared_ids: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """Return for each pair whether ids match: declared so, or, where nothing is declared, seen to."""
    if not shared_ids:
        return (pairs["n_both"] > 0).to_numpy()
    declared = [set(group) for group in shared_ids]
    named = zip(pairs["platform_a"], pairs["platform_b"], strict=True)
    return np.array([any({a, b} <= group for group in declared) for a, b in named], dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the verdicts rest on.

    Parameters
    ----------
    n_members, min_cell
        Members at hand, and the least that anything may be said about.
    leaving
        How leaving is dated (``n_left``, ``n_wide``), or why nothing is known of it.
    has_activity, history_days, silent_days
        Whether there is a log, how long it is, and the silence that counts as leaving [days].
    n_pairs, n_unmatched
        Pairs of platforms that members are on, and those of them whose ids do not match.
    groupings
        Columns by which members can be compared.
    """

    n_members: int
    min_cell: int
    leaving: pd.Series | RefusedAnalysis
    has_activity: bool
    history_days: int
    silent_days: int
    n_pairs: int
    n_unmatched: int
    groupings: tuple[str, ...]


def judge_questions(evidence: Evidence) -> tuple[Verdict, ...]:
    """Return a verdict on each of :data:`QUESTIONS`."""
    if evidence.n_members < evidence.min_cell:
        few = RefusedAnalysis(RefusalCode.TOO_FEW_MEMBERS, {"n": evidence.n_members, "needed": evidence.min_cell})
        return tuple(Verdict(question=question, refused=few) for question in QUESTIONS)
    refusals = {
        "leaving": _refuse_leaving(evidence),
        "silence": _refuse_silence(evidence),
        "differences": _refuse_differences(evidence),
        "platforms": _refuse_platforms(evidence),
    }
    return tuple(Verdict(question=question, refused=refusals[question]) for question in QUESTIONS)


def _refuse_leaving(evidence: Evidence) -> RefusedAnalysis | None:
    if isinstance(evidence.leaving, RefusedAnalysis):
        return evidence.leaving
    n_left, n_wide = (int(evidence.leaving[name]) for name in ("n_left", "n_wide"))
    if n_left == 0:
        return RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": 0, "needed": 1})
    if n_wide > WIDE_MOST * n_left and not evidence.leaving.get("has_looks", 0):
        return RefusedAnalysis(RefusalCode.NO_SNAPSHOTS)
    return None


def _refuse_silence(evidence: Evidence) -> RefusedAnalysis | None:
    if not evidence.has_activity:
        return RefusedAnalysis(RefusalCode.NO_ACTIVITY)
    at_most = evidence.history_days // HISTORY_SHARE
    if evidence.silent_days > at_most:
        facts = {"silent_days": evidence.silent_days, "history_days": evidence.history_days, "at_most": at_most}
        return RefusedAnalysis(RefusalCode.SILENCE_TOO_LONG, facts)
    return None


def _refuse_differences(evidence: Evidence) -> RefusedAnalysis | None:
    if not evidence.groupings:
        return RefusedAnalysis(RefusalCode.MISSING_COLUMN, {"table": "members", "column": "channel_id"})
    return _refuse_leaving(evidence) and _refuse_silence(evidence)  # without either there is nothing to compare


def _refuse_platforms(evidence: Evidence) -> RefusedAnalysis | None:
    if evidence.n_pairs == 0:
        return RefusedAnalysis(RefusalCode.ONE_PLATFORM)
    if evidence.n_unmatched:
        return RefusedAnalysis(RefusalCode.IDS_DO_NOT_MATCH, {"n": evidence.n_unmatched, "pairs": evidence.n_pairs})
    return None
