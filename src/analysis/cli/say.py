"""How commands speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """Return the console of standard output, wide enough for tables where it is a file or a pipe."""
    from rich.console import Console

    return Console() if Console().is_terminal else Console(width=140)


def say(console: Console, text: str) -> None:
    """Print plain words: markup in names is inert."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
