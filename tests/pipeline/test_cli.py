"""The ``zonkey`` command: what it hands to the model, what it prints, how it fails."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from safetensors.numpy import save_file

import zonkey.cli.text
from zonkey.cli import main
from zonkey.config import load_config


@dataclass
class Model:
    """Stands for a model: remembers how it was called."""

    calls: list
    config = SimpleNamespace(max_text_bytes=100)

    def segment(self, text: str) -> SimpleNamespace:
        if not text.strip():
            raise ValueError("the text is blank; give some letters")
        size = len(text.encode())
        level = SimpleNamespace(starts=(0, size // 2), probabilities=(1.0,) * size, offsets=tuple(range(size)))
        return SimpleNamespace(levels=(level,))

    def reconstruct(self, texts: list[str], **options) -> list[str]:
        self.calls.append(options)
        return [text.upper() for text in texts]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list:
    """What the commands asked of the model."""
    model = Model([])

    def generate(given, n, **options):
        assert given is model
        model.calls.append({"n": n, **options})
        return [f"text {i}" for i in range(n)]

    def infill(given, text, **options):
        assert given is model
        model.calls.append(options)
        return text.replace("{gap}", "Zonkey")

    monkeypatch.setattr(zonkey.cli.text, "_load", lambda folder: model)
    module = importlib.import_module("zonkey.generate")
    monkeypatch.setattr(module, "generate", generate)
    monkeypatch.setattr(module, "infill", infill)
    return model.calls


def stdin(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))


def test_segment_prints_the_pieces(calls: list, capfdbinary: pytest.CaptureFixture) -> None:
    assert main(["segment", "abcd", "žluť"]) == 0
    assert capfdbinary.readouterr().out.decode() == "level 0: ab|cd\nlevel 0: žl|uť\n"
    assert main(["segment", "--json", "ab"]) == 0
    level = {"starts": [0, 1], "probabilities": [1.0, 1.0], "offsets": [0, 1]}
    assert json.loads(capfdbinary.readouterr().out) == [{"text": "ab", "levels": [level]}]


def test_reconstruct_from_arguments_files_and_standard_input(
    calls: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture
) -> None:
    path = tmp_path / "text"
    path.write_text("one\ntwo\n", encoding="utf-8")
    for arguments, expected in [
        (["ab", "cd"], ["AB", "CD"]),
        (["--file", str(path)], ["ONE\nTWO"]),
        (["--file", str(path), "--lines"], ["ONE", "TWO"]),
    ]:
        assert main(["reconstruct", "--json", *arguments]) == 0
        assert [one["reconstruction"] for one in json.loads(capfdbinary.readouterr().out)] == expected
    stdin(monkeypatch, b"from a pipe\n")
    assert main(["reconstruct", "--level", "1", "--noise", "0.5", "--seed", "3"]) == 0
    assert capfdbinary.readouterr().out == b"FROM A PIPE\n"
    assert calls[-1] == {"level": 1, "noise": 0.5, "seed": 3}


def test_generate_and_infill_hand_over_their_options(calls: list, capfdbinary: pytest.CaptureFixture) -> None:
    options = ["--level", "0", "--steps", "7", "--length", "sampled", "--seed", "5"]
    assert main(["generate", "-n", "2", *options]) == 0
    assert capfdbinary.readouterr().out == b"text 0\ntext 1\n"
    assert calls[-1] == {"n": 2, "level": 0, "steps": 7, "length": "sampled", "seed": 5}
    assert main(["generate", "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == [{"text": "text 0"}]
    assert calls[-1] == {"n": 1, "level": None, "steps": None, "length": "expected", "seed": 0}
    assert main(["infill", "The {gap}.", "--seed", "2", "--steps", "3"]) == 0
    assert capfdbinary.readouterr().out == b"The Zonkey.\n"
    assert calls[-1] == {"steps": 3, "seed": 2}


@pytest.mark.parametrize(
    ("arguments", "raw", "sentence"),
    [
        (["segment"], b"", "standard input holds no text"),
        (["segment"], b"ab\xff", "standard input is not UTF-8 text: byte 2 is 0xff"),
        (["segment", "  "], b"", "the text is blank; give some letters"),
        (["segment", "a", "--file", "b"], b"", "texts are given as arguments and as --file b"),
        (["segment", "--file", "missing.txt"], b"", "missing.txt: No such file or directory"),
        (["reconstruct", "a"], b"", "text 1, 'a', is too short: 1 bytes; this model takes 2 to 100"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    calls: list, arguments: list, raw: bytes, sentence: str, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    stdin(monkeypatch, raw)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("zonkey: ") and sentence in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["segmnt"],
        ["generate", "-n", "0"],
        ["generate", "-n", "x"],
        ["generate", "--length", "long"],
        ["notebooks"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("zonkey: ") and error.count("\n") == 1 and "see `zonkey" in error


def test_failures_are_status_1(calls: list, monkeypatch, capsys: pytest.CaptureFixture) -> None:
    def fail(*_, **__):
        raise RuntimeError("no way\nout")

    monkeypatch.setattr(Model, "reconstruct", fail)
    assert main(["reconstruct", "text"]) == 1
    assert capsys.readouterr().err == "zonkey: RuntimeError: no way out; --debug shows where it comes from\n"
    assert main(["reconstruct", "text", "--debug"]) == 1


def test_a_missing_model_is_said_without_loading_torch(tmp_path: Path, root: Path) -> None:
    for command in (["generate", "--model", str(tmp_path)], ["info", str(tmp_path)]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "zonkey", *command],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2
        assert f"zonkey: no model in {tmp_path}" in done.stderr.splitlines()[-1]
        assert "| torch\n" not in done.stderr


def test_the_module_is_the_command(root: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "zonkey", "--help"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage: zonkey ")
    for command in ("segment", "reconstruct", "generate", "infill", "profile", "info", "notebooks"):
        assert command in done.stdout


def test_info_reads_the_folder(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture) -> None:
    model = load_config(root / "params.yaml").model
    (tmp_path / "config.json").write_text(model.model_dump_json())
    weights = {
        "levels.0.a": numpy.zeros((2, 3), "f4"),
        "levels.1.a": numpy.zeros(5, "f4"),
        "b": numpy.zeros((), "f4"),
    }
    save_file(weights, tmp_path / "model.safetensors")
    assert main(["info", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["objective"], found["parameters"]) == (model.objective, 12)
    assert [level["parameters"] for level in found["levels"]] == [6, 5]
    assert [level["width"] for level in found["levels"]] == [level.width for level in model.levels]
    assert found["bytes_on_disk"] == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert main(["info", str(tmp_path)]) == 0
    assert "12 parameters" in capsys.readouterr().out

    whole = (tmp_path / "model.safetensors").read_bytes()
    for cut in (whole[:-1], whole[:20], b"", b"x" * 30):
        (tmp_path / "model.safetensors").write_bytes(cut)
        assert main(["info", str(tmp_path)]) == 2
        assert "is cut short or no safetensors file" in capsys.readouterr().err
    (tmp_path / "model.safetensors").unlink()
    assert main(["info", str(tmp_path)]) == 2
    assert "no weights" in capsys.readouterr().err
