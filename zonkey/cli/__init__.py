"""The ``zonkey`` command: texts through a model, profiles, what a model holds, the pipeline's notebook steps,
the results page, a run against the published one.

Exit status: 0 done, 1 failed, 2 the request was wrong; a failure is one sentence on standard error.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from zonkey.cli import compare, files, results, speed, text
from zonkey.cli.parser import Parser
from zonkey.cli.say import sentence, shortened

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
        return _fail(options, sentence(error), 2)
    except OSError as error:
        status = 2 if error.errno in (errno.ENAMETOOLONG, errno.ELOOP) else 1
        return _fail(options, sentence(error, getattr(options, "out", getattr(options, "params", None))), status)
    except Exception as error:
        return _fail(options, sentence(error), 1)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="zonkey", description="A hierarchical diffusion language model.")
    common = argparse.ArgumentParser(add_help=False)  # before the command and after it: what is absent sets nothing
    for one, absent in ((parser, False), (common, argparse.SUPPRESS)):
        one.add_argument("--debug", action="store_true", default=absent, help="show the log, and errors' origins")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    text.add_commands(commands, common)
    files.add_commands(commands, common)
    speed.add_commands(commands, common)
    results.add_commands(commands, common)
    compare.add_commands(commands, common)
    return parser


def _fail(options: argparse.Namespace, words: str, status: int) -> int:
    if options.debug:
        traceback.print_exc(file=sys.stderr)
    sys.stderr.write(f"zonkey: {shortened(words)}\n")
    return status
