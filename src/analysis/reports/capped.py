"""A notebook's outputs are bounded while they come in: a loop that prints does not fill memory, disk, or the analyst's browser.

What is printed beyond the bound is left out and counted; the last line says so. It is on no page anyway. A display beyond the bound (a table
of all rows, a picture of 40 MB) would be on a page, so its cell is marked and the notebook counts as failed.
"""

from __future__ import annotations

import json
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

MOST_TEXT = 200_000
"""So much of what a cell prints is kept [characters]."""

MOST_SHOWN = 5_000_000
"""So much may a cell show, all its displays together [bytes of JSON]."""

LEFT_OUT = "output_left_out"
"""Metadata of a cell: how much of what it shows was left out [bytes]."""

ENGINE = "capped"
_SHOWN = ("display_data", "execute_result", "update_display_data")


class _Client(PapermillNotebookClient):  # type: ignore[misc, unused-ignore]
    """Executes a notebook and bounds what its cells give."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._printed: dict[int, int] = {}
        self._shown: dict[int, int] = {}

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """Take in one output, if there is room."""
        kind = msg["msg_type"]
        if kind == "stream":
            return self._print(outs, msg, display_id, cell_index)
        if kind in _SHOWN:
            size = len(json.dumps(msg["content"].get("data", {}), default=str))
            self._shown[cell_index] = self._shown.get(cell_index, 0) + size
            if self._shown[cell_index] > MOST_SHOWN:
                self.nb.cells[cell_index].metadata[LEFT_OUT] = self._shown[cell_index]
                return None
        return super().output(outs, msg, display_id, cell_index)

    def _print(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        text, before = msg["content"]["text"], self._printed.get(cell_index, 0)
        self._printed[cell_index] = before + len(text)
        room = max(MOST_TEXT - before, 0)
        if len(text) > room:
            text = text[:room] + (_SAID if before <= MOST_TEXT else "")
        if not text:
            return None
        if outs and outs[-1].output_type == "stream" and outs[-1].name == msg["content"]["name"]:
            outs[-1].text += text  # ten thousand flushed writes are one output
            return None
        msg["content"]["text"] = text
        return super().output(outs, msg, display_id, cell_index)


_SAID = f"\n[only the first {MOST_TEXT:,} characters that this cell printed are kept]\n"


class _Engine(NBClientEngine):  # type: ignore[misc, unused-ignore]
    """papermill's own engine, with the bounded client."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        """Execute a notebook."""
        unused = ("input_path", "log_output", "stdout_file", "stderr_file")
        given = {name: value for name, value in kwargs.items() if name not in unused}
        limits = {"timeout": given.pop("execution_timeout"), "startup_timeout": given.pop("start_timeout")}
        return _Client(nb_man, kernel_name=kernel_name, **limits, **given).execute()


papermill_engines.register(ENGINE, _Engine)
