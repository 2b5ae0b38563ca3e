"""The whole run: plan, execute, check, render, merge, publish.

One failing notebook does not stop the others: its previous page stays, marked. Nothing is touched where the
configuration, a parameter or the data cannot be used.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis import labels
from analysis.errors import AnalysisError, ConfigError
from analysis.reports import listing, pages, publish, render
from analysis.reports.pages import Fate
from analysis.reports.plan import Plan, make_plan
from analysis.reports.results import dump, iso, versions, write_atomically
from analysis.reports.supervise import Job, Limits, OnCell, Verdict, run_notebook


@dataclass(frozen=True, kw_only=True, eq=False)
class RunOutcome:
    """What a run left.

    Attributes
    ----------
    exit_code
        0 all published; 1 some notebook failed, the others are published; 2 nothing could start, nothing
        was touched.
    folder
        The published run, or None.
    fates
        One per notebook.
    message
        Why nothing could start, with the remedy.
    """

    exit_code: int
    folder: Path | None = None
    fates: tuple[Fate, ...] = ()
    message: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """One run under way."""

    plan: Plan
    stage: Path
    before: Path | None
    limits: Limits
    started: dt.datetime

    @property
    def id(self) -> str:
        """As-of day, moment and key: sorts by time, names what it stands for."""
        moment = f"{self.started:%Y%m%dT%H%M%S}{self.started.microsecond // 1000:03}Z"
        return f"{iso(self.plan.window.as_of_day)}_{moment}_{self.plan.key}"

    @property
    def day(self) -> int:
        """Today where the community lives [days since 1970-01-01]."""
        here = self.started.astimezone(ZoneInfo(self.plan.community.timezone)).date()
        return (here - dt.date(1970, 1, 1)).days


def run_report(  # noqa: PLR0913 - one for each option of the command
    config_path: str | Path,
    *,
    only: Sequence[str] = (),
    as_of: str = "",
    locales: Sequence[str] = labels.LOCALES,
    jobs: int | None = None,
    params: Sequence[str] = (),
    reports_dir: Path = Path("reports"),
    notebooks_dir: Path = Path("notebooks"),
    limits: Limits | None = None,
    progress: OnCell | None = None,
) -> RunOutcome:
    """Make a community's reports and publish them under ``reports_dir/<community>/latest``.

    Parameters
    ----------
    config_path
        The community's configuration file.
    only
        Notebooks by name, with or without number; none takes all.
    as_of
        Last day counted, ISO; ``""`` takes the last complete day common to all sources.
    jobs
        Notebooks at a time; None takes the smaller of cores and notebooks.
    params
        ``NOTEBOOK.NAME=VALUE``.
    progress
        Called as cells go by.
    """
    try:
        plan = make_plan(
            config_path, only=only, as_of=as_of, locales=locales, given=params, notebooks_dir=notebooks_dir
        )
        folder = reports_dir / plan.community.community
        with publish.lock(folder), _sigterm_ends_us(), publish.staging(folder) as stage:
            run = _Run(
                plan=plan,
                stage=stage,
                before=publish.previous(folder),
                limits=limits or Limits(),
                started=dt.datetime.now(dt.UTC),
            )
            return _run(run, folder, jobs=jobs, progress=progress)
    except AnalysisError as refused:
        return RunOutcome(exit_code=2, message=str(refused))


def _run(run: _Run, folder: Path, *, jobs: int | None, progress: OnCell | None) -> RunOutcome:
    with closing(_execute(run, jobs=jobs, progress=progress)) as ended:
        fates = [_finish(run, job, verdict) for job, verdict in ended]
    fates += _keep_others(run)
    fates.sort(key=lambda fate: fate.notebook)
    _write_documents(run, fates)
    finished = publish.publish(run.stage, folder, run=run.id)
    failed = any(fate.failed for fate in fates)
    return RunOutcome(exit_code=1 if failed else 0, folder=finished, fates=tuple(fates))


def _execute(run: _Run, *, jobs: int | None, progress: OnCell | None) -> Generator[tuple[Job, Verdict], None, None]:
    """Run all notebooks, some at a time, and hand each over as it ends."""
    notebooks = run.plan.notebooks
    n_cores = os.cpu_count() or 1
    n_workers = max(1, min(jobs or n_cores, len(notebooks)))
    stop = threading.Event()
    with ThreadPoolExecutor(n_workers) as pool:
        try:
            made = [_job(run, notebook, n_threads=max(1, n_cores // n_workers)) for notebook in notebooks]
            futures = {pool.submit(run_notebook, job, stop=stop, on_cell=progress): job for job in made}
            render.warm_up()
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _job(run: _Run, notebook: Path, *, n_threads: int) -> Job:
    plan, stage = run.plan, run.stage.resolve()
    out_dir = {"out_dir": str(stage)} if "out_dir" in plan.declared[notebook] else {}
    return Job(
        notebook=notebook,
        executed=stage / "notebooks" / notebook.name,
        sentinel=stage / f"{notebook.stem}.results.json",
        root=plan.root,
        parameters=plan.notebooks[notebook] | out_dir,
        limits=run.limits,
        n_threads=n_threads,
    )


def _finish(run: _Run, job: Job, verdict: Verdict) -> Fate:
    """Render a notebook that succeeded; keep the previous page of one that did not."""
    cause, reason = verdict.cause, verdict.reason
    _, refused, fault = reason.partition("ConfigError: parameters: ")
    if refused:  # only the notebook knows its parameters' ranges; the run is as invalid as if we had known
        raise ConfigError(f"{job.name}.{fault}")
    if verdict.ok:
        try:
            results = json.loads(job.sentinel.read_text("utf-8"))
            pages.write_pages(job.executed, run.stage, run.plan, run=run.id, day=run.day)
            if not _asks_for_list(run, job):
                listing.remove_lists(run.stage, job.name)
            return _published(run, job, verdict, results)
        except Exception as error:  # one page that cannot be made must not take the others with it
            cause, reason = getattr(error, "cause", "not_rendered"), f"{type(error).__name__}: {error}"
    job.sentinel.unlink(missing_ok=True)
    listing.remove_lists(run.stage, job.name)
    fate = pages.keep_previous(job.notebook, run.before, run.stage, run.plan, day=run.day, cause=cause, reason=reason)
    return replace(fate, seconds=round(verdict.seconds, 2))


def _asks_for_list(run: _Run, job: Job) -> bool:
    declared = run.plan.declared[job.notebook].get(listing.ASKED_BY)
    return bool(job.parameters.get(listing.ASKED_BY, declared.default if declared else False))


def _keep_others(run: _Run) -> list[Fate]:
    """Keep the pages of notebooks that this run leaves out, where there are any."""
    kept = [pages.keep_previous(notebook, run.before, run.stage, run.plan, day=run.day) for notebook in run.plan.others]
    return [fate for fate in kept if fate.status == "kept"]


def _published(run: _Run, job: Job, verdict: Verdict, results: list[dict[str, Any]]) -> Fate:
    answered = [claim for claim in results if str(claim["status"]).lower() != "refused"]
    first: dict[str, Any] = next(iter(answered or results), {"sentence": {}, "status": ""})
    return Fate(
        notebook=job.name,
        status="published",
        seconds=round(verdict.seconds, 2),
        as_of_day=run.plan.window.as_of_day,
        run=run.id,
        results=results,
        headline=first["sentence"],
        finding=str(first["status"]).lower(),
        title=pages.titles(job.notebook, run.plan),
    )


def _write_documents(run: _Run, fates: Sequence[Fate]) -> None:
    """Write what belongs to the run as a whole: merged results, index, manifest."""
    claims = [claim for fate in fates for claim in fate.results]
    write_atomically(run.stage / "results.json", dump(claims))
    for own in run.stage.glob("*.results.json"):
        own.rename(run.stage / "notebooks" / own.name)
    pages.write_indexes(fates, run.stage, run.plan, run=run.id, day=run.day)
    write_atomically(run.stage / pages.MANIFEST, dump(_manifest(run, fates)))


def _manifest(run: _Run, fates: Sequence[Fate]) -> dict[str, Any]:
    """Say how the run came about: no user, no machine, no absolute path, no value of a member."""
    plan = run.plan
    return {
        "run": run.id,
        "key": plan.key,
        "community": plan.community.community,
        "configuration": plan.community.model_dump(mode="json"),
        "first_day": iso(plan.window.first_day),
        "as_of": iso(plan.window.as_of_day),
        "started": run.started.isoformat(timespec="seconds"),
        "ended": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": plan.commit,
        "versions": versions(),
        "inputs": plan.window.inputs,
        "locales": plan.locales,
        "notebooks": [_fate_record(run, fate) for fate in fates],
        "pages": pages.fingerprints(run.stage),
    }


def _fate_record(run: _Run, fate: Fate) -> dict[str, Any]:
    names = ("notebook", "status", "cause", "seconds", "as_of_day", "run", "headline", "finding")
    path = next((path for path in run.plan.notebooks if path.stem == fate.notebook), None)
    declared = run.plan.declared[path] if path else {}
    values = {name: parameter.default for name, parameter in declared.items()}
    values |= run.plan.notebooks[path] if path else {}
    values.pop("out_dir", None)
    if Path(str(values.get("community", ""))).is_absolute():
        values["community"] = Path(values["community"]).name
    return {name: getattr(fate, name) for name in names} | {"parameters": values}


@contextmanager
def _sigterm_ends_us() -> Iterator[None]:
    """Let a scheduler's SIGTERM unwind the run, so that no process and no half-made folder is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
