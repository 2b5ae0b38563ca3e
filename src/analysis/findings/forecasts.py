"""How good the forecasts kept have been: the sentence, and the table by figure."""

from __future__ import annotations

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.findings.finding import Finding, Status, describe_refusal
from analysis.planning import Scores
from analysis.planning.scoring import FEW


def describe_forecasts(result: Scores | RefusedAnalysis) -> Finding:
    """Return how many outcomes were within the 80 % interval, and how much better than the naive forecast it was."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("plan.forecasts", result)
    table = result.table
    n = int(table["n"].sum())
    inside = float((table["inside_80"] * table["n"]).sum() / n)
    better = int((table["skill"] > 0).sum())
    compared = int(table["skill"].notna().sum())
    facts = {"kept": result.n_kept, "n": result.n_scored, "days": result.n_days, "inside": inside}
    kind = "few" if result.n_days < FEW else "scored"
    return Finding(
        id="plan.forecasts",
        status=Status.REVIEW if kind == "scored" and inside < LEAST_INSIDE else Status.PASS,
        sentence=labels.both(f"plan.forecasts.{kind}", better=better, compared=compared, **facts),
        estimate=inside,
        unit="fraction",
        n=result.n_scored,
        method="CRPS, coverage of 80 % intervals",
    )


LEAST_INSIDE = 0.65
"""Intervals of 80 % that hold fewer outcomes than this are too narrow."""


def tabulate_forecasts(result: Scores | RefusedAnalysis) -> pd.DataFrame:
    """Return how good forecasts were by figure: ``figure_scored, n_forecasts, n_days, inside_80, crps, naive, skill``."""
    if isinstance(result, RefusedAnalysis):
        return pd.DataFrame()
    table = result.table.rename(columns={"n": "n_forecasts", "n_days": "n_due_days"})
    table.insert(0, "figure_scored", [labels.both(f"plan.scored_figure.{metric}") for metric in table["metric"]])
    return table.drop(columns="metric")
