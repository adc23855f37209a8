"""Every source gives the same documents from the same data, and says in one sentence what is wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zonkey.data import DataError, Document, documents
from zonkey.data.sources import _rows

ROWS = [
    {"id": "7", "url": "u7", "title": "Seven", "text": "Seven is a number.\n\nIt is odd."},
    {"id": "8", "url": "u8", "title": "Acht", "text": "Grüße aus 서울 🙂."},
    {"id": "9", "url": "u9", "title": "Nine", "text": "Nine.\r\nKept as it is. "},
]
EXPECTED = [Document(row["id"], row["text"]) for row in ROWS]


def parquet(path, rows=ROWS):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_parquet_and_jsonl_give_their_rows(tmp_path, configured):
    for source, write in (("parquet", parquet), ("jsonl", jsonl)):
        path = write(tmp_path / f"rows.{source}")
        assert list(documents(configured(source=source, path=path))) == EXPECTED


def test_a_pattern_takes_files_in_order_of_name(tmp_path, configured):
    for place in (2, 0, 1):
        parquet(tmp_path / f"part-{place}.parquet", ROWS[place : place + 1])
    config = configured(source="parquet", path=str(tmp_path / "part-*.parquet"))
    assert list(documents(config)) == EXPECTED


def test_text_gives_paragraphs_named_by_their_content(tmp_path, configured):
    path = tmp_path / "a.txt"
    path.write_text("First one.\nStill first.\n\nThe second: Ä.\n\nFirst one.\nStill first.\n", encoding="utf-8")
    found = list(documents(configured(source="text", path=str(path))))
    assert [document.text.strip() for document in found] == [
        "First one.\nStill first.",
        "The second: Ä.",
        "First one.\nStill first.",
    ]
    assert all(len(document.id) == 64 for document in found)
    assert found[0].id != found[1].id


def test_an_empty_id_column_names_documents_by_content(tmp_path, configured):
    path = jsonl(tmp_path / "a.jsonl", [{"body": "one"}, {"body": "two"}, {"body": "one"}])
    found = list(documents(configured(source="jsonl", path=path, id_column="", text_column="body")))
    assert [document.text for document in found] == ["one", "two", "one"]
    assert found[0].id == found[2].id != found[1].id


def test_nulls_and_numbers_as_ids(tmp_path, configured):
    rows = [{"id": 1, "text": "a b"}, {"id": None, "text": "c d"}, {"id": 3, "text": None}]
    for source, write in (("parquet", parquet), ("jsonl", jsonl)):
        path = write(tmp_path / f"n.{source}", rows)
        found = list(documents(configured(source=source, path=path)))
        assert found == [Document("1", "a b"), Document(None, "c d"), Document("3", None)]


def test_the_hub_is_asked_for_the_pinned_revision_and_streamed(tmp_path, configured, monkeypatch):
    import datasets

    asked = {}
    load = datasets.load_dataset
    path = parquet(tmp_path / "train-00000-of-00001.parquet")

    def recorded(path_or_name, name=None, **rest):
        asked.update(path=path_or_name, name=name, **rest)
        return load("parquet", data_files=path, split=rest["split"], streaming=rest["streaming"])

    monkeypatch.setattr(datasets, "load_dataset", lambda path, **rest: recorded(path, **rest))
    assert list(documents(configured(source="hub"))) == EXPECTED
    assert asked["path"] == "some/corpus" and asked["name"] == "en"
    assert asked["revision"] == "0" * 40 and asked["streaming"] and asked["split"] == "train"


def test_hub_and_files_are_read_by_the_same_code(tmp_path):
    path = parquet(tmp_path / "train-00000-of-00001.parquet")
    loading = {"path": "parquet", "data_files": [path]}
    assert list(_rows(loading, "here", "text", "id")) == EXPECTED


def test_an_unreachable_hub_is_one_sentence(configured, monkeypatch):
    import datasets

    def refuse(path, **_):
        raise ConnectionError(f"Couldn't reach '{path}' on the Hub\nMax retries exceeded")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError, match=r"some/corpus \(en\) at revision 0+: .*check .* network") as raised:
        next(documents(configured(source="hub")))
    assert "\n" not in str(raised.value)


def test_what_is_wrong_is_said_in_one_sentence(tmp_path, configured):
    good = parquet(tmp_path / "good.parquet")
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "bad.parquet").write_bytes(b"not parquet" * 100)
    (tmp_path / "bad.jsonl").write_text('{"id": "1", "text": "x"}\n{"id": \n')
    (tmp_path / "bad.txt").write_bytes(b"fine\n\n\xff\xfe broken\n")
    numbers = parquet(tmp_path / "numbers.parquet", [{"id": "1", "text": 5}])
    cases = [
        ("parquet", tmp_path / "none.parquet", {}, r"no file at data.path .*none.parquet"),
        ("parquet", tmp_path / "none-*.parquet", {}, r"no file matches data.path .*none-\*"),
        ("parquet", tmp_path, {}, r"is a folder.*\*\.parquet"),
        ("parquet", tmp_path / "empty.parquet", {}, r"empty.parquet is empty"),
        ("parquet", tmp_path / "bad.parquet", {}, r"cannot read .*bad.parquet"),
        ("jsonl", tmp_path / "bad.jsonl", {}, r"cannot read .*bad.jsonl"),
        ("text", tmp_path / "bad.txt", {}, r"cannot read .*bad.txt"),
        (
            "parquet",
            good,
            {"text_column": "texts"},
            r"no column 'texts' \(the nearest is 'text'\); it has 'id', 'text', .*: set data\.text_column",
        ),
        ("parquet", good, {"id_column": "ident"}, r"no column 'ident' \(the nearest is 'id'\)"),
        ("parquet", numbers, {}, r"'text' .* holds int, not text"),
    ]
    for source, path, changes, message in cases:
        with pytest.raises(DataError, match=message) as raised:
            list(documents(configured(source=source, path=str(path), **changes)))
        assert "\n" not in str(raised.value)


def test_the_encyclopedia_needs_a_count(configured):
    with pytest.raises(ValueError, match=r"documents is null, .* give a number of documents"):
        configured()
    assert len(list(documents(configured(documents=3)))) == 3


def test_reading_leaves_nothing_behind(tmp_path, configured, root):
    home, scratch, path = tmp_path / "home", tmp_path / "scratch", jsonl(tmp_path / "rows.jsonl")
    for folder in (home, scratch):
        folder.mkdir()
    script = (
        "import sys; from zonkey.config import DataConfig; from zonkey.data import documents\n"
        "print(len(list(documents(DataConfig.model_validate_json(sys.argv[1])))))"
    )
    config = configured(source="jsonl", path=path).model_dump_json()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", script, config],
        env=kept | {"HOME": str(home), "TMPDIR": str(scratch), "PYTHONPATH": str(root)},
        cwd=scratch, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "3\n"
    assert not list(home.rglob("*")) and not list(scratch.iterdir())
