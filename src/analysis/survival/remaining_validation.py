"""Would the forecast by tenure have come true? It is made on an earlier day, from what was known then."""

from __future__ import annotations

import pandas as pd

from analysis.survival.outcomes import clip_window, weigh_outcomes
from analysis.survival.remaining import project_leaving
from analysis.survival.rules import Rules
from analysis.survival.validation import Validation, validate_predictions


def validate_remaining(
    counts: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    at_day: int,
    rules: Rules,
    within_days: int = 30,
    by: str = "",
) -> Validation:
    """Return how right the prediction by tenure would have been on an earlier day.

    Parameters
    ----------
    counts
        Counts of stays as known on that day, by ``rules.cluster`` and ``by``.
    outcomes
        What came of those who were there: ``tenure_days``, ``follow_days``, ``n_events``, ``n_censored``, and ``rules.cluster``
        and ``by``.
    at_day
        That day [days since 1970-01-01].
    within_days
        How far to look; less where too few could be followed.
    by
        As for :func:`project_leaving`.

    Raises
    ------
    RefusedAnalysis
        As :func:`project_leaving`, or too few left, or stayed, to compare.

    Notes
    -----
    The reference of the Brier score is the Kaplan–Meier share of all who were there then, whatever their tenure. It is
    estimated from the outcomes themselves, so that it is better than any that could have been named on the day.
    """
    within, warnings = clip_window(outcomes, within_days=within_days, min_cell=rules.min_cell)
    told = project_leaving(
        counts, tenure_days=outcomes["tenure_days"], rules=rules, within_days=within, horizon_days=within, by=by
    )
    keys = [*filter(None, [by]), "tenure_days"]
    scored = outcomes.merge(told[[*keys, "probability"]], on=keys, how="left")
    unknown = scored["probability"].isna()
    followed = ["probability", *filter(None, [rules.cluster]), "follow_days", "n_events", "n_censored"]
    return validate_predictions(
        weigh_outcomes(scored.loc[~unknown, followed], within_days=within),
        at_day=at_day,
        within_days=within,
        n_beyond=int(scored.loc[unknown, ["n_events", "n_censored"]].to_numpy().sum()),
        cluster=rules.cluster,
        min_cell=rules.min_cell,
        confidence=rules.confidence,
        warnings=warnings,
    )
