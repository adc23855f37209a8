"""Loss terms of one level, as pure functions and as a type of their own (never mixed with metrics).

Shapes: S segments, L window, R positions, D width, V entries of a codebook, K sampled negatives.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from zonkey.config import LossConfig
from zonkey.sphere import SAME

COS_LIMIT = 1 - 1e-4  # times every cosine, so that its logit is finite


@dataclass(frozen=True)
class LevelLosses:
    """Unweighted loss terms, in the paper's order; None where a term does not apply."""

    clean: Float[Tensor, ""] | None = None
    existence: Float[Tensor, ""] | None = None
    window: Float[Tensor, ""] | None = None
    short: Float[Tensor, ""] | None = None
    predict: Float[Tensor, ""] | None = None  # these two where the level has foresight
    surprise: Float[Tensor, ""] | None = None
    rate: Float[Tensor, ""] | None = None
    decisive: Float[Tensor, ""] | None = None
    dirty: Float[Tensor, ""] | None = None
    noisy: Float[Tensor, ""] | None = None
    through: Float[Tensor, ""] | None = None
    masked: Float[Tensor, ""] | None = None  # above level 0
    masked_bytes: Float[Tensor, ""] | None = None  # at level 0
    spread: Float[Tensor, ""] | None = None
    position: Float[Tensor, ""] | None = None
    sequence: Float[Tensor, ""] | None = None

    def named(self) -> dict[str, Tensor]:
        """The terms that apply."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def total(self, weights: LossConfig) -> Float[Tensor, ""]:
        """Weighted sum; a term of weight 0 takes no part, not even with a NaN."""
        terms = [getattr(weights, name) * term for name, term in self.named().items() if getattr(weights, name)]
        return torch.stack(terms).sum()


@dataclass(frozen=True)
class LevelMetrics:
    """Numbers to look at; none has a gradient. None where nothing is reconstructed."""

    begin_rate: Float[Tensor, ""]  # mean begin probability
    decided: Float[Tensor, ""]  # share of begin probabilities below 0.1 or above 0.9
    accuracy: Float[Tensor, ""] | None = None  # share-weighted: nearest candidate is the truth, from a clean vector
    noisy_accuracy: Float[Tensor, ""] | None = None  # the same from vectors at uniform noise levels
    offset_error: Float[Tensor, ""] | None = None  # mean |likeliest - true offset| of the stitcher

    def named(self) -> dict[str, Tensor]:
        """Those that were measured."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


def cosine_logits(cos: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """2 atanh(cos): the logit of a candidate at this cosine (paper, reconstruction loss), finite at 1."""
    return 2 * torch.atanh(COS_LIMIT * cos)


def codebook_loss(
    x: Float[Tensor, "R D"], codebook: Float[Tensor, "V D"], ids: Int[Tensor, " R"]
) -> tuple[Float[Tensor, " R"], Bool[Tensor, " R"]]:
    """Level 0: cross-entropy against all entries; also whether the likeliest is the truth.

    exp(2 atanh c) is 2 / (1 - c) - 1, so the sum over entries needs no exponential.
    """
    with torch.autocast(x.device.type, enabled=False):
        cos = COS_LIMIT * normalize(x.float(), dim=-1) @ normalize(codebook.float(), dim=-1).T
        total = 2 * (1 - cos).reciprocal().sum(dim=-1) - len(codebook)
        truth = 2 * torch.atanh(cos.gather(1, ids[:, None])[:, 0])
        likeliest = cos.detach().amax(dim=-1)  # a tenth of argmax's time
    return total.log() - truth, cos.detach().gather(1, ids[:, None])[:, 0] >= likeliest


def contrastive_loss(
    x: Float[Tensor, "R D"], truth: Float[Tensor, "R D"], candidates: Float[Tensor, "K D"]
) -> tuple[Float[Tensor, " R"], Bool[Tensor, " R"], Float[Tensor, " R"]]:
    """Above level 0: the true vector against K sampled ones, which all positions share. Also whether the truth
    wins, and 1 - cos.

    Candidates that are (nearly) the truth, such as the truth itself or the same word elsewhere, are left out: as
    negatives they would push the result away from where it belongs.
    """
    x, truth, candidates = (normalize(v.float(), dim=-1) for v in (x, truth, candidates))
    with torch.autocast(x.device.type, enabled=False):
        cos = (x * truth).sum(dim=-1)
        other = COS_LIMIT * x @ candidates.T
        same = truth.detach() @ candidates.detach().T > SAME
    positive = cosine_logits(cos)
    rival = (2 * (1 - other).reciprocal() - 1).masked_fill(same, 0.0).sum(dim=-1)
    wins = COS_LIMIT * cos > other.masked_fill(same, -1.0).amax(dim=-1)
    return (rival + positive.exp()).log() - positive, wins, 1 - cos


def existence_loss(
    log_p: Float[Tensor, "S L"], target: Float[Tensor, "S L"], valid: Bool[Tensor, " S"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy of predicted against true existence, without gradient to the target."""
    log_p, target = log_p[:, 1:].clamp(max=-1e-6), target[:, 1:].detach()
    each = -(target * log_p + (1 - target) * torch.log(-torch.expm1(log_p)))
    return (each.mean(dim=1) * valid).sum() / valid.sum().clamp(min=1)


def weighted_mean(values: Float[Tensor, "*shape"], weights: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """sum(w v) / sum(w); 0 where nothing has weight."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def best_interpolation(
    result: Float[Tensor, "S L D"],
    start: Float[Tensor, "S L D"],
    truth: Float[Tensor, "S L D"],
    share: Float[Tensor, "S L"],
    least: Float[Tensor, " S"],
) -> Float[Tensor, " S"]:
    """The point on the segment from ``start`` (0) to ``truth`` (1) nearest to ``result``, one per sequence.

    Closed form: sum w <result - start, truth - start> / sum w |truth - start|^2, kept in [least, 1]. ``least`` is
    the way a step of this size has to go (departs from the paper: with 0, standing still would cost nothing).
    """
    way, gone = truth - start, result - start
    dot = ((way * gone).sum(dim=-1) * share).sum(dim=-1)
    square = (way.square().sum(dim=-1) * share).sum(dim=-1)
    return torch.minimum(torch.maximum(dot / square.clamp(min=1e-6), least), torch.ones_like(least))


def spread_loss(
    z: Float[Tensor, "S E"], document: Int[Tensor, " S"], valid: Bool[Tensor, " S"], shift: int
) -> Float[Tensor, ""]:
    """Squared mean cosine between vectors of different documents, ``shift`` slots apart."""
    cos = (normalize(z, dim=-1) * normalize(z.roll(shift, 0), dim=-1)).sum(dim=-1)
    pair = (document != document.roll(shift, 0)) & valid & valid.roll(shift, 0)
    return weighted_mean(cos, pair.float()).square()


def offset_loss(
    log_offset: Float[Tensor, "S L"], offset: Int[Tensor, " S"], share: Float[Tensor, " S"]
) -> Float[Tensor, ""]:
    """Share-weighted expected distance between inferred and true offset, in windows (stitcher, position)."""
    window = log_offset.shape[-1]
    candidates = torch.arange(1, window + 1, device=log_offset.device)
    distance = (candidates - offset[:, None]).abs() / window
    return weighted_mean((log_offset.exp() * distance).sum(dim=-1), share)
