"""Prepared corpora: whole, split by document, counted, and never left half written."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zonkey.data import SPLITS, Corpus, DataError, prepare
from zonkey.data.progress import Progress
from zonkey.data.shards import split_of


def written(path, rows):
    pq.write_table(pa.Table.from_pylist([{"id": name, "text": text} for name, text in rows]), path)
    return str(path)


def test_every_document_is_in_one_split_as_it_was(tmp_path, configured):
    rows = [(f"doc {i}", f"Text {i} – " + "é서🙂" * (i % 7)) for i in range(200)]
    config = configured(source="parquet", path=written(tmp_path / "a.parquet", rows))
    summary = prepare(config, tmp_path / "corpus")
    found = {}
    for split in SPLITS:
        corpus = Corpus(tmp_path / "corpus", split)
        assert len(corpus) == summary.documents[split] > 0
        assert corpus.bytes == summary.bytes[split] == sum(len(corpus[i]) for i in range(len(corpus)))
        for i in range(len(corpus)):
            assert corpus[i].decode() == corpus.text(i)
            found[corpus.text(i)] = split
        assert corpus[-1] == corpus[len(corpus) - 1]
        with pytest.raises(IndexError):
            corpus[len(corpus)]
    assert found == {text: split_of(name, config) for name, text in rows}


def test_the_split_is_a_function_of_id_and_seed_only(configured):
    split = partial(configured, documents=4000)
    config = split(validation=0.1, test=0.3)
    splits = [split_of(str(i), config) for i in range(4000)]
    assert splits.count("test") / 4000 == pytest.approx(0.3, abs=0.03)
    assert splits.count("validation") / 4000 == pytest.approx(0.1, abs=0.03)
    assert splits.count("judge") / 4000 == pytest.approx(0.2, abs=0.03)
    assert splits[:9] == [split_of(str(i), config) for i in range(9)]
    assert splits != [split_of(str(i), split(validation=0.1, test=0.3, seed=1)) for i in range(4000)]
    # a larger test fraction only adds to the test split
    wider = [split_of(str(i), split(validation=0.1, test=0.4)) for i in range(4000)]
    assert all(after == "test" for before, after in zip(splits, wider, strict=True) if before == "test")
    # the judge's share is taken from the training text alone
    less = [split_of(str(i), split(validation=0.1, test=0.3, judge=0.01)) for i in range(4000)]
    assert {pair for pair in zip(splits, less, strict=True) if pair[0] != pair[1]} == {("judge", "train")}


def test_skipped_and_cut_documents_are_counted(tmp_path, configured):
    rows = [(f"n{i}", "A good document.") for i in range(60)]
    rows += [("n1", "The same id again."), (None, "No name."), ("m1", None), ("m2", ""), ("m3", "tiny")]
    rows += [("long", "é" * 40), ("exact", "x" * 33)]
    path = written(tmp_path / "a.parquet", rows)
    summary = prepare(configured(source="parquet", path=path, min_bytes=5, max_bytes=33), tmp_path / "c")
    assert (summary.null, summary.short, summary.duplicate, summary.cut) == (2, 2, 1, 1)
    assert sum(summary.documents.values()) == 62
    texts = {text for split in SPLITS for c in [Corpus(tmp_path / "c", split)] for text in map(c.text, range(len(c)))}
    assert texts == {"A good document.", "é" * 16, "x" * 33}
    assert json.loads((tmp_path / "c" / "corpus.json").read_text())["duplicate"] == 1


def test_documents_bounds_how_many_are_kept(tmp_path, configured):
    rows = [(f"n{i}", "" if i % 2 else f"document {i}") for i in range(200)]
    path = written(tmp_path / "a.parquet", rows)
    summary = prepare(configured(source="parquet", path=path, documents=40), tmp_path / "c")
    assert sum(summary.documents.values()) == 40 and summary.short == 39


def test_the_same_run_gives_the_same_bytes(tmp_path, configured):
    config = configured(documents=60)
    first, second = (prepare(config, tmp_path / name) for name in ("a", "b"))
    assert first == second and first.entropy > 0 and first.entropy_error > 0
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    for split in SPLITS:
        assert Corpus(tmp_path / "a", split).fingerprint == Corpus(tmp_path / "b", split).fingerprint
    assert len({Corpus(tmp_path / "a", split).fingerprint for split in SPLITS}) == len(SPLITS)
    data = (tmp_path / "a" / "test.bin").read_bytes() + np.load(tmp_path / "a" / "test.index.npy").tobytes()
    assert first.sha256["test"] == hashlib.sha256(data).hexdigest()
    other = prepare(configured(documents=60, seed=1), tmp_path / "c")
    assert other.sha256["train"] != first.sha256["train"]


def test_only_the_files_of_a_corpus_are_left(tmp_path, configured):
    prepare(configured(documents=60), tmp_path)
    names = {f"{split}.{end}" for split in SPLITS for end in ("bin", "index.npy")} | {"corpus.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_failed_run_keeps_the_former_corpus(tmp_path, configured, monkeypatch):
    kept = prepare(configured(documents=60), tmp_path / "c")
    with pytest.raises(DataError, match="empty"):
        prepare(configured(documents=60, min_bytes=60000), tmp_path / "c")
    with pytest.raises(DataError, match="no file"):
        prepare(configured(source="text", path=str(tmp_path / "none")), tmp_path / "c")

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", lambda file, *_, **__: full(None, file.name))
        with pytest.raises(DataError, match=r"cannot write the corpus: .*No space left on device"):
            prepare(configured(documents=60, seed=5), tmp_path / "c")
    assert not [path for path in (tmp_path / "c").iterdir() if path.name.endswith(".partial")]
    assert Corpus(tmp_path / "c", "train").summary == kept

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(DataError, match="No space left"):
            prepare(configured(documents=60, seed=5), tmp_path / "c")
    with pytest.raises(DataError, match=r"corpus.json is missing; run prepare"):
        Corpus(tmp_path / "c", "train")  # files of two runs may lie there, and nobody mistakes them for one


def test_a_corpus_needs_documents_in_every_split(tmp_path, configured):
    path = written(tmp_path / "a.parquet", [("one", "Only one document.")])
    with pytest.raises(DataError, match=r"split is left without documents \(1 in all.*give more documents"):
        prepare(configured(source="parquet", path=path), tmp_path / "c")
    path = written(tmp_path / "b.parquet", [("one", ""), ("two", None)])
    with pytest.raises(
        DataError, match=r"is empty \(1 documents without text or id and 1 documents shorter than 2 bytes\)"
    ):
        prepare(configured(source="parquet", path=path), tmp_path / "c")


def test_a_damaged_corpus_is_refused(tmp_path, configured):
    with pytest.raises(DataError, match="run prepare"):
        Corpus(tmp_path / "none", "train")
    prepare(configured(documents=60), tmp_path)
    with pytest.raises(DataError, match="no split 'all'"):
        Corpus(tmp_path, "all")
    data = (tmp_path / "test.bin").read_bytes()
    (tmp_path / "test.bin").write_bytes(data[:-1])
    with pytest.raises(DataError, match="cut short"):
        Corpus(tmp_path, "test")
    (tmp_path / "test.bin").write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        Corpus(tmp_path, "test")
    (tmp_path / "validation.index.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="damaged"):
        Corpus(tmp_path, "validation")


def test_progress_is_throttled_and_tells_the_time_left(caplog, monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 6.0, 10.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, logger="zonkey.data"):
        progress = Progress("prepare", "documents", total=1000)
        for count in (100, 500, 600, 800):
            progress.update(count)
    assert caplog.messages == [
        "prepare: 500 documents, 100 a second, 5 s left",
        "prepare: 800 documents, 80 a second, 2 s left",
    ]
