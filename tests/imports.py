"""What the package's modules and the notebooks import, read from their text without running it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "zonkey"


def part(path: Path, root: Path) -> str:
    """The name in the table of layers: of a module directly in the package, or of the folder there."""
    return path.relative_to(root / PACKAGE).parts[0].removesuffix(".py")


def modules(root: Path) -> dict[str, list[Path]]:
    """Files of every part, without the package's own ``__init__`` and ``__main__``."""
    found: dict[str, list[Path]] = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        found.setdefault(part(path, root), []).append(path)
    return {name: paths for name, paths in found.items() if not name.startswith("__")}


def imported(source: str, package: str) -> Iterator[tuple[str, str]]:
    """Pairs (module, name): ``import a.b`` gives (a.b, ""), ``from a import b`` gives (a, b).

    ``package`` is the dotted package of relative imports; imports for type checkers do not count.
    """
    tree = ast.parse(source)
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for child in node.body
        for inner in ast.walk(child)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def parts_used(source: str, package: str, root: Path) -> set[str]:
    """Parts of the package that a source imports; names exported by the package count for where they live."""
    homes = exports(root)
    known = modules(root)
    used = set()
    for module, name in imported(source, package):
        path = module.split(".")
        if path[0] != PACKAGE:
            continue
        if len(path) > 1:
            used.add(path[1])
        elif not name:
            used.update(homes.values())
        elif name in homes:
            used.add(homes[name])
        elif name in known:
            used.add(name)
    return used


def exports(root: Path) -> dict[str, str]:
    """Names that ``zonkey/__init__.py`` offers, and the part each one lives in."""
    tree = ast.parse((root / PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    return {
        alias.name: node.module.split(".")[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE}.")
        for alias in node.names
    }


def graph(root: Path) -> dict[str, set[str]]:
    """The parts that every part imports."""
    found: dict[str, set[str]] = {}
    for name, paths in modules(root).items():
        used: set[str] = set()
        for path in paths:
            package = ".".join(path.relative_to(root).parent.parts)
            used |= parts_used(path.read_text(encoding="utf-8"), package, root)
        found[name] = used - {name}
    return found


def code_of(notebook: Path) -> str:
    """The Python of a notebook, without magics."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for source in sources for line in source.splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def files_needed(notebook: Path, root: Path) -> list[str]:
    """The parts that running a notebook imports, directly or not, as paths from the root.

    The notebook's own tooling (``zonkey.notebook``) does not count: it changes no result.
    """
    imports = graph(root)
    todo, seen = [*parts_used(code_of(notebook), "", root)], set()
    while todo:
        name = todo.pop()
        if name not in seen and name in imports:
            seen.add(name)
            todo += imports[name]
    seen.discard("notebook")
    return sorted(f"{PACKAGE}/{name}" if (root / PACKAGE / name).is_dir() else f"{PACKAGE}/{name}.py" for name in seen)
