"""Stands in for the process of one notebook, without papermill and a kernel: the same lifeline, a grandchild, and some time."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from analysis.reports import execute

LASTING = 4711
"""The number of a run that does not end by itself."""


def _pretend(job, tell) -> None:
    executed = Path(job["executed"])
    notebook = json.loads(Path(job["notebook"]).read_text("utf-8"))
    number, name = job["parameters"]["number"], executed.stem
    subprocess.Popen(["sleep", "777"])
    if number == LASTING:
        time.sleep(120)
    for place, cell in enumerate(notebook["cells"]):
        tell({"event": "cell", "index": place})
        if cell["cell_type"] == "code":
            cell["execution_count"] = place
            shown = {"text/html": f"<p>made by run {number}. {'So it goes. ' * 800}</p>"}
            cell["outputs"] = [{"output_type": "display_data", "data": shown, "metadata": {}}]
        executed.write_text(json.dumps(notebook), "utf-8")
        time.sleep(random.uniform(0, 0.1))
    sentence = {"en": f"Run {number}.", "zh": f"第{number}次。"}
    claim = {"id": "x", "notebook": name, "status": "pass", "sentence": sentence}
    Path(job["parameters"]["out_dir"], f"{name}.results.json").write_text(json.dumps([claim]), "utf-8")


if __name__ == "__main__":
    execute._execute = _pretend
    sys.exit(execute.main(sys.argv[1]))
