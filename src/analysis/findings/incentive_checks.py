"""Whether an experiment was run as planned, and whether its method is to be believed on its groups."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan

import pandas as pd

from analysis import labels
from analysis.errors import RefusedAnalysis
from analysis.experiments import CountCheck, Design, Estimates, FalseAlarms, MissingCheck, SplitCheck
from analysis.findings.finding import Finding, Status, describe_refusal, make_finding
from analysis.findings.incentive_words import named, tell_interval

TOLERATED = 0.07
"""A method that finds an effect in more than so many of a hundred draws without one is not to be trusted here."""


def describe_split(
    result: SplitCheck | RefusedAnalysis, *, counts: CountCheck | RefusedAnalysis | None = None
) -> Finding:
    """Return whether units were drawn as planned."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.split", result)
    kind = "wrong" if result.mismatch else "right"
    beside = "groups" if isinstance(counts, CountCheck) else "members"
    return make_finding(
        "incentive.split",
        result,
        status=Status.FAIL if result.mismatch else Status.PASS,
        sentence=labels.both(
            f"incentive.split.{beside}.{kind}",
            arms=_list_arms(result.table.groupby("variant", sort=False)["n"].sum().to_dict()),
            p=result.p_value,
            n=counts.n_treatment if isinstance(counts, CountCheck) else nan,
            low=counts.low if isinstance(counts, CountCheck) else nan,
            high=counts.high if isinstance(counts, CountCheck) else nan,
        ),
        n=float(result.table["n"].sum()),
    )


def describe_missing(result: MissingCheck | RefusedAnalysis) -> Finding:
    """Return how many outcomes are not known, and whether more in one arm."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.missing", result)
    n, missing = (int(result.table[name].sum()) for name in ("n_assigned", "missing"))
    kind = "none" if not missing else "uneven" if result.warnings else "even"
    return make_finding(
        "incentive.missing",
        result,
        status=Status.REVIEW if kind == "uneven" else Status.PASS,
        sentence=labels.both(f"incentive.missing.{kind}", n=missing, members=n),
        estimate=missing,
        n=n,
        unit="members",
    )


def describe_both_arms(both: tuple[int, int] | RefusedAnalysis, *, without: Estimates | RefusedAnalysis) -> Finding:
    """Return how many members sit in groups of both arms, and the effect without them."""
    if isinstance(both, RefusedAnalysis):
        return describe_refusal("incentive.both_arms", both)
    n, members = both
    alone = "" if isinstance(without, RefusedAnalysis) else tell_interval(without.primary, is_share=without.is_share)
    return Finding(
        id="incentive.both_arms",
        status=Status.REVIEW if n and members and n / members > TOLERATED else Status.PASS,
        sentence=labels.both(
            "incentive.both_arms." + ("none" if not n else "some" if alone else "alone"),
            n=n,
            members=members,
            without=alone,
        ),
        estimate=n,
        n=members,
        unit="members",
    )


def describe_later(later: pd.DataFrame | RefusedAnalysis, *, design: Design | RefusedAnalysis) -> Finding:
    """Return how many joined after the groups had been drawn, by arm: incentives draw those who come for them."""
    if isinstance(later, RefusedAnalysis):
        return describe_refusal("incentive.later", later)
    if isinstance(design, RefusedAnalysis):
        return describe_refusal("incentive.later", design)
    sums = later.groupby("variant")["n_later"].sum()
    arms = {arm: int(sums.get(arm, 0)) for arm in (*design.treatments, design.control)}
    return Finding(
        id="incentive.later",
        status=Status.PASS,
        sentence=labels.both("incentive.later", arms=_list_arms(arms)),
        estimate=arms[design.treatments[0]] - arms[design.control],
        n=sum(arms.values()),
        unit="members",
    )


def describe_alarms(result: FalseAlarms | RefusedAnalysis) -> Finding:
    """Return which methods would have found an effect on these groups where there was none."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("incentive.alarms", result)
    rates = result.table.set_index("method")["rate"]
    naive, own = float(rates.get("members_z", nan)), float(rates.get("randomisation", nan))
    return Finding(
        id="incentive.alarms",
        status=Status.PASS if own <= TOLERATED else Status.REVIEW,
        sentence=labels.both(
            "incentive.alarms." + ("alone" if isnan(naive) else "both"), naive=naive, own=own, alpha=result.alpha
        ),
        estimate=own,
        unit="fraction",
        method="re-randomised past groups",
    )


def _list_arms(counts: Mapping[str, int]) -> dict[str, str]:
    """Return counts by arm as one phrase."""
    arms = [labels.both("incentive.arm", name=named("level", arm), n=n) for arm, n in counts.items()]
    return {locale: labels.text("unit.and_then", locale).join(arm[locale] for arm in arms) for locale in labels.LOCALES}
