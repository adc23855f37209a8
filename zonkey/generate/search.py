"""Infilling with flows: rows of vocabulary vectors that agree with every known byte, the likeliest of them.

Departs from the paper, which denoises what touches a gap: beam search over what the flow expects after the text before
the gap, in words that have to fit what is known on both sides. A word that is in no vocabulary is spelt by the flow of
the level below, which says where it ends, too (docs/experiments.md).

Shapes: S paths, U different strings, W bytes of the longest, K candidates, P vectors of a window, D width.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding

from zonkey.attention import Seen
from zonkey.existence import NEVER, real_positions
from zonkey.flow import Candidates, Flow, scores
from zonkey.model import Zonkey
from zonkey.sphere import SAME, sphere_noise, to_sphere
from zonkey.text import BYTES

PATHS = 24  # that are followed from one place, as far as words are whole there
SPELT = 8  # the same, within words that are spelt
BEHIND = 10.0  # nats; a path that is less likely by more than one which has come at least as far is given up
AHEAD = 24  # known bytes after a gap that have their say
UNKNOWN = -1
UNSPELT = -2  # which string stands for words that are in no vocabulary
NONE = -2  # behind the end of a string
LEAST = 1e-30  # probability
BESIDE = 8  # texts that are searched side by side
T = TypeVar("T")


@dataclass(eq=False)
class _Window:
    """The vectors of a window so far, and what a flow says of the next: asked once for all paths that share it."""

    read: tuple[Float[Tensor, "A 2 H d"], ...] = ()  # keys and values of all layers, for each vector that was read
    tail: tuple[Float[Tensor, " D"], ...] = ()  # vectors that the flow has not read yet
    chance: Float[Tensor, " U"] | None = None  # log probability of every string
    unknown: float = NEVER  # log probability that it is none of them

    def __len__(self) -> int:
        return len(self.read) + len(self.tail)

    def then(self, vector: Float[Tensor, " D"]) -> "_Window":
        """A window of one vector more."""
        return _Window(self.read, (*self.tail, vector))


@dataclass(frozen=True)
class _Words:
    """What a flow may choose: strings, and a vector for each; the end of a segment is the last, and empty.

    Above level 0 the one before stands for words that are in no vocabulary, and is never chosen: they are spelt.
    """

    flow: Flow
    candidates: Candidates
    string: Int[Tensor, " K"]  # of every candidate
    vectors: Float[Tensor, "U D"]
    bytes: Int[Tensor, "U W"]
    sizes: Int[Tensor, " U"]
    noise: Float[Tensor, "Q D"]  # of a block: the same for all that are compared
    empty: _Window

    def room(self, window: _Window) -> _Window:
        """A window that has room for one more: a full one is followed by a new one."""
        return window if len(window) < self.flow.window else self.empty


@dataclass(frozen=True)
class _Path:
    """A way through a text: up to which byte, what is written, how likely, and the vectors of the window so far."""

    at: int
    written: bytes
    score: float
    window: _Window
    spelt: bytes | None = None  # of a word that is in no vocabulary, so far


# What a search asks for on its way: what comes after windows. It is sent a row of log probabilities for each.
Asking = Generator[tuple[_Words, list[_Window]], Float[Tensor, "S U"], T]


class Search:
    """Fills gaps with the words of level 1's flow and what level 0's spells, or with the bytes of level 0 alone.

    Texts are searched side by side: what they ask a flow for is answered together.
    """

    def __init__(self, model: Zonkey, generator: torch.Generator) -> None:
        self.model = model
        self.level = min(len(model.levels) - 1, 1)
        self.words = _words(model, self.level, generator)
        self.letters = _words(model, 0, generator) if self.level else None
        self.compressed: dict[bytes, Float[Tensor, " D"]] = {}  # of words that are in no vocabulary
        self.begun: dict[bytes, _Window] = {}  # of letters, by what is spelt so far

    @torch.no_grad()
    def fill(self, texts: Sequence[Sequence[int]]) -> list[tuple[bytes, float]]:
        """Texts with their gaps (:data:`UNKNOWN`) filled, and the mean log probability of a byte of each."""
        return [one for at in range(0, len(texts), BESIDE) for one in self._beside(texts[at : at + BESIDE])]

    def _beside(self, texts: Sequence[Sequence[int]]) -> list[tuple[bytes, float]]:
        """Answers all searches until each has come to its end."""
        found: dict[int, tuple[bytes, float]] = {}
        searches = [self._filled(text) for text in texts]
        answers: dict[int, Tensor | None] = dict.fromkeys(range(len(texts)))
        while answers:
            asked: dict[int, tuple[_Words, list[_Window]]] = {}
            for row, answer in answers.items():
                try:
                    asked[row] = next(searches[row]) if answer is None else searches[row].send(answer)
                except StopIteration as end:
                    found[row] = end.value
            answers = {}
            for words in (self.words, self.letters):
                rows = [row for row, (of, _) in asked.items() if of is words]
                if words is not None and rows:
                    parts = [asked[row][1] for row in rows]
                    chance = self._chances(words, [*chain(*parts)])
                    answers |= dict(zip(rows, chance.split([len(part) for part in parts]), strict=True))
        return [found[row] for row in range(len(texts))]

    def _filled(self, text: Sequence[int]) -> Asking[tuple[bytes, float]]:
        """One text, its gaps one after another."""
        text, total, count = list(text), 0.0, 0
        while UNKNOWN in text:
            start = text.index(UNKNOWN)
            stop = next((at for at in range(start, len(text)) if text[at] != UNKNOWN), len(text))
            ahead = next((at for at in range(stop, len(text)) if text[at] == UNKNOWN), len(text))
            begin, vectors = self._before(bytes(text[:start]), self.level)
            path = _Path(begin, b"", 0.0, reduce(_Window.then, vectors, self.words.empty))
            paths = yield from self._follow(text, path, min(ahead, stop + AHEAD))
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

    def _follow(self, text: list[int], path: _Path, goal: int) -> Asking[list[_Path]]:
        """Ways on from a path until all have written up to ``goal``, the likeliest from every place: those which are
        compared have written as much. At the goal some are within a word, and have not paid for the rest of it."""
        waiting, done = defaultdict(list, {path.at: [path]}), []
        while waiting:
            at = min(waiting)
            here = waiting.pop(at)
            if at >= goal:
                done += here
                continue
            furthest = max(path.score for path in chain(here, done, *waiting.values()))
            here = [path for path in here if path.score > furthest - BEHIND]
            spelt = yield from self._spelt(text, _best((path for path in here if path.spelt is not None), SPELT))
            whole = _best((path for path in (*here, *spelt) if path.spelt is None), PATHS)
            said = yield from self._said(text, whole)
            new = [path for path in said if path.at == at]  # behind the end of a segment
            begun = yield from self._said(text, new)
            unknown = yield from self._spelt(text, _best((*whole, *new), PATHS))
            for path in (*spelt, *said, *begun, *unknown):
                if path.at > at:
                    waiting[path.at].append(path)
        return done

    def _said(self, text: list[int], paths: list[_Path]) -> Asking[list[_Path]]:
        """One word further, or behind the end of a segment."""
        words, found = self.words, []
        if not paths:
            return []
        chance = yield words, [path.window for path in paths]
        for path, word, score in _likeliest(words, text, paths, chance, PATHS):
            string = bytes(words.bytes[word, : int(words.sizes[word])].tolist())
            window = words.room(path.window).then(words.vectors[word]) if string else words.empty
            found.append(_Path(path.at + len(string), path.written + string, score, window))
        return found

    def _spelt(self, text: list[int], paths: list[_Path]) -> Asking[list[_Path]]:
        """One letter of a word further, a new word where none is being spelt; or to the word's end."""
        letters, found = self.letters, []
        if letters is None or not paths:
            return []
        chance = yield letters, [self._begun(letters, path.spelt or b"") for path in paths]
        begun = [0.0 if path.spelt is not None else self.words.room(path.window).unknown for path in paths]
        chance = chance + torch.tensor(begun, device=chance.device)[:, None]
        full = [len(path.spelt or b"") + 1 >= letters.flow.window for path in paths]
        chance[full, :-1] = NEVER  # nothing but its end
        for path, letter, score in _likeliest(letters, text, paths, chance, SPELT + PATHS):
            spelt = path.spelt or b""
            if letter == BYTES:
                window = self.words.room(path.window).then(self._compressed(spelt))
                found.append(_Path(path.at, path.written, score, window))
            else:
                more = bytes([letter])
                found.append(_Path(path.at + 1, path.written + more, score, path.window, spelt + more))
        return found

    def _begun(self, letters: _Words, spelt: bytes) -> _Window:
        """The window of what is spelt so far."""
        if spelt not in self.begun:
            before = self._begun(letters, spelt[:-1]) if spelt else letters.empty
            self.begun[spelt] = before.then(letters.vectors[spelt[-1]]) if spelt else before
        return self.begun[spelt]

    def _compressed(self, word: bytes) -> Float[Tensor, " D"]:
        """The vector of a segment of level 0 that nothing overlaps."""
        if word in self.compressed:
            return self.compressed[word]
        part = self.model.levels[0]
        x = embedding(torch.tensor([list(word)], device=self.model.device), to_sphere(self.model.codebook))
        x = torch.nn.functional.pad(x, (0, 0, 0, part.config.window - len(word)))
        mask = torch.arange(x.shape[1], device=x.device)[None] < len(word)
        self.compressed[word] = part.compressor(x, torch.where(mask, 0.0, NEVER), mask)[0]
        return self.compressed[word]

    def _chances(self, words: _Words, windows: Sequence[_Window]) -> Float[Tensor, "S U"]:
        """Log probability of every string after every window; a full one is followed by a new one."""
        windows = [words.room(window) for window in windows]
        new = [window for window in dict.fromkeys(windows) if window.chance is None]
        _read(words.flow, new)
        alike = defaultdict(list)
        for window in new:  # blocks that have begun alike, the last of a window may be shorter
            alike[len(window.tail), min(words.flow.block, words.flow.window - len(window.read))].append(window)
        for (inside, size), group in alike.items():
            chance = scores(_asked(words, group, inside, size), words.candidates).softmax(dim=-1)
            summed = chance.new_zeros(len(group), len(words.vectors)).index_add(1, words.string, chance)
            for window, row in zip(group, summed.clamp(min=LEAST).log(), strict=True):
                if words.candidates.unknown is not None:
                    window.unknown, row[UNSPELT] = float(row[UNSPELT]), NEVER
                if not len(window):
                    row[-1] = NEVER  # no segment is empty
                window.chance = row
        return torch.stack([window.chance for window in windows if window.chance is not None])  # all of them


def _read(flow: Flow, windows: Sequence[_Window]) -> None:
    """The blocks that are whole."""
    while rows := [window for window in windows if len(window.tail) >= flow.block]:
        known = torch.stack([torch.stack(window.tail[: flow.block]) for window in rows])
        found = flow.read(known, *_seen(flow, rows))
        new = torch.stack([torch.stack([part[:, :, -flow.block :] for part in layer]) for layer in found])
        for window, kept in zip(rows, new.permute(2, 4, 0, 1, 3, 5).contiguous(), strict=True):
            window.read, window.tail = (*window.read, *kept), window.tail[flow.block :]


def _asked(words: _Words, windows: Sequence[_Window], inside: int, size: int) -> Float[Tensor, "S D"]:
    """What the flow asks for next, where nothing but noise stands yet behind the first ``inside`` of a block's."""
    x = words.noise[:size].repeat(len(windows), 1, 1)
    t = x.new_ones(x.shape[:2])
    if inside:
        x[:, :inside], t[:, :inside] = torch.stack([torch.stack(window.tail) for window in windows]), 0.0
    seen, start, real = _seen(words.flow, windows)
    return words.flow(x, t, torch.zeros_like(x), x[:, :0], start, seen, real)[:, inside]


def _seen(
    flow: Flow, windows: Sequence[_Window]
) -> tuple[Sequence[Seen | None], Int[Tensor, " S"], Bool[Tensor, "S P"] | None]:
    """What the flow has read of windows, side by side: keys and values, how many there are, and which are real."""
    start = torch.tensor([len(window.read) for window in windows], device=flow.end.device)
    longest = int(start.max())
    if not longest:
        return flow.unread, start, None
    nothing = torch.zeros_like(next(window.read[0] for window in windows if window.read))
    rows = [one for window in windows for one in (*window.read, *[nothing] * (longest - len(window.read)))]
    layers = torch.stack(rows).unflatten(0, (len(windows), longest)).permute(2, 3, 0, 4, 1, 5)
    return [(keys, values) for keys, values in layers], start, real_positions(start, longest)


def _likeliest(
    words: _Words, text: list[int], paths: list[_Path], chance: Float[Tensor, "S U"], count: int
) -> list[tuple[_Path, int, float]]:
    """The likeliest ways on from one place that agree with the text: a path, the string to lengthen it by, and its
    score then."""
    chance = chance.masked_fill(~_agrees(words, text, paths[0].at), NEVER)
    total = chance + torch.tensor([path.score for path in paths], device=chance.device)[:, None]
    best = total.flatten().topk(min(count, total.numel()))
    return [
        (paths[index // total.shape[1]], index % total.shape[1], score)
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        if score > NEVER / 2
    ]


def _best(paths: Iterable[_Path], count: int) -> list[_Path]:
    return sorted(paths, key=lambda path: -path.score)[:count]


def _words(model: Zonkey, level: int, generator: torch.Generator) -> _Words:
    flow = model.levels[level].flow
    assert flow is not None  # the objective is flow
    candidates = model.candidates(level)
    found = candidates.vectors
    end = torch.nn.functional.cosine_similarity(found, flow.end, dim=-1) > SAME
    if level:
        decoded = model.levels[level - 1].decode(found[:, None], torch.ones_like(end, dtype=torch.long))
        written = model.read_bytes(decoded.x, decoded.lengths)
    else:
        written = [bytes([value]) for value in range(BYTES)] + [b""]
    read: list[bytes | None] = [b"" if ends else one for one, ends in zip(written, end.tolist(), strict=True)]
    special: list[bytes | None] = [b""]
    if candidates.unknown is not None:
        read[candidates.unknown], special = None, [None, b""]
    strings = [*sorted({one for one in read if one}), *special]
    number = {string: at for at, string in enumerate(strings)}
    string = torch.tensor([number[one] for one in read], device=model.device)
    commonest: dict[bytes | None, int] = {}
    for at in candidates.prior.argsort(descending=True, stable=True).tolist():
        commonest.setdefault(read[at], at)
    vectors = found[[commonest.get(one, 0) for one in strings]]
    spelt = [one or b"" for one in strings]
    sizes = torch.tensor([len(one) for one in spelt], device=model.device)
    padded = [[*one, *[NONE] * (int(sizes.max()) - len(one))] for one in spelt]
    rows = torch.tensor(padded, dtype=torch.int16, device=model.device)
    noise = sphere_noise((min(flow.block, flow.window), found.shape[1]), generator, model.device)
    return _Words(flow, candidates, string, vectors, rows, sizes, noise, _Window())


def _agrees(words: _Words, text: list[int], at: int) -> Bool[Tensor, " U"]:
    """Which strings agree with the known bytes from a place on; what is behind the text's end is not known."""
    longest = words.bytes.shape[1]
    here = [*text[at : at + longest], *[UNKNOWN] * longest][:longest]
    known = torch.tensor(here, dtype=words.bytes.dtype, device=words.bytes.device)
    return ((known == UNKNOWN) | (words.bytes == NONE) | (known == words.bytes)).all(dim=-1)
