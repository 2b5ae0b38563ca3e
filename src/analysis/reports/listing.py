"""The ranked list of members: a file of its own beside the page, for the people who act on it.

A page is shared, so it holds no member. The list is written only when it was asked for, only its owner may read it, nothing
links to it, and a later run does not carry it along.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import ConfigError, RefusedAnalysis
from analysis.reports.tables import disarm

if TYPE_CHECKING:
    import narwhals as nw
    import pandas as pd

ASKED_BY = "risk_list"
"""The parameter of a notebook that asks for its list."""

LISTS = "*.risk_list.csv"
"""The lists among a run's files."""

FIRST = ("rank", "member_id", "group_id", "probability", "ci_low", "ci_high")


@dataclass(frozen=True, kw_only=True)
class RiskList:
    """Where a list stands, and how many members it names."""

    path: Path
    n_rows: int


def write_risk_list(
    members: nw.LazyFrame | pd.DataFrame | RefusedAnalysis,
    *,
    wanted: bool,
    out_dir: str,
    notebook: str,
    scores: pd.DataFrame | RefusedAnalysis | None = None,
    kind: str = "",
    most: int = 0,
) -> RiskList | None:
    """Write who is most likely to leave to ``<out_dir>/<notebook>.risk_list.csv``, the likeliest first.

    Parameters
    ----------
    members
        One row per member: ``member_id``, perhaps ``group_id``, and what they are told apart by. A lazy frame is not even
        read where no list is wanted.
    wanted
        Whether the list was asked for; without it nothing is done.
    out_dir
        The run's folder.
    notebook
        The notebook's name, as its file is called.
    scores
        ``probability`` and perhaps ``ci_low``, ``ci_high`` and others, by columns that ``members`` has too; without it
        ``members`` carries them itself.
    kind
        Tells several lists of one notebook apart: ``<notebook>.<kind>.risk_list.csv``.
    most
        Only so many members; 0 lists all.

    Returns
    -------
    RiskList or None
        None where no list was wanted, or where there is nobody to list because the question was refused. Columns
        of the file: ``rank``, those of :data:`FIRST` that there are, then the others. Members of whom nothing can be said stand
        last, with nothing in these columns.

    Raises
    ------
    ConfigError
        A list is wanted, and there is no folder for it.
    """
    if not wanted:
        return None
    if not out_dir:
        raise ConfigError(
            f"{ASKED_BY}: there is no folder for the list of members. Give out_dir too, or leave {ASKED_BY} off."
        )
    if isinstance(members, RefusedAnalysis) or isinstance(scores, RefusedAnalysis):
        return None
    import pandas as pd

    rows = members if isinstance(members, pd.DataFrame) else members.collect().to_pandas()
    ranked = _rank(rows if scores is None else rows.merge(scores, how="left"))
    ranked = ranked.head(most) if most else ranked
    path = Path(out_dir) / ".".join([*filter(None, (notebook, kind)), "risk_list.csv"])
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_privately(path, ranked)
    return RiskList(path=path, n_rows=len(ranked))


def remove_lists(folder: Path, notebook: str) -> None:
    """Take away the lists of a notebook that failed, or whose parameters did not ask for any, half-written ones too."""
    name = glob.escape(notebook)
    for pattern in (f"{name}.risk_list.csv", f"{name}.*.risk_list.csv", f".{name}.*risk_list.csv.*"):
        for path in folder.glob(pattern):
            path.unlink()


def _rank(rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    ranked = rows.sort_values(["probability", "member_id"], ascending=[False, True], ignore_index=True)
    ranked.insert(0, "rank", pd.RangeIndex(1, len(ranked) + 1))
    first = [name for name in FIRST if name in ranked]
    return ranked[[*first, *(name for name in ranked if name not in first)]]


def _write_privately(path: Path, rows: pd.DataFrame) -> None:
    """Write a file that only its owner may read, whole or not at all; with the mark by which Excel knows UTF-8."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as file:
            _disarm(rows).to_csv(file, index=False, float_format="%.4f", lineterminator="\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _disarm(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep a spreadsheet from running names as formulas: they come from data."""
    texts = rows.select_dtypes(exclude=["number", "bool"]).columns
    return rows.assign(**{name: rows[name].map(disarm) for name in texts})
