"""Validated, frozen configuration: one object, read from ``params.yaml`` and handed down.

Every value of ``params.yaml`` is required, so that the file is the whole truth about a run; an unknown, missing,
ill-typed or contradictory value raises :class:`ConfigError` with one sentence naming it, its value and the fix.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
T = TypeVar("T", bound=BaseModel)


class ConfigError(ValueError):
    """A parameter is unknown, missing, of the wrong type, out of range or contradicts another."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataConfig(_Frozen):
    """Where text comes from and how it is split."""

    source: Literal["encyclopedia", "encyclopedia-other", "parquet", "jsonl", "text", "hub"]
    path: str | None  # local file or glob, for parquet, jsonl and text
    hub_name: str
    hub_config: str
    hub_revision: str
    text_column: str
    id_column: str
    documents: Positive | None  # how many to take; null takes all
    seed: Count  # of the built-in grammar, and of the split
    min_bytes: Annotated[int, Field(ge=2)]  # shorter documents are skipped and counted
    max_bytes: Positive  # longer documents are cut here and counted
    judge: Rate  # fraction of documents, by hash of the id: seen by the judge of generated text alone
    validation: Rate
    test: Rate

    @model_validator(mode="after")
    def _check(self) -> DataConfig:
        if self.source in ("parquet", "jsonl", "text") and not self.path:
            raise ValueError(f"source is {self.source!r} but path is {self.path!r}; give a local file or pattern")
        held = self.judge + self.validation + self.test
        if held > 0.9:
            raise ValueError(f"judge + validation + test is {held:g}; leave at least 0.1 for training")
        if self.max_bytes < self.min_bytes:
            raise ValueError(f"max_bytes is {self.max_bytes}, below min_bytes {self.min_bytes}")
        return self


class LevelConfig(_Frozen):
    """The shape of one level; the same at every level."""

    width: Positive  # D
    heads: Positive
    window: Annotated[int, Field(ge=4)]  # L
    vectors: Positive  # C
    compressor_layers: Positive
    denoiser_layers: Positive
    decompressor_layers: Positive
    flow_layers: Positive  # of the network that the flow objective samples compressed vectors with
    splitter_layers: Positive
    splitter_sees: Literal["both", "past", "left"]  # what a begin may depend on: all, up to its position, before it
    splitter_radius: Positive  # positions seen on each side by the splitter's local attention
    decompressor: Literal["parallel", "sequential"]
    splitting: Literal["learned", "stride", "spaces"]  # stride: every 1 / target_rate positions; spaces: the oracle
    foresight: Weight  # how much begins are drawn to where the next position is hard to foresee, times losses.surprise
    predictor_sees: Positive  # positions that foresee the next one
    target_rate: Rate  # mean begin probability above which the rate penalty grows
    decisiveness: Weight  # how hard begins are pressed to be certain, times losses.decisive
    clean_noise: Fraction  # mean noise level of the vectors that segments are reconstructed from
    generative_rows: Fraction  # of the segments that also pass with noise in a training step (noisy, dirty)
    capacity: Annotated[float, Field(gt=1)]  # segments kept per batch in training, over target_rate x positions

    @model_validator(mode="after")
    def _check(self) -> LevelConfig:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not divisible by twice the heads {self.heads}")
        if self.vectors >= self.window:
            raise ValueError(f"vectors {self.vectors} must be fewer than window {self.window}")
        if self.target_rate * self.window <= 1:
            raise ValueError(f"target_rate {self.target_rate:g} needs a window above {1 / self.target_rate:g}")
        return self


class FlowConfig(_Frozen):
    """Spherical flow matching (the author's later objective)."""

    steps: Positive  # geodesic steps when sampling
    rows: Positive  # compressed vectors of each level that a step of the flow's training sees
    self_condition: Fraction  # of the rows see an earlier estimate in training
    stochasticity: Fraction  # fresh noise between sampling steps: 0 follows the flow, 1 draws all noise anew
    recompress_below: Fraction  # noise level below which a sampler's estimate is decoded and compressed again
    ema: Rate  # decay of the averaged weights used for sampling


class DDMMConfig(_Frozen):
    """Denoising Diffusion Mixed Model (paper)."""

    steps: Positive
    ema: Rate
    stochasticity: Fraction  # fresh noise between sampling steps: 1 redraws it all, 0 keeps the predicted noise


class LossConfig(_Frozen):
    """Weights of the loss terms; 0 turns a term off."""

    clean: Weight
    regression: Weight  # above level 0: 1 - cos beside the contrastive reconstruction
    dirty: Weight  # ddmm: distance to the best point between the noisy result and the truth
    noisy: Weight  # flow: reconstruction from a noised latent, times 1 - t
    through: Weight  # above level 0: reconstruction of the level below from a denoised vector
    existence: Weight
    window: Weight  # splitter: windows without a begin
    short: Weight  # splitter: segments shorter than C
    rate: Weight
    predict: Weight  # the next position from the few before it, for `surprise`
    surprise: Weight  # splitter: begins where the next position is easy to foresee; both only until `delay`
    decisive: Weight  # splitter: begins that are neither 0 nor 1
    masked: Weight  # prediction of masked vectors from the rest of a segment, above level 0
    masked_bytes: Weight  # the same at level 0 (not in the paper: infilling needs it; above 0.1 it delays learning)
    masked_rows: Fraction  # of the segments that also pass with vectors masked
    spread: Weight
    position: Weight  # stitcher
    sequence: Weight  # stitcher
    negatives: Positive  # sampled vectors a contrastive loss tells the truth from
    foretell: Fraction  # of a level's steps that train its predictor alone, before anything else
    delay: Fraction  # of a level's steps before all but reconstruction and splitting begins: units settle first

    def first(self) -> LossConfig:
        """The weights while only a predictor is trained."""
        kept = ("predict", "masked_rows", "negatives", "foretell", "delay")
        return self.model_copy(update={name: 0.0 for name in type(self).model_fields if name not in kept})

    @property
    def foretelling(self) -> bool:
        """Only a predictor is trained."""
        return self == self.first()

    def late(self) -> LossConfig:
        """The weights once units have settled: begins are left to reconstruction."""
        return self.model_copy(update={"predict": 0.0, "surprise": 0.0})

    def early(self) -> LossConfig:
        """The weights while delayed terms are off."""
        late = ("dirty", "noisy", "masked", "masked_bytes", "position", "sequence")
        return self.model_copy(update=dict.fromkeys(late, 0.0))


class ModelConfig(_Frozen):
    """Everything a saved model needs to be built again."""

    objective: Literal["flow", "ddmm"]
    existence: Literal["soft", "hard"]  # hard: 0 or 1, by the begins drawn; attention sends them no gradient
    max_text_bytes: Positive
    levels: Annotated[tuple[LevelConfig, ...], Field(min_length=1, strict=False)]
    flow: FlowConfig
    ddmm: DDMMConfig

    @property
    def steps(self) -> int:
        """Denoiser calls when sampling, unless asked otherwise."""
        return self.flow.steps if self.objective == "flow" else self.ddmm.steps

    @property
    def ema(self) -> float:
        """Decay of the averaged weights."""
        return self.flow.ema if self.objective == "flow" else self.ddmm.ema

    @model_validator(mode="after")
    def _check(self) -> ModelConfig:
        for i, (low, high) in enumerate(zip(self.levels, self.levels[1:], strict=False)):
            want = low.width * low.vectors
            if high.width != want:
                raise ValueError(
                    f"levels[{i + 1}].width is {high.width}, but must be levels[{i}].width x vectors = {want}"
                )
        return self


class StageConfig(_Frozen):
    """One training run: a level, or the end-to-end fine-tuning."""

    steps: Positive
    batch: Positive  # documents a step, over all processes and micro-batches
    bytes: Positive  # of each document: the crop a step sees
    micro_batches: Positive  # gradient accumulation
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # of AdamW
    matrix_learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # of Muon, for matrices in blocks


class TrainConfig(_Frozen):
    """What all training runs share."""

    optimizer: Literal["muon", "adamw"]
    warmup: Fraction  # of the steps
    weight_decay: Weight
    clip: Annotated[float, Field(gt=0)]
    validate_every: Positive
    validate_batches: Positive
    checkpoint_every: Positive
    sample_texts: Count  # generated at each validation, into the log
    processes: Positive  # started with torch.distributed.run when above 1
    levels: Annotated[tuple[StageConfig, ...], Field(min_length=1, strict=False)]
    finetune: StageConfig
    flow: StageConfig  # the networks that sample compressed vectors, on a finished model


class RuntimeConfig(_Frozen):
    """Machine-dependent choices; none changes what is computed beyond rounding."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Count  # 0 leaves torch's choice


class SampleConfig(_Frozen):
    """What ``40_sample`` writes."""

    texts: Positive
    steps: Positive
    length: Literal["expected", "sampled"]
    seed: Count
    gaps: Annotated[tuple[str, ...], Field(strict=False)]  # texts with {gap} or {gap:N} marks


class EvaluateConfig(_Frozen):
    """How much held-out text ``50_evaluate`` measures."""

    documents: Positive
    noise_levels: Annotated[tuple[Fraction, ...], Field(min_length=1, strict=False)]
    generated: Positive
    seed: Count


class LanguageConfig(_Frozen):
    """The shape of the autoregressive baselines: a causal transformer."""

    width: Positive
    heads: Positive
    layers: Positive
    context: Annotated[int, Field(ge=2)]  # bytes of text that it sees at most, whatever it reads them as

    @model_validator(mode="after")
    def _check(self) -> LanguageConfig:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not divisible by twice the heads {self.heads}")
        return self


class BaselinesConfig(_Frozen):
    """What Zonkey is compared with; trained by the same loop."""

    language: LanguageConfig
    stage: StageConfig
    bpe_vocabulary: Annotated[int, Field(ge=257)]  # entries, the 256 bytes among them

    @model_validator(mode="after")
    def _check(self) -> BaselinesConfig:
        if self.language.context > self.stage.bytes:
            raise ValueError(
                f"language.context is {self.language.context}, above stage.bytes {self.stage.bytes}: later positions"
                " would never be trained; lower it"
            )
        return self


class SuitesConfig(_Frozen):
    """How much the suites measure (notebooks 71 to 75, ``suites/dvc.yaml``)."""

    documents: Positive  # held-out texts
    generated: Positive  # texts of every source
    calls: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # of the denoiser, for each text
    gap_lengths: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # bytes
    gaps: Positive  # texts with gaps, for every length and place
    context: Positive  # known bytes beside a gap
    infill_steps: Positive  # denoiser calls for a text with gaps
    perturbations: Annotated[tuple[Rate, ...], Field(min_length=1, strict=False)]  # share of the characters hit
    seed: Count


class VariantConfig(_Frozen):
    """One model of the ablations: what differs from the reference."""

    title: str
    changes: dict[str, Any]  # dotted names of parameters (lists by index) to values


class AblationsConfig(_Frozen):
    """Small models that differ in one thing each and share a budget: bytes of text seen in training."""

    levels: Positive  # how many a variant has; above those of ``model`` the top one is repeated
    steps: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # of training, by level
    finetune: Count  # steps end to end; 0 leaves them out
    flow: Positive  # steps of the flows
    variants: dict[Annotated[str, Field(pattern=r"^\w+$")], VariantConfig]

    @model_validator(mode="after")
    def _check(self) -> AblationsConfig:
        if len(self.steps) < self.levels:
            raise ValueError(f"steps has {len(self.steps)} entries for {self.levels} levels; give one for each")
        return self


class AdaptationConfig(_Frozen):
    """Fine-tuning on a little text of another domain."""

    bytes: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]  # of text, from one point to the next
    passes: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # over that text
    stage: StageConfig  # its steps are the most that are taken
    judge: Positive  # steps of the judge on the domain's own text
    documents: Positive  # of the built-in domain
    korean: str | None  # a local Parquet file with columns id and text; null leaves Korean out


class PipelineConfig(_Frozen):
    """What the stages of ``dvc.yaml`` build on; follows from the source and the levels (``zonkey profile``)."""

    prepare: str
    train: dict[str, str]  # of every level, by its number: the model below it
    finetune: str

    @classmethod
    def of(cls, source: str, path: str | None, levels: int) -> PipelineConfig:
        """The only valid value for these data and this many levels."""
        prepare = "zonkey/data/__init__.py"  # the built-in and the pinned source change with the code alone
        if source in ("parquet", "jsonl", "text") and path:
            fixed = itertools.takewhile(lambda part: not set(part) & set("*?["), Path(path).parts)
            prepare = str(Path(*fixed))
            if prepare in (".", "data"):  # would hold what the pipeline itself makes
                raise ValueError(f"data.path {path!r} matches in {prepare!r}; put the files in a folder of their own")
        below = ["data/corpus/corpus.json", *(f"models/level{level}" for level in range(levels))]
        return cls(
            prepare=prepare,
            train={str(level): below[level] for level in range(levels)},
            finetune=below[levels],
        )


class Config(_Frozen):
    """The whole of ``params.yaml``."""

    profile: str
    seed: Count
    data: DataConfig
    model: ModelConfig
    losses: LossConfig
    train: TrainConfig
    runtime: RuntimeConfig
    sample: SampleConfig
    evaluate: EvaluateConfig
    baselines: BaselinesConfig
    suites: SuitesConfig
    seeds: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)]  # that the suite of seeds trains with
    ablations: AblationsConfig
    adaptation: AdaptationConfig
    pipeline: PipelineConfig

    @model_validator(mode="after")
    def _check(self) -> Config:
        if len(self.train.levels) != len(self.model.levels):
            raise ValueError(
                f"train.levels has {len(self.train.levels)} entries for {len(self.model.levels)} model.levels;"
                " give one for each"
            )
        want = PipelineConfig.of(self.data.source, self.data.path, len(self.model.levels))
        for name in PipelineConfig.model_fields:
            if getattr(self.pipeline, name) != getattr(want, name):
                raise ValueError(
                    f"pipeline.{name} is {getattr(self.pipeline, name)!r}, but must be {getattr(want, name)!r} for"
                    " these data and levels; run `zonkey profile` (without a name) to bring it in line"
                )
        return self


def load_config(path: str | Path = "params.yaml") -> Config:
    """Read and validate a parameter file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a bad value; one sentence says which.
    """
    return parse(Config, read_mapping(Path(path), YAML(typ="safe")), str(path))


def read_mapping(path: Path, yaml: YAML) -> dict[str, Any]:
    """A parameter file as ``yaml`` reads it; raises :class:`ConfigError` where it is missing or no mapping."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no parameter file at {path}; run in the repository's root or name one") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds {type(raw).__name__}, not a mapping of parameters")
    return raw


def parse(kind: type[T], raw: dict[str, Any], origin: str) -> T:
    """Validate ``raw`` as ``kind``; raises :class:`ConfigError` naming ``origin`` and the first bad value."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_sentence(kind, raw, error)}") from None


def fingerprint(*parts: Any) -> str:
    """16 hex digits that identify configurations and inputs (strings, numbers, models, lists, dicts of them)."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _sentence(kind: type[BaseModel], raw: dict[str, Any], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = sorted(_keys(kind))
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.0)
        return f"unknown parameter {where!r}; the nearest known name is {near[0]!r}{more}"
    if first["type"] == "missing":
        return f"parameter {where!r} is missing; add it (see profiles/ for values){more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{where or 'parameters'}: {message}{more}"
    return f"parameter {where!r} is {first['input']!r}: {message[0].lower()}{message[1:]}{more}"


def _keys(kind: type[BaseModel]) -> set[str]:
    schema = kind.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return {key for model in models for key in model.get("properties", {})}
