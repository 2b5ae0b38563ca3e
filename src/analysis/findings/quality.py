"""The sentences of ``00_data_quality``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan

import pandas as pd

from analysis import labels
from analysis.errors import RefusalCode, RefusedAnalysis
from analysis.findings.finding import Finding, Status, Tile, describe_refusal, list_known, make_tile
from analysis.intake.ledger import ImportRecord
from analysis.quality import CAPTURE_LEAST, MATCH_LEAST, Freshness, Gate, Overlap, Verdict
from analysis.summaries import WIDE_MOST

MOST_FIXES = 2
"""So many things to put right are named in the headline."""


def describe_verdicts(
    verdicts: Sequence[Verdict], *, freshness: Freshness | RefusedAnalysis, gates: Sequence[Gate] | RefusedAnalysis
) -> Finding:
    """Return the headline: how many questions the data carry, and what to put right first."""
    good = sum(verdict.good for verdict in verdicts)
    fixes = _list_fixes(verdicts, freshness=freshness, gates=gates)[:MOST_FIXES]
    return Finding(
        id="quality.questions",
        status=Status.PASS if not fixes else Status.REVIEW if good else Status.FAIL,
        sentence=labels.both(
            "quality.headline.fix" if fixes else "quality.headline.fine",
            good=good,
            n=len(verdicts),
            fixes={
                locale: labels.text("unit.and_then", locale).join(fix[locale] for fix in fixes)
                for locale in labels.LOCALES
            },
        ),
        estimate=good,
        unit="questions",
        n=len(verdicts),
        method="checks",
    )


def describe_verdict(verdict: Verdict) -> Finding:
    """Return whether one question can be answered, and otherwise what to supply."""
    claim = f"quality.question.{verdict.question}"
    if verdict.refused is not None:
        refusal = describe_refusal(claim, verdict.refused)
        asked = labels.both(f"quality.question.{verdict.question}")
        sentence = labels.both("quality.question.refused", question=asked, why=dict(refusal.sentence))
        return Finding(id=claim, status=Status.REFUSED, sentence=sentence, method="checks", warnings=refusal.warnings)
    sentence = labels.both("quality.question.good", question=labels.both(f"quality.question.{verdict.question}"))
    return Finding(id=claim, status=Status.PASS, sentence=sentence, method="checks")


def describe_freshness(result: Freshness | RefusedAnalysis) -> Finding:
    """Return which groups nobody has looked at lately."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("quality.freshness", result)
    stale = len(result.stale)
    return Finding(
        id="quality.freshness",
        status=Status.REVIEW if stale else Status.PASS,
        sentence=labels.both(
            "quality.freshness.stale" if stale else "quality.freshness.fine",
            n=stale,
            groups=result.n_groups,
            since=result.oldest_day,
        ),
        estimate=result.share,
        unit="fraction",
        n=result.n_groups,
        method="count",
        shown={"estimate": round(result.share, 2)},  # of groups, which are nobody's secret
    )


def describe_gates(gates: Sequence[Gate] | RefusedAnalysis) -> list[Finding]:
    """Return one finding per gate."""
    if isinstance(gates, RefusedAnalysis):
        return [describe_refusal("quality.gate", gates)]
    return [describe_gate(gate) for gate in gates]


def describe_gate(gate: Gate) -> Finding:
    """Return whether consent, or age, lets the data be used."""
    state = "unknown" if not gate.known else "pass" if gate.passed else "few" if gate.is_small else "fail"
    status = {"unknown": Status.REVIEW, "pass": Status.PASS}.get(state, Status.FAIL)
    return Finding(
        id=f"quality.gate.{gate.name}",
        status=status,
        sentence=labels.both(
            f"quality.gate.{gate.name}.{state}", n=gate.n, members=gate.n_members, min_cell=gate.min_cell
        ),
        estimate=nan if gate.is_small else gate.n,
        unit="members",
        n=gate.n_members,
        method="count",
    )


def describe_capture(share: float | RefusedAnalysis) -> Finding:
    """Return how many of the joins that the platform counts are in our tables."""
    if isinstance(share, RefusedAnalysis):
        return describe_refusal("quality.capture", share)
    state = "fine" if share >= CAPTURE_LEAST else "low"
    return Finding(
        id="quality.capture",
        status=Status.PASS if state == "fine" else Status.REVIEW,
        sentence=labels.both(f"quality.capture.{state}", share=share),
        estimate=share,
        unit="fraction",
        method="ratio of counts",
    )


def describe_dating(leaving: Mapping[str, float] | RefusedAnalysis, *, min_cell: int) -> Finding:
    """Return how exactly leaving is dated: by the day, or only between two looks; nothing of a few leavings."""
    if isinstance(leaving, RefusedAnalysis):
        return describe_refusal("quality.dating", leaving)
    n_left, n_wide = int(leaving["n_left"]), int(leaving["n_wide"])
    if n_left < min_cell:
        few = RefusedAnalysis(RefusalCode.TOO_FEW_EVENTS, {"n_events": f"<{min_cell}", "needed": min_cell})
        return describe_refusal("quality.dating", few)
    share = n_wide / n_left if n_left else 0.0
    return Finding(
        id="quality.dating",
        status=Status.REVIEW if share > WIDE_MOST else Status.PASS,
        sentence=labels.both("quality.dating", n=n_left, interval=leaving["n_interval"], wide=n_wide),
        estimate=share,
        unit="fraction",
        n=n_left,
        method="count",
    )


def describe_gaps(gaps: pd.DataFrame) -> dict[str, str]:
    """Return how many columns have gaps, by locale; a figure shows which."""
    return labels.both("quality.gaps.some" if len(gaps) else "quality.gaps.none", n=len(gaps))


def describe_limits(*, n_before: int, tracking_from: dt.date | int | None, n_owner_rows: int) -> list[Finding]:
    """Return what the tables can never tell: who left before watching began, and groups counted by owner only."""
    limits = []
    if tracking_from is not None:
        limits.append(
            Finding(
                id="quality.before",
                status=Status.PASS,
                sentence=labels.both("quality.before", n=n_before, day=tracking_from),
                estimate=n_before,
                unit="members",
                method="count",
            )
        )
    if n_owner_rows:
        limits.append(describe_refusal("quality.owner_level", RefusedAnalysis(RefusalCode.OWNER_LEVEL_ONLY)))
    return limits


def tabulate_corrections(ledger: Iterable[ImportRecord]) -> pd.DataFrame:
    """Return what was put right on import, one row per file and kind: ``file, correction, n_rows``."""
    rows = [
        (record.file, correction, n) for record in ledger for correction, n in sorted(record.corrections.items()) if n
    ]
    return pd.DataFrame(rows, columns=["file", "correction", "n_rows"])


def describe_overlap(result: Overlap | RefusedAnalysis) -> Finding:
    """Return how many members sit on two platforms, counted or bounded."""
    if isinstance(result, RefusedAnalysis):
        return describe_refusal("quality.overlap", result)
    counted = result.table[result.table["counted"]]
    bounded = result.table[~result.table["counted"]]
    key = "both" if len(counted) and len(bounded) else "counted" if len(counted) else "bounded"
    return Finding(
        id="quality.overlap",
        status=Status.REVIEW if len(bounded) else Status.PASS,
        sentence=labels.both(
            f"quality.overlap.{key}",
            n=counted["low"].sum(),
            pairs=len(counted),
            bounded=len(bounded),
            high=bounded["high"].max() if len(bounded) else 0,
        ),
        estimate=float(result.table["low"].sum()),
        ci_low=float(result.table["low"].sum()),
        ci_high=float(result.table["high"].sum()),
        unit="members",
        n=len(result.table),
        method="count and Frechet bounds",
    )


def list_quality_tiles(
    *,
    freshness: Freshness | RefusedAnalysis,
    as_of_day: int,
    capture: float | RefusedAnalysis,
    match: float,
    gates: Sequence[Gate] | RefusedAnalysis,
    history_days: int,
) -> tuple[Tile, ...]:
    """Return the key figures of the page, at most seven."""
    return list_known(
        make_tile("groups", freshness, lambda it: {"n": it.n_covered, "groups": it.n_groups}),
        make_tile("fresh", as_of_day, lambda day: {"day": day}),
        make_tile("capture", capture, lambda share: {"share": share, "least": CAPTURE_LEAST}),
        make_tile("match", match, lambda share: {"share": share, "least": MATCH_LEAST}) if not isnan(match) else None,
        *(_gate_tile(gate) for gate in _gates(gates)),
        make_tile("history", history_days, lambda n: {"n": n}),
    )


def _gates(gates: Sequence[Gate] | RefusedAnalysis) -> Sequence[Gate]:
    return () if isinstance(gates, RefusedAnalysis) else gates


def _gate_tile(gate: Gate) -> Tile | None:
    if not gate.known:
        return None
    shown = f"<{gate.min_cell}" if gate.is_small else gate.n
    return make_tile(gate.name, gate, lambda it: {"n": shown, "members": it.n_members})


def _list_fixes(
    verdicts: Sequence[Verdict], *, freshness: Freshness | RefusedAnalysis, gates: Sequence[Gate] | RefusedAnalysis
) -> list[dict[str, str]]:
    fixes = []
    if isinstance(freshness, Freshness) and len(freshness.stale):
        fixes.append(labels.both("quality.fix.stale", n=len(freshness.stale), since=freshness.oldest_day))
    fixes += [
        labels.both(f"quality.fix.{gate.name}", n=f"<{gate.min_cell}" if gate.is_small else gate.n)
        for gate in _gates(gates)
        if gate.known and not gate.passed
    ]
    refused = {verdict.question: verdict.refused.code for verdict in verdicts if verdict.refused is not None}
    if RefusalCode.TOO_FEW_MEMBERS in refused.values():
        return [labels.both("quality.fix.members")]
    mendable = [question for question, code in refused.items() if code != RefusalCode.ONE_PLATFORM]
    return fixes + [labels.both(f"quality.fix.{question}") for question in mendable]
