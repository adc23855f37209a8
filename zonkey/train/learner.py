"""How the loop trains Zonkey: one level, all levels, or their flows."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from zonkey.config import Config, LossConfig, StageConfig
from zonkey.data import ByteBatch
from zonkey.fit import Outcome
from zonkey.generate import generate
from zonkey.model import Zonkey
from zonkey.phases import weights_at, weights_end_to_end

Part = int | Literal["flow"] | None


@dataclass(frozen=True)
class ZonkeyLearner:
    """One level of the model alone, all levels jointly, or the flows of all."""

    config: Config
    stage: StageConfig
    only: Part  # what is trained: a level, all levels (None), or their flows

    @property
    def decay(self) -> float:
        """Of the averaged weights."""
        return self.config.model.ema

    def freeze(self, model: Zonkey) -> None:
        """Nothing but this part takes a gradient; flows are trained by themselves, the codebook with level 0."""
        freeze_but(model, self.only)

    def forward(self, network: nn.Module, batch: ByteBatch, random: torch.Generator, step: int | None) -> Outcome:
        """This part of the run's losses on sampled begins; validating, all losses on the deterministic split."""
        weights, sampled = self._weights(step), step is not None
        out = network(batch.tokens, batch.lengths, weights, random, self.only, sampled)
        named = {
            f"level{index}/{name}": value
            for index, level in enumerate(out.levels)
            if level is not None
            for name, value in (level.losses.named() | level.metrics.named()).items()
        }
        named |= {f"level{index}/latent": value for index, value in enumerate(out.latent)}
        return Outcome(out.loss, named)

    def samples(self, model: Zonkey) -> list[str]:
        """Texts from noise; none while the flows that they need are not trained."""
        if self.config.model.objective == "flow" and self.only != "flow":
            return []
        return generate(model, self.config.train.sample_texts, seed=self.config.seed)

    def _weights(self, step: int | None) -> LossConfig | tuple[LossConfig, ...]:
        losses = self.config.losses
        if step is None:
            return losses
        levels = self.config.model.levels
        if not isinstance(self.only, int):
            return tuple(weights_end_to_end(level, losses) for level in levels)
        return weights_at(step, self.stage.steps, levels[self.only], losses)


def freeze_but(model: Zonkey, part: Part) -> None:
    """Take the gradient from all that is not trained with this part."""
    model.codebook.requires_grad_(part is None or part == 0)
    for index, level in enumerate(model.levels):
        level.requires_grad_(part is None or part == index)
        if level.flow is not None:
            level.flow.requires_grad_(part == "flow")
