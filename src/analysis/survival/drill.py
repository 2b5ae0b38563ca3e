"""The main figures by any crossing of groupings, with every margin, and without a cell that would tell of a few."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis import curves, inference
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival.rules import Rules

TOTAL = "total"
"""What a row says in the columns over which it is summed."""

OTHER = "other"

DAYS = (30, 90)
"""Days after joining on which it is read who is still there."""

_SIZE = ("n_events", "n_censored")


@dataclass(frozen=True, kw_only=True, eq=False)
class Drill:
    """The main figures by cell and margin.

    ``table`` holds one row per cell that may be shown and per margin (:data:`TOTAL` in the columns summed over; the last is that of
    all): the columns of ``by``, ``n``, ``n_events``, ``member_weeks``, ``stay_30`` and ``stay_90`` with ``_low`` and ``_high``
    (Kaplan-Meier; nan where fewer than ``min_cell`` were watched so long), ``leave_rate`` per 100 member-weeks with its ends
    (Byar's), and ``n_present, n_active, share_active, active_low, active_high`` of those there now (Wilson's).
    """

    by: tuple[str, ...]
    table: pd.DataFrame
    n: int
    n_hidden: int


def tabulate_drill(
    counts: pd.DataFrame, present: pd.DataFrame | RefusedAnalysis, *, by: tuple[str, ...], rules: Rules
) -> Drill:
    """Return the main figures by every cell and margin of a crossing.

    Levels of fewer than ``rules.min_cell`` members are merged first (:func:`inference.suppress`), as on the page; then cells are
    hidden along every line (:func:`inference.find_hidden`), in every margin alike.

    Parameters
    ----------
    counts
        Counts of stays by ``by``, and by ``rules.cluster`` where one is named.
    present
        ``[*by, n_present, n_active]``; or why it is not known.

    Raises
    ------
    RefusedAnalysis
        All together are fewer than ``rules.min_cell``, or every cell would have to be hidden.
    """
    here = None if isinstance(present, RefusedAnalysis) else present
    for name in by:
        counts, here = _merge(counts, here, name, rules)
    parts, n_hidden = [], 0
    for size in range(len(by), -1, -1):
        for kept in combinations(by, size):
            part, hidden = _tabulate(counts, here, kept, rules)
            n_hidden += hidden if size == len(by) else 0
            if size == len(by) and part.empty:
                n = int(counts[list(_SIZE)].to_numpy().sum())
                raise RefusedAnalysis(RefusalCode.NOTHING_TO_SHOW, {"n": n, "needed": rules.min_cell})
            parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table[list(by)] = table[list(by)].astype(object).where(table[list(by)].notna(), TOTAL)
    return Drill(by=by, table=table, n=int(counts[list(_SIZE)].to_numpy().sum()), n_hidden=n_hidden)


def _merge(
    counts: pd.DataFrame, here: pd.DataFrame | None, name: str, rules: Rules
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    sizes = counts[list(_SIZE)].sum(axis=1).groupby(counts[name]).sum()
    small = inference.find_small(sizes, min_cell=rules.min_cell)
    if not small:
        return counts, here
    keys = [column for column in counts.columns if column not in (name, *_SIZE, "n_entered")]
    merged = inference.suppress(counts, by=name, keys=keys, min_cell=rules.min_cell, other=OTHER)
    if here is None:
        return merged, None
    renamed = here.assign(**{name: here[name].astype(object).mask(here[name].isin(small), OTHER)})
    keys = [column for column in here.columns if not column.startswith("n_")]
    return merged, renamed.groupby(keys, as_index=False).sum(min_count=1)


def _tabulate(
    counts: pd.DataFrame, here: pd.DataFrame | None, kept: tuple[str, ...], rules: Rules
) -> tuple[pd.DataFrame, int]:
    """Return the rows of one margin, and how many of its cells are hidden."""
    own = counts.assign(n=counts[list(_SIZE)].sum(axis=1), weeks=_count_weeks(counts))
    sums = _sum_by(own, kept, ["n", "n_events", "weeks"]).rename(columns={"weeks": "member_weeks"})
    hidden = _find_hidden(sums, kept, "n", rules)
    shown = sums[~hidden].reset_index(drop=True)
    if shown.empty:
        return shown, int(hidden.sum())
    wanted = counts.merge(shown[list(kept)], on=list(kept)) if kept else counts
    shown = _add_stays(shown, wanted, kept, rules)
    shown = _add_rate(shown, confidence=rules.confidence)
    return _add_present(shown, here, kept, rules), int(hidden.sum())


def _sum_by(table: pd.DataFrame, kept: tuple[str, ...], columns: list[str]) -> pd.DataFrame:
    if not kept:
        return table[columns].astype(float).sum(min_count=1).to_frame().T
    return table.groupby(list(kept), as_index=False)[columns].sum(min_count=1)


def _find_hidden(sums: pd.DataFrame, kept: tuple[str, ...], size: str, rules: Rules) -> pd.Series:
    if not kept:
        return sums[size].astype(float).between(1, rules.min_cell - 1)
    cells = sums.set_index(list(kept))[size].fillna(0)
    hidden = inference.find_hidden(cells, min_cell=rules.min_cell)
    return pd.Series([cell in hidden for cell in cells.index], index=sums.index)


def _count_weeks(counts: pd.DataFrame) -> pd.Series:
    """Return member-weeks watched: up to the end of every stay, less what lay before late entries."""
    ended = counts[list(_SIZE)].sum(axis=1) - counts["n_entered"]
    return ended * counts["duration_days"] / 7


def _add_stays(shown: pd.DataFrame, counts: pd.DataFrame, kept: tuple[str, ...], rules: Rules) -> pd.DataFrame:
    curve = curves.estimate_survival(counts, by=kept, cluster=rules.cluster, confidence=rules.confidence)
    read = curves.estimate_at(curve, days=DAYS)
    known = read["n_at_risk"] >= rules.min_cell
    for day in DAYS:
        own = read[(read["day"] == day) & known].rename(columns={"survival": "stay"})
        names = {name: f"stay_{day}{end}" for name, end in (("stay", ""), ("ci_low", "_low"), ("ci_high", "_high"))}
        part = own[[*kept, *names, "n_at_risk"]].rename(columns=names)
        shown = (
            shown.merge(part, on=list(kept), how="left")
            if kept
            else pd.concat([shown, part.reset_index(drop=True)], axis=1)
        )
        at_edge = shown[f"stay_{day}"].isin([0.0, 1.0])
        low, high = inference.wilson_interval(shown[f"stay_{day}"] * shown["n_at_risk"], shown["n_at_risk"])
        shown[f"stay_{day}_low"] = shown[f"stay_{day}_low"].mask(at_edge, pd.Series(low, index=shown.index))
        shown[f"stay_{day}_high"] = shown[f"stay_{day}_high"].mask(at_edge, pd.Series(high, index=shown.index))
        shown = shown.drop(columns="n_at_risk")
    return shown


def _add_rate(shown: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    weeks = shown["member_weeks"].where(shown["member_weeks"] > 0)
    low, high = inference.byar_interval(shown["n_events"].to_numpy(float), confidence=confidence)
    rate = partial(np.multiply, 100 / weeks)
    return shown.assign(leave_rate=rate(shown["n_events"]), leave_low=rate(low), leave_high=rate(high))


def _add_present(shown: pd.DataFrame, here: pd.DataFrame | None, kept: tuple[str, ...], rules: Rules) -> pd.DataFrame:
    names = ("n_present", "n_active", "share_active", "active_low", "active_high")
    if here is None:
        return shown.assign(**dict.fromkeys(names, np.nan))
    sums = _blank(_sum_by(here, kept, ["n_present", "n_active"]), kept, rules)
    joined: Any = shown.merge(sums, on=list(kept), how="left") if kept else pd.concat([shown, sums], axis=1)
    low, high = inference.wilson_interval(joined["n_active"], joined["n_present"], confidence=rules.confidence)
    return joined.assign(share_active=joined["n_active"] / joined["n_present"], active_low=low, active_high=high)


def _blank(sums: pd.DataFrame, kept: tuple[str, ...], rules: Rules) -> pd.DataFrame:
    hidden = _find_hidden(sums, kept, "n_present", rules)
    counts = ["n_present", "n_active"]
    return sums.assign(**{name: sums[name].astype(float).mask(hidden) for name in counts})
