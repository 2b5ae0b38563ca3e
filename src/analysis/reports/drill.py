"""A table by any crossing of groupings, between two runs: suppressed, audited and kept like a page's.

Every drill is published in the community's folder of reports, under ``drills``: so the next drill, and the next run, are audited
against it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis import config, intake, labels, plots, summaries, survival
from analysis.errors import ConfigError, RefusedAnalysis
from analysis.reports import audit, publish, tables
from analysis.reports.results import iso
from analysis.reports.tables import TableFile

MOST = 3
"""So many columns may be crossed: with more, almost every cell is of a few."""

NOTEBOOK = "01_churn_survival"
"""The page whose tables a drill goes on from."""

ALIASES = {"channel": "channel_id", "group": "group_id", "owner": "owner_staff_id", "cohort": summaries.COHORT}
"""Short names of columns."""

FIGURES = (
    "n",
    "stay_30_interval",
    "stay_90_interval",
    "leave_rate_interval",
    "n_present",
    "share_active_interval",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Drilled:
    """A crossing as it is published.

    Attributes
    ----------
    tables
        By language, as files.
    cells
        By language, to be read: headings first, an estimate and its interval in one cell.
    folder
        Where its CSV and workbooks stand.
    n_hidden
        Cells that may not be shown.
    """

    tables: Mapping[str, TableFile]
    cells: Mapping[str, Sequence[Sequence[str]]]
    folder: Path
    n_hidden: int


def drill(
    config_path: str | Path, *, by: Sequence[str], as_of: str = "", reports_dir: Path = Path("reports")
) -> Drilled:
    """Make and publish the main figures by a crossing of groupings; no row of a member leaves the reductions.

    Parameters
    ----------
    by
        Columns or their :data:`ALIASES`, at most :data:`MOST`.
    as_of
        Last day counted, ISO; ``""`` takes the last complete day common to all sources.

    Raises
    ------
    ConfigError
        The columns cannot be crossed, or nothing of it may be shown; with the remedy.
    PageRefused
        With what is published already, small cells could be worked back.
    """
    settings = config.read_config(config_path)
    source = intake.open_tables(settings, as_of=as_of)
    columns = _resolve(by, summaries.list_dimensions(source))
    try:
        counts = summaries.count_drill(source, churn=settings.churn, by=columns)
        rules = survival.Rules(follow_up_end=counts.follow_up_end, min_cell=settings.min_cell, cluster=counts.cluster)
        found = survival.tabulate_drill(counts.stays, counts.present, by=columns, rules=rules)
    except RefusedAnalysis as refused:
        raise ConfigError(_explain(refused)) from None
    table, shown = _name_cohorts(found), _choose_columns(found)
    values = {
        locale: plots.list_values(table, title="drill", columns=shown, by=found.by, locale=locale)
        for locale in labels.LOCALES
    }
    made = {locale: TableFile(**own, analyst=True) for locale, own in values.items()}
    folder = reports_dir / settings.community
    return Drilled(
        tables=made,
        cells={
            locale: plots.list_cells(table, title="drill", columns=shown, locale=locale) for locale in labels.LOCALES
        },
        folder=_publish(made, folder, as_of_day=source.as_of_day, min_cell=settings.min_cell),
        n_hidden=found.n_hidden,
    )


def _resolve(by: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(ALIASES.get(name.strip(), name.strip()) for name in by if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        told = f"no column {unknown[0]!r} to drill by" if unknown else "nothing to drill by"
        raise ConfigError(f"--by: {told}. Choose among {', '.join(known)}.")
    if len(names) > MOST:
        raise ConfigError(f"--by: {len(names)} columns cut members too small. Cross at most {MOST}.")
    return names


def _explain(refused: RefusedAnalysis) -> str:
    kinds = {"table": "table", "column": "column"}
    facts = {fact: labels.name(kinds[fact], v, "en") if fact in kinds else v for fact, v in refused.facts.items()}
    return "--by: " + labels.text(f"refusal.{refused.code}", "en", **facts)


def _choose_columns(found: survival.Drill) -> list[str]:
    """Return the columns to show: those of people present only where it is known who is."""
    needs = {"n_present": "n_present", "share_active_interval": "share_active"}
    known = [name for name in FIGURES if name not in needs or found.table[needs[name]].notna().any()]
    return [*found.by, *known]


def _name_cohorts(found: survival.Drill) -> pd.DataFrame:
    """Return the table with join cohorts as ISO dates, or as months where all begin with one."""
    if summaries.COHORT not in found.by:
        return found.table
    days = found.table[summaries.COHORT].map(lambda day: day if isinstance(day, str) else iso(day))
    is_month = days.str.endswith("-01") | ~days.str.contains(r"\d", regex=True)
    return found.table.assign(**{summaries.COHORT: days.str[:7] if is_month.all() else days})


def _publish(made: Mapping[str, TableFile], folder: Path, *, as_of_day: int, min_cell: int) -> Path:
    """Write the files of a drill, unless they stand there already, and audit them against all that is published."""
    files = tables.write_files(NOTEBOOK, {locale: [table] for locale, table in made.items()})
    with publish.lock(folder):
        drills = folder / audit.DRILLS
        same = next((run for run in sorted(drills.glob("*")) if _holds(run, files)), None)
        if same:
            return same / tables.FOLDER
        audit.check_release(files, notebook=NOTEBOOK, folder=folder, min_cell=min_cell)
        moment = dt.datetime.now(dt.UTC)
        run = drills / f"{iso(as_of_day)}_{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03}Z"
        (run / tables.FOLDER).mkdir(parents=True)
        for path, content in files.items():
            (run / path).write_bytes(content)
    return run / tables.FOLDER


def _holds(run: Path, files: Mapping[str, bytes]) -> bool:
    return all((run / path).is_file() and (run / path).read_bytes() == content for path, content in files.items())
