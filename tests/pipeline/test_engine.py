"""The papermill engine: same bytes twice, live log, own kernel, refused parameters, failures kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.engines import papermill_engines

from zonkey.notebook.engine import ZonkeyEngine
from zonkey.notebook.parameters import NotebookError, declared_parameters
from zonkey.notebook.plain import KERNEL, without_outputs
from zonkey.notebook.run import run


def write(path: Path, *sources: str, parameters: str = "level = 0\nrate = 1e-2\nname = 'a'\nany = None") -> Path:
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), new_code_cell(parameters)])
    notebook.metadata["kernelspec"] = KERNEL
    notebook.cells[1].metadata["tags"] = ["parameters"]
    notebook.cells += [new_code_cell(source) for source in sources]
    nbformat.write(notebook, path)
    return path


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


NOISY = (
    "import sys, time, logging\nfor i in range(4):\n    print('line', i, flush=True)\n    time.sleep(0.05)",
    "print(time.time(), file=sys.stderr)\nlogging.warning('at %s', time.time())",
    "print('10%\\r20%\\r100%')\nlevel, rate",
    "from matplotlib import pyplot as plt\nplt.plot([1, 2])\nplt.show()",
)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):  # ids in the source are random, too
        source = write(tmp_path / "source.ipynb", *NOISY)
        run(source, tmp_path / name / "deep" / "out.ipynb", {"level": 3, "rate": 1})
    first, second = (tmp_path / name / "deep" / "out.ipynb" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    notebook = nbformat.read(first, as_version=4)
    nbformat.validate(notebook)
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert [output.text for output in outputs[2]] == ["line 0\nline 1\nline 2\nline 3\n"]
    assert outputs[3] == [], "standard error is not kept"
    assert outputs[4][0].text == "100%\n"
    assert outputs[4][1].data["text/plain"] == "(3, 1)"
    assert "image/png" in outputs[5][0].data
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5, 6]
    assert list(first.parent.iterdir()) == [first], "nothing is left beside it"


def test_a_failing_run_keeps_its_notebook_and_gives_the_same_bytes(tmp_path: Path, capfd, caplog) -> None:
    kept = []
    for _ in range(2):
        source = write(tmp_path / "source.ipynb", "print('before')", "raise KeyError('gone')", "print('after')")
        with pytest.raises(NotebookError, match=r"cell 3 raised KeyError: 'gone'; the notebook so far is"):
            run(source, tmp_path / "out.ipynb", {})
        kept.append((tmp_path / "out.ipynb").read_bytes())
    assert kept[0] == kept[1]
    assert b"before" in kept[0] and b"KeyError" in kept[0] and b"papermill" not in kept[0]
    assert "Traceback" in text(tmp_path / "out.ipynb") and "Traceback" not in capfd.readouterr().err
    with caplog.at_level("DEBUG", logger="zonkey.notebook"), pytest.raises(NotebookError):
        run(source, tmp_path / "out.ipynb", {})
    assert "Traceback" in caplog.text


def test_a_killed_kernel_is_a_sentence(tmp_path: Path) -> None:
    source = write(tmp_path / "source.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(NotebookError, match="the kernel died"):
        run(source, tmp_path / "out.ipynb", {})


@pytest.mark.parametrize("magic", ["%nosuchmagic 1", "%%nosuchmagic\n1"])
def test_an_unknown_magic_fails(tmp_path: Path, magic: str) -> None:
    source = write(tmp_path / "source.ipynb", magic, f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(NotebookError, match=r"cell 2 raised UsageError: .*nosuchmagic.* not found"):
        run(source, tmp_path / "out.ipynb", {})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"levle": 1}, r"has no parameter 'levle' \(given as 1\); the nearest that it declares is 'level'"),
        ({"level": "one"}, "parameter 'level' is 'one'; give a value of type int"),
        ({"level": True}, "parameter 'level' is True; give a value of type int"),
        ({"level": 0.5}, "parameter 'level' is 0.5; give a value of type int"),
        ({"name": 1}, "parameter 'name' is 1; give a value of type str"),
    ],
)
def test_a_wrong_parameter_is_refused(tmp_path: Path, given: dict, sentence: str) -> None:
    source = write(tmp_path / "source.ipynb", "open('ran', 'w')")
    with pytest.raises(NotebookError, match=sentence):
        run(source, tmp_path / "out.ipynb", given)
    assert not (tmp_path / "out.ipynb").exists()


def test_a_notebook_without_parameters_takes_none(tmp_path: Path) -> None:
    source = write(tmp_path / "source.ipynb", parameters="# none")
    with pytest.raises(NotebookError, match="it declares none"):
        run(source, tmp_path / "out.ipynb", {"level": 1})


def test_whole_numbers_are_floats_and_none_takes_anything(tmp_path: Path) -> None:
    source = write(tmp_path / "source.ipynb", "print(rate, any)")
    run(source, tmp_path / "out.ipynb", {"rate": 2, "any": "text"})
    assert "2 text" in text(tmp_path / "out.ipynb")


def test_annotated_parameters_are_declared(tmp_path: Path) -> None:
    source = write(tmp_path / "source.ipynb", parameters="level: int = 2\npath = str(level)")
    declared = declared_parameters(nbformat.read(source, as_version=4))
    assert declared == {"level": 2, "path": None}


def test_papermill_finds_the_engine_and_streams_the_log(tmp_path: Path) -> None:
    source = write(tmp_path / "source.ipynb", "import sys\nprint('out')\nprint('err', file=sys.stderr)")
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--engine",
        "zonkey",
        str(source),
        str(tmp_path / "o" / "x.ipynb"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "out\n" in done.stderr and "err\n" in done.stderr and "Executing:" not in done.stderr
    stored = text(tmp_path / "o" / "x.ipynb")
    assert '"papermill"' not in stored and "err\\n" not in stored
    wrong = subprocess.run([*command, "-p", "levle", "1"], capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 1
    assert "has no parameter 'levle'" in wrong.stderr.splitlines()[-1] and "Traceback" not in wrong.stderr


def test_kernels_and_start_up_files_of_the_user_are_not_used(tmp_path: Path, monkeypatch) -> None:
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    spec.joinpath("kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    startup.joinpath("00.py").write_text("name = 'hijacked'")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    source = write(tmp_path / "source.ipynb", "import sys\nprint(sys.executable, name)", parameters="other = 1")
    source.write_text(text(source).replace("sys.executable, name", "sys.executable, 'name' in globals()"))
    run(source, tmp_path / "out.ipynb", {})
    assert f"{sys.executable} False" in text(tmp_path / "out.ipynb")


def test_nothing_is_written_before_the_end(tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    out.write_text("earlier")
    source = write(tmp_path / "source.ipynb", f"print(open({str(out)!r}).read())")
    run(source, out, {})
    assert "earlier" in text(out)


def test_stripping_an_executed_notebook_gives_the_stripped_source(tmp_path: Path) -> None:
    source = write(tmp_path / "source.ipynb", *NOISY)
    run(source, tmp_path / "out.ipynb", {})
    stripped = [without_outputs(nbformat.read(path, 4)) for path in (source, tmp_path / "out.ipynb")]
    assert stripped[0] == stripped[1]


def test_the_engine_is_registered(tmp_path: Path) -> None:
    assert papermill_engines.get_engine("zonkey").__name__ == ZonkeyEngine.__name__
