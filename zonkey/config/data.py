"""Parameters of the text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zonkey.config.base import Frozen, Positive, Rate, Repository, Seed

LEAST_BYTES = 2  # of a document: a level cuts between two


class DataConfig(Frozen):
    """Where text comes from and how it is split."""

    source: Literal["encyclopedia", "encyclopedia-other", "parquet", "jsonl", "text", "hub"]
    path: str | None  # local file or glob, for parquet, jsonl and text
    hub_name: Repository
    hub_config: str
    hub_revision: str
    text_column: Annotated[str, Field(min_length=1)]
    id_column: str  # "" names documents by their content
    documents: Positive | None  # how many to take; null takes all
    seed: Seed  # of the built-in grammar, and of the split
    min_bytes: Annotated[Positive, Field(ge=LEAST_BYTES)]  # shorter documents are skipped and counted
    max_bytes: Positive  # longer documents are cut here and counted
    judge: Rate  # fraction of documents, by hash of the id: seen by the judge of generated text alone
    validation: Rate
    test: Rate

    @model_validator(mode="after")
    def _check(self) -> DataConfig:
        if self.source in ("parquet", "jsonl", "text") and not self.path:
            raise ValueError(f"source is {self.source!r}, and path is empty; set data.path to a local file or pattern")
        if self.source.startswith("encyclopedia") and self.documents is None:
            raise ValueError("documents is null, but the encyclopedia has no end; give a number of documents")
        held = self.judge + self.validation + self.test
        if held > 0.9:
            raise ValueError(f"judge + validation + test is {held:g}; leave at least 0.1 for training")
        if self.max_bytes < self.min_bytes:
            raise ValueError(
                f"max_bytes is {self.max_bytes}, below min_bytes {self.min_bytes}; raise the first or lower the second"
            )
        return self
