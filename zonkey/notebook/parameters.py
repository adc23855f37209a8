"""The parameters that a notebook declares, and those that it is given."""

from __future__ import annotations

import ast
from typing import Any

import click
from nbformat import NotebookNode


class NotebookError(click.ClickException):
    """A notebook was refused or failed; papermill's command line shows the sentence and exits with 1."""


def check_parameters(notebook: NotebookNode, source: str) -> None:
    """Refuse parameters that the cell tagged ``parameters`` does not set, or sets to another type of value.

    Raises:
        NotebookError: naming the parameter, its value and the fix.
    """
    declared = declared_parameters(notebook)
    for name, value in notebook.metadata.get("papermill", {}).get("parameters", {}).items():
        if name not in declared:
            from zonkey.config.say import nearest  # here: every stage starts with this module, and few need it

            fix = nearest(name, declared, "nearest that it declares") or "; it declares none, leave it out"
            raise NotebookError(f"{source} has no parameter {name!r} (given as {value!r}){fix}")
        usual = declared[name]
        if usual is None or value is None or type(value) is type(usual):
            continue
        if not (isinstance(usual, float) and type(value) is int):
            kind = type(usual).__name__
            raise NotebookError(f"{source}: parameter {name!r} is {value!r}; give a value of type {kind}")


def declared_parameters(notebook: NotebookNode) -> dict[str, Any]:
    """Names and values set in the cells tagged ``parameters``; None where a value is not a literal."""
    declared: dict[str, Any] = {}
    for cell in notebook.cells:
        if "parameters" not in cell.metadata.get("tags", []):
            continue
        for node in ast.parse(cell.source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name):
                    declared[target.id] = _literal(getattr(node, "value", None))
    return declared


def _literal(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None
