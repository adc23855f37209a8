"""The command ``zonkey compare``: your run against the published one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from zonkey.cli.parser import name, real


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the parser's sub-commands."""
    one = commands.add_parser(
        "compare",
        parents=[common],
        help="your metrics against the published ones",
        description="Compare what `dvc repro` measured here with what is published. A number may differ by its range "
        "over the published seeds, or by SHARE of itself where these lack it. Exit status 1 if one differs by more.",
    )
    yours = [Path("metrics"), Path("suites/metrics")]
    one.add_argument("--profile", type=name, default="default", help="published run (%(default)s)")
    one.add_argument("--reports", type=Path, default=Path("reports"), help="(%(default)s)")
    one.add_argument("--yours", type=Path, nargs="+", default=yours, metavar="FOLDER", help="(metrics suites/metrics)")
    one.add_argument("--share", type=real(0), default=0.05, help="of a number without seeds (%(default)s)")
    one.add_argument("--all", action="store_true", help="list every number, not those alone that differ by more")
    one.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> None:
    from zonkey.results import DifferenceError, differences, read

    folders = [options.reports / options.profile / "metrics", options.reports / "suites" / options.profile / "metrics"]
    if not folders[0].is_dir():
        raise ValueError(f"no folder {folders[0]}; name a published profile, or another --reports")
    if not any(folder.is_dir() for folder in options.yours):
        raise ValueError(f"no folder {' or '.join(map(str, options.yours))}; run `dvc repro`, or name another --yours")
    found = differences(read(*folders), read(*options.yours), options.share)
    for one in found:
        if options.all or not one.within:
            sys.stdout.write(
                f"{one.name}: {_number(one.published)} published, {_number(one.yours)} yours,"
                f" {one.allowed:.4g} allowed\n"
            )
    outside = sum(not one.within for one in found)
    sys.stdout.write(f"{len(found) - outside} of {len(found)} numbers agree\n")
    if outside:
        raise DifferenceError(f"{outside} numbers differ by more than is allowed")


def _number(value: float | None) -> str:
    return "not" if value is None else f"{value:.6g}"
