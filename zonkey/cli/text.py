"""Commands that run a model: segment, reconstruct, generate, infill. torch is imported only when one runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zonkey.model import Zonkey
    from zonkey.text import Segmentation

MARK = "|"  # between segments


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the four commands to the parser's sub-commands."""
    model = argparse.ArgumentParser(add_help=False, parents=[common])
    model.add_argument("--model", type=Path, default=Path("models/final"), help="model folder (%(default)s)")
    model.add_argument("--json", action="store_true", help="print JSON")
    texts = argparse.ArgumentParser(add_help=False, parents=[model])
    texts.add_argument("texts", nargs="*", metavar="TEXT", help="without any, and no --file: standard input")
    texts.add_argument("--file", type=Path, help="a file that is the text ('-' for standard input)")
    texts.add_argument("--lines", action="store_true", help="take each line of the file, or input, as a text")
    random = argparse.ArgumentParser(add_help=False)
    random.add_argument("--seed", type=int, default=0, help="same seed, same texts (%(default)s)")
    steps = argparse.ArgumentParser(add_help=False)
    steps.add_argument("--steps", type=_positive, help="denoising steps (as the model was configured)")
    level = argparse.ArgumentParser(add_help=False)
    level.add_argument("--level", type=int, help="level, counted from 0 (the top)")

    one = commands.add_parser("segment", parents=[texts], help="cut texts into segments, at every level")
    one.set_defaults(run=_segment)
    one = commands.add_parser("reconstruct", parents=[texts, level, random], help="encode and decode texts")
    one.add_argument("--noise", type=float, default=0.0, help="noise level, 0 to 1 (%(default)s)")
    one.set_defaults(run=_reconstruct)
    one = commands.add_parser("generate", parents=[model, level, steps, random], help="write new texts")
    one.add_argument("-n", type=_positive, default=1, help="how many texts (%(default)s)")
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
    texts = _texts(options)
    model = _load(options.model)
    cuts = [model.segment(text) for text in texts]
    pairs = list(zip(texts, cuts, strict=True))
    if options.json:
        _print_json([{"text": text, "levels": _levels(cut)} for text, cut in pairs])
        return
    for text, cut in pairs:
        for number, level in enumerate(cut.levels):
            _print(f"level {number}: {MARK.join(_pieces(text, level.starts))}")


def _reconstruct(options: argparse.Namespace) -> None:
    texts = _texts(options)
    if not 0 <= options.noise <= 1:
        raise ValueError(f"--noise is {options.noise:g}; give a level between 0 and 1")
    model = _load(options.model)
    again = model.reconstruct(texts, level=options.level, noise=options.noise, seed=options.seed)
    pairs = zip(texts, again, strict=True)
    _print_results(options, [{"text": text, "reconstruction": result} for text, result in pairs])


def _generate(options: argparse.Namespace) -> None:
    model = _load(options.model)
    from zonkey.generate import generate

    texts = generate(
        model, options.n, level=options.level, steps=options.steps, length=options.length, seed=options.seed
    )
    _print_results(options, [{"text": text} for text in texts])


def _infill(options: argparse.Namespace) -> None:
    texts = _texts(options)
    model = _load(options.model)
    from zonkey.generate import infill

    filled = [infill(model, text, steps=options.steps, seed=options.seed) for text in texts]
    pairs = zip(texts, filled, strict=True)
    _print_results(options, [{"text": text, "filled": result} for text, result in pairs])


def _load(folder: Path) -> Zonkey:
    if not (folder / "config.json").is_file():
        raise ValueError(f"no model in {folder}; make it with `make repro`, or name another with --model")
    from zonkey.model import Zonkey

    with contextlib.redirect_stdout(sys.stderr):  # huggingface_hub prints that it reads a folder
        return Zonkey.from_pretrained(str(folder)).eval()


def _texts(options: argparse.Namespace) -> list[str]:
    if options.texts and options.file:
        raise ValueError(f"texts are given as arguments and as --file {options.file}; give one of the two")
    if options.texts:
        return options.texts
    origin = "standard input" if options.file in (None, Path("-")) else str(options.file)
    raw = sys.stdin.buffer.read() if origin == "standard input" else options.file.read_bytes()
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{origin} is not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}") from None
    if options.lines:
        texts = [line for line in whole.splitlines() if line]
    else:
        texts = [whole.removesuffix("\n")] if whole.removesuffix("\n") else []
    if not texts:
        raise ValueError(f"{origin} holds no text; give some")
    return texts


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def _pieces(text: str, starts: tuple[int, ...]) -> list[str]:
    raw = text.encode()
    return [raw[a:b].decode(errors="replace") for a, b in zip(starts, (*starts[1:], len(raw)), strict=True)]


def _levels(cut: Segmentation) -> list[dict[str, list[float]]]:
    return [
        {"starts": list(one.starts), "probabilities": list(one.probabilities), "offsets": list(one.offsets)}
        for one in cut.levels
    ]


def _print_results(options: argparse.Namespace, results: list[dict[str, str]]) -> None:
    """As JSON, or the last entry of each: the result."""
    if options.json:
        _print_json(results)
        return
    for result in results:
        _print(list(result.values())[-1])


def _print_json(value: Any) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=2))


def _print(line: str) -> None:
    sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
