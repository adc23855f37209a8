"""The stages of ``dvc.yaml`` and ``suites/dvc.yaml``, and the modules each depends on; ``make deps`` writes them.

A stage that runs a notebook depends on every part of the package that the notebook imports, directly or not.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.imports import PACKAGE, files_needed

ROOT = Path(__file__).resolve().parents[2]
PIPELINE, SUITES = "dvc.yaml", "suites/dvc.yaml"


@dataclass(frozen=True)
class Stage:
    """One entry of a ``dvc.yaml``; a stage of many, such as one of a level, is their template."""

    name: str
    body: Any  # the entry, or what is below `do`
    each: str | None = None  # what it is repeated for

    @property
    def notebook(self) -> str | None:
        """The source notebook that it runs."""
        words = self.body["cmd"].split()
        return f"notebooks/{Path(words[3]).name}" if words[0] == "papermill" else None

    def paths(self, *kinds: str) -> list[str]:
        """What it names under ``deps``, ``outs``, ``metrics`` or ``plots``, or ``params``."""
        entries = [entry for kind in kinds for entry in self.body.get(kind, [])]
        return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]

    @property
    def modules(self) -> list[str]:
        """Dependencies inside the package."""
        return [path for path in self.paths("deps") if path.startswith(f"{PACKAGE}/")]


def stages(document: Any) -> list[Stage]:
    """All entries of a ``dvc.yaml`` that has been read."""
    return [Stage(name, entry.get("do", entry), entry.get("foreach")) for name, entry in document["stages"].items()]


def read(name: str = PIPELINE, root: Path = ROOT) -> list[Stage]:
    """The stages of one of the repository's pipelines."""
    return stages(YAML(typ="safe").load(root / name))


def write_modules(name: str, root: Path = ROOT) -> list[str]:
    """Correct the module dependencies in a pipeline; returns the names of the stages that changed."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 110
    document = yaml.load(root / name)
    changed = []
    for stage in stages(document):
        if not stage.notebook or not (root / stage.notebook).is_file():
            continue  # a test says which notebook is missing
        needed = files_needed(root / stage.notebook, root)
        if stage.modules != needed:
            deps = stage.body["deps"]
            last = deps.ca.items.pop(len(deps) - 1, None)
            deps[:] = [path for path in deps if not path.startswith(f"{PACKAGE}/")] + needed
            if last:
                deps.ca.items[len(deps) - 1] = last
            changed.append(stage.name)
    if changed:
        yaml.dump(document, root / name)
    return changed


if __name__ == "__main__":
    for pipeline in (PIPELINE, SUITES):
        sys.stdout.write(f"{pipeline}: {', '.join(write_modules(pipeline)) or 'nothing'} changed\n")
