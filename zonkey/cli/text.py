"""Commands that run a model: segment, reconstruct, generate, infill. torch is imported only when one runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonkey.cli import given
from zonkey.cli.models import load
from zonkey.cli.parser import SEEDS, real, whole
from zonkey.config.base import DEEPEST

if TYPE_CHECKING:
    from zonkey.model import Zonkey
    from zonkey.text import Segmentation

MARK = "|"  # between segments
MOST_TEXTS = 1000  # of one `generate`: they are in memory together, and another --seed gives more
MOST_STEPS = 10_000
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a terminal might obey


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the four commands to the parser's sub-commands."""
    model = argparse.ArgumentParser(add_help=False, parents=[common])
    model.add_argument("--model", type=Path, default=Path("models/final"), help="model folder (%(default)s)")
    model.add_argument("--json", action="store_true", help="print JSON")
    texts = argparse.ArgumentParser(add_help=False, parents=[model])
    given.add_arguments(texts)
    random = argparse.ArgumentParser(add_help=False)
    random.add_argument("--seed", type=whole(0, SEEDS - 1), default=0, help="same seed, same texts (%(default)s)")
    steps = argparse.ArgumentParser(add_help=False)
    steps.add_argument("--steps", type=whole(1, MOST_STEPS), help="denoising steps (as the model was configured)")
    level = argparse.ArgumentParser(add_help=False)
    level.add_argument("--level", type=whole(0, DEEPEST - 1), help="level, counted from 0 (the top)")

    one = commands.add_parser("segment", parents=[texts], help="cut texts into segments, at every level")
    one.set_defaults(run=_segment)
    one = commands.add_parser("reconstruct", parents=[texts, level, random], help="encode and decode texts")
    one.add_argument("--noise", type=real(0, 1), default=0.0, help="noise level, 0 to 1 (%(default)s)")
    one.set_defaults(run=_reconstruct)
    one = commands.add_parser("generate", parents=[model, level, steps, random], help="write new texts")
    one.add_argument("-n", type=whole(1, MOST_TEXTS), default=1, help="how many texts, at most 1000 (%(default)s)")
    one.add_argument(
        "--length",
        choices=["expected", "sampled"],
        default="expected",
        help="where existence falls below one half, or drawn from it (%(default)s)",
    )
    one.set_defaults(run=_generate)
    one = commands.add_parser(
        "infill", parents=[texts, steps, random], help="fill gaps: {gap}, or {gap:12} for 12 bytes"
    )
    one.set_defaults(run=_infill)


def _segment(options: argparse.Namespace) -> None:
    texts = given.texts(options)
    model = _load(options.model)
    given.check_sizes(texts, model.config.max_text_bytes)
    if options.json:
        _print_json([{"text": text, "levels": _levels(model.segment(text))} for text in texts])
        return
    for text in texts:
        for number, level in enumerate(model.segment(text).levels):
            _print(f"level {number}: {MARK.join(_pieces(text, level.starts))}")


def _reconstruct(options: argparse.Namespace) -> None:
    texts = given.texts(options)
    model = _load(options.model)
    given.check_sizes(texts, model.config.max_text_bytes)
    again = (
        result
        for batch in given.batches(texts)
        for result in model.reconstruct(batch, level=options.level, noise=options.noise, seed=options.seed)
    )
    pairs = zip(texts, again, strict=True)
    _print_results(options, ({"text": text, "reconstruction": result} for text, result in pairs))


def _generate(options: argparse.Namespace) -> None:
    model = _load(options.model)
    from zonkey.generate import generate

    texts = generate(
        model, options.n, level=options.level, steps=options.steps, length=options.length, seed=options.seed
    )
    _print_results(options, ({"text": text} for text in texts))


def _infill(options: argparse.Namespace) -> None:
    texts = given.texts(options)
    model = _load(options.model)
    from zonkey.generate import infill

    def fill(number: int, text: str) -> str:
        try:
            return infill(model, text, steps=options.steps, seed=options.seed)
        except ValueError as error:
            raise ValueError(f"text {number}: {error}" if len(texts) > 1 else str(error)) from None

    pairs = ({"text": text, "filled": fill(number, text)} for number, text in enumerate(texts, 1))
    _print_results(options, pairs)


def _load(folder: Path) -> Zonkey:
    with contextlib.redirect_stdout(sys.stderr):  # huggingface_hub prints that it reads a folder
        return load(folder)


def _pieces(text: str, starts: tuple[int, ...]) -> list[str]:
    raw = text.encode()
    return [raw[a:b].decode(errors="replace") for a, b in zip(starts, (*starts[1:], len(raw)), strict=True)]


def _levels(cut: Segmentation) -> list[dict[str, list[float]]]:
    return [
        {"starts": list(one.starts), "probabilities": list(one.probabilities), "offsets": list(one.offsets)}
        for one in cut.levels
    ]


def _print_results(options: argparse.Namespace, results: Iterable[dict[str, str]]) -> None:
    """As JSON, or the last entry of each, as soon as it is there: the result."""
    if options.json:
        _print_json(list(results))
        return
    for result in results:
        _print(list(result.values())[-1])


def _print_json(value: Any) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=2))


def _print(line: str) -> None:
    """To a file or another program as it is; a terminal gets control characters as text."""
    if sys.stdout.isatty():
        line = CONTROL.sub(lambda letter: repr(letter[0])[1:-1], line)
    sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
