"""``python -m benchmarks [CASE ...]``: measure, print tables, write JSON; status 1 where a variant failed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import ROOT
from benchmarks.cases import CASES
from benchmarks.profile import profile
from benchmarks.table import markdown
from zonkey.config import load_config
from zonkey.files import write_beside

ONE = "--one"  # how this process asks another to measure one variant


def main(arguments: list[str]) -> int:
    """Every variant in a new process, so that none finds the memory of another."""
    if arguments[:1] == [ONE]:
        case, variant = arguments[1:]
        sys.stdout.write(json.dumps(CASES[case].variants[variant](load_config(ROOT / "params.yaml"))))
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join([*CASES, 'profile'])} (all)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/results.json"), help="(%(default)s)")
    options = parser.parse_args(arguments)
    known = [*CASES, "profile"]
    if unknown := set(options.cases) - set(known):
        parser.error(f"no case {sorted(unknown)[0]!r}; choose from {', '.join(known)}")
    found: dict[str, Any] = {"machine": machine()}
    began = time.monotonic()
    for name in options.cases or known:
        title, says = ("Where a step's time goes", profile.__doc__ or "") if name == "profile" else _words(name)
        rows = profile(load_config(ROOT / "params.yaml")) if name == "profile" else _rows(name)
        found[name] = rows
        sys.stdout.write(f"## {title}\n\n{says}\n\n{markdown(rows)}\n")
        sys.stdout.flush()
        found["machine"]["minutes"] = round((time.monotonic() - began) / 60, 1)
        write_beside(options.out, json.dumps(found, indent=2) + "\n")
    sys.stdout.write(", ".join(f"{name} {value}" for name, value in found["machine"].items()) + "\n")
    tables = (rows for name, rows in found.items() if name != "machine")
    return int(any("failed" in row for rows in tables for row in rows.values()))


def machine() -> dict[str, Any]:
    """What the numbers hang on, beside the code."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "commit": commit.stdout.strip() or "unknown",
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }


def _words(name: str) -> tuple[str, str]:
    return CASES[name].title, CASES[name].says


def _rows(name: str) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for variant in CASES[name].variants:
        command = [sys.executable, "-m", "benchmarks", ONE, name, variant]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            rows[variant] = {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        else:
            rows[variant] = json.loads(done.stdout)
    return _compared(rows, CASES[name].compared)


def _compared(rows: dict[str, dict[str, Any]], column: str | None) -> dict[str, dict[str, Any]]:
    """A column more, with each row's number as a share of the first's, where there is one."""
    first = next(iter(rows.values())).get(column) if column else None
    if first is not None:
        for row in rows.values():
            if column in row:
                row[f"{column}, of the first row's"] = row[column] / first
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
