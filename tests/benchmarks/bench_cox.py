"""What Cox's model with five discrete covariates costs on counts, beside lifelines: ratios within one run. `make bench` runs it.

Members of 120 kinds leave by Weibull stays, watched to a uniform day of a year; whole days. The measure of all is our
model on their counts. lifelines gets the same counts, and the rows in memory: in batch mode, and as it comes, which for
millions of rows takes minutes, so that it is shown on fewer. Each method runs in a process of its own; reading is not timed.
"""

# ruff: noqa: PLC0415, T201 - each method imports only what it needs; the table is printed
from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_curves import answer, in_child, time_once

FEW = 1_000_000
"""More members than this are not given to lifelines as it comes."""

COVARIATES = ["x1", "x2", "x3", "x4", "x5"]
KEYS = ", ".join([*COVARIATES, "duration_days", "event"])

DRAW = """
    COPY (
        WITH kinds AS (
            SELECT hash(i) % 2 AS x1, hash(i + 0.1) % 2 AS x2, hash(i + 0.2) % 3 AS x3, hash(i + 0.3) % 5 AS x4,
                hash(i + 0.4) % 2 AS x5, (hash(i + 0.5) % 1000003 + 0.5) / 1000003 AS u,
                1 + 365 * (hash(i + 0.6) % 1000003) / 1000003 AS watched
            FROM range({n_members}) members(i)
        ), stays AS (
            SELECT *, 160 * (-ln(u) / exp(0.4 * x1 - 0.3 * x2 + 0.15 * x3 - 0.1 * x4 + 0.5 * x5)) ** (1 / 0.9) AS stay
            FROM kinds
        )
        SELECT x1::tinyint AS x1, x2::tinyint AS x2, x3::tinyint AS x3, x4::tinyint AS x4, x5::tinyint AS x5,
            least(365, ceil(least(stay, watched)))::smallint AS duration_days, (stay <= watched)::tinyint AS event
        FROM stays
    ) TO '{path}'
"""


def draw(folder: Path, n_members: int) -> None:
    """Draw ``n_members`` into a Parquet file."""
    import duckdb

    duckdb.sql(DRAW.format(n_members=n_members, path=folder / "members.parquet"))


def count(folder: Path) -> Any:
    import duckdb

    query = f"SELECT {KEYS}, count(*) AS weight FROM '{folder}/*.parquet' GROUP BY {KEYS} ORDER BY {KEYS}"
    return duckdb.sql(query).df()


# --- the methods: each returns what is to be timed


def ours_on_counts(folder: Path) -> Callable[[], object]:
    from analysis.survival import estimate_cox

    counts = count(folder)
    return lambda: estimate_cox(counts, covariates=COVARIATES)


def ours_on_rows(folder: Path) -> Callable[[], object]:
    from analysis.survival import estimate_cox

    return lambda: estimate_cox(count(folder), covariates=COVARIATES)


def lifelines_on_counts(folder: Path) -> Callable[[], object]:
    from lifelines import CoxPHFitter

    counts = count(folder).astype(float)
    return lambda: CoxPHFitter().fit(counts, "duration_days", "event", weights_col="weight", batch_mode=True)


def lifelines_on_rows(folder: Path, *, batch_mode: bool | None = None) -> Callable[[], object]:
    import duckdb
    from lifelines import CoxPHFitter

    rows = duckdb.sql(f"FROM '{folder}/*.parquet'").df().astype("float64")
    return lambda: CoxPHFitter().fit(rows, "duration_days", "event", batch_mode=batch_mode)


def lifelines_batched(folder: Path) -> Callable[[], object]:
    return lifelines_on_rows(folder, batch_mode=True)


OURS, THEIRS, SLOW = "ours on counts", "lifelines on counts, batch mode", "lifelines on rows, as it comes"
METHODS = {
    OURS: ours_on_counts,
    "ours from Parquet: counting and model": ours_on_rows,
    THEIRS: lifelines_on_counts,
    "lifelines on rows, batch mode": lifelines_batched,
    SLOW: lifelines_on_rows,
}


def compare_in_turns(folder: Path, *, repeats: int) -> list[float]:
    """Return ours / lifelines on the same counts, once for each turn; whichever goes first changes."""
    runs = [ours_on_counts(folder), lifelines_on_counts(folder)]
    ratios = []
    for turn in range(repeats):
        seconds = {run: time_once(run) for run in runs[:: 1 if turn % 2 else -1]}
        ratios.append(seconds[runs[0]] / seconds[runs[1]])
    return ratios


def bench(n_members: int) -> bool:
    """Draw, measure and print one table; return whether the limit holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_child("draw", folder, script=__file__, n_members=n_members)
        print(f"\nCox's model, {n_members:,} members\n{'':38}{'ratio':>8}{'seconds':>10}{'peak MB':>10}")
        in_turns = statistics.median(in_child("turns", folder, script=__file__, repeats=3))
        found: dict[str, dict[str, float]] = {}
        for method in METHODS:
            if method == SLOW and n_members > FEW:
                continue
            found[method] = in_child(method, folder, script=__file__, repeats=1 if "rows" in method else 3)
            seconds, peak = found[method]["seconds"], found[method]["peak_mb"]
            print(f"{method:38}{seconds / found[OURS]['seconds']:>8.2f}{seconds:>10.3f}{peak:>10,.0f}", flush=True)
    verdict = "holds" if in_turns <= 1 else "BROKEN"
    print(f"limit for ours, never slower than lifelines on the same counts (in turns: {in_turns:.2f}): {verdict}")
    return in_turns <= 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[FEW, 5_000_000])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        answer(options.child, tasks={"draw": draw, "turns": compare_in_turns}, methods=METHODS)
        return 0
    return 0 if all([bench(n) for n in options.members]) else 1


if __name__ == "__main__":
    sys.exit(main())
