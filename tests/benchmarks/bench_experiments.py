"""What an experiment costs beyond DuckDB's own aggregate and join: ratios within one run. `make bench` runs it.

*Wide*: Parquet of n members in 2,000 groups, five metrics with their figures from before. The measure is DuckDB's bare
aggregate by group of just the sums that ours asks for. Ours reads the same rows by ``count_units`` and goes on to every
metric's difference of means and CUPED, both with CR2 by group. It may take 1.5 times as long.

Against tea-tasting, on the same file, in turns, where it is installed: by group both add up members, y and x of each group
(tea-tasting from rows that DuckDB made for it, without CR2, which it has not); by member both give means and CUPED. Ours
should be ahead in both. *Long*: ``outcomes`` (five metrics before and after, one row each) joined with ``assignments``;
the measure is the same join and aggregate in SQL.

Winsorised means, ranks and the checks of the list of arms are timed apart. As in ``bench_curves``, ours and the measure take
turns in one process after one round unmeasured, and the median of the ratios counts.
"""

# ruff: noqa: PLC0415, T201 - each method imports only what it needs; the table is printed
from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = 1.5
GROUPS = 2_000
METRICS = range(1, 6)
EXPERIMENT = "points"
ARMS = {"control": "control", "treatment": "points"}
KEYS = {"experiment_id": EXPERIMENT, "unit": "member"}

DRAWN = """
    SELECT i, 'm' || i AS member_id, 'g' || (hash(i) % {groups}) AS group_id,
        CASE WHEN (hash(i) % {groups}) % 2 = 0 THEN 'control' ELSE 'points' END AS variant
    FROM range({n}) members(i)
"""
FIGURE = "(hash(i + 0.{k}) % 1000) / 100.0"
NOISE = "(hash(i + 0.{k}5) % 1000) / 300.0"


def draw_wide(path: Path, n_members: int) -> None:
    """Draw one row per member: arm, group, five metrics and their figures from before."""
    import duckdb

    columns = ", ".join(
        f"{FIGURE.format(k=k)} + {NOISE.format(k=k)} AS y{k}, {FIGURE.format(k=k)} AS x{k}" for k in METRICS
    )
    drawn = DRAWN.format(groups=GROUPS, n=n_members)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT group_id, variant, {columns} FROM ({drawn})) TO '{path}'")


def draw_long(folder: Path, n_members: int) -> None:
    """Draw ``assignments`` and ``outcomes``: ten rows per member, ordered as imports are, by their key."""
    import duckdb

    drawn = DRAWN.format(groups=GROUPS, n=n_members)
    values = " UNION ALL ".join(
        f"SELECT '{EXPERIMENT}' AS experiment_id, member_id, 'y{k}' AS metric, '{period}' AS period, "
        f"{FIGURE.format(k=k)}{' + ' + NOISE.format(k=k) if period == 'post' else ''} AS value, {day} AS observed_day FROM drawn"
        for k in METRICS
        for period, day in (("pre", 99), ("post", 130))
    )
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE drawn AS {drawn}")
        arms = f"SELECT '{EXPERIMENT}' AS experiment_id, member_id, variant, 100 AS assigned_day FROM drawn ORDER BY member_id"
        connection.execute(f"COPY ({arms}) TO '{folder}/assignments.parquet'")
        order = "ORDER BY member_id, metric, period"
        connection.execute(f"COPY (SELECT * FROM ({values}) {order}) TO '{folder}/outcomes.parquet'")


class FileTables:
    """Tables of Parquet files, as intake would hand them over."""

    def __init__(self, folder: Path) -> None:
        import duckdb

        self.connection = duckdb.connect()
        self.folder = folder
        self.columns = {
            path.stem: set(self.connection.read_parquet(str(path)).columns) for path in folder.glob("*.parquet")
        }

    def has(self, table: str, *columns: str) -> bool:
        """Return whether the table is there, with all these columns."""
        return table in self.columns and set(columns) <= self.columns[table]

    def frame(self, table: str) -> Any:
        """Return the table, lazily."""
        import narwhals as nw

        return nw.from_native(self.connection.read_parquet(f"{self.folder}/{table}.parquet"))


# --- the methods: each returns what is to be timed


def bare_aggregate(path: Path, *, squares: bool = True) -> Callable[[], object]:
    import duckdb

    connection = duckdb.connect()
    sums = ", ".join(f"sum(y{k}), sum(x{k})" for k in METRICS)
    if squares:
        sums += ", " + ", ".join(f"sum(y{k} * y{k}), sum(x{k} * x{k})" for k in METRICS)
    query = f"SELECT variant, group_id, count(*), {sums} FROM '{path}' GROUP BY variant, group_id"
    return lambda: connection.execute(query).fetchall()


def ours_wide(path: Path, *, squares: bool = True) -> Callable[[], object]:
    import duckdb
    import narwhals as nw

    from analysis.experiments.clustered import compare_clustered
    from analysis.experiments.groups import take_groups
    from analysis.summaries import Metric, count_units

    connection = duckdb.connect()
    metrics = [Metric(name=f"y{k}", before=f"x{k}") for k in METRICS]

    def run() -> object:
        members = nw.from_native(connection.read_parquet(str(path)))
        units = count_units(members, metrics=metrics, group="group_id", squares=squares)
        found = [take_groups(units, metric=metric.name, **ARMS) for metric in metrics]
        return [(compare_clustered(groups), compare_clustered(groups, adjust=True)) for groups in found]

    return run


def ours_by_member(path: Path) -> Callable[[], object]:
    import duckdb
    import narwhals as nw

    from analysis.experiments.adjusted import compare_adjusted
    from analysis.summaries import Metric, count_units

    connection = duckdb.connect()
    metrics = [Metric(name=f"y{k}", before=f"x{k}") for k in METRICS]

    def run() -> object:
        units = count_units(nw.from_native(connection.read_parquet(str(path))), metrics=metrics)
        return [compare_adjusted(units, metric=metric.name, **ARMS) for metric in metrics]

    return run


def tea_by_group(path: Path) -> Callable[[], object]:
    """Rows of groups, made by DuckDB, and ratios of their sums to their members with CUPED: its way with groups."""
    import duckdb
    import tea_tasting

    connection = duckdb.connect()
    sums = ", ".join(f"sum(y{k}) AS y{k}, sum(x{k}) AS x{k}" for k in METRICS)
    query = f"SELECT variant, group_id, count(*) AS n, count(*) AS m, {sums} FROM '{path}' GROUP BY variant, group_id"
    metrics = {f"y{k}": tea_tasting.RatioOfMeans(f"y{k}", "n", f"x{k}", "m") for k in METRICS}
    experiment = tea_tasting.Experiment(metrics, variant="variant")
    return lambda: experiment.analyze(connection.sql(query).df(), control="control")


def tea_by_member(path: Path) -> Callable[[], object]:
    import duckdb
    import tea_tasting

    connection = duckdb.connect()
    experiment = tea_tasting.Experiment(
        {f"y{k}": tea_tasting.Mean(f"y{k}", f"x{k}") for k in METRICS}, variant="variant"
    )
    return lambda: experiment.analyze(connection.read_parquet(str(path)), control="control")


def bare_join(folder: Path) -> Callable[[], object]:
    import duckdb

    connection = duckdb.connect()
    query = f"""
        SELECT y.metric, variant, count(y.value), sum(y.value), sum(y.value * y.value), count(x.value), sum(x.value),
            sum(x.value * x.value), sum(y.value * x.value)
        FROM '{folder}/outcomes.parquet' y JOIN '{folder}/assignments.parquet' a USING (experiment_id, member_id)
        LEFT JOIN '{folder}/outcomes.parquet' x ON x.experiment_id = y.experiment_id AND x.member_id = y.member_id
            AND x.metric = y.metric AND x.period = 'pre'
        WHERE y.period = 'post' AND y.experiment_id = '{EXPERIMENT}' GROUP BY ALL
    """
    return lambda: connection.execute(query).fetchall()


def ours_long(folder: Path) -> Callable[[], object]:
    from analysis.experiments.adjusted import compare_adjusted
    from analysis.summaries import count_outcomes

    tables = FileTables(folder)
    metrics = [f"y{k}" for k in METRICS]

    def run() -> object:
        units = count_outcomes(tables, metrics=metrics, check=False, **KEYS)
        return [compare_adjusted(units, metric=metric, **ARMS) for metric in metrics]

    return run


def winsorised(path: Path) -> Callable[[], object]:
    import duckdb
    import narwhals as nw

    from analysis.summaries import count_winsorised, find_caps

    connection = duckdb.connect()
    metrics = [f"y{k}" for k in METRICS]

    def run() -> object:
        members = nw.from_native(connection.read_parquet(str(path)))
        return count_winsorised(members, metrics=metrics, caps=find_caps(members, metrics=metrics), group="group_id")

    return run


def ranked(path: Path) -> Callable[[], object]:
    import duckdb
    import narwhals as nw

    from analysis.summaries import count_ranks

    connection = duckdb.connect()
    metrics = [f"y{k}" for k in METRICS]
    return lambda: count_ranks(
        nw.from_native(connection.read_parquet(str(path))), metrics=metrics, group="group_id", **ARMS
    )


def checks(folder: Path) -> Callable[[], object]:
    from analysis.summaries import check_assignments, count_assigned

    tables = FileTables(folder)
    return lambda: (check_assignments(tables, **KEYS), count_assigned(tables, **KEYS))


# --- measuring


def time_once(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare_in_turns(
    ours: Callable[[], object], bare: Callable[[], object], *, repeats: int
) -> tuple[float, float, float]:
    """Return the median of ours / bare over turns, and the median seconds of both; whichever goes first changes."""
    time_once(bare), time_once(ours)
    ratios, seconds = [], {ours: [], bare: []}
    for turn in range(repeats):
        runs = [bare, ours][:: 1 if turn % 2 else -1]
        took = {run: time_once(run) for run in runs}
        ratios.append(took[ours] / took[bare])
        for run in runs:
            seconds[run].append(took[run])
    return statistics.median(ratios), statistics.median(seconds[ours]), statistics.median(seconds[bare])


def show(name: str, seconds: float, ratio: float | None = None) -> None:
    print(f"{name:58}{'' if ratio is None else f'{ratio:.2f}':>8}{seconds:>10.3f}", flush=True)


def compare_peer(wide: Path, *, repeats: int) -> bool:
    """Time tea-tasting at both questions, groups and members; return whether ours is ahead at both."""
    if not importlib.util.find_spec("tea_tasting"):
        print("tea-tasting is not installed here: not timed")
        return True
    ahead = True
    for what, ours, theirs in (
        ("by group, no squares", ours_wide(wide, squares=False), tea_by_group(wide)),
        ("by member", ours_by_member(wide), tea_by_member(wide)),
    ):
        ratio, seconds, peer = compare_in_turns(ours, theirs, repeats=repeats)
        show(f"wide, {what}: tea-tasting, means and CUPED", peer, 1.0)
        show(f"wide, {what}: ours{', CR2 as well' * ('group' in what)}", seconds, ratio)
        ahead &= ratio < 1
    return ahead


def bench(n_members: int, *, repeats: int) -> bool:
    """Draw, measure and print one table; return whether the limits hold."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wide, long = folder / "wide.parquet", folder / "long"
        long.mkdir()
        draw_wide(wide, n_members)
        draw_long(long, n_members // 10)
        print(f"\n{n_members:,} members, {GROUPS:,} groups, {len(METRICS)} metrics\n{'':58}{'ratio':>8}{'seconds':>10}")
        ratio, seconds, bare = compare_in_turns(ours_wide(wide), bare_aggregate(wide), repeats=repeats)
        show("wide: DuckDB, bare aggregate", bare, 1.0)
        show("wide: ours, means, CUPED and CR2", seconds, ratio)
        holds = ratio <= LIMIT
        lean = [make(wide, squares=False) for make in (ours_wide, bare_aggregate)]
        ratio, seconds, bare = compare_in_turns(*lean, repeats=repeats)
        show("wide, no squares: DuckDB, bare aggregate", bare, 1.0)
        show("wide, no squares: ours, means, CUPED and CR2", seconds, ratio)
        holds &= ratio <= LIMIT
        holds &= compare_peer(wide, repeats=repeats)
        rows = n_members // 10 * len(METRICS) * 2
        ratio, seconds, bare = compare_in_turns(ours_long(long), bare_join(long), repeats=repeats)
        show(f"long, {rows:,} rows: DuckDB, bare join", bare, 1.0)
        show("long: ours, means and CUPED", seconds, ratio)
        holds &= ratio <= LIMIT
        for label, run in (
            ("apart, wide: winsorised means", winsorised(wide)),
            ("apart, wide: ranks", ranked(wide)),
            ("apart, long: checks of the list of arms", checks(long)),
        ):
            show(label, time_once(run))
    verdict = "hold" if holds else "BROKEN"
    print(f"limits for ours, {LIMIT} x DuckDB's own and ahead of tea-tasting where it is installed: {verdict}")
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[10_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    return 0 if all([bench(n, repeats=options.repeats) for n in options.members]) else 1


if __name__ == "__main__":
    sys.exit(main())
