"""Damage and what it shifts, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import zonkey.evaluate.robustness
from zonkey.evaluate import DAMAGES, Damaged, Recovery, Shift, TextScore, boundary_shift, damage, recovery
from zonkey.evaluate.segmentation import space_starts

TEXT = "Aé b."  # bytes: A0 é1,2 _3 b4 .5


@pytest.mark.parametrize(
    ("kind", "text", "origin", "hits"),
    [
        ("drop", "", (), 5),
        ("double", "AAéé  bb..", (0, 0, 1, 2, 1, 2, 3, 3, 4, 4, 5, 5), 5),
        ("swap", "éAb .", (0, 0, 1, 3, 4, 5), 2),  # A stands where é was, é where A was: one byte wide
        ("case", "aÉ B.", (0, 1, 2, 3, 4, 5), 3),
    ],
)
def test_damage_everywhere(kind: str, text: str, origin: tuple[int, ...], hits: int) -> None:
    assert damage(TEXT, kind, 1.0, seed=0) == Damaged(text, origin, hits)


def test_replaced_characters_are_others() -> None:
    found = damage(TEXT * 20, "replace", 1.0, seed=0)
    assert found.text.isascii() and found.text.isprintable() and found.hits == len(found.text) == 100
    assert all(one != other for one, other in zip(found.text, TEXT * 20, strict=True))
    assert found.origin[:6] == (0, 1, 3, 4, 5, 6), "one byte stands for the two of é"


@pytest.mark.parametrize("kind", DAMAGES)
def test_rates_and_seeds(kind: str) -> None:
    text = "the river runs to the sea " * 100
    found = damage(text, kind, 0.1, seed=1)
    assert 150 < found.hits < 350 and len(found.origin) == len(found.text.encode())
    assert list(found.origin) == sorted(found.origin), "nothing moves but swapped letters, which keep their places"
    assert found == damage(text, kind, 0.1, seed=1) != damage(text, kind, 0.1, seed=2)
    assert damage(text, kind, 0.0, seed=1) == Damaged(text, tuple(range(len(text))), 0)


@pytest.mark.parametrize(("kind", "rate"), [("burn", 0.1), ("drop", 1.5), ("drop", -0.1)])
def test_damage_that_cannot_be(kind: str, rate: float) -> None:
    with pytest.raises(ValueError, match=r"kind is 'burn'|rate is"):
        damage("text", kind, rate, seed=0)


def test_a_shift_by_hand() -> None:
    # "ab cd" is cut at its space; the damaged "a bcd" at its own, which stands for place 1.
    def split(text: bytes) -> list[int]:
        return sorted({0, *space_starts(text.decode())})

    moved = Damaged("a bcd", (0, 1, 2, 3, 4), 1)
    assert boundary_shift(split, ["ab cd"], [moved]) == Shift(0.0, 1.0, 0.0, 0.0, 1.0)  # both segments are others
    # A doubled letter moves the cut, and the map moves it back; of three segments one is written otherwise.
    doubled = Damaged("aab cd e", (0, 0, 1, 2, 3, 4, 5, 6), 1)
    assert boundary_shift(split, ["ab cd e"], [doubled]) == Shift(1.0, 1.0, 1.0, 1.0, 1 / 3)
    # The first space is lost: one of two cuts is left, and "abcd" stands for two segments of three.
    dropped = Damaged("abcd e", (0, 1, 3, 4, 5, 6), 1)
    assert boundary_shift(split, ["ab cd e"], [dropped]) == Shift(
        pytest.approx(2 / 3), pytest.approx(2 / 3), 1.0, 1 / 2, 2 / 3
    )


def test_one_damaged_text_for_each() -> None:
    with pytest.raises(ValueError, match="1 clean texts, 0 damaged"):
        boundary_shift(lambda text: [0], ["text"], [])


def test_what_comes_back_of_damaged_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def reconstruction(model: object, texts: list[str], level: int) -> SimpleNamespace:
        assert (texts, level) == (["abxd"], 1)
        return SimpleNamespace(score=TextScore(0.5, 0.0, 1), results=("abcd",))

    monkeypatch.setattr(zonkey.evaluate.robustness, "reconstruction", reconstruction)
    assert recovery(None, ["abcd"], [Damaged("abxd", (0, 1, 2, 3), 1)], 1, 0.75) == Recovery(0.5, -0.25, 1.0)
