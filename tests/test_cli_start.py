"""Commands start at once: what takes long to import waits until it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from analysis import intake

HEAVY = {"pandas", "numpy", "duckdb", "narwhals", "matplotlib", "nbconvert", "papermill", "scipy", "jinja2"}


def modules_after(code: str) -> set[str]:
    """Return the packages that a fresh interpreter holds after ``code``."""
    listing = f"{code}\nimport sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    told = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(told.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import analysis.cli",
        "import analysis.reports.run, analysis.intake.holdings",
        "from typer.testing import CliRunner; from analysis.cli import app; print(CliRunner().invoke(app, ['--help']).output)",
    ],
)
def test_starting_costs_no_heavy_import(code: str) -> None:
    loaded = modules_after(code)
    assert "analysis" in loaded
    assert loaded & HEAVY == set()


def test_the_door_of_intake_opens_when_somebody_asks() -> None:
    for name in intake.__all__:
        assert getattr(intake, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'windows'"):
        _ = intake.windows
