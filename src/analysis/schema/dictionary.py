"""The tables as Markdown, for ``data/README.md``."""

from __future__ import annotations

from analysis.schema.columns import Column, Table
from analysis.schema.tables import TABLES


def write_dictionary() -> str:
    """Return the tables as Markdown, for ``data/README.md``: one section per table, one row per column."""
    return "\n".join(_write_table(name, table) for name, table in TABLES.items())


def _write_table(name: str, table: Table) -> str:
    rows = [
        f"| `{column}` | {spec.kind}{', required' if spec.required else ''} | {spec.note} | {_write_headers(spec)} |"
        for column, spec in table.columns.items()
    ]
    head = f"### {name}\n\n{table.note} Key: {', '.join(f'`{column}`' for column in table.key)}.\n"
    return "\n".join([head, "| column | kind | meaning | other headers |", "|---|---|---|---|", *rows, ""])


def _write_headers(spec: Column) -> str:
    closed = f"one of {', '.join(f'`{value}`' for value in spec.values)}; " if spec.values else ""
    return closed + ", ".join((*spec.headers, *spec.fallbacks))
