"""Hazard ratios between the levels of one column, by Cox's model on counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from analysis.curves.panel import Floats
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.survival.cox import estimate_cox
from analysis.survival.rules import count_members

HAZARD = ("hazard_ratio", "hazard_low", "hazard_high")
_OUTCOMES = {1: "n_events", 0: "n_censored"}


def estimate_hazard_ratios(
    counts: pd.DataFrame, *, by: str, strata: Sequence[str] = (), cluster: str = "", confidence: float = 0.95
) -> pd.DataFrame:
    """Return each level's hazard ratio against the largest level, for analysts.

    It stands for the whole curve only where hazards are proportional.

    Parameters
    ----------
    counts
        Counts by ``by``, ``strata`` and ``cluster``, late entry included.
    strata
        Columns within which levels are compared: each combination has a baseline of its own.
    cluster
        Column that names the members' group; the error is then the sandwich of Lin & Wei (1989).

    Returns
    -------
    DataFrame
        One row per level, the largest first: ``by``, ``hazard_ratio`` (1 in the first row), ``hazard_low``,
        ``hazard_high``, ``refused`` (``""``, or why it is nan: ``SEPARATED``, where one of the two levels has no leavers
        while the other is at risk, so that the likelihood has no maximum; ``TOO_FEW_GROUPS``).

    Notes
    -----
    A partial likelihood asks only how many of each level, and of each cluster, are at risk on each day. So members who
    entered late need not be matched with when they left: any pairing that is possible gives the same answer. And strata
    are the same as one population whose strata live one after another, each entering when its own time begins.
    """
    sizes = count_members(counts, by)
    order = [sizes.idxmax(), *(level for level in sizes.index if level != sizes.idxmax())]
    keys = list(dict.fromkeys((by, *strata, *((cluster,) if cluster else ()))))
    rows = _shift_strata(_pair_entries(counts, keys=keys), strata)
    tied = _find_tied(rows, by=by, level=order[0])
    table = pd.DataFrame({by: order, **dict.fromkeys(HAZARD, np.nan), "refused": ""})
    table.loc[~table[by].isin(tied), "refused"] = RefusalCode.SEPARATED
    table.loc[0, "hazard_ratio"] = 1.0
    if len(tied) < 2:
        return table
    try:
        cox = estimate_cox(
            rows[rows[by].isin(tied)].assign(**{by: rows[by].astype(str)}),
            covariates=(by,),
            reference={by: str(order[0])},
            cluster=cluster,
            confidence=confidence,
        )
    except RefusedAnalysis as refused:
        table.loc[table.index > 0, "refused"] = refused.code
        return table
    found = cox.table.set_axis(cox.terms[0].levels[1:])
    for name, column in zip(HAZARD, ("hazard_ratio", "ci_low", "ci_high"), strict=True):
        table[name] = table[name].fillna(table[by].astype(str).map(found[column]))
    return table


def _pair_entries(counts: pd.DataFrame, *, keys: list[str]) -> pd.DataFrame:
    """Return rows of ``entry_days``, ``duration_days``, ``event`` and ``weight``, the latest to enter last to leave."""
    ends = pd.concat([counts.assign(event=event, weight=counts[name]) for event, name in _OUTCOMES.items()])
    ends = ends[ends["weight"] > 0][[*keys, "duration_days", "event", "weight"]]
    if not counts["n_entered"].sum():
        return ends.assign(entry_days=0).reset_index(drop=True)
    entries = counts[counts["n_entered"] > 0]
    parts = []
    late = {key: part for key, part in entries.groupby(keys, dropna=False, observed=True)}
    for key, part in ends.groupby(keys, dropna=False, observed=True):
        own = part.sort_values("duration_days", ascending=False)
        parts.append(
            _pair(own, late[key].sort_values("duration_days", ascending=False))
            if key in late
            else own.assign(entry_days=0)
        )
    return pd.concat(parts, ignore_index=True)


def _pair(ends: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    left, came = ends["weight"].cumsum().to_numpy(float), entries["n_entered"].cumsum().to_numpy(float)
    cuts = np.union1d(left, came)
    end, entry = np.searchsorted(left, cuts), np.searchsorted(came, cuts)
    days = np.append(entries["duration_days"].to_numpy(), 0)  # the rest were watched from joining on
    return ends.iloc[end].assign(weight=np.diff(cuts, prepend=0.0), entry_days=days[entry])


def _shift_strata(rows: pd.DataFrame, strata: Sequence[str]) -> pd.DataFrame:
    if not strata:
        return rows
    length = int(rows["duration_days"].max()) + 2
    start = rows.groupby(list(strata), dropna=False, observed=True).ngroup().to_numpy() * length
    entry = np.where(rows["entry_days"] > 0, rows["entry_days"], -1) + start
    return rows.assign(entry_days=np.maximum(entry, 0), duration_days=rows["duration_days"] + start)


def _find_tied(rows: pd.DataFrame, *, by: str, level: object) -> list[object]:
    """Return the levels whose ratio to ``level`` the data hold from both sides.

    A leaver of one level while another is at risk speaks for the first's higher hazard. A maximum exists where such words
    lead from each level to each other (Ford 1957, Am Math Monthly 64:28, for comparisons of pairs).
    """
    code, names = pd.factorize(rows[by])
    days = np.unique(rows.loc[rows["event"] == 1, "duration_days"])
    shape = (len(names), len(days) + 1)
    at_risk, leaving = np.zeros(shape), np.zeros(shape)
    weight = rows["weight"].to_numpy(float)
    entry = np.where(rows["entry_days"] > 0, rows["entry_days"], -1)
    np.add.at(at_risk, (code, np.searchsorted(days, entry, side="right")), weight)
    np.add.at(at_risk, (code, np.searchsorted(days, rows["duration_days"], side="right")), -weight)
    left = (rows["event"] == 1).to_numpy()
    np.add.at(leaving, (code[left], np.searchsorted(days, rows["duration_days"][left])), weight[left])
    words: Floats = leaving @ (at_risk.cumsum(axis=1) > 0).T
    _, part = connected_components(csr_array(words > 0), connection="strong")
    return names[part == part[list(names).index(level)]].tolist()
