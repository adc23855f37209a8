"""Everything public says what it is, and every tensor its shape."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

INHERITED = {"forward"}  # what a module computes is said of the class


def public(tree: ast.Module | ast.ClassDef, above: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public classes and functions, with their dotted names; nothing inside of functions."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            name = f"{above}{node.name}"
            yield name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{name}.")


def parsed(root: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((root / "zonkey").rglob("*.py"))}


def protocols(trees: dict[Path, ast.Module]) -> dict[Path, set[str]]:
    """Methods that a protocol documents, by folder: classes that follow it need not say so again."""
    found: dict[Path, set[str]] = {}
    for path, tree in trees.items():
        for _, node in public(tree):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases):
                told = {name for name, part in public(node) if ast.get_docstring(part)}
                found.setdefault(path.parent, set()).update(told)
    return found


def test_everything_public_has_a_docstring(root: Path) -> None:
    trees = parsed(root)
    told = protocols(trees)
    silent = [
        f"{path.relative_to(root)}:{node.lineno} {name}"
        for path, tree in trees.items()
        for name, node in public(tree)
        if not ast.get_docstring(node)
        and node.name not in INHERITED
        and not ("." in name and node.name in told.get(path.parent, set()))
    ]
    silent += [str(path.relative_to(root)) for path, tree in trees.items() if not ast.get_docstring(tree)]
    assert not silent, "\n".join(silent)


def test_tensors_that_are_handed_over_have_a_shape(root: Path) -> None:
    """In the modules of the model a public function takes and gives ``Float[Tensor, "S L D"]``, not ``Tensor``."""
    bare = [
        f"{path.relative_to(root)}:{node.lineno} {name}"
        for path, tree in parsed(root).items()
        for name, node in public(tree)
        if isinstance(node, ast.FunctionDef)
        for said in (*[one.annotation for one in (*node.args.args, *node.args.kwonlyargs)], node.returns)
        if said is not None and ast.unparse(said) in ("Tensor", "torch.Tensor")
    ]
    assert not bare, "\n".join(bare)
