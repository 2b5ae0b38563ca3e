"""Exports → checked Parquet, and the only door to it.

``import_sources`` merges what people have into the community's tables; ``open_tables`` hands those out as
lazy frames, cut at the as-of day; ``write_tables`` writes a simulated community as an import would.

Inside, a file goes this way: ``plain`` and ``books`` make text of it, ``files`` stages its cells, ``headers`` says which table
and columns they are, ``values`` holds the SQL that types them, ``cells`` applies it and ``check`` judges the rows.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.intake.forget import Forgotten, forget_member
    from analysis.intake.importing import FileReport, ImportReport, import_sources
    from analysis.intake.storage import write_tables
    from analysis.intake.store import Tables, open_tables

__all__ = [
    "FileReport",
    "Forgotten",
    "ImportReport",
    "Tables",
    "forget_member",
    "import_sources",
    "open_tables",
    "write_tables",
]

_HOMES = {
    "Forgotten": "forget",
    "forget_member": "forget",
    "FileReport": "importing",
    "ImportReport": "importing",
    "import_sources": "importing",
    "write_tables": "storage",
    "Tables": "store",
    "open_tables": "store",
}


def __getattr__(name: str) -> Any:
    """Import a name when somebody asks for it: whoever only reads the ledger does not wait for DuckDB and narwhals."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
