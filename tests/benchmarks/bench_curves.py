"""What curves and a log-rank test cost beyond counting: ratios within one run, and peak memory. `make bench` runs it.

Parquet of n members (tier, duration_days, event_observed; integer days, nobody enters late) is drawn into a temporary
folder. The measure of all is DuckDB's bare ``GROUP BY tier, duration_days, event_observed`` on it. Ours reads the same
rows by ``count_stays`` and goes on to curves and the log-rank test; it may take 1.5 times as long, in under 1 GB.

The two are timed in turns in one process after one round unmeasured, and the median of the ratios is what counts:
seconds belong to the machine and the hour. Each method's memory is the peak of a process of its own, so this file
imports nothing but the standard library at the top (a child starts from its parent's peak). Peers that need the rows
in memory are given them: reading is not timed.
"""

# ruff: noqa: PLC0415, T201 - each method imports only what it needs; the table is printed
from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LIMIT = 1.5
LIMIT_MB = 1024
CHUNK = 10_000_000
KEYS = "tier, duration_days, event_observed"

DRAW = """
    COPY (
        WITH uniform AS (
            SELECT (hash(i) % 1000003 + 0.5) / 1000003 AS u, 1 + hash(i + 0.25) % 365 AS watched, hash(i + 0.5) % 4 AS t
            FROM range({first}, {last}) members(i)
        ), stays AS (
            SELECT t, watched, floor(-ln(u) * (90 + 20 * t)) AS stay FROM uniform
        )
        SELECT ['bronze', 'silver', 'gold', 'platinum'][1 + t::int] AS tier, least(stay, watched)::int AS duration_days,
            (stay <= watched)::int AS event_observed
        FROM stays
    ) TO '{path}'
"""


def draw(folder: Path, n_members: int) -> None:
    """Draw ``n_members`` into Parquet files of ten million each."""
    import duckdb

    with duckdb.connect() as connection:
        for part, first in enumerate(range(0, n_members, CHUNK)):
            path = folder / f"{part:03d}.parquet"
            connection.execute(DRAW.format(first=first, last=min(first + CHUNK, n_members), path=path))


# --- the methods: each returns what is to be timed


def bare_group_by(folder: Path) -> Callable[[], object]:
    import duckdb

    connection = duckdb.connect()
    query = f"SELECT {KEYS}, count(*) FROM '{folder}/*.parquet' GROUP BY {KEYS}"
    return lambda: connection.execute(query).fetchall()


def ours(folder: Path) -> Callable[[], object]:
    import duckdb
    import narwhals as nw

    from analysis import curves
    from analysis.summaries import count_stays

    connection = duckdb.connect()

    def run() -> object:
        counts = count_stays(nw.from_native(connection.read_parquet(f"{folder}/*.parquet")), by=("tier",))
        return curves.estimate_survival(counts, by=("tier",)), curves.compare_logrank(counts, by="tier")

    return run


def lifelines_counts(folder: Path) -> Callable[[], object]:
    import duckdb
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    connection = duckdb.connect()

    def run() -> object:
        query = f"SELECT {KEYS}, count(*) AS n FROM '{folder}/*.parquet' GROUP BY {KEYS}"
        cells = connection.execute(query).df()
        for _, tier in cells.groupby("tier"):
            KaplanMeierFitter().fit(tier["duration_days"], tier["event_observed"], weights=tier["n"])
        return multivariate_logrank_test(
            cells["duration_days"], cells["tier"], cells["event_observed"], weights=cells["n"]
        )

    return run


def lifelines_rows(folder: Path) -> Callable[[], object]:
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    rows = read_rows(folder)

    def run() -> object:
        for _, tier in rows.groupby("tier", observed=True):
            KaplanMeierFitter().fit(tier["duration_days"], tier["event_observed"])
        return multivariate_logrank_test(rows["duration_days"], rows["tier"], rows["event_observed"])

    return run


def pandas_groupby(folder: Path) -> Callable[[], object]:
    rows = read_rows(folder)

    def run() -> object:
        cells = rows.groupby(["tier", "duration_days"], observed=True)["event_observed"].agg(["sum", "size"])
        return finish(cells.reset_index(), events=cells["sum"].to_numpy(), exits=cells["size"].to_numpy())

    return run


def numpy_bincount(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd

    rows = read_rows(folder)
    tier, day = rows["tier"].cat.codes.to_numpy(), rows["duration_days"].to_numpy()
    left = rows["event_observed"].to_numpy()

    def run() -> object:
        n_days = int(day.max()) + 1
        cell = tier.astype(np.int64) * n_days + day
        exits, events = np.bincount(cell), np.bincount(cell, weights=left)
        cells = pd.DataFrame({"tier": np.arange(len(exits)) // n_days, "duration_days": np.arange(len(exits)) % n_days})
        return finish(cells, events=events, exits=exits)

    return run


def read_rows(folder: Path) -> Any:
    import duckdb

    rows = duckdb.sql(f"FROM '{folder}/*.parquet'").df()
    return rows.astype({"tier": "category"})


def finish(cells: Any, *, events: Any, exits: Any) -> object:
    from analysis import curves

    counts = cells.assign(n_events=events, n_censored=exits - events, n_entered=0)
    return curves.estimate_survival(counts, by=("tier",)), curves.compare_logrank(counts, by="tier")


METHODS = {
    "DuckDB, bare GROUP BY": bare_group_by,
    "ours: rows, counts, curves, log-rank": ours,
    "numpy bincount in memory, our curves": numpy_bincount,
    "pandas groupby in memory, our curves": pandas_groupby,
    "lifelines on DuckDB's counts": lifelines_counts,
    "lifelines on rows in memory": lifelines_rows,
}
BARE, OURS, *_ = METHODS
IN_MEMORY = {name for name in METHODS if "in memory" in name}
SLOW = {"lifelines on rows in memory"}


# --- measuring


def time_once(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare_in_turns(folder: Path, *, repeats: int) -> list[float]:
    """Return ours / bare, once for each turn; whichever goes first changes."""
    ours_run, bare_run = ours(folder), bare_group_by(folder)
    time_once(bare_run), time_once(ours_run)
    ratios = []
    for turn in range(repeats):
        runs = [bare_run, ours_run][:: 1 if turn % 2 else -1]
        seconds = {run: time_once(run) for run in runs}
        ratios.append(seconds[ours_run] / seconds[bare_run])
    return ratios


def measure(method: Callable[[Path], Callable[[], object]], folder: Path, *, repeats: int) -> dict[str, float]:
    """Return the median seconds of a method and its peak memory; to be run in a process of its own."""
    run = method(folder)
    if repeats > 1:
        run()
    seconds = statistics.median(time_once(run) for _ in range(repeats))
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def in_child(task: str, folder: Path, *, script: str = __file__, **options: Any) -> Any:
    call = json.dumps({"task": task, "folder": str(folder), **options})
    done = subprocess.run([sys.executable, script, "--child", call], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def answer(call: str, *, tasks: Mapping[str, Callable[..., Any]], methods: Mapping[str, Any]) -> None:
    options = json.loads(call)
    task, folder = options.pop("task"), Path(options.pop("folder"))
    result = tasks[task](folder, **options) if task in tasks else measure(methods[task], folder, **options)
    print(json.dumps(result))


def bench(n_members: int, *, repeats: int) -> bool:
    """Draw, measure and print one table; return whether the limits hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_child("draw", folder, n_members=n_members)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"\n{n_members:,} members, {size:,.0f} MB of Parquet\n{'':38}{'ratio':>8}{'seconds':>10}{'peak MB':>10}")
        in_turns = statistics.median(in_child("turns", folder, repeats=repeats))
        found = {}
        for method in METHODS:
            if method in IN_MEMORY and n_members > CHUNK:
                continue
            found[method] = in_child(method, folder, repeats=1 if method in SLOW else 3)
            seconds, peak = found[method]["seconds"], found[method]["peak_mb"]
            ratio = in_turns if method == OURS else seconds / found[BARE]["seconds"]
            print(f"{method:38}{ratio:>8.2f}{seconds:>10.3f}{peak:>10,.0f}", flush=True)
    holds = in_turns <= LIMIT and found[OURS]["peak_mb"] < LIMIT_MB
    verdict = "holds" if holds else "BROKEN"
    print(f"limit for ours, {LIMIT} x the bare GROUP BY ({repeats} turns) in under {LIMIT_MB:,} MB: {verdict}")
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[5_000_000, 100_000_000])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        answer(options.child, tasks={"draw": draw, "turns": compare_in_turns}, methods=METHODS)
        return 0
    return 0 if all([bench(n, repeats=options.repeats) for n in options.members]) else 1


if __name__ == "__main__":
    sys.exit(main())
