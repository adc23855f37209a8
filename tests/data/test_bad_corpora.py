"""Corpora that are missing, empty, odd, giant or of unusual letters: refused in one sentence, or prepared whole."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipeline.refusals import keep
from zonkey.config import DataConfig
from zonkey.data import SPLITS, Batches, Corpus, DataError, prepare

Configured = Callable[..., DataConfig]
TEXT = pa.schema([("id", pa.string()), ("text", pa.string())])
KINDS = {
    "emoji": "🙂🚀👩‍👩‍👧‍👦🇩🇪",
    "right to left": "שלום עולם مرحبا بالعالم ",
    "control characters": "".join(map(chr, range(32))),
    "no spaces": "thequickbrownfoxjumps",
    "one letter": "aaaaaaaaaa",
    "white": " \t\r\n",
    "zeros": "\0\0\0\0",
    "combining": "e" + "\u0301" * 20,
    "no characters": "\uffff\ufffe\U0010ffff",
    "invisible": "\ufeff\u200b\u200d\u2060",
    "two bytes": "é",
}


def parquet(path: Path, texts: list[str | None], name: str = "text", ids: bool = True) -> Path:
    pq.write_table(pa.table({"id": [str(i) if ids else None for i in range(len(texts))], name: texts}), path)
    return path


def refused(config: DataConfig, folder: Path, *says: str) -> str:
    """Prepare what cannot be prepared; nothing is left of it, and what was there before stays."""
    folder.mkdir(exist_ok=True)
    (folder / "corpus.json").write_text("earlier")
    with pytest.raises(DataError) as caught:
        prepare(config, folder)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600, message
    for words in says:
        assert words in message, message
    assert [path.name for path in folder.iterdir()] == ["corpus.json"]
    assert (folder / "corpus.json").read_text() == "earlier"
    keep(f"data.source={config.source} data.path={config.path}", message)
    return message


def whole(config: DataConfig, folder: Path) -> set[str]:
    """Prepare, read everything again and draw batches; returns all texts."""
    summary = prepare(config, folder)
    texts = set()
    for split in SPLITS:
        corpus = Corpus(folder, split)
        assert len(corpus) == summary.documents[split] > 0
        texts |= {corpus.text(index) for index in range(len(corpus))}
        batches = Batches(corpus, batch=2, bytes=64, seed=0)
        for step in range(5):
            batch = batches.at(step)
            assert int(batch.lengths.min()) >= 1 and int(batch.tokens.min()) >= 0 and int(batch.tokens.max()) <= 256
    return texts


@pytest.mark.parametrize(
    ("source", "content", "says"),
    [
        ("parquet", None, ("no file at data.path", "correct the path")),
        ("parquet", b"", ("is empty", "give a file with documents")),
        ("parquet", b"PAR1 and no more", ("cannot read",)),
        ("parquet", b"\x80\x04\x95 a pickle", ("cannot read",)),
        ("jsonl", b"", ("is empty",)),
        ("jsonl", b"{}\n{}\n", ("is empty",)),
        ("jsonl", b'{"id": "1", "text": "ok"}\n{"id": \n', ("cannot read",)),
        ("jsonl", b'"just"\n"strings"\n', ("cannot read",)),
        ("jsonl", b'{"id": "1", "text": "caf\xe9"}\n', ("cannot read", "byte 0xe9")),
        ("jsonl", b'{"id": "1", "text": "half \\ud800 a pair"}\n', ("cannot read", "surrogate")),
        ("jsonl", b'{"id": "1", "text": 5}\n', ("column 'text'", "holds int, not text")),
        ("jsonl", b'{"id": "1", "text": ["a"]}\n', ("column 'text'", "holds list, not text")),
        ("jsonl", b'{"id": "1", "body": "a text"}\n', ("no column 'text'", "it has 'body', 'id'", "data.text_column")),
        ("jsonl", b'{"id": "1", "text": ' + b"[" * 1500 + b"]" * 1500 + b"}\n", ("cannot read",)),
        ("text", b"", ("is empty",)),
        ("text", b"\n\n\n\n", ("is empty (no documents); give other documents",)),
        ("text", b"caf\xe9 au lait\n", ("cannot read", "byte 0xe9 in position 3", "save it as UTF-8")),
        ("text", "text".encode("utf-16"), ("cannot read", "byte 0xff in position 0")),
    ],
    ids=lambda value: ascii(value[:24]) if isinstance(value, bytes) else None,
)
def test_files_that_hold_no_corpus(
    tmp_path: Path, configured: Configured, source: str, content: bytes | None, says: tuple[str, ...]
) -> None:
    path = tmp_path / f"corpus.{source}"
    if content is not None:
        path.write_bytes(content)
    refused(configured(source=source, path=str(path)), tmp_path / "out", str(path), *says)


def test_tables_that_hold_no_text(tmp_path: Path, configured: Configured) -> None:
    path, out = tmp_path / "a.parquet", tmp_path / "out"
    config = configured(source="parquet", path=str(path))
    parquet(path, ["a text"] * 50, name="body")
    refused(config, out, "no column 'text'; it has 'body', 'id': set data.text_column")
    refused(config.model_copy(update={"text_column": "bdoy"}), out, "no column 'bdoy' (the nearest is 'body')")
    nulls = "is empty (50 documents without text or id)"
    parquet(path, [None] * 50)
    refused(config, out, nulls, "set data.text_column and data.id_column")
    parquet(path, ["a text"] * 50, ids=False)
    refused(config, out, nulls, "set data.text_column and data.id_column")
    parquet(path, ["a text"] * 50)
    refused(
        config.model_copy(update={"min_bytes": 7}), out, "50 documents shorter than 7 bytes", "or lower data.min_bytes"
    )
    pq.write_table(pa.table({"id": ["one"] * 100, "text": ["a text"] * 100}), path)
    refused(config, out, "1 in all, 99 more have an id that came before", "set data.id_column")
    pq.write_table(pa.table({"id": ["1"], "text": [b"\xff\xfe"]}), path)
    refused(config, out, "holds bytes, not text; set data.text_column to another")
    pq.write_table(TEXT.empty_table(), path)
    refused(config, out, str(path))


def test_too_few_documents_for_all_splits(tmp_path: Path, configured: Configured) -> None:
    (tmp_path / "a.txt").write_text("one paragraph alone")
    config = configured(source="text", path=str(tmp_path / "a.txt"))
    refused(config, tmp_path / "out", "split is left without documents (1 in all", "give more documents")


def test_text_in_a_table_that_is_no_utf8(tmp_path: Path, configured: Configured) -> None:
    offsets = pa.array([0, 4, 8], pa.int32()).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ok\xff\xfefine")])
    pq.write_table(pa.table({"id": ["1", "2"], "text": text}), tmp_path / "a.parquet")
    refused(configured(source="parquet", path=str(tmp_path / "a.parquet")), tmp_path / "out", "byte 0xff in position 2")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["parquet", "jsonl"])
def test_any_letters_are_kept_to_the_byte(tmp_path: Path, configured: Configured, source: str, kind: str) -> None:
    texts = [KINDS[kind] * (1 + number % 9) for number in range(60)]
    path = tmp_path / f"a.{source}"
    if source == "parquet":
        parquet(path, texts)
    else:
        rows = ({"id": str(number), "text": text} for number, text in enumerate(texts))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert whole(configured(source=source, path=str(path)), tmp_path / "out") == set(texts)


def test_nulls_among_documents_are_counted(tmp_path: Path, configured: Configured) -> None:
    path = parquet(tmp_path / "a.parquet", ["a text", None, "another"] * 40)
    summary = prepare(configured(source="parquet", path=str(path)), tmp_path / "out")
    assert summary.null == 40 and sum(summary.documents.values()) == 80


def test_one_giant_document_is_cut_and_the_others_stay(tmp_path: Path, configured: Configured) -> None:
    giant = "wide – " * 2_000_000
    for source, path in (("parquet", tmp_path / "a.parquet"), ("jsonl", tmp_path / "a.jsonl")):
        texts = [f"document {number}" for number in range(60)] + [giant]
        if source == "parquet":
            parquet(path, texts)
        else:
            rows = ({"id": str(number), "text": text} for number, text in enumerate(texts))
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found = whole(configured(source=source, path=str(path), max_bytes=1000), tmp_path / source)
        longest = max(found, key=len)
        assert found - {longest} == set(texts[:-1])
        assert giant.startswith(longest) and 997 <= len(longest.encode()) <= 1000


MEASURED = """
import json, resource, sys
from zonkey.config import DataConfig
from zonkey.data import DataError, prepare
try:
    prepare(DataConfig.model_validate_json(sys.argv[1]), sys.argv[2])
except DataError as error:
    print(json.dumps([str(error), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def test_a_million_empty_documents_are_streamed(tmp_path: Path, configured: Configured, root: Path) -> None:
    """Memory does not grow with their number: a list of their names alone would take over 100 MB."""

    def peak(count: int) -> tuple[str, float]:
        path = tmp_path / f"{count}.parquet"
        with pq.ParquetWriter(path, TEXT) as writer:
            for start in range(0, count, 10_000):
                names = [f"{number:060d}" for number in range(start, min(start + 10_000, count))]
                writer.write_table(pa.table({"id": names, "text": [""] * len(names)}, schema=TEXT))
        config = configured(source="parquet", path=str(path)).model_dump_json()
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, config, str(tmp_path / "out")],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        message, used = json.loads(done.stdout)
        return message, used / (1024 if sys.platform.startswith("linux") else 1024**2)

    _, few = peak(20_000)
    message, many = peak(1_000_000)
    assert "is empty (1000000 documents shorter than 2 bytes)" in message
    assert many - few < 80, f"{few:.0f} MB for 20 thousand, {many:.0f} MB for a million"
    assert not list((tmp_path / "out").iterdir())


def test_archives_are_read_and_never_unpacked(tmp_path: Path, configured: Configured) -> None:
    """A member whose name leads elsewhere is text like any other, or the archive is refused."""
    place = tmp_path / "deep" / "in"
    place.mkdir(parents=True)
    paragraphs = [f"paragraph {number}" for number in range(60)]
    text = "\n\n".join(paragraphs).encode()
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        archive.writestr("../../../escaped.txt", "a paragraph that leads elsewhere")
        archive.writestr("inside.txt", text)
    (place / "escaped.txt").write_bytes(text)
    with tarfile.open(place / "a.tar", "w") as archive:
        archive.add(place / "escaped.txt", "../../../escaped.txt")
    (place / "escaped.txt").unlink()
    (place / "a.gz").write_bytes(gzip.compress(text))
    before = set(tmp_path.rglob("*"))
    for name in ("a.zip", "a.gz"):
        found = whole(configured(source="text", path=str(place / name)), tmp_path / "out")
        assert set(paragraphs) <= {paragraph.strip() for paragraph in found}
    refused(configured(source="text", path=str(place / "a.tar")), tmp_path / "none", "a.tar", "cannot read")
    after = {path for path in tmp_path.rglob("*") if path.parts[len(tmp_path.parts)] not in ("out", "none")}
    assert after == before


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("https://example.org/a.txt", "download it"),
        ("hf://datasets/a/b.txt", "download it"),
        ("zip://a::b", "download it"),
        ("/dev/zero", "correct the path"),
        ("~/a", "write the whole path"),
    ],
)
def test_only_files_of_this_machine_are_read(tmp_path: Path, configured: Configured, path: str, says: str) -> None:
    refused(configured(source="text", path=path), tmp_path / "out", f"no file at data.path {path}; ", says)
