"""What a report costs beyond its notebooks: against papermill and nbconvert by hand, and when nothing has changed. `make bench` runs it.

*Cold*: all notebooks of the suite on the sample community. The measure is what people do without us: one notebook after another,
``papermill`` and then ``nbconvert --to html --no-input``. Ours runs the same notebooks on as many cores as there are, and writes two
editions in two languages, tables, index and manifest. It may take 0.6 times as long on two cores.

*Unchanged*: the same command again; at most 1.5 s, the median of five.

Both are processes of their own, started cold. Where the time goes is told at the end: the notebooks' own seconds as their processes
lasted, what of it is starting a kernel and importing, and what remains around them.
"""

# ruff: noqa: T201 - the table is printed
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.6
LIMIT_UNCHANGED = 1.5
ROOT = Path(__file__).parents[2]
CONFIG = "data/sample/community.yml"
IMPORTS = "from analysis import config, experiments, findings, intake, plots, quality, summaries, survival; intake.open_tables"


def clock(*words: str) -> float:
    """Run a command from the repository; return the seconds that it took."""
    started = time.perf_counter()
    subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def time_by_hand(folder: Path) -> float:
    """Return how long papermill and nbconvert take, one notebook after another [seconds]."""
    seconds = 0.0
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        executed = folder / notebook.name
        given = ("-p", "community", CONFIG, "-p", "locale", "all", "-p", "out_dir", str(folder))
        seconds += clock(sys.executable, "-m", "papermill", str(notebook), str(executed), *given)
        seconds += clock(sys.executable, "-m", "nbconvert", "--to", "html", "--no-input", str(executed))
    return seconds


def time_report(folder: Path) -> float:
    """Return how long our command takes [seconds]."""
    return clock(sys.executable, "-m", "analysis.cli", "report", CONFIG, "--into", str(folder))


def main() -> int:
    """Measure, print, and return 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1, help="cold rounds, in turns; the median counts")
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        rounds = []
        for n in range(repeats):
            folder = Path(name, str(n))
            (folder / "hand").mkdir(parents=True)
            rounds.append((time_by_hand(folder / "hand"), time_report(folder / "ours")))
        unchanged = statistics.median(time_report(folder / "ours") for _ in range(5))
        manifest = json.loads((folder / "ours/sample/latest/manifest.json").read_text("utf-8"))
    ratio = statistics.median(ours / hand for hand, ours in rounds)
    hand, ours = rounds[-1]
    print(f"cold, {os.cpu_count()} cores: by hand {hand:.1f} s, ours {ours:.1f} s, ratio {ratio:.2f} (limit {LIMIT})")
    print(f"unchanged: {unchanged:.2f} s (limit {LIMIT_UNCHANGED})")
    for record in manifest["notebooks"]:
        print(f"  {record['notebook']}: {record['seconds']:.1f} s")
    slowest = max(record["seconds"] for record in manifest["notebooks"])
    print(f"  of which imports, in each: {clock(sys.executable, '-c', IMPORTS):.1f} s")
    print(f"  around the slowest notebook (start, rendering, index, copies): {ours - slowest:.1f} s")
    return int(ratio > LIMIT or unchanged > LIMIT_UNCHANGED)


if __name__ == "__main__":
    sys.exit(main())
