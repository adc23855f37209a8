"""The command ``zonkey results``: the results page, or the list of targets, from published metrics."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from zonkey.cli.parser import check_file


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the parser's sub-commands."""
    one = commands.add_parser(
        "results",
        parents=[common],
        help="write docs/results.md from the published metrics",
        description="Write the results page from metrics and params.yaml in REPORTS/PROFILE and REPORTS/suites/PROFILE."
        " Whether a target is reached follows from them; verdicts.yaml beside the page says why, or with what change.",
    )
    one.add_argument("--reports", type=Path, default=Path("reports"), help="(%(default)s)")
    one.add_argument("--out", type=Path, default=Path("docs/results.md"), help="(%(default)s)")
    one.add_argument("--verdicts", type=Path, help="(verdicts.yaml beside the page)")
    one.add_argument("--targets", action="store_true", help="print the targets and what was reached; write nothing")
    one.set_defaults(run=_results)


def _results(options: argparse.Namespace) -> None:
    from zonkey import results
    from zonkey.files import write_beside

    if not options.reports.is_dir():
        raise ValueError(f"no folder --reports {options.reports}; publish a run (`make publish`), or name another")
    if options.verdicts and not options.verdicts.is_file():
        raise ValueError(f"no file {options.verdicts}; name another --verdicts")
    check_file("--out", options.out)
    page = results.load_page()
    words = results.load_words(options.verdicts or options.out.with_name("verdicts.yaml"), page)
    link = Path(os.path.relpath(options.reports, options.out.parent)).as_posix()
    corpora = results.measured(page, options.reports, link)
    found = results.outcomes(page, corpora, words)
    if options.targets:
        sys.stdout.writelines(f"{line}\n" for line in results.target_lines(page, found))
    else:
        write_beside(options.out, results.render(page, corpora, found))
        sys.stdout.write(f"{options.out}\n")
