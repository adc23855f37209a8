"""The ``zonkey`` command: texts through a model, profiles, what a model holds, the pipeline's notebook steps,
the results page, a run against the published one.

Exit status: 0 done, 1 failed, 2 the request was wrong; a failure is one sentence on standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from zonkey.cli import compare, files, results, speed, text

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    level = logging.DEBUG if options.debug else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(message)s")
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader had enough, as in `zonkey generate | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return _fail(options, "stopped", 130)
    except (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        return _fail(options, _sentence(error), 2)
    except Exception as error:
        return _fail(options, _sentence(error), 1)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zonkey", description="A hierarchical diffusion language model.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the log, and where an error comes from")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    text.add_commands(commands, common)
    files.add_commands(commands, common)
    speed.add_commands(commands, common)
    results.add_commands(commands, common)
    compare.add_commands(commands, common)
    return parser


def _fail(options: argparse.Namespace, sentence: str, status: int) -> int:
    if options.debug:
        logging.getLogger(__name__).debug("", exc_info=True)
    sys.stderr.write(f"zonkey: {sentence}\n")
    return status


def _sentence(error: Exception) -> str:
    """The error's own words on one line; with its kind where the words alone would not say."""
    words = " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if type(error) is ValueError or type(error).__module__.startswith("zonkey."):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
