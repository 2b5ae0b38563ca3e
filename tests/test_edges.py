"""Communities at the edge: published, and the claim refused or suppressed.

The notebooks' own cells are executed in this process, so that a case takes a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import RefusalCode, WarningCode
from analysis.intake import import_sources
from analysis.plots import display

Run = Callable[..., tuple[dict[str, dict[str, Any]], str]]


@pytest.fixture
def run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that imports CSV texts, runs a notebook and returns (claims by id, all that it showed)."""

    def run_notebook(name: str, /, settings: str = "", **files: str) -> tuple[dict[str, dict[str, Any]], str]:
        exports = tmp_path / "exports"
        exports.mkdir(exist_ok=True)
        for file, text in files.items():
            (exports / f"{file}.csv").write_text(text, "utf-8")
        import_sources([exports], into=tmp_path / "edge")
        config = tmp_path / "edge" / "community.yml"
        config.write_text(config.read_text("utf-8") + settings, "utf-8")
        shown: list[str] = []
        monkeypatch.setattr(display, "display", lambda data, raw, metadata: shown.append(data.get("text/html", "")))
        scope: dict[str, Any] = {}
        for cell in json.loads((root / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            exec(compile("".join(cell["source"]), name, "exec"), scope)
            if "parameters" in cell["metadata"].get("tags", []):
                scope |= {"community": str(config), "locale": "all", "out_dir": str(tmp_path)}
        claims = json.loads((tmp_path / f"{name}.results.json").read_text("utf-8"))
        return {claim["id"]: claim for claim in claims}, "".join(shown)

    return run_notebook


HEAD = "member_id,joined_at,left_at\n"


def members(n: int, *, joined: str = "", left: str = "") -> str:
    """Return n members who joined day by day from 1 January 2026, unless told otherwise."""
    days = [joined or f"2026-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(n)]
    return HEAD + "".join(f"m{i},{day},{day if left == 'same' else left}\n" for i, day in enumerate(days))


@pytest.mark.parametrize("page", ["00_data_quality", "01_churn_survival"])
def test_one_member_is_a_page_without_a_figure_about_them(run: Run, page: str) -> None:
    claims, shown = run(page, members=HEAD + "m1,2026-01-01,2026-02-01\n")
    estimates = {
        key: claim["estimate"] for key, claim in claims.items() if key.startswith(("churn", "quality.question."))
    }
    assert set(estimates.values()) == {None}
    assert "m1" not in shown


def test_a_group_of_three_is_merged_or_left_out(run: Run) -> None:
    """Sixty members come by two channels, three by a third: merged with the next smallest, so that nothing tells them."""
    rows = [f"m{i},2026-01-{1 + i % 28:02d},{'2026-03-01' if i % 3 else ''},{('a', 'b')[i % 2]}" for i in range(60)]
    rows += [f"x{i},2026-01-05,2026-01-20,tiny" for i in range(3)]
    rows += ["late,2026-05-01,,a"]
    claims, shown = run(
        "01_churn_survival", members="member_id,joined_at,left_at,channel_id\n" + "\n".join(rows) + "\n"
    )
    assert "tiny" not in shown
    assert claims["churn.survival"]["n"] == 63  # the late one joined after follow-up ended


def test_nobody_ever_leaves(run: Run) -> None:
    activity = "member_id,date\n" + "".join(f"m{i},2026-06-01\n" for i in range(40))
    text = members(40)
    text = text.replace("m0,2026-01-01,\n", "m0,2026-01-01,2026-06-30\n")  # the last day: not yet known as leaving
    claims, _ = run("01_churn_survival", members=text, activity=activity)
    assert claims["churn.survival"]["estimate"] == 0
    assert WarningCode.NO_EVENTS in claims["churn.survival"]["warnings"]
    assert claims["churn.survival"]["status"] == "review"
    assert claims["churn.exits"]["status"] == "refused"


def test_everybody_leaves_on_the_day_of_joining(run: Run) -> None:
    claims, _ = run("01_churn_survival", members=members(40, left="same") + "z,2026-06-01,\n")
    assert claims["churn.survival"]["estimate"] == 1
    assert WarningCode.ALL_LEFT_AT_ONCE in claims["churn.survival"]["warnings"]


def test_all_joined_on_one_day(run: Run) -> None:
    rows = [f"m{i},2026-01-05,{'2026-02-01' if i % 2 else ''}" for i in range(40)] + ["z,2026-06-01,"]
    claims, _ = run("01_churn_survival", members=HEAD + "\n".join(rows) + "\n")
    assert claims["churn.survival"]["estimate"] == pytest.approx(0.5)
    assert "no complete cohort before" in claims["churn.change"]["sentence"]["en"]


def test_what_is_known_only_at_the_export_is_refused_and_a_declared_day_is_landmarked(run: Run) -> None:
    """Tier is refused. A covariate known on day 7 is compared among those still there on day 7."""
    rows = [
        f"m{i},2026-01-{1 + i % 28:02d},{f'2026-03-{1 + i % 28:02d}' if i % 2 else ''},gold,{i % 2}" for i in range(80)
    ]
    text = "member_id,joined_at,left_at,tier,early\n" + "\n".join([*rows, "z,2026-06-01,,gold,1"]) + "\n"
    claims, _ = run("01_churn_survival", members=text)
    assert claims["churn.difference"]["warnings"] == [RefusalCode.KNOWN_TOO_LATE]


def test_markup_and_formulas_in_names_arrive_inert(run: Run) -> None:
    bad = "<script>alert(1)</script>"
    rows = [
        f"m{i},2026-01-{1 + i % 28:02d},{'2026-03-01' if i % 3 else ''},{(bad, '=HYPERLINK(1)')[i % 2]}"
        for i in range(60)
    ]
    text = "member_id,joined_at,left_at,channel_id\n" + "\n".join([*rows, "z,2026-06-01,,a"]) + "\n"
    _, shown = run("01_churn_survival", members=text)
    assert bad not in shown
    assert "&lt;script&gt;" in shown
