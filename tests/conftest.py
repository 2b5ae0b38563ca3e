"""What every test may ask for."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pandas as pd
import pytest

from analysis.reports.run import run_report
from memory_tables import MemoryTables

ROOT = Path(__file__).resolve().parents[1]

collect_ignore_glob = ["fixtures/*"]  # scripts that recorded figures of packages which the tests do not need


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the repository, or skip."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside the repository (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def sample_report(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the sample's published report, made once for all workers of a session, or the one that REPORT names."""
    if named := os.environ.get("REPORT"):
        return Path(named).resolve()
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (folder / "sample-report.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        latest, done = folder / "sample-report/sample/latest", folder / "sample-report.done"
        if not done.exists():
            outcome = run_report(
                root / "data/sample/community.yml",
                reports_dir=folder / "sample-report",
                notebooks_dir=root / "notebooks",
            )
            assert outcome.exit_code == 0, [(fate.notebook, fate.reason) for fate in outcome.fates if fate.failed]
            done.touch()
    return latest


@pytest.fixture(scope="session")
def stays(root: Path) -> pd.DataFrame:
    """Return the stays that R's figures were made from (``fixtures/make_stays.py``)."""
    return pd.read_csv(root / "tests/fixtures/stays.csv")


@pytest.fixture(scope="session")
def late(root: Path) -> pd.DataFrame:
    """Return the same with late entry."""
    return pd.read_csv(root / "tests/fixtures/late.csv")


@pytest.fixture(scope="session")
def travel_members(shared: Path) -> pd.DataFrame:
    """Return every member of Travel Stack Exchange with join and last visit, as days since 1970-01-01."""
    rows = pd.read_csv(shared / "travel_stackexchange/members.csv.gz", parse_dates=["joined", "last_seen"])
    days = {f"{name}_at": (rows[name] - pd.Timestamp(0)).dt.days for name in ("joined", "last_seen")}
    return pd.DataFrame({"member_id": rows["member"].astype(str), **days})


@pytest.fixture(scope="session")
def travel(shared: Path, travel_members: pd.DataFrame) -> MemoryTables:
    """Return Travel Stack Exchange as tables, see ../shared/data/README.md."""
    visits = pd.read_csv(shared / "travel_stackexchange/active_days.csv.gz", parse_dates=["day"])
    log = pd.DataFrame({"member_id": visits["member"].astype(str), "date": (visits["day"] - pd.Timestamp(0)).dt.days})
    first, last = int(travel_members["joined_at"].min()), int(travel_members["last_seen_at"].max())
    return MemoryTables(as_of_day=last, first_day=first, members=travel_members, activity=log)
