"""Infilling with flows: rows of vocabulary vectors that agree with every known byte, the likeliest of them.

Departs from the paper, which denoises what touches a gap: beam search over what the flow expects after the text before
the gap, in words that have to fit what is known on both sides. A word that is in no vocabulary is spelt by the flow of
the level below, which says where it ends, too (docs/experiments.md).

Shapes: S paths, U different strings, W bytes of the longest, K candidates, P vectors of a window, D width.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding

from zonkey.existence import NEVER
from zonkey.flow import Candidates, Flow, scores
from zonkey.model import Zonkey
from zonkey.sphere import SAME, sphere_noise, to_sphere
from zonkey.text import BYTES

PATHS = 24  # that are followed from one place, as far as words are whole there
SPELT = 8  # the same, within words that are spelt
BEHIND = 10.0  # nats; a path that is less likely by more than one which has come as far is given up
UNSEEN = math.log(0.05)  # log of the chance that the next word is in no vocabulary
AHEAD = 24  # known bytes after a gap that have their say
UNKNOWN = -1
NONE = -2  # behind the end of a string
LEAST = 1e-30  # probability


@dataclass(frozen=True)
class _Words:
    """What a flow may choose: strings, and a vector for each; the end of a segment is the last, and empty."""

    flow: Flow
    candidates: Candidates
    string: Int[Tensor, " K"]  # of every candidate
    vectors: Float[Tensor, "U D"]
    bytes: Int[Tensor, "U W"]
    sizes: Int[Tensor, " U"]


@dataclass(frozen=True)
class _Path:
    """A way through a text: up to which byte, what is written, how likely, and the vectors of the window so far."""

    at: int
    written: bytes
    score: float
    window: tuple[Float[Tensor, " D"], ...]
    spelt: bytes | None = None  # of a word that is in no vocabulary, so far


class Search:
    """Fills gaps with the words of level 1's flow and what level 0's spells, or with the bytes of level 0 alone."""

    def __init__(self, model: Zonkey, generator: torch.Generator) -> None:
        self.model, self.generator = model, generator
        self.level = min(len(model.levels) - 1, 1)
        self.words = _words(model, self.level)
        self.letters = _words(model, 0) if self.level else None

    @torch.no_grad()
    def fill(self, text: list[int]) -> tuple[bytes, float]:
        """The text with its gaps (:data:`UNKNOWN`) filled one after another, and the mean log probability of a byte."""
        text, total, count = list(text), 0.0, 0
        while UNKNOWN in text:
            start = text.index(UNKNOWN)
            stop = next((at for at in range(start, len(text)) if text[at] != UNKNOWN), len(text))
            ahead = next((at for at in range(stop, len(text)) if text[at] == UNKNOWN), len(text))
            begin, window = self._before(bytes(text[:start]), self.level)
            paths = self._follow(text, [_Path(begin, b"", 0.0, window)], min(ahead, stop + AHEAD))
            best = max(paths, key=lambda path: path.score)
            text[start:stop] = best.written[start - begin : stop - begin]
            total, count = total + best.score, count + best.at - begin
        return bytes(text), total / max(count, 1)

    def _before(self, known: bytes, level: int) -> tuple[int, tuple[Float[Tensor, " D"], ...]]:
        """Where the search begins, and the window's vectors before that.

        The last segment below ``level`` may go on in the gap: it is searched anew. Bytes of level 0 are whole.
        """
        if len(known) < 2:
            return 0, ()
        model = self.model
        x = embedding(torch.tensor([list(known)], device=model.device), to_sphere(model.codebook))
        lengths = torch.tensor([len(known)], device=model.device)
        offsets = torch.arange(len(known), device=model.device)
        for part in model.levels[:level]:
            _, segments = part.split(x, lengths)
            x, lengths, offsets = part.compress(x, segments)[None], segments.counts, offsets[segments.start]
        _, segments = model.levels[level].split(x, lengths)
        first, last = int(segments.start[-1]), int(lengths[0]) - 1
        if level == 0:
            return len(known), tuple(x[0, first:])
        return int(offsets[last]), tuple(x[0, first:last])

    def _follow(self, text: list[int], paths: list[_Path], goal: int) -> list[_Path]:
        """Lengthen the likeliest paths until all have written up to ``goal``: place by place, so that those which are
        compared have written as much."""
        waiting, done = defaultdict(list, {paths[0].at: paths}), []
        while waiting:
            at = min(waiting)
            here = waiting.pop(at)
            if at >= goal:
                done += here
                continue
            furthest = max(path.score for path in chain(here, done, *waiting.values()))
            here = [path for path in here if path.score > furthest - BEHIND]
            spelt = self._spelt(text, _best((path for path in here if path.spelt is not None), SPELT))
            whole = _best((path for path in (*here, *spelt) if path.spelt is None), PATHS)
            said = self._said(text, whole)
            new = [path for path in said if path.at == at]  # behind the end of a segment
            grown = (*spelt, *said, *self._said(text, new), *self._spelt(text, _best((*whole, *new), PATHS)))
            for path in grown:
                if path.at > at:
                    waiting[path.at].append(path)
        return done

    def _said(self, text: list[int], paths: list[_Path]) -> list[_Path]:
        """One word further."""
        return [
            _lengthened(path, self.words, word, score)
            for path, word, score in _likeliest(self.words, text, paths, self._chances(self.words, paths), PATHS)
        ]

    def _spelt(self, text: list[int], paths: list[_Path]) -> list[_Path]:
        """One letter of a word further, a new word where none is being spelt; or to the word's end."""
        letters, found = self.letters, []
        if letters is None:
            return []
        before = [replace(path, window=tuple(letters.vectors[list(path.spelt or b"")])) for path in paths]
        chance = self._chances(letters, before)
        chance[[row for row, path in enumerate(paths) if path.spelt is None]] += UNSEEN
        full = [len(one.window) + 1 >= letters.flow.window for one in before]
        chance[full, :-1] = NEVER  # nothing but its end
        for path, letter, score in _likeliest(letters, text, paths, chance, SPELT + PATHS):
            spelt = path.spelt or b""
            if letter == BYTES:
                window = path.window if len(path.window) < self.words.flow.window else ()
                found.append(replace(path, score=score, window=(*window, self._compressed(spelt)), spelt=None))
            else:
                more = bytes([letter])
                found.append(_Path(path.at + 1, path.written + more, score, path.window, spelt + more))
        return found

    def _compressed(self, word: bytes) -> Float[Tensor, " D"]:
        """The vector of a segment of level 0 that nothing overlaps."""
        part = self.model.levels[0]
        x = embedding(torch.tensor([list(word)], device=self.model.device), to_sphere(self.model.codebook))
        x = torch.nn.functional.pad(x, (0, 0, 0, part.config.window - len(word)))
        mask = torch.arange(x.shape[1], device=x.device)[None] < len(word)
        return part.compressor(x, torch.where(mask, 0.0, NEVER), mask)[0]

    def _chances(self, words: _Words, paths: list[_Path]) -> Float[Tensor, "S U"]:
        """Log probability of every string after every path; a full window is followed by a new one."""
        flow = words.flow
        if not paths:
            return words.vectors.new_zeros(0, len(words.vectors))
        windows = [path.window if len(path.window) < flow.window else () for path in paths]
        out = words.vectors.new_zeros(len(windows), len(words.vectors))
        for length in sorted({len(window) for window in windows}):
            rows = [row for row, window in enumerate(windows) if len(window) == length]
            known = words.vectors.new_zeros(len(rows), length, words.vectors.shape[1])
            if length:
                known = torch.stack([torch.stack(windows[row]) for row in rows])
            chance = scores(self._asked(flow, known), words.candidates).softmax(dim=-1)
            summed = out.new_zeros(len(rows), out.shape[1]).index_add(1, words.string, chance)
            out[rows] = summed.clamp(min=LEAST).log()
            if not length:
                out[rows, -1] = NEVER  # no segment is empty
        return out

    def _asked(self, flow: Flow, known: Float[Tensor, "S P D"]) -> Float[Tensor, "S D"]:
        """What the flow asks for next, where nothing but noise stands yet."""
        count, length, width = known.shape
        whole = length - length % flow.block
        size = min(flow.block, flow.window - whole)
        x = sphere_noise((count, size, width), self.generator, known.device)
        t = known.new_ones(count, size)
        inside = length - whole  # of a block that has begun
        x[:, :inside], t[:, :inside] = known[:, whole:], 0.0
        return flow(x, t, torch.zeros_like(x), known[:, :whole], whole)[:, inside]


def _likeliest(
    words: _Words, text: list[int], paths: list[_Path], chance: Float[Tensor, "S U"], count: int
) -> list[tuple[_Path, int, float]]:
    """The likeliest ways on that agree with the text: a path, the string to lengthen it by, and its score then."""
    if not paths:
        return []
    chance = chance.masked_fill(~_agrees(words, text, [path.at for path in paths]), NEVER)
    total = chance + torch.tensor([path.score for path in paths], device=chance.device)[:, None]
    best = total.flatten().topk(min(count, total.numel())).indices
    found = ((index // total.shape[1], index % total.shape[1]) for index in best.tolist())
    scored = ((row, word, float(total[row, word])) for row, word in found)
    return [(paths[row], word, score) for row, word, score in scored if score > NEVER / 2]


def _best(paths: Iterable[_Path], count: int) -> list[_Path]:
    return sorted(paths, key=lambda path: -path.score)[:count]


def _lengthened(path: _Path, words: _Words, word: int, score: float) -> _Path:
    string = bytes(words.bytes[word, : int(words.sizes[word])].tolist())
    window = path.window if len(path.window) < words.flow.window else ()
    return _Path(path.at + len(string), path.written + string, score, (*window, words.vectors[word]) if string else ())


def _words(model: Zonkey, level: int) -> _Words:
    flow = model.levels[level].flow
    assert flow is not None  # the objective is flow
    candidates = model.candidates(level)
    found = candidates.vectors
    end = torch.nn.functional.cosine_similarity(found, flow.end, dim=-1) > SAME
    if level:
        decoded = model.levels[level - 1].decode(found[:, None], torch.ones_like(end, dtype=torch.long))
        read = model.read_bytes(decoded.x, decoded.lengths)
    else:
        read = [bytes([value]) for value in range(BYTES)] + [b""]
    read = [b"" if ends else string for string, ends in zip(read, end.tolist(), strict=True)]
    strings = [*sorted({string for string in read if string}), b""]
    number = {string: at for at, string in enumerate(strings)}
    string = torch.tensor([number[one] for one in read], device=model.device)
    commonest: dict[bytes, int] = {}
    for at in candidates.prior.argsort(descending=True, stable=True).tolist():
        commonest.setdefault(read[at], at)
    vectors = found[[commonest.get(one, 0) for one in strings]]
    sizes = torch.tensor([len(one) for one in strings], device=model.device)
    rows = torch.full((len(strings), max(map(len, strings))), NONE, device=model.device)
    for at, one in enumerate(strings):
        rows[at, : len(one)] = torch.tensor(list(one), device=model.device)
    return _Words(flow, candidates, string, vectors, rows, sizes)


def _agrees(words: _Words, text: list[int], at: list[int]) -> Bool[Tensor, "S U"]:
    """Which strings agree with the known bytes from each place on; what is behind the text's end is not known."""
    longest = words.bytes.shape[1]
    padded = torch.tensor([*text, *[UNKNOWN] * longest], device=words.bytes.device)
    here = torch.stack([padded[place : place + longest] for place in at])[:, None]
    return ((here == UNKNOWN) | (words.bytes == NONE) | (here == words.bytes)).all(dim=-1)
