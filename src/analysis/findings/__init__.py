"""Result → status and sentence, in every language; one function per result type."""

from analysis.findings.churn import (
    describe_change,
    describe_cohort,
    describe_exits,
    describe_groups,
    describe_immortal_time,
    describe_levels,
    describe_stay,
    list_tiles,
)
from analysis.findings.finding import Finding, Status, Tile, describe_refusal
from analysis.findings.quality import (
    describe_capture,
    describe_freshness,
    describe_gate,
    describe_overlap,
    describe_verdict,
    describe_verdicts,
    list_quality_tiles,
)

__all__ = [
    "Finding",
    "Status",
    "Tile",
    "describe_capture",
    "describe_change",
    "describe_cohort",
    "describe_exits",
    "describe_freshness",
    "describe_gate",
    "describe_groups",
    "describe_immortal_time",
    "describe_levels",
    "describe_overlap",
    "describe_refusal",
    "describe_stay",
    "describe_verdict",
    "describe_verdicts",
    "list_quality_tiles",
    "list_tiles",
]
