"""Members who visit now and then until they leave: what a snapshot and a log show, and what is true.

After the simulation in the appendix of research/churn.md: joining uniform over ``history`` days, true stay exponential
with mean 200 days, visits 20 days apart on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.config import Churn
from analysis.curves import estimate_at, estimate_survival
from analysis.summaries import count_stays, find_stays
from memory_tables import MemoryTables


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    joined: np.ndarray
    last: np.ndarray
    """Last visit if watched for ever [day]."""
    seen: np.ndarray
    """Last visit known at the end [day]."""
    end: int


def draw_snapshot(rng: np.random.Generator, *, n: int, history: int = 2000, share_dormant: float = 0.0) -> Snapshot:
    """Of those who are still there at the end, ``share_dormant`` are in a pause of 250 days on average."""
    joined, stay, since, now = rng.uniform(0, history, n), rng.exponential(200, n), *rng.exponential(20, (2, n))
    now = np.where(rng.random(n) < share_dormant, rng.exponential(250, n), now)
    last = joined + np.maximum(0, stay - since)
    seen = np.where(joined + stay > history, joined + np.maximum(0, history - joined - now), last)
    return Snapshot(joined=joined.astype(int), last=last.astype(int), seen=seen.astype(int), end=history)


def true_survival(drawn: Snapshot, *, day: int) -> float:
    return float((drawn.last - drawn.joined > day).mean())


def end_minus_k(drawn: Snapshot, *, silent_days: int, day: int) -> float:
    members = pd.DataFrame({"member_id": np.arange(len(drawn.joined)), "joined_at": drawn.joined})
    tables = MemoryTables(as_of_day=drawn.end, members=members.assign(last_seen_at=drawn.seen))
    counts = count_stays(find_stays(tables, churn=Churn(leaving="last_seen", silent_days=silent_days)))
    return survival_at(counts, day)


def usual_rule(drawn: Snapshot, *, silent_days: int, day: int) -> float:
    """Who was seen within k days is there at the end; the others left at their last visit."""
    gone = drawn.end - drawn.seen > silent_days
    rows = pd.DataFrame({"duration_days": np.where(gone, drawn.seen, drawn.end) - drawn.joined, "gone": gone})
    counts = rows.groupby("duration_days")["gone"].agg(["sum", "size"]).reset_index()
    counts = counts.assign(n_events=counts["sum"], n_censored=counts["size"] - counts["sum"], n_entered=0)
    return survival_at(counts, day)


def survival_at(counts: pd.DataFrame, day: int) -> float:
    return float(estimate_at(estimate_survival(counts), days=[day])["survival"].iloc[0])


def draw_visits(rng: np.random.Generator, *, n: int, until: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return members and all their visits up to day ``until``; joining in the first 1,000 days."""
    joined, stay = rng.integers(0, 1000, n), rng.exponential(200, n)
    gaps = rng.exponential(20, (n, 60))
    days = joined[:, None] + gaps.cumsum(axis=1)
    there = days < np.minimum(joined + stay, until)[:, None]
    member, _ = there.nonzero()
    visits = pd.DataFrame({"member_id": member, "date": days[there].astype(int)}).drop_duplicates()
    return pd.DataFrame({"member_id": np.arange(n), "joined_at": joined}), visits
