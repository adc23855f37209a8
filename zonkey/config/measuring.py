"""Parameters of what is written and measured with a trained model, and of what it is compared with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from zonkey.config.base import (
    DEEPEST,
    Count,
    Factor,
    Fraction,
    Frozen,
    Layers,
    Positive,
    Rate,
    Seed,
    Size,
    TextWithGap,
    Word,
)
from zonkey.config.training import StageConfig


class SampleConfig(Frozen):
    """What ``40_sample`` writes."""

    texts: Positive
    steps: Positive
    length: Literal["expected", "sampled"]
    seed: Seed
    gaps: Annotated[tuple[TextWithGap, ...], Field(strict=False)]


class EvaluateConfig(Frozen):
    """How much held-out text ``50_evaluate`` measures."""

    documents: Positive
    noise_levels: Annotated[tuple[Fraction, ...], Field(min_length=1, strict=False)]
    generated: Positive
    least_count: Positive  # times that a word has to stand in the training text to count as one that exists
    seed: Seed


class LanguageConfig(Frozen):
    """The shape of the autoregressive baselines: a causal transformer."""

    width: Size
    heads: Size
    layers: Layers
    context: Annotated[Positive, Field(ge=2)]  # bytes of text that it sees at most, whatever it reads them as

    @model_validator(mode="after")
    def _check(self) -> LanguageConfig:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} is not divisible by twice the heads {self.heads}, {2 * self.heads}; change one"
            )
        return self


class BaselinesConfig(Frozen):
    """What Zonkey is compared with; trained by the same loop."""

    language: LanguageConfig
    stage: StageConfig
    bpe_vocabulary: Annotated[Positive, Field(ge=257)]  # entries, the 256 bytes among them

    @model_validator(mode="after")
    def _check(self) -> BaselinesConfig:
        if self.language.context > self.stage.bytes:
            raise ValueError(
                f"language.context is {self.language.context}, above stage.bytes {self.stage.bytes}: later positions"
                " would never be trained; lower the first or raise the second"
            )
        return self


class SuitesConfig(Frozen):
    """How much the suites measure (notebooks 71 to 75, ``suites/dvc.yaml``)."""

    skip: Count  # held-out texts at the beginning that are left out: choices were made on them
    documents: Positive  # held-out texts, after these
    segmented: Positive  # held-out texts for segmentation, which is cheap
    bpe_vocabulary: Annotated[Positive, Field(ge=257)]  # most entries of the tokenizers that only split
    bpe_bytes: Positive  # of training text that these learn from, at most
    rate_within: Fraction  # share of the rate that splitters set to it may miss it by
    generated: Positive  # texts of every source
    temperature: Factor  # of the autoregressive baseline's second row
    steps: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # of the sampler, for each text
    gap_lengths: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # bytes
    gaps: Positive  # texts with gaps, for every length and place
    context: Positive  # known bytes beside a gap
    infill_steps: Positive  # of the sampler, for a text with gaps
    perturbations: Annotated[tuple[Rate, ...], Field(min_length=1, strict=False)]  # share of the characters hit
    seed: Seed


class BudgetConfig(Frozen):
    """The model of the pipeline, trained for less or longer, or on less text (``suites/dvc.yaml``)."""

    steps: Factor  # of every stage, times those of ``train``
    text: Annotated[float, Field(gt=0, le=1)]  # share of the training text


class VariantConfig(Frozen):
    """One model of the ablations: what differs from the reference."""

    title: str
    changes: dict[str, JsonValue]  # dotted names of parameters (lists by index) to values


class AblationsConfig(Frozen):
    """Small models that differ in one thing each and share a budget: bytes of text seen in training."""

    levels: Annotated[Positive, Field(le=DEEPEST)]  # of a variant; above those of ``model`` the top one is repeated
    steps: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # of training, by level
    finetune: Count  # steps end to end; 0 leaves them out
    flow: Positive  # steps of the flows
    variants: dict[Word, VariantConfig]

    @model_validator(mode="after")
    def _check(self) -> AblationsConfig:
        if len(self.steps) < self.levels:
            raise ValueError(f"levels is {self.levels}, and steps has {len(self.steps)}; give one for each level")
        return self


class AdaptationConfig(Frozen):
    """Fine-tuning on a little text of another domain."""

    bytes: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # of text, from one point to the next
    passes: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # over that text
    stage: StageConfig  # its steps are the most that are taken
    judge: Positive  # steps of the judge on the domain's own text
    documents: Positive  # of the built-in domain
    korean: str | None  # a local Parquet file with columns id and text; null leaves Korean out
