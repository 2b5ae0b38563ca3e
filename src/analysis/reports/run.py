"""The whole run: plan, execute, check, render, merge, publish.

One failing notebook does not stop the others: its previous page stays, marked. Nothing is touched where the
configuration, a parameter or the data cannot be used.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analysis import labels
from analysis.errors import AnalysisError, ConfigError
from analysis.reports import forecasts, given, history, listing, pages, publish, render, reopen, reuse, series, shared
from analysis.reports.alerts import Alert, find_unmatched, list_alerts
from analysis.reports.before import describe_today, read_before
from analysis.reports.manifest import describe_run
from analysis.reports.news import describe_index, describe_page
from analysis.reports.pages import Fate
from analysis.reports.plan import Plan, Task, make_plan
from analysis.reports.restate import find_late
from analysis.reports.results import FORECAST, dump, iso, write_atomically
from analysis.reports.series import Revision
from analysis.reports.signals import signals_end_us
from analysis.reports.supervise import Job, Limits, OnCell, Verdict, run_notebook, sweep

_SETS = ".sets"  # where pages of further parameter sets write, apart from the notebook's own


@dataclass(frozen=True, kw_only=True, eq=False)
class RunOutcome:
    """What a run left.

    Attributes
    ----------
    exit_code
        0 all published; 1 some notebook failed, the others are published; 2 nothing could start, nothing
        was touched; 3 all published, and a claim lies beyond a threshold of the plan file, or, with ``alarms: true`` in it, a
        page's own alarm rings.
    folder
        The published run, or None.
    fates
        One per notebook.
    message
        Why nothing could start, with the remedy.
    unchanged
        Whether nothing had changed, so that nothing was run or published.
    alerts
        Claims beyond thresholds of the plan file, and the pages' own alarms.
    unmatched
        Claims that its thresholds name and nobody made.
    """

    exit_code: int
    folder: Path | None = None
    fates: tuple[Fate, ...] = ()
    message: str = ""
    unchanged: bool = False
    alerts: tuple[Alert, ...] = ()
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """One run under way."""

    plan: Plan
    stage: Path
    before: Path | None
    unchanged: reuse.Standing
    limits: Limits | None
    started: dt.datetime

    @property
    def id(self) -> str:
        """As-of day, moment and key: sorts by time, names what it stands for."""
        moment = f"{self.started:%Y%m%dT%H%M%S}{self.started.microsecond // 1000:03}Z"
        return f"{iso(self.plan.window.as_of_day)}_{moment}_{self.plan.key}"

    @property
    def owner(self) -> str:
        """A short sign of the folder that these reports are published in."""
        return hashlib.sha256(str(self.stage.resolve().parent).encode()).hexdigest()[:8] + "-"

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
    force: bool = False,
    plan_file: str | Path = "",
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
    force
        Run what has not changed too, and what the plan file renews on other days.
    plan_file
        See :mod:`analysis.reports.order`; ``""`` takes ``plan.yml`` beside the configuration, where there is one.
    progress
        Called as cells go by.
    """
    started = dt.datetime.now(dt.UTC)
    try:
        plan = make_plan(
            config_path,
            only=only,
            as_of=as_of,
            locales=locales,
            given=params,
            notebooks_dir=notebooks_dir,
            reports_dir=reports_dir,
            plan_file=plan_file,
            moment=None if force else started,
        )
        folder = reports_dir / plan.community.community
        with publish.lock(folder), signals_end_us():
            before = publish.previous(folder)
            unchanged = {} if force else reuse.find_unchanged(plan, before)
            if before and len(unchanged) == len(plan.tasks):
                return _nothing_to_do(plan, before, unchanged)
            with publish.staging(folder) as stage:
                run = _Run(
                    plan=plan,
                    stage=stage,
                    before=before,
                    unchanged=unchanged,
                    limits=limits,
                    started=started,
                )
                return _run(run, folder, jobs=jobs, progress=progress)
    except AnalysisError as refused:
        return RunOutcome(exit_code=2, message=str(refused))


def _nothing_to_do(plan: Plan, before: Path, unchanged: reuse.Standing) -> RunOutcome:
    fates = tuple(reuse.recall(task, unchanged[task.name], before) for task in plan.tasks)
    return _judge(plan, fates, folder=before, unchanged=True)


def _run(run: _Run, folder: Path, *, jobs: int | None, progress: OnCell | None) -> RunOutcome:
    sweep(run.owner)
    faults = _find_faults(run)
    fates = [_refuse(run, task, fault) for task, fault in faults]
    apart_from = [task for task, _ in faults]
    with (
        ThreadPoolExecutor(1) as aside,
        closing(_execute(run, apart_from=apart_from, jobs=jobs, progress=progress)) as ended,
    ):
        late = aside.submit(find_late, run.plan, run.before, folder)
        fates += [_finish(run, task, job, verdict) for task, job, verdict in ended]
    fates += _take_over(run) + _keep_others(run)
    order = [task.name for task in (*run.plan.tasks, *run.plan.others)]
    fates.sort(key=lambda fate: order.index(fate.notebook))
    shutil.rmtree(run.stage / _SETS, ignore_errors=True)
    _write_documents(run, fates, late.result())
    finished = publish.publish(run.stage, folder, run=run.id)
    _tidy(run, folder, fates)
    return _judge(run.plan, tuple(fates), folder=finished)


def _tidy(run: _Run, folder: Path, fates: Sequence[Fate]) -> None:
    """Do what follows a publication; that it cannot be done is no reason to call the run failed."""
    from analysis.reports.audit import DRILLS

    with suppress(OSError):
        run.plan.fingerprints.save()
        fresh = [claim for fate in fates if fate.status == "published" and not fate.unchanged for claim in fate.results]
        series.follow(folder, fresh, as_of=iso(run.plan.window.as_of_day), run=run.id)
        forecasts.keep(folder)
        history.prune(folder, run.plan.order.keep, now=run.started)
        for beside in (reopen.FOLDER, DRILLS):
            history.prune_beside(folder / beside, run.plan.order.keep, now=run.started)
        history.write_history(folder, run.plan.community)


def _judge(plan: Plan, fates: tuple[Fate, ...], *, folder: Path, unchanged: bool = False) -> RunOutcome:
    claims = [claim for fate in fates for claim in fate.results]
    alerts = list_alerts(plan.order.thresholds, claims)
    rings = any(alert.asked or plan.order.alarms for alert in alerts)
    failed = any(fate.failed for fate in fates)
    return RunOutcome(
        exit_code=1 if failed else 3 if rings else 0,
        folder=folder,
        fates=fates,
        unchanged=unchanged,
        alerts=alerts,
        unmatched=() if plan.others else find_unmatched(plan.order.thresholds, claims),
    )


def _find_faults(run: _Run) -> list[tuple[Task, str]]:
    """Return the pages whose own files cannot be used, and what is wrong with these."""
    tasks = [task for task in run.plan.tasks if task.name not in run.unchanged]
    told = [(task, given.find_fault(task.values, community=run.plan.community, root=run.plan.root)) for task in tasks]
    return [(task, fault) for task, fault in told if fault]


def _refuse(run: _Run, task: Task, fault: str) -> Fate:
    """Let a page stand as it was, or say what to mend; no kernel is started for it."""
    return pages.keep_previous(task, run.before, run.stage, run.plan, day=run.day, cause=pages.INPUT, reason=fault)


def _execute(
    run: _Run, *, apart_from: Sequence[Task], jobs: int | None, progress: OnCell | None
) -> Generator[tuple[Task, Job, Verdict], None, None]:
    """Run the notebooks behind which something has changed, some at a time, and hand each over as it ends."""
    changed = [task for task in run.plan.tasks if task.name not in run.unchanged and task not in apart_from]
    tasks = _longest_first(changed, run.before)
    n_cores = os.cpu_count() or 1
    n_workers = max(1, min(jobs or n_cores, len(tasks)))
    stop = threading.Event()
    with ThreadPoolExecutor(n_workers) as pool:
        try:
            made = [(task, _job(run, task, n_threads=max(1, n_cores // n_workers))) for task in tasks]
            futures = {pool.submit(_run_patiently, job, stop=stop, on_cell=progress): (task, job) for task, job in made}
            render.warm_up()
            for future in as_completed(futures):
                yield *futures[future], future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _longest_first(tasks: Sequence[Task], before: Path | None) -> list[Task]:
    """Return tasks by how long they took the last time: what takes longest must not be what starts last."""
    records = reuse.read_manifest(before).get("notebooks", ())
    took = {record.get("notebook"): record.get("seconds") or 0.0 for record in records}
    return sorted(tasks, key=lambda task: -took.get(task.name, 0.0))


def _run_patiently(job: Job, *, stop: threading.Event, on_cell: OnCell | None) -> Verdict:
    """Run a notebook, and once more where its process died: memory may be free again. An error in a cell would come again."""
    verdict = run_notebook(job, stop=stop, on_cell=on_cell)
    if verdict.cause != "died" or stop.is_set():
        return verdict
    job.sentinel.unlink(missing_ok=True)
    again = run_notebook(job, stop=stop, on_cell=on_cell)
    return replace(again, seconds=verdict.seconds + again.seconds, n_attempts=2)


def _job(run: _Run, task: Task, *, n_threads: int) -> Job:
    stage = run.stage.resolve()
    out = stage / _SETS / task.name if task.is_set else stage
    out.mkdir(parents=True, exist_ok=True)
    folders = {"out_dir": str(out), "forecast_dir": str(forecasts.find_folder(stage.parent))}
    handed = {name: folder for name, folder in folders.items() if name in task.declared}
    return Job(
        notebook=task.notebook,
        executed=stage / "notebooks" / f"{task.name}.ipynb",
        sentinel=out / f"{task.notebook.stem}.results.json",
        root=run.plan.root,
        parameters=task.given | handed,
        limits=run.limits or task.limits,
        n_threads=n_threads,
        owner=run.owner,
    )


def _finish(run: _Run, task: Task, job: Job, verdict: Verdict) -> Fate:
    """Render a notebook that succeeded; keep the previous page of one that did not."""
    cause, reason = verdict.cause, verdict.reason
    _, refused, fault = reason.partition("ConfigError: parameters: ")
    if refused and fault.startswith(given.FILES):
        cause, reason = pages.INPUT, fault
    elif refused:  # only the notebook knows its parameters' ranges; the run is as invalid as if we had known
        raise ConfigError(f"{task.name}.{fault}")
    if verdict.ok:
        try:
            results = _collect(run, task, job)
            told = describe_page(results, list_alerts(run.plan.order.thresholds, results))
            pages.write_pages(job.executed, run.stage, run.plan, run=run.id, day=run.day, claims=results, news=told)
            if not task.values.get(listing.ASKED_BY):
                listing.remove_lists(run.stage, task.name)
            return _published(run, task, verdict, results)
        except Exception as error:  # one page that cannot be made must not take the others with it
            cause, reason = getattr(error, "cause", "not_rendered"), f"{type(error).__name__}: {error}"
    job.sentinel.unlink(missing_ok=True)
    (run.stage / f"{task.name}{FORECAST}").unlink(missing_ok=True)
    listing.remove_lists(run.stage, task.name)
    kept = reopen.keep_failed(
        job.executed, run.stage.parent, run=run.id, root=run.plan.root, cell=verdict.cell, reason=reason
    )
    fate = pages.keep_previous(task, run.before, run.stage, run.plan, day=run.day, cause=cause, reason=reason)
    command = reopen.write_command(kept) if kept else ""
    return replace(fate, seconds=round(verdict.seconds, 2), reopen=command)


def _collect(run: _Run, task: Task, job: Job) -> list[dict[str, Any]]:
    """Return what a notebook claims; claims and lists of a further set of parameters take the name of its page."""
    results: list[dict[str, Any]] = json.loads(job.sentinel.read_text("utf-8"))
    if not task.is_set:
        return results
    results = [claim | {"notebook": task.name} for claim in results]
    write_atomically(run.stage / f"{task.name}.results.json", dump(results))
    for kind in (listing.LISTS, f"*{FORECAST}"):
        for path in job.sentinel.parent.glob(kind):
            path.rename(run.stage / path.name.replace(task.notebook.stem, task.name, 1))
    return results


def _take_over(run: _Run) -> list[Fate]:
    """Take over the pages of notebooks behind which nothing has changed."""
    same = [task for task in run.plan.tasks if run.before and task.name in run.unchanged]
    fates = [reuse.take_over(task, run.unchanged[task.name], run.before, run.stage) for task in same if run.before]
    return [replace(fate, title=pages.titles(task, run.plan)) for task, fate in zip(same, fates, strict=True)]


def _keep_others(run: _Run) -> list[Fate]:
    """Keep the pages of notebooks that this run leaves out, where there are any."""
    kept = [pages.keep_previous(task, run.before, run.stage, run.plan, day=run.day) for task in run.plan.others]
    return [fate for fate in kept if fate.status == "kept"]


def _published(run: _Run, task: Task, verdict: Verdict, results: list[dict[str, Any]]) -> Fate:
    answered = [claim for claim in results if str(claim["status"]).lower() != "refused"]
    first: dict[str, Any] = next(iter(answered or results), {"sentence": {}, "status": ""})
    return Fate(
        notebook=task.name,
        status="published",
        seconds=round(verdict.seconds, 2),
        as_of_day=run.plan.window.as_of_day,
        run=run.id,
        results=results,
        headline=first["sentence"],
        finding=str(first["status"]).lower(),
        title=pages.titles(task, run.plan),
        key=task.key,
    )


def _write_documents(run: _Run, fates: Sequence[Fate], late: Sequence[Revision]) -> None:
    """Write what belongs to the run as a whole: merged results, index, manifest."""
    claims = [claim for fate in fates for claim in fate.results]
    shared.write_results(run.stage, claims)
    for kind in ("*.results.json", f"*{FORECAST}"):
        for own in run.stage.glob(kind):
            own.rename(run.stage / "notebooks" / own.name)
    before = read_before(run.stage.parent, as_of_day=run.plan.window.as_of_day)
    today = describe_today(run.plan, fates)
    revisions = [series.share_revision(one, min_cell=run.plan.community.min_cell) for one in late]
    known, alerts = reuse.read_results(run.before), list_alerts(run.plan.order.thresholds, today.claims)
    news = describe_index(today.claims, alerts, revisions=revisions, before=known)
    pages.write_indexes(fates, run.stage, run.plan, today=today, before=before, run=run.id, day=run.day, news=news)
    told = describe_run(run.plan, fates, run=run.id, started=run.started, stage=run.stage) | {"revisions": revisions}
    write_atomically(run.stage / pages.MANIFEST, dump(told))
