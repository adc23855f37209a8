"""From begin probabilities to begins, windows, existences and shares (paper, "Segment Splitter").

Shapes: B documents, N positions, S segments, L window length, M segments kept per document.
Everything is computed in log space, so that begins near 0 and near 1 keep their gradient.
"""

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

NEVER = -1e9  # log existence of what does not exist; finite, so that differences are no NaN


@dataclass(frozen=True)
class Segments:
    """Windows of a batch of documents, packed over documents; slots without a segment are not ``valid``."""

    document: Int[Tensor, " S"]
    start: Int[Tensor, " S"]  # position in the document where the segment begins
    rank: Int[Tensor, " S"]  # how many segments of the document begin before
    valid: Bool[Tensor, " S"]
    index: Int[Tensor, "S L"]  # flat position (document * N + position), 0 where not real
    mask: Bool[Tensor, "S L"]  # real positions of the document
    log_p: Float[Tensor, "S L"]  # log existence, 0 at k = 0
    share: Float[Tensor, "S L"]  # w: sums to 1 over the windows that cover a position
    own: Bool[Tensor, "S L"]  # positions before the next segment's begin
    counts: Int[Tensor, " B"]  # segments of each document

    @property
    def p(self) -> Float[Tensor, "S L"]:
        """Existence, 0 exactly at positions that are not real."""
        return self.log_p.exp() * self.mask

    def take(self, slots: Int[Tensor, " T"]) -> "Segments":
        """Some of the segments."""
        each = {f.name: getattr(self, f.name)[slots] for f in fields(self) if f.name != "counts"}
        return Segments(**each, counts=self.counts)


def real_positions(lengths: Int[Tensor, " B"], positions: int) -> Bool[Tensor, "B N"]:
    """True before each document's length."""
    return torch.arange(positions, device=lengths.device) < lengths[:, None]


def choose_begins(
    logits: Float[Tensor, "B N"], real: Bool[Tensor, "B N"], window: int, generator: torch.Generator | None
) -> Bool[Tensor, "B N"]:
    """Where segments begin: Bernoulli(b) with a generator, b >= 1/2 without one.

    The first position always begins; a begin is forced where ``window`` positions have passed without one.
    """
    if generator is None:
        begins = logits >= 0
    else:
        begins = torch.rand(logits.shape, generator=generator, device=logits.device) < logits.sigmoid()
    return force_begins(begins, real, window)


def force_begins(begins: Bool[Tensor, "B N"], real: Bool[Tensor, "B N"], window: int) -> Bool[Tensor, "B N"]:
    """Begin at 0 and wherever ``window`` positions have passed without a begin."""
    position = torch.arange(begins.shape[1], device=begins.device)
    begins = begins | (position == 0)
    last = torch.where(begins, position, 0).cummax(dim=1).values
    return (begins | ((position - last) % window == 0)) & real


def cut(
    logits: Float[Tensor, "B N"],
    begins: Bool[Tensor, "B N"],
    lengths: Int[Tensor, " B"],
    window: int,
    capacity: int | None,
    hard: bool = False,
) -> Segments:
    """Lay a window at every begin. At most ``capacity`` segments are kept (all of them if None).

    ``hard``: a window exists up to the next begin and not behind it, and the begins get no gradient.
    """
    batch, positions = begins.shape
    flat = begins.flatten()
    if capacity is None:
        at = flat.nonzero().squeeze(1)
    else:
        at = torch.nonzero_static(flat, size=capacity, fill_value=-1).squeeze(1)
    valid, at = at >= 0, at.clamp(min=0)
    document, start = at // positions, at % positions
    number = begins.cumsum(dim=1)
    rank = number.flatten()[at] - 1
    step = torch.arange(window, device=begins.device)
    position = start[:, None] + step
    mask = (position < lengths[document][:, None]) & valid[:, None]
    index = torch.where(mask, document[:, None] * positions + position, 0)
    own = (number.flatten()[index] == (rank + 1)[:, None]) & mask
    if hard:
        log_p = torch.where(own, 0.0, NEVER)
    else:
        keep = logsigmoid(-logits.float()).flatten()[index]
        log_p = survival(torch.where(mask, keep, 0.0))
    return Segments(
        document,
        start,
        rank,
        valid,
        index,
        mask,
        log_p,
        shares(log_p, own if hard else mask, index, batch * positions),
        own,
        begins.sum(dim=1),
    )


def survival(log_keep: Float[Tensor, "S L"]) -> Float[Tensor, "S L"]:
    """log p_k = sum of log(1 - b_j) over 1 <= j <= k; the first position exists with certainty."""
    return torch.cat([torch.zeros_like(log_keep[:, :1]), log_keep[:, 1:].cumsum(dim=1)], dim=1)


def hardened(log_p: Float[Tensor, "S L"]) -> Float[Tensor, "S L"]:
    """Existence rounded to 0 or 1, without gradient."""
    return torch.where(log_p.detach() >= -math.log(2), 0.0, NEVER)


def shares(
    log_p: Float[Tensor, "S L"], mask: Bool[Tensor, "S L"], index: Int[Tensor, "S L"], positions: int
) -> Float[Tensor, "S L"]:
    """w = p over the sum of p of all windows at the same document position; 0 where not real."""
    where = torch.where(mask, index, positions).flatten()
    highest = log_p.new_full((positions + 1,), -torch.inf)
    highest = highest.scatter_reduce(0, where, log_p.detach().flatten(), "amax")
    p = torch.where(mask, log_p - highest[where].view_as(log_p), -torch.inf).exp()
    total = log_p.new_zeros(positions + 1).scatter_add(0, where, p.flatten())
    return torch.where(mask, p / total[where].view_as(p).clamp(min=1e-30), 0.0)


def to_documents(
    z: Float[Tensor, "S E"], segments: Segments, kept: int
) -> tuple[Float[Tensor, "B M E"], Int[Tensor, " B"], Int[Tensor, "B M"]]:
    """Segment vectors in document order, the input of the level above.

    Returns the vectors (zeros after the end), the number kept of each document, and the slot of each.
    """
    batch = segments.counts.shape[0]
    keep = segments.valid & (segments.rank < kept)
    where = torch.where(keep, segments.document * kept + segments.rank, batch * kept)
    slot = torch.zeros(batch * kept + 1, dtype=torch.long, device=z.device)
    slot = slot.scatter(0, where, torch.arange(len(where), device=z.device))[:-1].view(batch, kept)
    lengths = torch.zeros(batch + 1, dtype=torch.long, device=z.device)
    lengths = lengths.scatter_add(0, torch.where(keep, segments.document, batch), keep.long())[:-1]
    real = real_positions(lengths, kept)
    vectors = z.index_select(0, slot.flatten()).view(batch, kept, -1)
    return torch.where(real[..., None], vectors, 0.0), lengths, slot


def window_penalty(logits: Float[Tensor, "B N"], real: Bool[Tensor, "B N"], window: int) -> Float[Tensor, ""]:
    """Mean probability that L, L + 1 or L + 2 positions in a row hold no begin."""
    total = torch.where(real, logsigmoid(-logits.float()), 0.0).cumsum(dim=1)
    total = torch.nn.functional.pad(total, (1, 0))
    terms = [
        mean_of_real((total[:, n:] - total[:, :-n]).exp(), real[:, n - 1 :])
        for n in range(window, min(window + 3, logits.shape[1] + 1))
    ]
    return torch.stack(terms).mean() if terms else logits.sum() * 0.0


def short_penalty(logits: Float[Tensor, "B N"], real: Bool[Tensor, "B N"], vectors: int) -> Float[Tensor, ""]:
    """Mean probability that a begun segment is shorter than C, C - 1 or C - 2 positions, weighted by b."""
    keep = torch.where(real, logsigmoid(-logits.float()), 0.0)
    total = torch.nn.functional.pad(keep.cumsum(dim=1), (1, 0))
    begin = logits.float().sigmoid()
    terms = [
        mean_of_real(begin[:, : -n + 1] * (1 - (total[:, n:] - total[:, 1 : -n + 1]).exp()), real[:, n - 1 :])
        for n in range(max(2, vectors - 2), min(vectors, logits.shape[1] - 1) + 1)
    ]
    return torch.stack(terms).mean() if terms else logits.sum() * 0.0


def rate_penalty(logits: Float[Tensor, "B N"], real: Bool[Tensor, "B N"], target: float) -> Float[Tensor, ""]:
    """Squared distance of the mean begin probability from its target, relative to the target.

    Departs from the paper, which only holds it from above: without a floor, certain begins are the rare ones.
    """
    return ((mean_of_real(logits.float().sigmoid(), real) - target) / target).square()


def indecision(logits: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> Float[Tensor, ""]:
    """Mean of 4 b (1 - b): 0 when every begin is certain (departs from the paper: keeps training close to the
    deterministic split of inference)."""
    b = logits.float().sigmoid()
    return mean_of_real(4 * b * (1 - b), real)


def mean_of_real(x: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> Float[Tensor, ""]:
    """Mean over the positions that are real; 0 where none is."""
    return torch.where(real, x, 0.0).sum() / real.sum().clamp(min=1)
