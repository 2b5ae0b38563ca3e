"""How the units of one experiment are counted, on whatever day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import pandas as pd

from analysis.config import Churn
from analysis.errors import RefusalCode, RefusedAnalysis, attempt
from analysis.summaries.costs import count_members_with_costs, count_with_costs
from analysis.summaries.experiments import Metric, count_units
from analysis.summaries.heavy import HeavyCounts, count_heavy
from analysis.summaries.incentives import find_kept
from analysis.summaries.outcomes import count_outcomes, join_outcomes
from analysis.summaries.rewound import Rewound
from analysis.summaries.segments import SegmentCounts, count_segments, read_segments
from analysis.summaries.stays import find_followup_end
from analysis.summaries.tables import Tables

Counted: TypeAlias = pd.DataFrame | RefusedAnalysis

STILL_HERE = "still_here"
"""An outcome that needs no column: there at the end of the follow-up, by the community's own definition of leaving."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One experiment, and how what became of its units is counted.

    Parameters
    ----------
    design
        :class:`analysis.experiments.Design`.
    churn
        The definition of leaving.
    drawn
        Experiment, unit and strata, as every count of it asks for them.
    """

    design: Any
    churn: Churn
    drawn: dict[str, Any]

    @property
    def primaries(self) -> tuple[str, ...]:
        """Return the primary outcomes, the first first."""
        return tuple(dict.fromkeys((self.design.primary_metric, *self.design.co_primaries)))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return every outcome that the page reads, the primaries first."""
        rails = [rail.metric for rail in self.design.guardrails]
        return tuple(dict.fromkeys((*self.primaries, *self.design.metrics, *rails)))

    def count(self, tables: Tables, *, first: int, last: int, metrics: Sequence[str]) -> pd.DataFrame:
        """Count metrics; where ``outcomes`` do not say who is still here, the memberships do."""
        known = _list_metrics(tables, self.drawn["experiment_id"])
        asked = [metric for metric in metrics if metric in known or metric != STILL_HERE]
        before = self._find_before(tables)
        named = [Metric.read(metric, before=before.get(metric, "")) for metric in asked]
        if len(asked) == len(metrics):
            return count_outcomes(tables, metrics=named, check=False, **self.drawn)
        kept = self._count_kept(tables, first=first, last=last)
        found = attempt(count_outcomes, tables, metrics=named, check=False, **self.drawn) if asked else kept.head(0)
        return kept if isinstance(found, RefusedAnalysis) else pd.concat([kept, found], ignore_index=True)

    def find_kept(self, tables: Tables, *, first: int, last: int) -> nw.LazyFrame:
        """Return who is still here, member by member, with a figure from before where there is one."""
        day = self.find_read_day(tables, last=last) - first
        kept = find_kept(tables, day=day, churn=self.churn, metric=STILL_HERE, **self.drawn)
        before = next(iter(self._list_before(tables)), "")
        if not before:
            return kept
        mine = (nw.col("experiment_id") == self.drawn["experiment_id"]) & (nw.col("period") == "pre")
        figures = tables.frame("outcomes").filter(mine & (nw.col("metric") == before))
        keys = {"member_id": "member_id"}
        if self.design.unit == "group" and tables.has("outcomes", "group_id"):
            keys["unit_id"] = "group_id"
        earlier = figures.select(**{name: nw.col(column) for name, column in keys.items()}, before=nw.col("value"))
        return kept.join(earlier, on=list(keys), how="left")

    def find_members(self, tables: Tables, *, first: int, last: int) -> nw.LazyFrame:
        """Return the primary outcome member by member."""
        metric = self.design.primary_metric
        if metric == STILL_HERE and metric not in _list_metrics(tables, self.drawn["experiment_id"]):
            return self.find_kept(tables, first=first, last=last)
        return join_outcomes(tables, metric=metric, **self.drawn)

    def count_segments(
        self, tables: Tables, *, first: int, last: int, segments: str, assigned: pd.DataFrame
    ) -> tuple[SegmentCounts, ...]:
        """Count the primary outcome by kinds of member and group."""
        unit, metric = self.design.unit, self.design.primary_metric
        columns = read_segments(segments, tables, unit=unit)
        members = attempt(self.find_members, tables, first=first, last=last)
        if isinstance(members, RefusedAnalysis):
            return ()
        day = int(assigned["first_day"].min())
        return tuple(count_segments(tables, members, metric=metric, columns=columns, unit=unit, assigned_day=day))

    def count_heavy(self, tables: Tables, units: Counted) -> dict[str, HeavyCounts]:
        """Count again, with less weight for a few, what is neither a yes or no nor a ratio."""
        if isinstance(units, RefusedAnalysis):
            return {}
        sums = units.groupby("metric", sort=False)[["n", "sum_y", "sum_yy"]].sum()
        figures = sums[(sums["n"] > 0) & ((sums["sum_yy"] - sums["sum_y"]).abs() > 1e-9 * sums["sum_yy"])]
        arms = {"control": self.design.control, "treatments": self.design.treatments}
        by_group = self.design.unit == "group"
        return {
            metric: count_heavy(
                join_outcomes(tables, metric=metric, **self.drawn), metric=metric, by_group=by_group, **arms
            )
            for metric in figures.index
            if "/" not in metric
        }

    def count_costs(self, tables: Tables, *, first: int, last: int) -> pd.DataFrame:
        """Count the primary metric with the money spent."""
        metric, who = self.design.primary_metric, self.drawn
        if metric != STILL_HERE or metric in _list_metrics(tables, who["experiment_id"]):
            return count_with_costs(tables, metric=metric, **who)
        kept = self.find_kept(tables, first=first, last=last)
        which = {name: who[name] for name in ("experiment_id", "unit")}
        return count_members_with_costs(tables, kept, metric=STILL_HERE, **which)

    def _count_kept(self, tables: Tables, *, first: int, last: int) -> pd.DataFrame:
        kept = self.find_kept(tables, first=first, last=last)
        before = "before" if "before" in kept.collect_schema().names() else ""
        group = "unit_id" if self.design.unit == "group" else ""
        return count_units(kept, metrics=[Metric(name=STILL_HERE, before=before)], group=group, stratum="stratum")

    def _list_before(self, tables: Tables) -> list[str]:
        """Return the outcomes with figures from before, in the order of the design."""
        there = _list_metrics(tables, self.drawn["experiment_id"], period="pre")
        return [metric for metric in self.metrics if metric in there]

    def _find_before(self, tables: Tables) -> dict[str, str]:
        """Return what adjusts a primary that was not measured before: the first outcome of the design that was."""
        there = self._list_before(tables)
        return {metric: there[0] for metric in self.primaries if there and metric not in there}

    def find_read_day(self, tables: Tables, *, last: int) -> int:
        """Return the last day up to ``last`` on which it is known who is still here, where no outcome says so."""
        if STILL_HERE in _list_metrics(tables, self.drawn["experiment_id"]):
            return last
        end = attempt(find_followup_end, tables, churn=self.churn)
        return last if isinstance(end, RefusedAnalysis) else min(last, end)

    def look_back(self, tables: Tables, *, first: int) -> tuple[tuple[int, Counted], ...]:
        """Return the looks before the latest, each on the tables as they stood then."""
        past = [day for day in self.design.planned_looks if day <= tables.as_of_day][:-1]
        return tuple((day, attempt(self._count_then, tables, day, first)) for day in past)

    def count_today(self, tables: Tables, *, first: int) -> pd.DataFrame:
        """Count the primary metric on a day between two looks.

        Raises
        ------
        RefusedAnalysis
            ``NO_UNPLANNED_LOOK``: this is the day of a look, the last one has been made, or none was planned.
        """
        looks, day = self.design.planned_looks, tables.as_of_day
        if not looks or day in looks or day > looks[-1]:
            raise RefusedAnalysis(RefusalCode.NO_UNPLANNED_LOOK)
        return self.count(tables, first=first, last=day, metrics=self.primaries[:1])

    def _count_then(self, tables: Tables, day: int, first: int) -> pd.DataFrame:
        return self.count(Rewound(tables=tables, as_of_day=day), first=first, last=day, metrics=self.primaries)


def _list_metrics(tables: Tables, experiment_id: str, *, period: str = "post") -> set[str]:
    if not tables.has("outcomes", "value"):
        return set()
    mine = tables.frame("outcomes").filter((nw.col("experiment_id") == experiment_id) & (nw.col("period") == period))
    return set(mine.select("metric").unique().collect("pandas").to_native()["metric"])
