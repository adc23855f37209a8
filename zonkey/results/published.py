"""One corpus as it is published: its metrics, and the parameters of the runs that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from zonkey.config import read_mapping
from zonkey.results.measured import Metrics, read
from zonkey.results.schema import Page, Table

Params = Mapping[str, Any]
PIPELINE, SUITES = "", "suites"  # folders of reports: reports/PROFILE and reports/suites/PROFILE
MODEL = ("seed", "data", "model", "losses", "train")  # parameters that the model of the pipeline hangs on


@dataclass(frozen=True)
class Measured:
    """One corpus: its metrics, the parameters that were published with them, and where its reports lie."""

    metrics: Metrics
    pipeline: Metrics  # of them, those that do not come from suites
    params: Mapping[str, Params]  # by folder of reports; of a run whose parameters were not kept there is none
    older: tuple[str, ...]  # folders with metrics of such a run
    reports: Path  # holds PROFILE and suites/PROFILE
    link: str  # from the page to it

    def of(self, table: Table) -> Params | None:
        """The parameters of the run that a table's metrics come from; None where they were not kept."""
        return self.params.get(SUITES if table.of_suites else PIPELINE)

    @property
    def together(self) -> bool:
        """Whether the suites measured the model that the pipeline has published, as far as parameters tell."""
        runs = [self.params.get(name) for name in (PIPELINE, SUITES)]
        made = [{name: run.get(name) for name in MODEL} for run in runs if run is not None]
        return len(made) == len(runs) and made[0] == made[1]


def measured(page: Page, reports: Path, link: str) -> dict[str, Measured]:
    """Every corpus of the page, from ``reports``; ``link`` leads from the page to it.

    Raises:
        ValueError: a file of metrics or of parameters cannot be read.
    """
    return {name: _corpus(reports, corpus.profile, link) for name, corpus in page.corpora.items()}


def _corpus(reports: Path, profile: str, link: str) -> Measured:
    folders = {name: reports / name / profile for name in (PIPELINE, SUITES)}
    params = {
        name: read_mapping(path, YAML(typ="safe"))
        for name, folder in folders.items()
        if (path := folder / "params.yaml").is_file()
    }
    older = tuple(name for name, folder in folders.items() if (folder / "metrics").is_dir() and name not in params)
    pipeline, suites = (read(folders[name] / "metrics") for name in (PIPELINE, SUITES))
    return Measured(pipeline | suites, pipeline, params, older, reports, link)
