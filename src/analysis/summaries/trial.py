"""Everything that ``02_incentive_experiments`` reads of one experiment, counted at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.assignments import check_assignments, count_assigned, count_both_arms, count_later_joiners
from analysis.summaries.awards import AwardCounts, count_award
from analysis.summaries.heavy import HeavyCounts
from analysis.summaries.incentives import count_days, count_exits, count_invited, count_retention
from analysis.summaries.outcomes import count_outcomes
from analysis.summaries.rewound import Rewound
from analysis.summaries.segments import SegmentCounts
from analysis.summaries.tables import Tables
from analysis.summaries.trial_units import STILL_HERE, Counted, Trial

_NO_EXPERIMENT = (RefusalCode.MISSING_TABLE, RefusalCode.NO_SUCH_EXPERIMENT)

DAYS_BEFORE = 28
"""How far back a unit's usual invitations are counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialCounts:
    """What the page of one experiment is made of; what cannot be counted is the refusal that says why.

    Parameters
    ----------
    experiment_id, unit
        Which, and whether groups or members were drawn.
    assigned
        Units by arm and stratum.
    read_day
        On which the outcomes were read, as far as anybody knows them: the latest planned look, or, where none was planned,
        the end of the follow-up.
    history
        Of each planned look so far, its day and the units frame as it stood then; the latest with all outcomes. Without
        planned looks a single one.
    measured_anew
        Outcomes that each look measures again on the same members.
    today
        The primary metric on the page's own day, where that lies between looks; a refusal where it does not.
    units
        Sums by metric and unit at the latest look; the primary metric stands first.
    without
        The same of the primary metric, without members who sit in groups of several arms.
    both_arms
        How many members do, of how many.
    retention
        Staying since assignment, by unit.
    daily
        Active members by unit and day since the start.
    costs
        The primary metric with the money spent for the denominator.
    award
        Where there is no experiment, members by something that they earned; a refusal where lots were drawn.
    heavy
        Outcomes that are no yes or no, pulled in at a quantile and ranked, by name.
    segments
        The primary metric by kinds of member and group, one per column.
    exits, invited, later
        Left within a week of a payout; invited by day; joined the groups after they had been drawn.
    """

    experiment_id: str
    unit: str
    read_day: int | RefusedAnalysis
    assigned: Counted
    history: tuple[tuple[int, Counted], ...]
    measured_anew: tuple[str, ...]
    today: Counted
    units: Counted
    without: Counted
    both_arms: tuple[int, int] | RefusedAnalysis
    retention: Counted
    daily: Counted
    costs: Counted
    exits: Counted
    invited: Counted
    later: Counted
    segments: tuple[SegmentCounts, ...]
    heavy: dict[str, HeavyCounts]
    award: AwardCounts | RefusedAnalysis = field(default_factory=lambda: RefusedAnalysis(RefusalCode.LOTS_WERE_DRAWN))


def find_experiment(tables: Tables, *, experiment: str = "") -> dict[str, Any]:
    """Return the record of one experiment: the one named, or the one that began last.

    Raises
    ------
    RefusedAnalysis
        ``MISSING_TABLE``: no experiments; ``NO_SUCH_EXPERIMENT``, with the names that there are.
    """
    if not tables.has("experiments"):
        raise RefusedAnalysis(RefusalCode.MISSING_TABLE, {"table": "experiments"})
    records = tables.frame("experiments").collect("pandas").to_native().sort_values("experiment_id")
    if not experiment:
        begun = next((column for column in ("started_day", "stop_day") if column in records), "experiment_id")
        return _plain(records.sort_values(begun, na_position="first").iloc[-1])
    chosen = records[records["experiment_id"] == experiment]
    if chosen.empty:
        raise RefusedAnalysis(RefusalCode.NO_SUCH_EXPERIMENT, {"column": ", ".join(records["experiment_id"])})
    return _plain(chosen.iloc[0])


def _plain(row: pd.Series) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


def count_trial(tables: Tables, *, design: Any, churn: Churn, segments: str = "", event: str = "") -> TrialCounts:
    """Count everything that the page of one experiment needs; where the design was refused, so is everything.

    Parameters
    ----------
    design
        :class:`analysis.experiments.Design`, or why there is none. The outcome ``still_here`` is read off the memberships where ``outcomes`` do
        not hold it: there at the end of the follow-up, by the definition of ``churn``.
    churn
        The definition of leaving.
    segments
        Columns by which the primary outcome is counted as well, see :func:`analysis.summaries.read_segments`.
    event
        Where there is no such experiment: something that members earn, see :func:`analysis.summaries.count_award`.

    Raises
    ------
    ConfigError
        More segments than one may ask about.
    """
    assigned = attempt(_count_drawn, tables, design)
    if isinstance(design, RefusedAnalysis) or isinstance(assigned, RefusedAnalysis):
        refused = _refuse_all(design if isinstance(design, RefusedAnalysis) else assigned)
        unknown = isinstance(design, RefusedAnalysis) and design.code in _NO_EXPERIMENT
        return replace(refused, award=attempt(count_award, tables, event=event, churn=churn)) if unknown else refused
    trial = Trial(design=design, churn=churn, drawn=_drawn(tables, design))
    who = {name: trial.drawn[name] for name in ("experiment_id", "unit")}
    seen = _at_look(tables, design)
    first, last = _find_days(tables if isinstance(seen, RefusedAnalysis) else seen, design, assigned)
    whole, watched = {"first": first, "last": last}, {**who, "first": 0, "last": last - first}
    units = attempt(trial.count, seen, **whole, metrics=trial.metrics)
    return TrialCounts(
        **who,
        read_day=seen if isinstance(seen, RefusedAnalysis) else trial.find_read_day(seen, last=last),
        assigned=assigned,
        history=(*trial.look_back(tables, first=first), *_latest(tables, design, units)),
        measured_anew=(STILL_HERE,),
        today=attempt(trial.count_today, tables, first=first),
        units=units,
        without=attempt(_count_unmixed, seen, design),
        both_arms=attempt(_count_both, tables, design),
        retention=attempt(count_retention, seen, churn=churn, **trial.drawn),
        daily=attempt(count_days, seen, **watched),
        costs=attempt(trial.count_costs, seen, **whole),
        exits=attempt(count_exits, seen, churn=churn, **trial.drawn),
        invited=attempt(count_invited, tables, **{**watched, "first": -DAYS_BEFORE}),
        later=attempt(_count_later, tables, design, days=last - first + 1),
        segments=()
        if isinstance(seen, RefusedAnalysis)
        else trial.count_segments(seen, **whole, segments=segments, assigned=assigned),
        heavy={} if isinstance(seen, RefusedAnalysis) else trial.count_heavy(seen, units),
    )


def _refuse_all(refused: RefusedAnalysis) -> TrialCounts:
    names = ("read_day", "assigned", "today", "units", "without", "both_arms", "retention", "daily", "costs", "exits",
             "invited", "later")  # fmt: skip
    return TrialCounts(
        experiment_id="", unit="", history=(), measured_anew=(), segments=(), heavy={}, **dict.fromkeys(names, refused)
    )


def _drawn(tables: Tables, design: Any) -> dict[str, Any]:
    return {"experiment_id": design.experiment_id, "unit": design.unit, "strata": _find_strata(tables, design)}


def _at_look(tables: Tables, design: Any) -> Tables | RefusedAnalysis:
    """Return the tables as they stood at the latest planned look: what came after is not read before the next.

    After the last look, and where none was planned, they stand as they are: late outcomes are still outcomes.
    """
    looks = design.planned_looks
    past = [day for day in looks if day <= tables.as_of_day]
    if looks and not past:
        return RefusedAnalysis(RefusalCode.NO_LOOK_YET, {"day": looks[0]})
    between = bool(looks) and past[-1] < min(looks[-1], tables.as_of_day)
    return Rewound(tables=tables, as_of_day=past[-1]) if between else tables


def _latest(tables: Tables, design: Any, units: Counted) -> tuple[tuple[int, Counted], ...]:
    """Return the latest look with its units; nothing before the first."""
    past = [day for day in design.planned_looks if day <= tables.as_of_day]
    if design.planned_looks and not past:
        return ()
    return ((past[-1] if past else tables.as_of_day, units),)


def _count_drawn(tables: Tables, design: Any) -> pd.DataFrame:
    check_assignments(tables, experiment_id=design.experiment_id, unit=design.unit)
    strata = _find_strata(tables, design)
    return count_assigned(tables, experiment_id=design.experiment_id, unit=design.unit, strata=strata)


def _by_group(design: Any) -> dict[str, Any]:
    """Return what names the groups of an experiment.

    Raises
    ------
    RefusedAnalysis
        ``DRAWN_BY_MEMBER``.
    """
    if design.unit != "group":
        raise RefusedAnalysis(RefusalCode.DRAWN_BY_MEMBER)
    return {"experiment_id": design.experiment_id}


def _count_both(tables: Tables, design: Any) -> tuple[int, int]:
    return count_both_arms(tables, **_by_group(design))


def _count_later(tables: Tables, design: Any, *, days: int) -> pd.DataFrame:
    return count_later_joiners(tables, **_by_group(design), days=days, strata=_find_strata(tables, design))


def _count_unmixed(tables: Tables, design: Any) -> pd.DataFrame:
    strata = _find_strata(tables, design)
    return count_outcomes(
        tables,
        **_by_group(design),
        unit="group",
        metrics=[design.primary_metric],
        strata=strata,
        both_arms="drop",
        check=False,
    )


def _find_strata(tables: Tables, design: Any) -> str:
    named = {"stratified": "stratum", "paired": "pair"}.get(design.assignment, "")
    return named if named and tables.has("assignments", named) else ""


def _find_days(tables: Tables, design: Any, assigned: pd.DataFrame) -> tuple[int, int]:
    """Return the first day of the incentive, and the day on which success is read, as far as the tables reach."""
    first = int(assigned["first_day"].min()) if design.started_day is None else design.started_day
    last = design.stop_day
    if last is None and design.incentive_ends_day is not None:
        last = design.incentive_ends_day + design.outcome_days
    return first, min(tables.as_of_day if last is None else last, tables.as_of_day)
