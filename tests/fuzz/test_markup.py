"""Gaps in texts: any string is read as it is written, or refused in one sentence."""

from __future__ import annotations

import functools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.cases import CASES, one_sentence
from tests.model.build import model
from zonkey import Zonkey
from zonkey.generate import fill_gaps
from zonkey.generate.markup import LONGEST_GAP, Gap, parse_gaps

pytestmark = pytest.mark.usefixtures("unchecked")

Parts = tuple[str | Gap, ...]
MARK = "{gap"
pieces = st.sampled_from(
    ["{", "}", "{gap", "{gap}", "{gap:", "{gap:7}", "{gap:0}", "{gap:04096}", "{gap:4097}", "{gap:²}", "{gap:٣}",
     "{gap: 1}", "{gap:+1}", "{gap:1_0}", "{gap:9", "{GAP}", "{{gap}}", ":", "1", " ", "\n", "\0", "é", "\ud800"],
)  # fmt: skip
anything = st.text(st.characters(), max_size=12)
gaps = st.integers(-5, 10**6).map("{{gap:{}}}".format)
strings = st.lists(st.one_of(pieces, anything, gaps), max_size=8).map("".join)
lengths = st.one_of(st.none(), st.integers(1, LONGEST_GAP))


def written(parts: Parts) -> str:
    """What is read as these parts."""
    return "".join(p if isinstance(p, str) else MARK + (f":{p.length}" if p.length else "") + "}" for p in parts)


def scanned(text: str) -> Parts | None:
    """A second reader, character by character; None for what has no gap or a malformed one."""
    parts: list[str | Gap] = []
    plain = at = 0
    while (at := text.find(MARK, at)) >= 0:
        end = text.find("}", at)
        inside = text[at + len(MARK) : end]
        digits = inside[1:]
        number = bool(digits) and all("0" <= one <= "9" for one in digits) and 1 <= int(digits) <= LONGEST_GAP
        if end < 0 or (inside and not (inside[0] == ":" and number)):
            return None
        parts += [text[plain:at], Gap(int(digits) if inside else None)]
        plain = at = end + 1
    parts.append(text[plain:])
    return tuple(part for part in parts if part) if any(isinstance(part, Gap) for part in parts) else None


@CASES
@given(strings)
def test_any_string_is_read_or_refused(text: str) -> None:
    want = scanned(text)
    try:
        found = parse_gaps(text)
    except ValueError as error:
        assert want is None, f"refused: {error}"
        assert one_sentence(error).startswith("malformed gap" if MARK in text else "the text has no gap")
        return
    assert found == want and written(found) == re.sub(r"\{gap:0+", "{gap:", text)


@CASES
@given(st.lists(st.one_of(lengths, anything.filter(lambda text: "{" not in text)), min_size=1, max_size=9))
def test_what_is_written_is_read(drawn: list[str | int | None]) -> None:
    parts: list[str | Gap] = []
    for one in drawn:
        if not isinstance(one, str):
            parts.append(Gap(one))
        elif one and parts and isinstance(parts[-1], str):
            parts[-1] += one
        elif one:
            parts.append(one)
    if not any(isinstance(part, Gap) for part in parts):
        parts.append(Gap(None))
    assert parse_gaps(written(tuple(parts))) == tuple(parts)


@functools.cache
def built() -> Zonkey:
    return model(2)


@CASES
@given(
    st.lists(
        st.lists(st.one_of(st.binary(max_size=9), st.integers(1, 9)), min_size=1, max_size=5).filter(
            lambda text: sum(part if isinstance(part, int) else len(part) for part in text) >= 2
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 2**31),
)
def test_bytes_beside_gaps_are_kept(texts: list[list[bytes | int]], seed: int) -> None:
    for text, filled in zip(texts, fill_gaps(built(), texts, steps=1, seed=seed), strict=True):
        at = 0
        for part in text:
            size = part if isinstance(part, int) else len(part)
            assert isinstance(part, int) or filled[at : at + size] == part
            at += size
        assert len(filled) == at


@pytest.mark.parametrize(("text", "at"), [("{gap}{gap", 5), ("a{gap:3}a{gap", 9), ("{gap:3}{gap:", 7)])
def test_the_malformed_gap_is_the_one_that_is_shown(text: str, at: int) -> None:
    with pytest.raises(ValueError, match=f"malformed gap at character {at}: "):
        parse_gaps(text)


def test_a_length_of_thousands_of_digits_is_refused_in_short() -> None:
    with pytest.raises(ValueError, match="malformed gap") as caught:
        parse_gaps("a {gap:" + "1" * 5000 + "} b")
    one_sentence(caught.value, str(LONGEST_GAP))
