"""The part of a notebook that a reader sees, and nothing that differs between two runs of the same notebook.

What a notebook writes to standard error (logs, progress, warnings) is for whoever watches it run: it carries
times and rates, and is not kept. Standard output, results, figures and tracebacks are.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"  # models have random ids, and a saved one shows nothing
_KERNEL_FILE = re.compile(r"ipykernel_\d+/\d+\.py")


def plain(notebook: NotebookNode) -> NotebookNode:
    """Drop, in place, timestamps, durations, random ids and the metadata of whatever ran the notebook."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python"))
    for index, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        cell.id = f"cell-{index:02d}"
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = _outputs(cell.outputs)
    return notebook


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Drop, in place, all but text, code and tags, so that running a notebook by hand changes nothing."""
    plain(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":  # how a stream is cut into pieces is chance
                kept[-1].text += output.text
                continue
        elif WIDGET in output.get("data", {}):
            continue
        elif output.output_type == "error":
            output.traceback = [_KERNEL_FILE.sub("ipykernel", line) for line in output.traceback]
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = _overwritten(output.text)
    return kept


def _overwritten(text: str) -> str:
    """What a terminal shows of ``text``: each line after its last carriage return."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
