"""What reconstructions are compared with.

Shapes: B documents, N positions, L window, D width, R rows, V codebook entries, K sampled negatives.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from zonkey.losses import codebook_loss, contrastive_loss


@dataclass(frozen=True)
class Truth:
    """Byte ids and their codebook, or vectors and sampled negatives."""

    x: Float[Tensor, "B N D"]
    lengths: Int[Tensor, " B"]
    worth: float  # of the positions of windows get a loss: the heaviest
    ids: Int[Tensor, "B N"] | None = None
    codebook: Float[Tensor, "V D"] | None = None
    negatives: Int[Tensor, " K"] | None = None  # flat positions
    marks: Bool[Tensor, "J B N"] | None = None  # what the text says, for a level that splits at spaces

    @property
    def candidates(self) -> Float[Tensor, "V D"]:
        """What a position may be: the codebook, or sampled vectors."""
        return self.x.flatten(0, 1)[self.negatives] if self.codebook is None else self.codebook

    def loss(
        self,
        x: Float[Tensor, "R L D"],
        index: Int[Tensor, "R L"],
        weight: Float[Tensor, "R L"],
        regression: float,
    ) -> tuple[Float[Tensor, "R L"], Float[Tensor, "R L"]]:
        """Loss and correctness (0 or 1) of the positions of decoded windows.

        Windows overlap, so most positions carry almost no weight. Only the heaviest fraction ``worth`` is computed,
        the rest is 0: a fixed capacity that holds practically all of the weight.
        """
        shape = index.shape
        count = max(int(index.numel() * self.worth), 1)
        chosen = weight.detach().flatten().topk(count, sorted=False).indices
        x, at = x.flatten(0, 1).index_select(0, chosen), index.flatten()[chosen]
        if self.ids is not None and self.codebook is not None:
            loss, correct = codebook_loss(x, self.codebook, self.ids.flatten()[at])
        else:
            flat = self.x.flatten(0, 1)
            truth = flat.index_select(0, at)
            loss, correct, distance = contrastive_loss(x, truth, flat[self.negatives])
            loss = loss + regression * distance
        both = torch.stack([loss, correct.to(loss.dtype)])
        loss, right = both.new_zeros(2, index.numel()).index_copy(1, chosen, both)
        return loss.view(shape), right.detach().view(shape)
