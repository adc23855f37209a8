"""Flow: which vectors a window of a level holds, where noise hides them (objective ``flow``).

Departs from the paper, whose sampler decodes a compressed vector and compresses it again in every step: here the
vectors of a window come out of the noise themselves, block after block, each compared with candidates, which are the
bytes at level 0 and a vocabulary of vectors above (docs/experiments.md).

Shapes: S windows, L positions of a window, P known ones, Q hidden ones, K candidates, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding, normalize

from zonkey.attention import MASKED, Seen
from zonkey.config import LevelConfig
from zonkey.existence import NEVER
from zonkey.sphere import SAME, to_sphere
from zonkey.transformer import Encoder, Real, time_features

UNKNOWN = -2  # which entry of a vocabulary stands for all others
START = 0.5  # scale of the learned places at the start


@dataclass(frozen=True)
class Candidates:
    """What a position may be, each once, and how common it is."""

    vectors: Float[Tensor, "K D"]
    prior: Float[Tensor, " K"]  # log of how often it was seen
    meaning: Float[Tensor, "K D"] | None = None  # learned, beside what it looks like; None: asked for by looks alone
    unknown: int | None = None  # the one that stands for all that is none of the others

    @property
    def certain(self) -> "Candidates":
        """The same without the one that stands for what is none of them."""
        if self.unknown is None:
            return self
        chosen = torch.arange(len(self.prior), device=self.prior.device) != self.unknown
        return replace(self, prior=torch.where(chosen, self.prior, NEVER))

    @property
    def keys(self) -> Float[Tensor, "K D"]:
        """What a candidate is asked for by."""
        return self.vectors if self.meaning is None else self.vectors + self.meaning


class Flow(nn.Module):
    """A transformer over known vectors and hidden ones: asks for the vector behind each hidden one.

    The window is denoised in blocks of ``block`` positions: a hidden block sees itself and the known blocks before it;
    known vectors see those up to their own block. ``vocabulary`` holds vectors of text, each once, ``prior`` the
    logarithms of how often they stand there, and ``meaning`` what is learned of each beside what it looks like (none at
    level 0, whose candidates are the bytes). ``end`` stands after a window's last vector, and is the last entry; the
    one before is ``unknown``, which is asked for where a vector is none of the others.
    """

    vocabulary: Float[Tensor, "K D"]
    prior: Float[Tensor, " K"]
    end: Float[Tensor, " D"]
    unknown: Float[Tensor, " D"] | None

    def __init__(self, config: LevelConfig, block: int, entries: int) -> None:
        super().__init__()
        width, self.window, self.block = config.width, config.window, block
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.places = nn.Parameter(START * torch.randn(config.window, width))
        self.noised = nn.Linear(width, width)
        self.estimate = nn.Linear(width, width, bias=False)
        self.encoder = Encoder(width, config.heads, config.flow_layers)
        self.out = nn.Linear(width, width)
        self.register_buffer("vocabulary", to_sphere(torch.randn(entries, width)))
        self.register_buffer("prior", torch.zeros(entries))
        self.register_buffer("end", to_sphere(torch.randn(width)))
        self.register_buffer("unknown", to_sphere(torch.randn(width)) if entries else None)
        self.meaning = nn.Parameter(torch.zeros(entries, width)) if entries else None

    def forward(
        self,
        x: Float[Tensor, "S Q D"],
        t: Float[Tensor, "S Q"],
        estimate: Float[Tensor, "S Q D"],
        known: Float[Tensor, "S P D"],
        start: int | Int[Tensor, " S"] = 0,
        seen: Sequence[Seen | None] | None = None,
        real: Real = None,
    ) -> Float[Tensor, "S Q D"]:
        """What is asked for at the hidden positions ``x``, which are at noise levels ``t`` and begin at ``start``.

        ``estimate`` is an earlier answer (:func:`expected`), or zeros; ``known`` are the window's first vectors. They
        are not read again where they were ``seen`` (:meth:`read`); ``x`` is then one block, which may begin elsewhere
        in every window, if it is told which positions that were seen are ``real`` (S, P).
        """
        place = _places(start, x)
        x = self.noised(x) + self.estimate(estimate) + self.places[place] + self._heard(t)
        if seen is not None:
            return self.out(self.encoder.extend(x, seen, place.float(), real)[0]).float()
        before = known.shape[1]
        position = torch.arange(before, device=x.device)
        clean = self._known(known) + self.places[position] + self._heard(t.new_zeros(1, 1))
        at = torch.cat([position, place])
        bias = block_bias(at // self.block, before).to(x.dtype)
        found = self.encoder(torch.cat([clean, x], dim=1), bias, keep=slice(before, None), at=at.float())
        return self.out(found).float()

    def read(
        self,
        known: Float[Tensor, "S Q D"],
        seen: Sequence[Seen | None],
        start: int | Int[Tensor, " S"],
        real: Real = None,
    ) -> Sequence[Seen]:
        """What is ``seen`` of all known blocks, with one more that begins at ``start``: keys and values (S, H, P, d) of
        every layer; before the first they are :attr:`unread`."""
        place = _places(start, known)
        x = self._known(known) + self.places[place] + self._heard(known.new_zeros(1, 1))
        return self.encoder.extend(x, seen, place.float(), real)[1]

    @property
    def unread(self) -> Sequence[Seen | None]:
        """What is seen where nothing is known."""
        return [None] * len(self.encoder.blocks)

    def _known(self, x: Float[Tensor, "S P D"]) -> Float[Tensor, "S P D"]:
        """What is heard of clean vectors: how they look and what they mean, or that they are unknown."""
        looks = self.noised(x)
        if self.meaning is None or not x.shape[1]:
            return looks
        return looks + embedding(recognised(x, self.vocabulary, UNKNOWN % len(self.vocabulary)), self.meaning)

    def _heard(self, t: Float[Tensor, "S Q"]) -> Float[Tensor, "S Q D"]:
        return self.time(time_features(t.flatten(), self.out.in_features)).unflatten(0, t.shape)


def _places(start: int | Tensor, x: Float[Tensor, "S Q D"]) -> Int[Tensor, "*S Q"]:
    """Of positions from ``start`` on, in all windows or in each."""
    if isinstance(start, Tensor):
        start = start[:, None]
    return start + torch.arange(x.shape[1], device=x.device)


def block_bias(block: Int[Tensor, " A"], known: int) -> Float[Tensor, "1 1 A A"]:
    """Who sees whom, of ``known`` positions and then hidden ones, by the block that each stands in."""
    query, key = block[:, None], block[None]
    hidden = torch.arange(len(block), device=block.device) >= known
    seen: Bool[Tensor, "A A"] = torch.where(
        hidden[:, None], torch.where(hidden, query == key, query > key), ~hidden & (query >= key)
    )
    return torch.where(seen, 0.0, MASKED)[None, None]


def scores(asked: Float[Tensor, "... D"], candidates: Candidates) -> Float[Tensor, "... K"]:
    """Logit of every candidate: how well it fits, and how common it is."""
    return asked @ candidates.keys.T * candidates.vectors.shape[-1] ** -0.5 + candidates.prior


def expected(asked: Float[Tensor, "... D"], candidates: Candidates, temperature: float = 1.0) -> Float[Tensor, "... D"]:
    """Mean of the candidates by their probability: short where it is unsure."""
    return (scores(asked, candidates) / temperature).softmax(dim=-1) @ candidates.vectors


@torch.no_grad()
def recognised(
    x: Float[Tensor, "*R D"], vectors: Float[Tensor, "K D"], otherwise: int | None = None
) -> Int[Tensor, "*R"]:
    """Which of the ``vectors`` each one is (nearly): the likest if it is :data:`~zonkey.sphere.SAME`, or ``otherwise``
    (-1 if None).

    In lower precision two of them that are nearly as near may be taken for one another; whether one is the same is not
    rounded.
    """
    x, vectors = normalize(x.float(), dim=-1), normalize(vectors.float(), dim=-1)
    at = (x @ vectors.T).argmax(dim=-1)
    return torch.where((x * embedding(at, vectors)).sum(dim=-1) > SAME, at, -1 if otherwise is None else otherwise)


def vocabulary_loss(asked: Float[Tensor, "R D"], at: Int[Tensor, " R"], candidates: Candidates) -> Float[Tensor, " R"]:
    """Cross-entropy of the candidate that is right (:func:`recognised`); 0 where none is, for none can be chosen."""
    with torch.autocast(asked.device.type, enabled=False):
        return cross_entropy(scores(asked.float(), candidates), at, ignore_index=-1, reduction="none")
