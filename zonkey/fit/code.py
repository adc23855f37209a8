"""Which code a run computes with, so that changed code never goes on with an old run."""

import ast
from pathlib import Path

from zonkey.config import fingerprint
from zonkey.files import file_fingerprint

PACKAGE = Path(__file__).parent.parent
SILENT = {"config", "checkpoint", "files"}  # values, which a run's key names, and what keeps a result: none computes


def code_fingerprint(module: str) -> str:
    """Of a module of this package and of all that it imports, directly or not.

    A package that is not imported by its own name does not count: importing a module of it runs its ``__init__``,
    but uses nothing of it.
    """
    return fingerprint([[str(path.relative_to(PACKAGE)), file_fingerprint(path)] for path in code_of(module)])


def code_of(module: str) -> list[Path]:
    """The files of :func:`code_fingerprint`, sorted."""
    todo, seen = [module], set()
    while todo:
        name = todo.pop()
        path = _file(name)
        if path is None or path in seen or name.split(".")[1] in SILENT:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                todo += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return sorted(seen)


def _file(name: str) -> Path | None:
    """Where a module of this package lives; None for what is no module of it."""
    package, *parts = name.split(".")
    if package != PACKAGE.name or not parts:
        return None
    path = PACKAGE.joinpath(*parts)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
