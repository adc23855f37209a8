"""A byte model that learns where to cut by predicting (H-Net: Hwang, Wang and Gu, arXiv 2507.07955), one level.

Bytes pass through a causal layer, a router merges them into chunks, most layers work on chunks alone, and a last layer
spreads these over the bytes again. The router is h-net-dynamic-chunking's; the layers are those of the other baselines.

Shapes: S sequences, Q positions, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from h_net_dynamic_chunking import DynamicSequenceChunker
from jaxtyping import Float, Int
from torch import Tensor, nn

from zonkey.baselines.language import LanguageModel, windows_of
from zonkey.baselines.vocabulary import ByteVocabulary, Vocabulary
from zonkey.baselines.writing import Choose
from zonkey.config import LanguageConfig
from zonkey.transformer import CausalDecoder, initialise


class ChunkingModel(LanguageModel):
    """P(next byte | those before it), through chunks of a learned length.

    Args:
        config: the shape; of its layers one reads bytes, one writes them, and the others (at least one) see chunks.
        vocabulary: bytes.
        reverse: reads from the end to the beginning.
        bytes_per_chunk: the mean length that training is drawn to.
    """

    def __init__(
        self,
        config: LanguageConfig,
        vocabulary: Vocabulary | None = None,
        reverse: bool = False,
        bytes_per_chunk: float = 6.0,
    ) -> None:
        super().__init__(config, vocabulary or ByteVocabulary(), reverse)
        self.bytes_per_chunk = bytes_per_chunk
        width, heads = config.width, config.heads
        self.decoder = CausalDecoder(width, heads, 1)
        self.inner = CausalDecoder(width, heads, max(config.layers - 2, 1))
        self.outer = CausalDecoder(width, heads, 1)
        for part in (self.decoder, self.inner, self.outer):
            initialise(part)
        self.chunker = DynamicSequenceChunker(width, target_avg_token_length=bytes_per_chunk, handle_residual_proj=True)

    def read(self, ids: Int[Tensor, "S Q"]) -> tuple[Float[Tensor, "S Q D"], Float[Tensor, ""]]:
        """States, and what chunks of another mean length than the wanted one cost."""
        before = nn.functional.pad(ids[:, :-1], (1, 0), value=self.begin)
        x = self.decoder(self.embed(before)).float()
        with torch.autocast(x.device.type, enabled=False):  # the router's sums along the text need the precision
            chunks, spread, cost = self.chunker(x)
        chunks = self.inner(chunks).float()
        with torch.autocast(x.device.type, enabled=False):
            x = spread(chunks)
        return self.outer(x), cost

    def begins(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """Probability that a chunk begins, of every byte, given it and what precedes it, (bytes,) float64 each."""
        found = []
        for ids in self.encode(texts):
            row = np.zeros(len(ids))
            for first, scored, last in windows_of(self.sizes[ids], self.config.context):
                part = torch.from_numpy(ids[None, first:last]).to(self.device)
                with torch.no_grad():
                    x = self.decoder(self.embed(nn.functional.pad(part, (1, 0), value=self.begin)))
                    _, seen = self.chunker(x.float(), return_intermediates=True)
                row[scored:last] = seen.probs[0, 1 + scored - first :].double().cpu().numpy()
            found.append(self._turn(row))
        return found

    def _write(self, prompts: Sequence[np.ndarray], counts: Sequence[int], choose: Choose) -> list[bytes]:
        """Reads all of the last context again for every byte: simple, and for a few texts fast enough."""
        if not prompts:
            return []
        ids = torch.from_numpy(np.stack(prompts)).to(self.device)
        before = ids.shape[1]
        for _ in range(max(counts)):
            recent = nn.functional.pad(ids[:, -self.config.context + 1 :], (0, 1))  # the last is what is predicted
            with torch.no_grad():
                logits = self.head(self.states(recent)[:, -1])
            ids = torch.cat([ids, choose(logits.float())[:, None]], dim=1)
        rows = ids[:, before:].tolist()
        return [self._turn(self.vocabulary.decode(row[:count])) for row, count in zip(rows, counts, strict=True)]

    def options(self) -> dict[str, Any]:
        """What the model is built from, beside shape and vocabulary."""
        return super().options() | {"bytes_per_chunk": self.bytes_per_chunk}
