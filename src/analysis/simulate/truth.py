"""What is true of a simulated community: what estimates from its tables should find."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.simulate.parameters import PLATFORMS, Parameters, day_of

DAYS = (0, 7, 14, 30, 60, 90, 180, 365)
"""Days of tenure at which true survival is told."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The truth beside a simulated community.

    Parameters
    ----------
    survival
        ``by`` (a column, or ``all``), ``level, n_stays, day, survival``: the mean over the stays of the probability
        of staying longer than ``day``, before dissolved groups and clean-ups cut any of them short.
    interaction
        ``group_type, interaction``: share of members present for a whole week who were active in it.
    overlap
        ``platforms`` (joined by +), ``n_people``: people who were ever on all of them.
    effects
        ``experiment_id, metric, n, control, incentive, effect``: of those dealt an arm, the mean probability of still
        being there when it is measured, had all been in one arm or all in the other.
    figures
        Counts and shares by name.
    """

    survival: pd.DataFrame
    interaction: pd.DataFrame
    overlap: pd.DataFrame
    effects: pd.DataFrame
    figures: Mapping[str, float] = field(default_factory=dict)

    def loss(self, by: str, *, day: int) -> pd.Series:
        """Return the true share of stays that end by ``day``, by level of ``by``."""
        rows = self.survival[(self.survival["by"] == by) & (self.survival["day"] == day)]
        return 1 - rows.set_index("level")["survival"]


def tell_truth(
    stays: pd.DataFrame,
    memberships: pd.DataFrame,
    groups: pd.DataFrame,
    *,
    survival: np.ndarray,
    interaction: pd.DataFrame,
    effects: pd.DataFrame,
    p: Parameters,
) -> Truth:
    """Return the truth of drawn stays and their memberships."""
    home = groups.iloc[stays["home"]].reset_index(drop=True)
    levels = {
        "all": pd.Series("all", index=stays.index),
        "member_type": stays["kind"],
        "channel_id": stays["channel"],
        "platform": stays["platform"],
        "group_type": home["group_type"],
        "campaign": stays["in_campaign"].map({True: "yes", False: "no"}),
    }
    watched = (stays["joined_day"] >= day_of(p.tracking_from)).to_numpy()
    tables = [_survival_by(by, level[watched], survival[watched]) for by, level in levels.items()]
    overlap = _count_overlap(stays, memberships)
    figures = _count_figures(stays, memberships, p)
    return Truth(
        survival=pd.concat(tables, ignore_index=True),
        interaction=interaction,
        overlap=overlap,
        effects=effects,
        figures=figures,
    )


def _survival_by(by: str, level: pd.Series, survival: np.ndarray) -> pd.DataFrame:
    means = pd.DataFrame(survival[:, list(DAYS)], columns=list(DAYS)).groupby(level.to_numpy()).agg("mean")
    table = means.rename_axis("level").reset_index().melt("level", var_name="day", value_name="survival")
    sizes = level.value_counts()
    return table.assign(by=by, n_stays=table["level"].map(sizes))[["by", "level", "n_stays", "day", "survival"]]


def _count_overlap(stays: pd.DataFrame, memberships: pd.DataFrame) -> pd.DataFrame:
    person = stays["person"].to_numpy()[memberships["stay"]]
    there = {q: np.unique(person[(memberships["platform"] == q).to_numpy()]) for q in PLATFORMS}
    rows = []
    for size in range(1, len(PLATFORMS) + 1):
        for chosen in combinations(PLATFORMS, size):
            both = there[chosen[0]]
            for platform in chosen[1:]:
                both = np.intersect1d(both, there[platform])
            rows.append(("+".join(chosen), len(both)))
    return pd.DataFrame(rows, columns=["platforms", "n_people"])


def _count_figures(stays: pd.DataFrame, memberships: pd.DataFrame, p: Parameters) -> dict[str, float]:
    present = stays["end_day"] > day_of(p.as_of)
    reasons = stays.loc[~present, "reason"].value_counts()
    moved = memberships.groupby("stay")["platform"].agg(lambda platforms: platforms.duplicated().any())
    return {
        "n_people": int(stays["person"].nunique()),
        "n_members": int(stays["member_id"].nunique()),
        "n_stays": len(stays),
        "n_present": int(present.sum()),
        "n_moved": int(moved.sum()),
        "n_rejoined": int(stays["member_id"].duplicated().sum()),
        "n_before_tracking": int((stays["joined_day"] < day_of(p.tracking_from)).sum()),
        "core_share_present": float(stays.loc[present, "is_core"].mean()),
        **{f"n_{reason}": int(n) for reason, n in sorted(reasons.items())},
    }


def write_truth(truth: Truth, p: Parameters, *, seed: int) -> str:
    """Return the truth and the parameters as JSON text."""
    survival: dict[str, Any] = {}
    for row in truth.survival.itertuples():
        survival.setdefault(row.by, {}).setdefault(row.level, {})[str(row.day)] = round(row.survival, 6)
    data = {
        "seed": seed,
        "figures": dict(truth.figures),
        "survival": survival,
        "interaction": dict(zip(truth.interaction.group_type, truth.interaction.interaction.round(6), strict=True)),
        "overlap": dict(zip(truth.overlap.platforms, map(int, truth.overlap.n_people), strict=True)),
        "effects": truth.effects.round(6).to_dict("records"),
        "parameters": _plain(asdict(p)),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {"+".join(key) if isinstance(key, tuple) else key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
