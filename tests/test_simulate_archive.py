"""A simulated archive of looks against its own truth, read back by the import."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from analysis.config import read_config
from analysis.curves import estimate_at, estimate_survival
from analysis.intake import import_sources, open_tables
from analysis.simulate.archive import ArchiveParameters, write_archive
from analysis.summaries import count_stays, find_stays

SMALL = ArchiveParameters(n_groups=12, n_looks=20, days_before=15, joins_per_day=1.5, dissolved=2, handed_over=3)


def test_the_import_brackets_every_leaving(tmp_path: Path) -> None:
    """Every stay that a look shows is stored, and its true end lies after ``left_after`` and by ``left_by``."""
    truth = write_archive(tmp_path / "looks", rng=np.random.default_rng(5), parameters=SMALL)
    seen = truth.stays[truth.stays["n_looks"] > 0]
    report = import_sources([tmp_path / "looks"], into=tmp_path / "club")
    assert report.n_rows["memberships"] == len(seen) > 200
    assert report.n_rows["snapshots"] == 12 * 20
    assert report.n_rows["group_owner_history"] == 12 + 3
    file = tmp_path / "club" / "processed" / "memberships.parquet"
    local = "epoch({} - INTERVAL 8 HOUR)::BIGINT"
    columns = ", ".join(f"{local.format(name)} AS {name}" for name in ("joined_at", "left_after", "left_by"))
    stored = duckdb.sql(f"SELECT group_id, {columns}, leave_reason FROM '{file}'").df()
    both = seen.merge(stored, left_on=["group_id", "joined"], right_on=["group_id", "joined_at"])
    assert len(both) == len(seen)
    gone = both["left"].notna()
    assert (both["left_by"].notna() == gone).all()
    assert (both["left_after"] < both["left"])[gone].all()
    assert (both["left_by"] >= both["left"])[gone].all()
    ended = both["leave_reason"] == "group_dissolved"
    assert set(both["group"][ended]) == {0, 1}
    assert (both["left"][ended] <= SMALL.first_look + 10 * 86_400).all()


def test_stays_read_back_from_looks_recover_the_truth(tmp_path: Path) -> None:
    """Half of these joined before the first look: taken as watched from joining on they put S(30) 0.1 too high."""
    p = ArchiveParameters(n_groups=40, n_looks=60, days_before=60, joins_per_day=1, dissolved=0, handed_over=0)
    truth = write_archive(tmp_path / "looks", rng=np.random.default_rng(6), parameters=p)
    import_sources([tmp_path / "looks"], into=tmp_path / "club")
    settings = read_config(tmp_path / "club" / "community.yml")
    stays = find_stays(open_tables(settings), churn=settings.churn)
    counts = count_stays(stays)
    at = estimate_at(estimate_survival(counts), days=(7, 30)).set_index("day")["survival"]
    true = truth.survival.set_index("day")["survival"]
    assert (at - true[[7, 30]]).abs().max() < 0.03
    naive = estimate_at(estimate_survival(counts.assign(n_entered=0)), days=(30,))["survival"].iloc[0]
    assert naive - true[30] > 0.08


def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_archive(tmp_path / name, rng=np.random.default_rng(5), parameters=SMALL)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 20
    assert files[0] == "2026-01-05T0300.jsonl.gz"
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_tenures_follow_the_hazards(tmp_path: Path) -> None:
    """S(7) = e^−0.42, S(30) = e^−(0.42 + 0.46); of those who join after the first look, as many last a week (4 SE)."""
    p = ArchiveParameters(n_groups=40, n_looks=40, days_before=0, joins_per_day=2, dissolved=0, handed_over=0)
    truth = write_archive(tmp_path, rng=np.random.default_rng(7), parameters=p)
    survival = truth.survival.set_index("day")["survival"]
    assert survival[7] == pytest.approx(np.exp(-0.42))
    assert survival[30] == pytest.approx(np.exp(-0.88))
    early = truth.stays[
        (truth.stays["joined"] > p.first_look + 86_400) & (truth.stays["joined"] < p.first_look + 30 * 86_400)
    ]
    lasted = ~(early["left"] - early["joined"] < 7 * 86_400)
    assert lasted.mean() == pytest.approx(survival[7], abs=4 * np.sqrt(0.25 / len(early)))
