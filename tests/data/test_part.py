"""A little of a corpus, and the second built-in language."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.build import config
from zonkey.data import Corpus, DataError, encyclopedia, prepare, take

OTHER = "encyclopedia-other"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    prepare(config().data.model_copy(update={"source": OTHER, "documents": 80}), folder)
    return folder


@pytest.mark.parametrize("size", [4, 100, 1000])
def test_the_first_bytes_are_taken_and_the_other_splits_stay(whole: Path, tmp_path: Path, size: int) -> None:
    summary = take(whole, size, tmp_path / "part")
    part, train = Corpus(tmp_path / "part", "train"), Corpus(whole, "train")
    assert part.data.tobytes() == train.data[:size].tobytes() and summary.bytes["train"] == size  # all ASCII
    assert [part[index] for index in range(len(part) - 1)] == [train[index] for index in range(len(part) - 1)]
    for split in ("judge", "validation", "test"):
        assert Corpus(tmp_path / "part", split).fingerprint == Corpus(whole, split).fingerprint
    assert part.summary.source == OTHER


def test_no_character_is_cut(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text").write_text("\n\n".join(f"바다로 간다 {number}" for number in range(60)))
    data = {"source": "text", "path": str(tmp_path / "in" / "text"), "documents": None}
    prepare(config().data.model_copy(update=data), tmp_path / "corpus")
    for size in range(4, 30):
        take(tmp_path / "corpus", size, tmp_path / "part")
        part = Corpus(tmp_path / "part", "train")
        assert size - 3 <= part.bytes <= size
        assert all("�" not in part.text(index) for index in range(len(part)))


def test_more_than_there_is_cannot_be_taken(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"10000000 bytes of training text are wanted, and .* holds"):
        take(whole, 10_000_000, tmp_path)


def test_the_second_language_accepts_what_it_writes_and_little_of_the_first() -> None:
    accepts, first = encyclopedia.recogniser(OTHER), encyclopedia.recogniser("encyclopedia")
    assert accepts is not None and first is not None and encyclopedia.recogniser("parquet") is None
    theirs = [line for article in encyclopedia.articles(60, 3, OTHER) for line in article.lines()]
    ours = [line for article in encyclopedia.articles(20, 3) for line in article.lines()]
    assert all(map(accepts, theirs)) and all(map(first, ours))
    assert sum(map(accepts, ours)) < 0.05 * len(ours) and sum(map(first, theirs)) < 0.05 * len(theirs)
    words = encyclopedia.vocabulary(OTHER)
    assert len(words - encyclopedia.vocabulary()) > 0.5 * len(words)


def test_its_articles_know_their_words_and_sentences() -> None:
    for article in encyclopedia.articles(20, 5, OTHER):
        data = article.text.encode()
        assert [data[a:b].decode() for a, b in zip(article.sentences, article.ends, strict=True)] == article.lines()
        assert all(data[at - 1 : at] in (b"", b" ", b"\n", b'"', b"(") for at in article.words)
        assert article.url.startswith(f"{OTHER}:")
