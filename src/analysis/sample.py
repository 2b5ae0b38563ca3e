"""The sample community: drawn by ``simulate``, written by ``intake`` as an import would, with its truth beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analysis.intake import write_tables
from analysis.simulate import draw_community, write_truth

SEED = 20_260_628

SALT = "0" * 64
"""The people are invented: nothing to keep secret, and the same ids every time."""

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
