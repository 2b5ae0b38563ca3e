"""Would the forecast by tenure have come true? It is made on an earlier day, from what was known then."""

from __future__ import annotations

from analysis.summaries import LookBack
from analysis.survival.outcomes import clip_window, weigh_outcomes
from analysis.survival.remaining import project_leaving
from analysis.survival.rules import Rules
from analysis.survival.validation import Validation, validate_predictions


def validate_remaining(back: LookBack, *, rules: Rules, by: str = "") -> Validation:
    """Return how right the forecast by tenure would have been on an earlier day.

    Parameters
    ----------
    back
        What was known on that day, and what came of those who were there, both by ``rules.cluster`` and ``by``. The window is
        ``back.within_days``, or less where too few could be followed.
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
    outcomes = back.outcomes
    within, warnings = clip_window(outcomes, within_days=back.within_days, min_cell=rules.min_cell)
    told = project_leaving(
        back.counts, tenure_days=outcomes, rules=rules, within_days=within, horizon_days=within, by=by
    )
    keys = [*filter(None, [by]), "tenure_days"]
    scored = outcomes.merge(told[[*keys, "probability"]], on=keys, how="left")
    unknown = scored["probability"].isna()
    followed = ["probability", *filter(None, [rules.cluster]), "follow_days", "n_events", "n_censored"]
    return validate_predictions(
        weigh_outcomes(scored.loc[~unknown, followed], within_days=within),
        at_day=back.at_day,
        within_days=within,
        n_beyond=int(scored.loc[unknown, ["n_events", "n_censored"]].to_numpy().sum()),
        cluster=rules.cluster,
        min_cell=rules.min_cell,
        confidence=rules.confidence,
        warnings=warnings,
    )
