"""What day it is: nothing below this floor looks at the clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo


def today(timezone: str) -> int:
    """Return today in a time zone [days since 1970-01-01]."""
    return (dt.datetime.now(ZoneInfo(timezone)).date() - dt.date(1970, 1, 1)).days
