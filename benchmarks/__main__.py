"""``python -m benchmarks [CASE ...]``: measure, print tables, write JSON; status 1 where a variant failed."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

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
    found = {}
    for name in options.cases or known:
        title, says = ("Where a step's time goes", profile.__doc__ or "") if name == "profile" else _words(name)
        rows = profile(load_config(ROOT / "params.yaml")) if name == "profile" else _rows(name)
        found[name] = rows
        sys.stdout.write(f"## {title}\n\n{says}\n\n{markdown(rows)}\n")
        sys.stdout.flush()
        write_beside(options.out, json.dumps(found, indent=2) + "\n")
    return int(any("failed" in row for rows in found.values() for row in rows.values()))


def _words(name: str) -> tuple[str, str]:
    return CASES[name].title, CASES[name].says


def _rows(name: str) -> dict[str, dict]:
    rows = {}
    for variant in CASES[name].variants:
        command = [sys.executable, "-m", "benchmarks", ONE, name, variant]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            rows[variant] = {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        else:
            rows[variant] = json.loads(done.stdout)
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
