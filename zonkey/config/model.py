"""Parameters of the model and of its losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zonkey.config.base import DEEPEST, Factor, Fraction, Frozen, Layers, Positive, Rate, Size, Weight


class LevelConfig(Frozen):
    """The shape of one level; the same at every level."""

    width: Size  # D
    heads: Size
    window: Annotated[Size, Field(ge=4)]  # L
    vectors: Size  # C
    compressor_layers: Layers
    denoiser_layers: Layers
    decompressor_layers: Layers
    flow_layers: Layers  # of the network that the flow objective samples windows with
    splitter_layers: Layers
    splitter_sees: Literal["both", "past", "left"]  # what a begin may depend on: all, up to its position, before it
    splitter_radius: Size  # positions seen on each side by the splitter's local attention
    splitter_moves: Annotated[int, Field(ge=0, le=64)]  # left or right, once, when begins are chosen; 0: never
    splitter_alone: Fraction  # of the level's steps: begins follow foresight alone, before reconstruction starts
    decompressor: Literal["parallel", "sequential"]
    locality: Weight  # how near its own place in a segment a vector begins to look; 0 leaves all to learning (paper)
    splitting: Literal["learned", "stride", "spaces"]  # stride: every 1 / target_rate positions; spaces: the oracle
    foresight: Weight  # how much begins are drawn to what the predictor finds, times losses.surprise
    foresight_until: Fraction  # of the level's steps; then begins are left to reconstruction
    predictor_sees: Size  # positions, at most, that foresee those to come
    predictor_ahead: Annotated[tuple[Size, ...], Field(min_length=1, strict=False)]  # of these: 1 is the next one
    predictor_finds: Literal["surprise", "independence"]  # what is hard to foresee, or foreseen by the nearest alone
    predictor_alone: Fraction  # of the level's steps that train it by itself, before anything else
    target_rate: Rate  # mean begin probability above which the rate penalty grows
    decisiveness: Weight  # how hard begins are pressed to be certain, times losses.decisive
    clean_noise: Fraction  # mean noise level of the vectors that segments are reconstructed from
    generative_rows: Fraction  # of the segments that also pass with noise in a training step (noisy, dirty)
    capacity: Annotated[float, Field(gt=1, allow_inf_nan=False)]  # segments kept in training, over expected ones

    @property
    def foresees(self) -> bool:
        """Whether a predictor takes part: only begins that are learned can be drawn to anything, or moved."""
        return self.draws or (self.splitting == "learned" and self.splitter_moves > 0)

    @property
    def draws(self) -> bool:
        """Whether begins are drawn to what the predictor finds."""
        return self.splitting == "learned" and self.foresight > 0

    @property
    def splits_alone(self) -> bool:
        """Whether begins follow foresight alone at first."""
        return self.draws and self.splitter_alone > 0

    @property
    def places(self) -> tuple[float, ...]:
        """Where the C vectors have their places, in positions of a window: spread over a segment of the target rate."""
        step = 1 / (self.target_rate * self.vectors)
        return tuple((number + 0.5) * step - 0.5 for number in range(self.vectors))

    @model_validator(mode="after")
    def _check(self) -> LevelConfig:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} is not divisible by twice the heads {self.heads}, {2 * self.heads}; change one"
            )
        if self.vectors >= self.window:
            raise ValueError(
                f"vectors {self.vectors} must be fewer than window {self.window}; lower the first or raise the second"
            )
        if self.target_rate * self.window <= 1:
            raise ValueError(
                f"target_rate {self.target_rate:g} needs a window above {1 / self.target_rate:g}, and window is"
                f" {self.window}; raise one of them"
            )
        if 2 * self.splitter_moves * self.target_rate >= 1:
            raise ValueError(
                f"splitter_moves {self.splitter_moves} is half a segment or more at target_rate {self.target_rate:g}"
            )
        if self.predictor_finds == "independence" and self.predictor_sees < 2:
            raise ValueError("predictor_finds independence compares views: give predictor_sees 2 or more")
        if self.foresees and self.splitter_moves and self.foresight_until == 1 and not self.splits_alone:
            raise ValueError(
                f"splitter_moves {self.splitter_moves} needs an end of choosing: give foresight_until below 1, "
                f"or foresight and splitter_alone above 0"
            )
        if self.predictor_alone + self.splitter_alone >= 1:
            raise ValueError(
                f"predictor_alone {self.predictor_alone:g} and splitter_alone {self.splitter_alone:g} leave no step "
                f"for reconstruction: their sum must be below 1"
            )
        return self


class FlowConfig(Frozen):
    """Spherical flow matching (the author's later objective), of the vectors in a window."""

    rows: Positive  # windows of each level for each text of a batch, with noise of their own
    block: Positive  # positions that leave the noise together, given those before; a window or more: all together
    least_noise: Fraction  # below it a vector is as good as known: learned and sampled above it only
    vocabulary: Annotated[Positive, Field(ge=3)]  # vectors of the level below that are compared with; above level 0
    self_condition: Fraction  # of the rows see an earlier estimate in training
    ema: Rate  # decay of the averaged weights used for sampling


class SamplerConfig(Frozen):
    """How text is sampled with flows; training knows nothing of it."""

    steps: Positive  # from noise to the vectors of a block
    choice: Literal["likeliest", "drawn"]  # steps towards what is expected, at last the likeliest; or draw in each
    stochasticity: Fraction  # fresh noise between steps towards what is expected: 0 follows the flow, 1 has no other
    temperature: Factor  # of what is expected and drawn: below 1 likely vectors count for more
    nucleus: Annotated[float, Field(gt=0, le=1)]  # draw from the likeliest that have this share of all probability


class DDMMConfig(Frozen):
    """Denoising Diffusion Mixed Model (paper)."""

    steps: Positive
    ema: Rate
    stochasticity: Fraction  # fresh noise between sampling steps: 1 redraws it all, 0 keeps the predicted noise


class ModelConfig(Frozen):
    """Everything a saved model needs to be built again."""

    objective: Literal["flow", "ddmm"]
    existence: Literal["soft", "hard"]  # hard: 0 or 1, by the begins drawn; attention sends them no gradient
    max_text_bytes: Annotated[Positive, Field(ge=2)]  # of a text that goes through it
    levels: Annotated[tuple[LevelConfig, ...], Field(min_length=1, max_length=DEEPEST, strict=False)]
    flow: FlowConfig
    sampler: SamplerConfig
    ddmm: DDMMConfig

    @property
    def steps(self) -> int:
        """Steps of the sampler, unless asked otherwise."""
        return self.sampler.steps if self.objective == "flow" else self.ddmm.steps

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
                    f"levels.{i + 1}.width is {high.width}, but must be {want}, width times vectors of levels.{i}"
                )
        return self
