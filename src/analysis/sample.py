"""Communities to try the suite on: drawn by ``simulate``, with their truth beside them.

``community`` stands in tables, written by ``intake`` as an import would: the bundled sample. ``wecom-archive`` stands in raw
looks at groups, yet to be imported.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from analysis.intake import write_tables
from analysis.simulate import draw_community, write_truth
from analysis.simulate.archive import ArchiveParameters, ArchiveTruth, write_archive

SEED = 20_260_628

SALT = "0" * 64
"""The people are invented: nothing to keep secret, and the same ids every time."""

LOOKS = "looks"
"""Folder of the raw looks of an archive."""


CONFIG = """\
# A simulated community: nobody in it exists. `make sample` draws it again; truth.json tells what is true of it.
community: sample
title:
  en: Riverside Kitchen (simulated)
  zh: 河畔厨房(模拟数据)
timezone: Asia/Shanghai
currency: CNY
locale: zh
tables: processed
min_cell: 10
churn:
  away_days: 7                # in no group for a week has left; sooner is moving
  silent_days: 30             # used by the rules by silence
  tracking_from: 2025-05-05   # members who were there before enter late
shared_ids:
  - [wechat, xiaohongshu]     # one person has one id on both; on Douyin another
"""

ARCHIVE_CONFIG = """\
# A simulated archive of WeCom groups: nobody in it exists. Its raw looks stand in looks/; truth.json tells what no look shows.
community: wecom-archive
title:
  en: WeCom archive (simulated)
  zh: 企业微信快照(模拟数据)
timezone: Asia/Shanghai
currency: CNY
locale: zh
min_cell: 10
churn:
  away_days: 7                # in no group for a week has left; sooner is moving
"""


def write_sample(folder: Path, *, seed: int = SEED) -> None:
    """Draw the sample community and write its tables, configuration and truth, the same bytes for the same seed.

    Parameters
    ----------
    folder
        Where ``processed/``, ``community.yml`` and ``truth.json`` go.
    seed
        Another seed, another community of the same kind.
    """
    drawn = draw_community(rng=np.random.default_rng(seed))
    write_tables(drawn.tables, folder / "processed", salt=SALT, covers_until_day=drawn.as_of_day)
    (folder / "community.yml").write_text(CONFIG, "utf-8")
    (folder / "truth.json").write_text(write_truth(drawn.truth, drawn.parameters, seed=seed), "utf-8")


def write_archive_sample(folder: Path, *, seed: int = SEED, parameters: ArchiveParameters | None = None) -> None:
    """Write raw looks at WeCom groups as an archive of them would hold, settings to import them by, and their truth.

    Parameters
    ----------
    folder
        Where ``looks/``, ``community.yml`` and ``truth.json`` go; files of these names are replaced.
    seed
        Another seed, another archive of the same kind.
    parameters
        By default 90 daily looks at 300 groups: 27,000 answers.
    """
    truth = write_archive(folder / LOOKS, rng=np.random.default_rng(seed), parameters=parameters)
    (folder / "community.yml").write_text(ARCHIVE_CONFIG, "utf-8")
    (folder / "truth.json").write_text(_tell_archive(truth, seed=seed), "utf-8")


def _tell_archive(truth: ArchiveTruth, *, seed: int) -> str:
    stays = truth.stays
    told = {
        "seed": seed,
        "parameters": vars(truth.parameters),
        "survival": dict(zip(truth.survival["day"].astype(str), truth.survival["survival"].round(6), strict=True)),
        "n_stays": len(stays),
        "n_never_seen": int((stays["n_looks"] == 0).sum()),
    }
    return json.dumps(told, indent=1) + "\n"
