"""The results page as data: corpora, targets, sections and tables (``page.yaml``), and what is said of a verdict."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator
from ruamel.yaml import YAML

from zonkey.config import parse, read_mapping

PAGE = Path(__file__).with_name("page.yaml")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CorpusSpec(_Frozen):
    """One corpus: the profile whose metrics are read."""

    title: str
    profile: str


class Target(_Frozen):
    """A number that a claim is held to. ``corpora`` has the bound of each corpus, or what ``of`` is multiplied by."""

    id: str
    section: str
    claim: str
    name: str
    value: list[str]  # metrics; the first that was measured counts; * stands for every label of `each`
    interval: list[str] = []  # metrics: where 95% of the first of `value` lie, lower and upper bound; only shown
    compare: Literal["at least", "at most", "above"]
    of: dict[str, str] = {}  # metrics that the bound comes from, by what they are called; all are needed
    each: list[str] = []  # it has to hold for every one of these
    corpora: dict[str, float]
    percent: bool = False
    wanted: bool = True  # of the project's list of what to make true, and not only a check of a claim


class Table(_Frozen):
    """A table for each corpus. With ``seeds``, a row for each column of the others: mean, least and most."""

    title: str
    corpora: list[str] = []  # where it can be measured; everywhere if none is named
    command: str
    rows: list[str]  # dotted names with stars, see measured.rows
    first: str  # heading of the first column
    columns: dict[str, str]  # heading: dotted name below the row; a heading that ends with % shows shares as percent
    names: dict[str, str] = {}  # what rows are called
    seeds: bool = False
    read: list[str] = []  # columns that the sentence below the table reads
    trend: bool = False  # it reads first and last row, not greatest and least
    figures: list[str] = []  # names of published figures
    note: str = ""  # what has to be known to read it; stands below it
    budget: list[Literal["levels", "flows", "baselines", "judge"]] = ["levels"]  # whose reading is told
    runs: str = ""  # files of metrics of runs that train whole models, such as seed*; told instead

    @property
    def of_suites(self) -> bool:
        """Whether the suites measure it, not the pipeline."""
        return "suites" in self.command


class Section(_Frozen):
    """One item of what is measured."""

    id: str
    title: str
    claim: str
    source: str
    tables: list[Table]


class Page(_Frozen):
    """All of it."""

    corpora: dict[str, CorpusSpec]
    targets: list[Target]
    sections: list[Section]

    @model_validator(mode="after")
    def _check(self) -> Page:
        if bare := {section.id for section in self.sections} - {target.section for target in self.targets}:
            raise ValueError(f"sections {sorted(bare)} have no target, so no verdict can be computed; give them one")
        for target in self.targets:
            if len(target.interval) not in (0, 2):
                raise ValueError(f"target {target.id!r} has {len(target.interval)} interval ends; give two or none")
            if target.section not in {section.id for section in self.sections}:
                raise ValueError(f"target {target.id!r} is of section {target.section!r}, which is not there")
            if unknown := set(target.corpora) - set(self.corpora):
                raise ValueError(f"target {target.id!r} names corpora that are not there: {sorted(unknown)}")
        return self


class Word(_Frozen):
    """By hand: what was changed where a target is reached, or why it is not, and where it is written up."""

    change: str | None = None
    why: str | None = None
    see: list[str] = []  # "experiments.md#heading"

    @model_validator(mode="after")
    def _one(self) -> Word:
        if (self.change is None) == (self.why is None):
            raise ValueError("give either change (reached, but with one) or why (not reached)")
        return self


class _Words(_Frozen):
    verdicts: dict[str, dict[str, Word]]


def load_page(path: Path = PAGE) -> Page:
    """The page that the package describes; raises ``ValueError`` with one sentence where it is wrong."""
    return parse(Page, read_mapping(path, YAML(typ="safe")), str(path))


def load_words(path: Path, page: Page) -> dict[tuple[str, str], Word]:
    """What was written by hand, by target and corpus; nothing where there is no file.

    Raises:
        ValueError: it names a target or a corpus that is not there, or says neither or both of change and why.
    """
    if not path.is_file():
        return {}
    words = parse(_Words, read_mapping(path, YAML(typ="safe")), str(path)).verdicts
    known = {target.id: list(target.corpora) for target in page.targets}
    for target, corpora in words.items():
        _known(path, "target", target, list(known))
        for corpus in corpora:
            _known(path, f"corpus of {target}", corpus, known[target])
    return {(target, corpus): word for target, corpora in words.items() for corpus, word in corpora.items()}


def _known(path: Path, kind: str, name: str, names: list[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
        raise ValueError(f"{path}: there is no {kind} {name!r}; the nearest is {near!r}")
