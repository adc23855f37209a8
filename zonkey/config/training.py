"""Parameters of training runs, and of the machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zonkey.config.base import Count, Fraction, Frozen, Positive, Weight

MOST_PROCESSES = 64  # that one machine starts


class StageConfig(Frozen):
    """One training run: a level, or the end-to-end fine-tuning."""

    steps: Positive
    batch: Positive  # documents a step, over all processes and micro-batches
    bytes: Positive  # of each document: the crop a step sees
    micro_batches: Positive  # gradient accumulation
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # of AdamW
    matrix_learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # of Muon, for matrices in blocks

    def check_divides(self, processes: int) -> None:
        """Raises ValueError where a batch cannot be cut into parts of as many documents each."""
        parts = processes * self.micro_batches
        if self.batch % parts:
            of = [f"{self.micro_batches} micro_batches"] * (self.micro_batches > 1)
            of += [f"{processes} processes"] * (processes > 1)
            raise ValueError(f"batch {self.batch} does not divide into {' of '.join(of)}; give a multiple of {parts}")

    @model_validator(mode="after")
    def _check(self) -> StageConfig:
        self.check_divides(1)
        return self


class TrainConfig(Frozen):
    """What all training runs share."""

    optimizer: Literal["muon", "adamw"]
    warmup: Fraction  # of the steps
    weight_decay: Weight
    clip: Annotated[float, Field(gt=0)]  # of the gradient's norm; .inf leaves it
    validate_every: Positive
    validate_batches: Positive
    checkpoint_every: Positive
    sample_texts: Count  # generated at each validation, into the log
    processes: Annotated[Positive, Field(le=MOST_PROCESSES)]  # started with torch.distributed.run when above 1
    levels: Annotated[tuple[StageConfig, ...], Field(min_length=1, strict=False)]
    finetune: StageConfig
    flow: StageConfig  # the networks that sample compressed vectors, on a finished model


class RuntimeConfig(Frozen):
    """Machine-dependent choices; none changes what is computed beyond rounding."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Annotated[int, Field(ge=0, le=2**16)]  # 0 leaves torch's choice
    recompute: bool  # activations of transformer blocks, but no unrolled ones: less memory, more time
