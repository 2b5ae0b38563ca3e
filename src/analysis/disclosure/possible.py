"""Which counts the published numbers leave open: by trying all of them."""

from __future__ import annotations

from collections.abc import Collection

from analysis.disclosure.blur import PROTECTED, count_cells
from analysis.labels import to_five


def list_sizes(n: float) -> range:
    """Return the counts that are rounded to ``n``, or ``n`` itself where it was not rounded."""
    if n % PROTECTED:
        return range(int(n), int(n) + 1)
    return range(0, 1) if n == 0 else range(1, 8) if n == PROTECTED else range(int(n) - 2, int(n) + 3)


def list_events(n: float, share: float, *, events: float | None = None) -> set[tuple[int, int]]:
    """Return every pair of a number of members and of events among them that looks as published.

    A share that stands on the grid of ``n`` is taken for rounded to it, any other for rounded to one in a hundred; so an audit
    sees more than there is to see, never less.

    Parameters
    ----------
    n, events
        As published, rounded to five or exact.
    share
        With two digits.

    Examples
    --------
    7 of 100 of "30" members are two, and no other number.

    >>> {k for _, k in list_events(30, 0.07)}, sorted({k for _, k in list_events(60, 0.09)})
    ({2}, [3, 4, 5, 6, 7, 8])
    """
    steps = count_cells(n)
    place = round(share * steps) if steps else 0
    on_grid = bool(steps) and abs(round(place / steps, 2) - share) < 1e-9
    low, high = ((place - 0.5) / steps, (place + 0.5) / steps) if on_grid else (share - 0.005, share + 0.005)
    found = set()
    for size in list_sizes(n):
        for k in range(max(0, int(low * size)), min(size, int(high * size) + 1) + 1):
            if low - 1e-9 <= k / max(size, 1) <= high + 1e-9 and (events is None or _looks_as(k, events)):
                found.add((size, k))
    return found


def is_pinned(counts: Collection[int], *, min_cell: int) -> bool:
    """Return whether the counts that are possible are all of a few people, and fewer than a rounded count leaves open."""
    return bool(counts) and min(counts) >= 1 and max(counts) < min_cell and max(counts) - min(counts) + 1 < PROTECTED


def _looks_as(k: int, events: float) -> bool:
    return k == events if events % PROTECTED else to_five(k) == events
