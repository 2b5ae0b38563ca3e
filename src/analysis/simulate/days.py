"""Days as the tables hold them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def date(day: int) -> pd.Timestamp:
    """Return one day since 1970-01-01 as midnight."""
    return pd.Timestamp(day, unit="D").as_unit("s")


def dates(days: pd.Series) -> pd.Series:
    """Return days since 1970-01-01 as midnights; nan as NaT."""
    return pd.to_datetime(days, unit="D").astype("datetime64[s]")


def moments(rng: np.random.Generator, days: pd.Series) -> pd.Series:
    """Return a moment between 8 and 23 h of each day."""
    return dates(days) + pd.to_timedelta(rng.integers(8 * 3600, 23 * 3600, len(days)), "s")
