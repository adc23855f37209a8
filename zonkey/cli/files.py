"""Commands that need no torch themselves: profile, check, info, mend, notebooks."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from zonkey.cli.parser import check_file
from zonkey.config import read_yaml


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands to the parser's sub-commands."""
    one = commands.add_parser(
        "profile",
        parents=[common],
        help="set params.yaml to a profile",
        description="Set params.yaml to profiles/default.yaml with profiles/NAME.yaml on top; comments stay. "
        "Without NAME: list the profiles, and bring the pipeline section of params.yaml in line.",
    )
    one.add_argument("name", nargs="?", metavar="NAME")
    one.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as data.path=x")
    one.add_argument("--params", type=Path, default=Path("params.yaml"), help="(%(default)s)")
    one.add_argument("--profiles", type=Path, default=Path("profiles"), help="(%(default)s)")
    one.set_defaults(run=_profile)

    one = commands.add_parser(
        "check",
        parents=[common],
        help="refuse params.yaml before anything runs",
        description="Read params.yaml and say what is wrong with it. `make repro` begins with this: DVC puts names "
        "from params.yaml into commands and paths without looking at them.",
    )
    one.add_argument("--params", type=Path, default=Path("params.yaml"), help="(%(default)s)")
    one.set_defaults(run=_check)

    one = commands.add_parser(
        "info",
        parents=[common],
        help="what a model folder holds, without running it; --memory: what training would take",
        description="What a model folder holds, without running it. With --memory: how much memory a training step of "
        "each stage takes, told from two small steps, and how many micro-batches would fit.",
    )
    one.add_argument("model", type=Path, nargs="?", help="(models/final)")
    one.add_argument("--memory", action="store_true", help="of the training steps of the parameters instead")
    one.add_argument("--params", type=Path, help="for --memory (params.yaml)")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(run=_info)

    one = commands.add_parser(
        "mend",
        parents=[common],
        help="make DVC's lock files readable after a kill",
        description="DVC writes its lock files in place; a kill at that moment leaves them unreadable. `make repro` "
        "mends them before it begins.",
    )
    one.set_defaults(run=_mend)

    group = commands.add_parser("notebooks", help="steps of the pipeline: strip, run, publish")
    steps = group.add_subparsers(title="steps", required=True, metavar="STEP")
    one = steps.add_parser("strip", parents=[common], help="write output-free copies")
    one.add_argument("folder", type=Path, nargs="?", default=Path("notebooks"), help="(%(default)s)")
    one.add_argument("out", type=Path, nargs="?", default=Path("build/notebooks"), help="(%(default)s)")
    one.set_defaults(run=_strip)
    one = steps.add_parser("run", parents=[common], help="execute a notebook")
    one.add_argument("notebook", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("-p", "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    one.set_defaults(run=_run)
    one = steps.add_parser("publish", parents=[common], help="copy executed notebooks and folders of results")
    one.add_argument("executed", type=Path)
    one.add_argument("folders", type=Path, nargs="*", help="copied under their names")
    one.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters of the run (%(default)s)")
    one.add_argument("--out", type=Path, required=True)
    one.set_defaults(run=_publish)


def _profile(options: argparse.Namespace) -> None:
    from zonkey.cli import profile

    if options.name is None and options.set:
        raise ValueError("--set needs the NAME of a profile; edit params.yaml by hand to change it alone")
    if options.name is None:
        names = ", ".join(profile.names(options.profiles))
        changes = profile.refresh(options.params)
        sys.stdout.write(f"profiles: {names}\n")
    else:
        changes = profile.apply(options.name, options.params, options.profiles, _pairs(options.set))
    sys.stdout.writelines(f"{change}\n" for change in changes or [f"{options.params} is up to date"])


def _check(options: argparse.Namespace) -> None:
    from zonkey.config import load_config

    config = load_config(options.params)
    sys.stdout.write(f"{options.params}: profile {config.profile}, {len(config.model.levels)} levels\n")


def _info(options: argparse.Namespace) -> None:
    sys.stdout.write(_memory(options) if options.memory else _held(options))


def _held(options: argparse.Namespace) -> str:
    from zonkey.cli.info import describe, table

    if options.params:
        raise ValueError(f"--params {options.params} is for --memory; a model folder holds its own parameters")
    found = describe(options.model or Path("models/final"))
    return json.dumps(found, indent=2) + "\n" if options.json else table(found)


def _memory(options: argparse.Namespace) -> str:
    from zonkey.cli.memory import needs, room, table

    if options.model:
        raise ValueError(f"--memory is told of parameters, not of a model ({options.model}); give --params FILE")
    params = options.params or Path("params.yaml")
    found, (where, free) = needs(params), room(params)
    stages = {one.stage: dataclasses.asdict(one) | {"bytes": one.bytes} for one in found}
    whole = {"stages": stages, "where": where, "free": free}
    return json.dumps(whole, indent=2) + "\n" if options.json else table(found, where, free)


def _mend(options: argparse.Namespace) -> None:
    from zonkey.cli.mend import mend

    sys.stdout.writelines(f"{line}\n" for line in mend(Path()))


def _strip(options: argparse.Namespace) -> None:
    from zonkey.notebook.copies import strip

    sys.stdout.writelines(f"{path}\n" for path in strip(options.folder, options.out))


def _run(options: argparse.Namespace) -> None:
    from zonkey.notebook.run import run

    if not options.notebook.is_file():
        raise ValueError(f"no file {options.notebook}; name a notebook, such as notebooks/10_prepare.ipynb")
    check_file("OUT", options.out)
    run(options.notebook, options.out, _pairs(options.set))


def _publish(options: argparse.Namespace) -> None:
    from zonkey.notebook.copies import publish

    written = publish(options.executed, options.folders, options.params, options.out)
    sys.stdout.write(f"{len(written)} files in {options.out}\n")


def _pairs(given: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` with the value read as YAML, as in params.yaml."""
    pairs = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise ValueError(f"{pair!r} gives no value; write NAME=VALUE")
        pairs[key] = read_yaml(value, YAML(typ="safe"), f"the value of {pair!r}") if value else None
    return pairs
