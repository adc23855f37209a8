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

    def forward(self, ids: Int[Tensor, "S Q"]) -> tuple[Float[Tensor, "S Q V"], Float[Tensor, ""]]:
        """Logits of every position's entry, given those before it, and what :meth:`read` adds to the loss."""
        states, penalty = self.read(ids)
        return self.head(states), penalty

    def read(self, ids: Int[Tensor, "S Q"]) -> tuple[Float[Tensor, "S Q D"], Float[Tensor, ""]]:
        """What every position's entry is predicted from, and a penalty: none here."""
        before = nn.functional.pad(ids[:, :-1], (1, 0), value=self.begin)
        return self.decoder(self.embed(before)), torch.zeros((), device=ids.device)

    def states(self, ids: Int[Tensor, "S Q"]) -> Float[Tensor, "S Q D"]:
        """The first of :meth:`read`."""
        return self.read(ids)[0]
