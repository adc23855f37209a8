"""What the commands are asked for: sizes out of all proportion, options that are none, texts that do not fit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import zonkey.cli.given
import zonkey.cli.text
from tests.model.build import model
from tests.pipeline.refusals import refused
from zonkey.cli import main

HUGE = "9" * 30
LIMIT = 4096  # bytes that the model takes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    path = tmp_path_factory.mktemp("model")
    model(2).save_pretrained(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "-n", "1000000000"], ("-n", "'1000000000'", "from 1 to 1000")),
        (["generate", "-n", "0"], ("-n", "'0'", "from 1 to 1000")),
        (["generate", "-n", "-1"], ("-n", "'-1'")),
        (["generate", "-n", "many"], ("-n", "'many'", "whole number")),
        (["generate", "-n", "1.5"], ("-n", "'1.5'", "whole number")),
        (["generate", "-n", HUGE * 200], ("-n", "'9999", "from 1 to 1000")),
        (["generate", "--steps", "0"], ("--steps", "'0'", "from 1 to 10000")),
        (["generate", "--steps", "-1"], ("--steps", "'-1'")),
        (["generate", "--steps", "1000000000"], ("--steps", "'1000000000'", "from 1 to 10000")),
        (["infill", "a {gap} b", "--steps", "0"], ("--steps", "'0'")),
        (["generate", "--seed", "-1"], ("--seed", "'-1'", "from 0 to 4294967295")),
        (["generate", "--seed", HUGE], ("--seed", HUGE, "from 0 to 4294967295")),
        (["generate", "--level", "-1"], ("--level", "'-1'", "from 0 to 7")),
        (["generate", "--level", "top"], ("--level", "'top'")),
        (["generate", "--length", "long"], ("--length", "'long' is none of expected, sampled")),
        (["reconstruct", "some text", "--noise", "2"], ("--noise", "'2'", "from 0 to 1")),
        (["reconstruct", "some text", "--noise", "nan"], ("--noise", "'nan'", "from 0 to 1")),
        (["reconstruct", "some text", "--noise", "-0.1"], ("--noise", "'-0.1'")),
        (["speed", "--steps", "0"], ("--steps", "'0'")),
        (["compare", "--share", "nan"], ("--share", "'nan'", "at least 0")),
        (["compare", "--share", "-0.5"], ("--share", "'-0.5'")),
        (["segment", "some text", "--stepz", "3"], ("no option '--stepz'",)),
        (["generate", "--step", "3", "--sed", "3"], ("no option '--sed'", "the nearest is '--seed'")),
        (["info", "one", "two"], ("'two' is one argument too many",)),
        (["generat"], ("'generat'", "the nearest is 'generate'")),
        (["notebooks", "pubish"], ("'pubish'", "the nearest is 'publish'")),
        (["notebooks"], ("STEP",)),
        ([], ("COMMAND",)),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_options_out_of_range_or_unknown(arguments: list[str], says: tuple, capsys: pytest.CaptureFixture) -> None:
    assert "--help`" in refused(capsys, arguments, *says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "--level", "2"], ("level is 2", "levels 0 to 1")),
        (["reconstruct", "some text", "--level", "7"], ("level is 7", "levels 0 to 1")),
        (["segment", ""], ("text 1, ''", "too short", "0 bytes", "2 to 4096")),
        (["reconstruct", "fine", "x"], ("text 2, 'x'", "too short", "1 bytes")),
        (["segment", "x" * (LIMIT + 1)], ("text 1", "too long", "4097 bytes", "2 to 4096")),
        (["reconstruct", "é" * 1_000_000], ("too long", "2000000 bytes")),
        (["infill", "no gap"], ("no gap", "{gap:12}")),
        (["infill", "a {gap", "b {gap} c"], ("text 1", "malformed gap", "'{gap'")),
        (["infill", "a {gap:0} b"], ("'{gap:0}'", "from 1 to 4096")),
        (["infill", "a {gap:x} b"], ("'{gap:x}'",)),
        (["infill", "a {gap:4097} b"], ("'{gap:4097}'", "from 1 to 4096")),
        (["infill", f"a {{gap:{HUGE}}} b"], (HUGE, "from 1 to 4096")),
        (["infill", "a {gap:4000} b {gap:4000}"], ("8005 bytes", "2 to 4096")),
        (["infill", "{gap:1}"], ("1 bytes", "2 to 4096")),
        (["infill", "x" * LIMIT + "{gap}"], ("bytes", "2 to 4096")),
        (["segment", "ok \udcff text"], ("argument 1", "not UTF-8", "0xff")),
        (["segment", "one", "--lines"], ("--lines", "arguments")),
        (["segment", "one", "--file", "two"], ("--file two", "one of the two")),
    ],
    ids=lambda value: " ".join(value)[:40].encode("ascii", "replace").decode() if isinstance(value, list) else "",
)
def test_texts_and_levels_that_do_not_fit(
    folder: Path, arguments: list[str], says: tuple, capsys: pytest.CaptureFixture
) -> None:
    refused(capsys, [arguments[0], "--model", str(folder), *arguments[1:]], *says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, ("No such file", "name one that is there")),
        ("folder", ("Is a directory", "name a file")),
        (b"", ("holds no text",)),
        (b"\n", ("holds no text",)),
        (b"caf\xe9", ("not UTF-8", "byte 3 is 0xe9", "save it as UTF-8")),
        (b"\xff\xfet\0", ("not UTF-8", "byte 0 is 0xff")),
        (b"a text", ("holds more than 0 MiB", "give it in parts")),
    ],
    ids=["missing", "folder", "empty", "only a line end", "latin-1", "utf-16", "too much"],
)
def test_files_and_input_that_are_no_text(
    content: bytes | str | None,
    says: tuple,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(zonkey.cli.given, "MOST_BYTES", 5)
    path = tmp_path / "given.txt"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    refused(capsys, ["segment", "--model", str(folder), "--file", str(path)], str(path), *says)
    if isinstance(content, bytes):
        refused(capsys, ["segment", "--model", str(folder)], "standard input", *says, stdin=content)


def test_input_without_an_end_is_refused(folder: Path, capsys: pytest.CaptureFixture) -> None:
    zeros = Path("/dev/zero")
    if not zeros.exists():
        pytest.skip("no endless file here")
    refused(capsys, ["segment", "--model", str(folder), "--file", str(zeros)], "more than 64 MiB")


@pytest.mark.parametrize(
    "text",
    [
        "🙂🙂🚀",
        "שלום עולם مرحبا",
        "\x00\x01\x1b[31m\x7f",
        "wordwithoutanyspace" * 9,
        "a" * 500,
        "\r\n\t",
        "\ufeff\u200b",
    ],
    ids=["emoji", "right to left", "control characters", "no spaces", "one letter", "white", "invisible"],
)
def test_any_text_is_cut_and_written_again(text: str, folder: Path, capfdbinary: pytest.CaptureFixture) -> None:
    assert main(["segment", "--model", str(folder), "--json", text]) == 0
    assert json.loads(capfdbinary.readouterr().out)[0]["text"] == text
    assert main(["reconstruct", "--model", str(folder), text]) == 0
    assert main(["infill", "--model", str(folder), "--steps", "1", f"{text}{{gap:4}}{text}"]) == 0
    out = capfdbinary.readouterr().out.decode().splitlines()
    assert out[-1].endswith(text.splitlines()[-1])


def test_a_terminal_gets_control_characters_as_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture
) -> None:
    text = "red \x1b[31m bell \x07 two\tcolumns \x9b1m é"
    given = ["segment", "--model", str(folder), text]
    assert main(given) == 0
    assert b"\x1b[31m" in capfdbinary.readouterr().out.replace(zonkey.cli.text.MARK.encode(), b"")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(given) == 0
    shown = capfdbinary.readouterr().out.decode().replace(zonkey.cli.text.MARK, "")
    assert r"red \x1b[31m bell \x07 two" in shown and "\tcolumns" in shown and "é" in shown
    assert not zonkey.cli.text.CONTROL.search(shown)


def test_a_name_of_thousands_of_letters_is_shortened(capsys: pytest.CaptureFixture) -> None:
    said = refused(capsys, ["info", "x" * 5000], "xxx", "File name too long; give a shorter name")
    assert " ... " in said


def test_many_lines_go_through_the_model_a_batch_at_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    sizes = []

    class Model:
        config = SimpleNamespace(max_text_bytes=LIMIT)

        def reconstruct(self, texts: list[str], **_: object) -> list[str]:
            sizes.append(len(texts))
            return [text.upper() for text in texts]

    monkeypatch.setattr(zonkey.cli.text, "_load", lambda folder: Model())
    monkeypatch.setattr(zonkey.cli.given, "POSITIONS", 100)
    lines = [f"line {number}" for number in range(30)] + ["a longer line of forty-four characters, or so"] * 3
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("\n".join(lines).encode())))
    assert main(["reconstruct", "--lines"]) == 0
    assert capsys.readouterr().out.splitlines() == [line.upper() for line in lines]
    assert sizes == [14, 14, 2, 2, 1] and sum(sizes) == len(lines)


@pytest.mark.parametrize("arguments", [["--debug", "info", "none"], ["info", "none", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "Traceback (most recent call last)" in error and error.splitlines()[-1].startswith(
        "zonkey: no model in none"
    )


def test_a_surprise_tells_how_to_see_more(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def surprise(folder: Path) -> None:
        raise TypeError("unsupported\noperand")

    monkeypatch.setattr(zonkey.cli.text, "_load", surprise)
    assert main(["generate"]) == 1
    assert capsys.readouterr().err == "zonkey: TypeError: unsupported operand; --debug shows where it comes from\n"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 10 bytes")])
def test_too_little_memory_is_said(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def full(folder: Path) -> None:
        raise error

    monkeypatch.setattr(zonkey.cli.text, "_load", full)
    refused(capsys, ["generate"], "not enough memory", "give it less at once")


def test_the_program_itself_refuses_in_one_line(root: Path) -> None:
    command = [sys.executable, "-m", "zonkey", "generate", "-n", "1000000000"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("zonkey: argument -n: '1000000000'") and done.stderr.count("\n") == 1
