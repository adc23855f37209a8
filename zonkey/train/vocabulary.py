"""What a flow compares with above level 0: the commonest vectors of training text, and how often they stand in it.

Shapes: V vectors of text, K different ones, D width.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from zonkey.data import Corpus
from zonkey.existence import NEVER
from zonkey.flow import UNKNOWN
from zonkey.model import Zonkey
from zonkey.runtime import generator
from zonkey.sphere import SAME, to_sphere

TEXTS = 16  # compressed side by side
READ = 32  # times as many vectors are read as there is room for
TOLD = 4  # times as many are told apart; of the rest only those that are known count
PIECE = 1024  # vectors that are compared at once


class Tally:
    """Different vectors, and how often each was seen."""

    def __init__(self, width: int, most: int) -> None:
        self.vectors, self.counts, self.most = torch.zeros(0, width), torch.zeros(0), most

    def add(self, x: Float[Tensor, "V D"]) -> None:
        """Count vectors; what is like one that was seen before (:data:`~zonkey.sphere.SAME`) is that one."""
        for piece in normalize(x.float().cpu(), dim=-1).split(PIECE):
            new = piece
            if len(self.vectors):
                likeness, at = (piece @ self.vectors.T).max(dim=-1)
                self.counts.index_add_(0, at[likeness > SAME], torch.ones(int((likeness > SAME).sum())))
                new = piece[likeness <= SAME]
            found: list[Tensor] = []
            counts: list[float] = []
            while len(new) and len(self.vectors) + len(found) < self.most:
                same = new @ new[0] > SAME
                same[0] = True
                found.append(new[0])
                counts.append(float(same.sum()))
                new = new[~same]
            if found:
                self.vectors = torch.cat([self.vectors, torch.stack(found)])
                self.counts = torch.cat([self.counts, torch.tensor(counts)])

    def commonest(self, count: int) -> tuple[Float[Tensor, "K D"], Float[Tensor, " K"]]:
        """At most ``count`` vectors of length 1, and how often each was seen; of the same number the first seen."""
        order = self.counts.argsort(descending=True, stable=True)[:count]
        return self.vectors[order], self.counts[order]


@torch.no_grad()
def remember(model: Zonkey, corpus: Corpus, seed: int) -> None:
    """Fill the vocabularies of all flows from texts in random order.

    The last entries stand for all vectors that are none of the others, and for the end of segments.

    Where text has fewer different vectors than there is room for, the rest is never chosen.
    """
    entries, random = model.config.flow.vocabulary, generator(seed)
    order = torch.randperm(len(corpus), generator=random).tolist()
    for index, level in enumerate(model.levels):
        if index == 0 or level.flow is None:
            continue
        tally, read, ends = Tally(level.config.width, TOLD * entries), 0, 0
        for at in range(0, len(order), TEXTS):
            x, lengths, marks = model.inputs([corpus.text(row) for row in order[at : at + TEXTS]], index)
            _, segments = level.split(x, lengths, marks=marks)
            last = torch.cat([segments.own[:, :1], segments.own[:, :-1]], dim=1) & ~segments.own
            found = level.windows(x, segments)[segments.own]
            tally.add(found)
            read, ends = read + len(found), ends + int(last.sum())
            if read >= READ * entries:
                break
        vectors, counts = tally.commonest(entries - 2)
        flow = level.flow
        flow.vocabulary[: len(vectors)] = to_sphere(vectors).to(flow.vocabulary.device)
        assert flow.unknown is not None  # there is a vocabulary
        flow.vocabulary[UNKNOWN], flow.vocabulary[-1] = flow.unknown, flow.end
        flow.prior.fill_(NEVER)
        flow.prior[: len(counts)] = counts.log().to(flow.prior.device)
        flow.prior[UNKNOWN] = math.log(max(read - float(counts.sum()), 1))
        flow.prior[-1] = math.log(max(ends, 1))
