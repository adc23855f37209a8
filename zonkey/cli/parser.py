"""Arguments: a wrong one is said in one sentence that names it, its value and what comes nearest."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from zonkey.config.base import MOST
from zonkey.config.say import close, nearest

SEEDS = 2**32


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest command or option, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Write the sentence to standard error and leave with status 2."""
        self.exit(2, f"zonkey: {message}; see `{self.prog} --help`\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse does; nothing may be left over, so that the parser which knows the options can name one."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            given = left[0].partition("=")[0]
            if not given.startswith("-"):
                self.error(f"{given!r} is one argument too many; leave it out")
            self.error(f"there is no option {given!r}{nearest(given, self._option_string_actions, 'nearest')}")
        return found, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            meant = close(value, choices)
            said = f"{value!r} is none of {', '.join(choices)}" + (f"; the nearest is {meant!r}" if meant else "")
            raise argparse.ArgumentError(action, said)


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """Reads a whole number from ``least`` to ``most``."""

    def read(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{value[:40]!r} is no whole number from {least} to {most}")
        return number

    return read


def real(least: float, most: float = math.inf) -> Callable[[str], float]:
    """Reads a finite number from ``least`` to ``most``."""

    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and least <= number <= most):
            limits = f"of at least {least:g}" if math.isinf(most) else f"from {least:g} to {most:g}"
            raise argparse.ArgumentTypeError(f"{value[:40]!r} is no number {limits}")
        return number

    return read


def name(value: str) -> str:
    """Reads the name of a folder inside another: no path, so that it cannot lead out of it."""
    if value in ("", ".", "..") or Path(value).name != value:
        raise argparse.ArgumentTypeError(f"{value[:40]!r} is no plain name; give one without '/', not '..'")
    return value


def check_file(option: str, path: Path) -> None:
    """Refuse, before any work, a place where no file can be written; raises ValueError naming ``option``."""
    if path.is_dir() or not path.name:
        raise ValueError(f"{option} {path} is a folder; name a file")
