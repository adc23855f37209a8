"""The results page as Markdown: a table of verdicts, then what was measured, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from zonkey.results.caption import OLDER, caption
from zonkey.results.published import SUITES, Measured
from zonkey.results.schema import Page, Section, Table, Target, Word
from zonkey.results.tables import fill, markdown, reading
from zonkey.results.verdicts import Outcome, Status, outcome

ELSEWHERE = "by another model than the pipeline's"
OWN_RUNS = ("ablation_", "seed")  # metrics of models that suites train for themselves
INTRODUCTION = """# Results

Made by `python -m zonkey results` from the published metrics; do not edit. The paper (A. Rozental, arXiv 2601.21768)
shows examples and no numbers: every claim is therefore held to a target of this project. Whether it is reached is
computed; what a change was, or why a target is missed, is written by hand in [verdicts.yaml](verdicts.yaml).

Bytes that training read count every piece of text as often as a step shows it, without padding. What flows read is told
apart: nothing but text from noise comes from them, and what writes such text has read both.

On the machine that made them the same commands give these numbers again, to the last digit. Elsewhere processors round
differently, and training makes that larger: `python -m zonkey compare` holds a run against this page, and allows every
number the range that it has over the published seeds, or 5% of itself where these do not have it.
"""


def outcomes(
    page: Page, corpora: Mapping[str, Measured], words: Mapping[tuple[str, str], Word]
) -> dict[tuple[str, str], Outcome]:
    """Every target on every corpus that it is set for; raises ``ValueError`` where words contradict the metrics."""
    return {
        (target.id, name): _outcome(target, name, corpora[name], words.get((target.id, name)))
        for target in page.targets
        for name in page.corpora
        if name in target.corpora
    }


def _outcome(target: Target, corpus: str, one: Measured, word: Word | None) -> Outcome:
    """Where suites measured another model than the pipeline has published, the pipeline's own numbers count first."""
    if one.together or not one.pipeline or target.value[0].startswith(OWN_RUNS):
        return outcome(target, corpus, one.metrics, word)
    if outcome(target, corpus, one.pipeline).status is not Status.UNMEASURED:
        return outcome(target, corpus, one.pipeline, word)
    found = outcome(target, corpus, one.metrics, word)
    if found.status is Status.UNMEASURED:
        return found
    return replace(found, figure=f"{found.figure}, {ELSEWHERE}", elsewhere=True)


def render(page: Page, corpora: Mapping[str, Measured], found: Mapping[tuple[str, str], Outcome]) -> str:
    """The whole page."""
    lines = [INTRODUCTION, *_verdicts(page, found), *_older(page, corpora)]
    for section in page.sections:
        lines += ["", f"## {section.title}", "", f"> {section.claim} ({section.source})"]
        for table in section.tables:
            lines += ["", f"### {table.title}"]
            for name, one in ((name, one) for name, one in corpora.items() if name in (table.corpora or corpora)):
                lines += ["", *_table(page, table, name, one)]
        lines += list(_said(page, section, found))
    return "\n".join(lines) + "\n"


def target_lines(page: Page, found: Mapping[tuple[str, str], Outcome]) -> list[str]:
    """A line for each target that the project has set itself, with the figure reached."""
    return [
        f"{_name(page, one)}: {one.figure} (target {one.bound}): {one.status.value}"
        for one in found.values()
        if one.target.wanted
    ]


def _verdicts(page: Page, found: Mapping[tuple[str, str], Outcome]) -> Iterator[str]:
    titles = [corpus.title for corpus in page.corpora.values()]
    yield f"| claim | measured by | {' | '.join(f'{title}: target | reached' for title in titles)} | verdict |"
    yield "|---|---|" + "---|" * (2 * len(titles) + 1)
    for target in page.targets:
        ours = [found.get((target.id, name)) for name in page.corpora]
        cells = [f"{one.bound} | {one.figure}" if one else "– | –" for one in ours]
        verdicts = [f"{page.corpora[one.corpus].title}: {one.verdict}" for one in ours if one]
        same = {one.verdict for one in ours if one}
        verdict = same.pop() if len(same) == 1 else "; ".join(verdicts)
        name = target.name if target.wanted else f"{target.name} (a check of our own)"
        yield f"| {target.claim} | {name} | {' | '.join(cells)} | {verdict} |"


def _older(page: Page, corpora: Mapping[str, Measured]) -> Iterator[str]:
    for name, one in corpora.items():
        for part in one.older:
            yield from ("", f"{page.corpora[name].title}, {'suites' if part == SUITES else 'pipeline'}: {OLDER}.")


def _table(page: Page, table: Table, corpus: str, one: Measured) -> Iterator[str]:
    spec = page.corpora[corpus]
    filled = fill(table, one.metrics)
    command = f"`python -m zonkey profile {spec.profile} && {table.command}`"
    if not filled.rows:
        yield f"**{spec.title}.** Not measured ({command})."
        return
    if one.of(table) is None:
        made = f"{command} makes a new one"
    else:
        made = f"[parameters]({one.link}/{'suites/' if table.of_suites else ''}{spec.profile}/params.yaml), {command}"
    said = "; ".join(filter(None, (caption(table, one), made)))
    yield f"**{spec.title}.** {said[:1].upper() + said[1:]}."
    yield from ("", *markdown(table, filled))
    if sentence := reading(table, filled):
        yield from ("", sentence[:1].upper() + sentence[1:])
    if links := list(_figures(one, spec.profile, table)):
        yield from ("", f"Figures: {', '.join(links)}")


def _figures(one: Measured, profile: str, table: Table) -> Iterator[str]:
    for path in (f"{folder}/figures/{name}.svg" for name in table.figures for folder in (profile, f"suites/{profile}")):
        if (one.reports / path).is_file():
            yield f"[{Path(path).stem}]({one.link}/{path})"


def _said(page: Page, section: Section, found: Mapping[tuple[str, str], Outcome]) -> Iterator[str]:
    ours = [one for one in found.values() if one.target.section == section.id]
    yield from ("", "### Verdict", "")
    for one in ours:
        yield f"- {_name(page, one)}: {one.figure} (target {one.bound}): **{one.verdict}**.{_prose(one)}"


def _name(page: Page, one: Outcome) -> str:
    return f"{page.corpora[one.corpus].title}, {one.target.name}"


def _prose(one: Outcome) -> str:
    if one.word is None:
        return " Not explained yet." if one.status is Status.MISSED else ""
    links = "".join(f" [{link.partition('#')[2] or link}]({link})" for link in one.word.see)
    return f" {one.word.change or one.word.why}" + (f" See{links}." if links else "")
