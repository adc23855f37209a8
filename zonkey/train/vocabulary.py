"""What a flow compares with above level 0: vectors of training text, as often as they stand in it."""

import torch

from zonkey.data import Corpus
from zonkey.model import Zonkey
from zonkey.runtime import generator

TEXTS = 16  # compressed side by side
CHOICE = 4  # times as many vectors are collected as kept


@torch.no_grad()
def remember(model: Zonkey, corpus: Corpus, seed: int) -> None:
    """Fill the vocabularies of all flows from texts in random order; ends of segments are among the vectors.

    A vector may be kept several times where the whole corpus has fewer than there is room for.
    """
    entries, random = model.config.flow.vocabulary, generator(seed)
    order = torch.randperm(len(corpus), generator=random).tolist()
    for index, level in enumerate(model.levels):
        if index == 0 or level.flow is None:
            continue
        found, count = [], 0
        for at in range(0, len(order), TEXTS):
            x, lengths, marks = model.inputs([corpus.text(row) for row in order[at : at + TEXTS]], index)
            _, segments = level.split(x, lengths, marks=marks)
            last = torch.cat([segments.own[:, :1], segments.own[:, :-1]], dim=1) & ~segments.own
            found.append(level.windows(x, segments)[segments.own])
            found.append(level.flow.end.expand(int(last.sum()), -1))
            count += len(found[-1]) + len(found[-2])
            if count >= CHOICE * entries:
                break
        chosen = torch.randint(count, (entries,), generator=random)
        if count >= entries:
            chosen = torch.randperm(count, generator=random)[:entries]
        level.flow.vocabulary.copy_(torch.cat(found)[chosen])
