"""What the list of who falls silent next costs beyond reading the log: ratios within one run, and peak memory. `make bench` runs it.

Parquet of five million members and a hundred million active days (ids of 16 hexadecimal digits, two years) is drawn into a
temporary folder. Ours counts landmarks, learns, checks itself out of time, expects, and writes the list of everybody who is
there as CSV, ranked; on a connection that may use :data:`DUCKDB_MEMORY` and spills what does not fit. It may peak at 4 GB.

The named peers read the same log by plain DuckDB: its bare ``GROUP BY member_id`` (days and last day of each), and its
bare window (the gaps between the visits of each, counted where longer than k), which is the least that any label of silence takes. The
machinery of children is that of `bench_curves`: memory is the peak of a process of its own. Ratios are of CPU seconds, which
other work on the machine disturbs least.
"""

# ruff: noqa: PLC0415, T201 - each method imports only what it needs; the table is printed
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIMIT_MB = 4096
DUCKDB_MEMORY = "2GB"
HISTORY, SILENT_DAYS, WITHIN_DAYS = 730, 30, 30
CHUNK = 500_000

PEOPLE = """
    SELECT i::int AS i, (i * 7919 % {history})::int AS joined_day, [3, 7, 14, 30][1 + (i % 4)::int] AS gap,
        least(floor(-ln((hash(i) % 1000003 + 0.5) / 1000003) * 200)::int, {history} - 2 - joined_day) AS stay
    FROM range({first}, {last}) members(i)
"""
ID = "printf('%016x', hash(i))"
VISITS = """
    SELECT member_id, (joined_day + 1 + gap * v + (i + v * 31) % gap)::int AS day
    FROM (SELECT {id} AS member_id, *, unnest(range(stay // gap))::int AS v FROM ({people}))
"""


def draw(folder: Path, n_members: int) -> int:
    """Draw members and their visits, one every ``gap`` days; return the number of visits."""
    con = connect(folder)
    for part, first in enumerate(range(0, n_members, CHUNK)):
        people = PEOPLE.format(history=HISTORY, first=first, last=min(first + CHUNK, n_members))
        con.execute(
            f"COPY (SELECT {ID} AS member_id, joined_day FROM ({people})) TO '{folder}/members_{part:03d}.parquet'"
        )
        visits = VISITS.format(id=ID, people=people)
        con.execute(f"COPY ({visits}) TO '{folder}/activity_{part:03d}.parquet'")
    return int(con.execute(f"SELECT count(*) FROM '{folder}/activity_*.parquet'").fetchall()[0][0])


def connect(folder: Path) -> Any:
    import duckdb

    config = {"memory_limit": DUCKDB_MEMORY, "temp_directory": str(folder / "spill")}
    return duckdb.connect(config=config)


def bare_group_by(folder: Path) -> int:
    query = f"SELECT member_id, count(*) AS n, max(day) AS last FROM '{folder}/activity_*.parquet' GROUP BY member_id"
    return int(connect(folder).execute(f"SELECT count(*) FROM ({query}) WHERE last > 0").fetchall()[0][0])


def bare_window(folder: Path) -> int:
    gap = "lead(day) OVER (PARTITION BY member_id ORDER BY day) - day"
    query = f"SELECT {gap} AS gap FROM '{folder}/activity_*.parquet'"
    return int(connect(folder).execute(f"SELECT count(*) FROM ({query}) WHERE gap > {SILENT_DAYS}").fetchall()[0][0])


class ParquetTables:
    """The drawn files, as intake would hand them over."""

    def __init__(self, folder: Path) -> None:
        from analysis.config import Community

        self.community = Community(community="bench")
        self.first_day, self.as_of_day = 0, HISTORY - 1
        self._connection = connect(folder)
        for table in ("members", "activity"):
            self._connection.execute(f"CREATE VIEW {table} AS FROM '{folder}/{table}_*.parquet'")

    def has(self, table: str, *columns: str) -> bool:
        return table in ("members", "activity") and set(columns) <= {"member_id", "joined_at", "date"}

    def frame(self, table: str) -> Any:
        import narwhals as nw

        return nw.from_native(self._connection.view(table))


def ours(folder: Path) -> int:
    from analysis import summaries, survival
    from analysis.config import Churn
    from analysis.reports.listing import write_risk_list

    tables, churn = ParquetTables(folder), Churn(silent_days=SILENT_DAYS)
    landmarks = summaries.count_landmarks(tables, churn=churn, within_days=WITHIN_DAYS)
    risk = survival.estimate_risk(landmarks)
    checked = survival.validate_risk(landmarks, min_cell=10)
    expected = survival.project_risk(risk, landmarks, min_cell=10)
    scores = survival.score_kinds(risk, landmarks)
    listed = summaries.list_at_landmark(tables, churn=churn)
    out = write_risk_list(listed, wanted=True, out_dir=str(folder), notebook="bench", scores=scores)
    assert out is not None
    assert out.n_rows == expected.n
    print(
        f"{expected.n:,} members listed, {expected.estimate:,.0f} expected; off by {checked.calibration.largest_gap:.4f} at most",
        file=sys.stderr,
    )
    return out.n_rows


METHODS = {
    "ours: landmarks, model, check, list": ours,
    "DuckDB, bare window over gaps": bare_window,
    "DuckDB, bare GROUP BY member_id": bare_group_by,
}
OURS, WINDOW, BARE = METHODS


def measure(method: str, folder: Path) -> dict[str, float]:
    """Return the seconds of a method and its peak memory; to be run in a process of its own."""
    start = time.perf_counter()
    METHODS[method](folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": time.perf_counter() - start, "cpu": cpu, "peak_mb": used.ru_maxrss / unit}


def in_child(task: str, folder: Path, **options: Any) -> Any:
    call = json.dumps({"task": task, "folder": str(folder), **options})
    done = subprocess.run([sys.executable, __file__, "--child", call], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def answer(call: str) -> None:
    options = json.loads(call)
    task, folder = options.pop("task"), Path(options.pop("folder"))
    print(json.dumps(draw(folder, **options) if task == "draw" else measure(task, folder)))


def bench(n_members: int) -> bool:
    """Draw, measure and print one table; return whether the limit holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_visits = in_child("draw", folder, n_members=n_members)
        size = sum(path.stat().st_size for path in folder.glob("*.parquet")) / 1e6
        print(
            f"\n{n_members:,} members, {n_visits:,} active days, {size:,.0f} MB of Parquet, DuckDB held to {DUCKDB_MEMORY}"
        )
        print(f"{'':38}{'ratio':>8}{'CPU s':>10}{'seconds':>10}{'peak MB':>10}", flush=True)
        found = {method: in_child(method, folder) for method in METHODS}
        for method, of in found.items():
            ratio = of["cpu"] / found[BARE]["cpu"]
            print(
                f"{method:38}{ratio:>8.2f}{of['cpu']:>10.1f}{of['seconds']:>10.1f}{of['peak_mb']:>10,.0f}", flush=True
            )
    ratio = found[OURS]["cpu"] / found[WINDOW]["cpu"]
    holds = found[OURS]["peak_mb"] < LIMIT_MB
    print(f"ours / bare window {ratio:.2f}; limit for ours, under {LIMIT_MB:,} MB: {'holds' if holds else 'BROKEN'}")
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[5_000_000])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        answer(options.child)
        return 0
    return 0 if all([bench(n) for n in options.members]) else 1


if __name__ == "__main__":
    sys.exit(main())
