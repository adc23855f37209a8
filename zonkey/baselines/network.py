"""A causal transformer over the ids of a vocabulary. Shapes: S sequences, Q positions, D width, V entries."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from zonkey.config import LanguageConfig
from zonkey.transformer import CausalDecoder, initialise


class CausalNetwork(nn.Module):
    """P(next entry | those before it), after a symbol that says that a text begins.

    Args:
        config: the shape.
        sizes: the bytes of every entry of the vocabulary, (V,).
    """

    def __init__(self, config: LanguageConfig, sizes: np.ndarray) -> None:
        super().__init__()
        self.config, self.sizes = config, sizes
        self.begin = len(sizes)  # the id after the vocabulary's
        self.embed = nn.Embedding(self.begin + 1, config.width)
        self.decoder = CausalDecoder(config.width, config.heads, config.layers)
        self.head = nn.Linear(config.width, self.begin)
        initialise(self)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed.weight.device

    def forward(self, ids: Int[Tensor, "S Q"]) -> Float[Tensor, "S Q V"]:
        """Logits of every position's entry, given those before it."""
        return self.head(self.states(ids))

    def states(self, ids: Int[Tensor, "S Q"]) -> Float[Tensor, "S Q D"]:
        """What every position's entry is predicted from."""
        before = nn.functional.pad(ids[:, :-1], (1, 0), value=self.begin)
        return self.decoder(self.embed(before))
