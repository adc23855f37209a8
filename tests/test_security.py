"""What the package must never do with files of strangers: read off its source, not off one run of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imports import code_of

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNPICKLERS |= {"yaml"}  # PyYAML makes objects unless told not to; ruamel's kinds that are used here do not
ARCHIVES = {"zipfile", "tarfile", "rarfile", "py7zr"}  # whose members may be named ../../elsewhere
RUNNERS = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn"}
UNPACKERS = {"unpack_archive", "extractall", "extract", "read_pickle"}
ALLOWED = {"zonkey/checkpoint.py": {"zipfile"}}  # to look at the checksums of what torch wrote
USED = {"zipfile": {"BadZipFile", "ZipFile"}}  # of what is allowed, by module


def dangers(source: str, allowed: frozenset[str] | set[str] = frozenset()) -> Iterator[str]:
    """What in a source could run code, or write outside a folder, because of what a file holds."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            for name in [module] if module else [alias.name for alias in node.names]:
                if name.split(".")[0] in (UNPICKLERS | ARCHIVES) - (set() if module else allowed):
                    yield f"line {node.lineno} imports {name}"
            if module in ("torch", "torch.serialization", "numpy") and "load" in [one.name for one in node.names]:
                yield f"line {node.lineno} imports load, whose calls are looked for with {module} before"
        elif isinstance(node, ast.Call):
            yield from _calls(node)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in allowed:
            yield from _uses(node)


def _uses(node: ast.Attribute) -> Iterator[str]:
    if node.attr not in USED[ast.unparse(node.value)]:
        yield f"line {node.lineno} uses {ast.unparse(node)}"


def _calls(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    options = {one.arg: ast.unparse(one.value) for one in node.keywords}
    if name in RUNNERS | SHELLS or name.split(".")[-1] in UNPACKERS:
        yield f"line {node.lineno} calls {name}"
    if name == "torch.load" and options.get("weights_only") != "True":
        yield f"line {node.lineno} calls torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and options.get("allow_pickle") != "False":
        yield f"line {node.lineno} calls {name} without allow_pickle=False"
    if options.get("shell", "False") != "False":
        yield f"line {node.lineno} calls {name} with a shell"
    if options.get("trust_remote_code", "False") != "False":
        yield f"line {node.lineno} calls {name} with code of the hub"
    if name.endswith("YAML") and options.get("typ", "'rt'") not in ("'safe'", "'rt'"):
        yield f"line {node.lineno} calls {name}, which may make any object"


def sources(root: Path) -> dict[str, str]:
    """The package's modules, and the code of the notebooks."""
    found = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in (root / "zonkey").rglob("*.py")}
    return found | {path.relative_to(root).as_posix(): code_of(path) for path in (root / "notebooks").glob("*.ipynb")}


def test_nothing_unpickles_extracts_or_runs_what_a_file_holds(root: Path) -> None:
    read = sources(root)
    assert len(read) > 100
    found = [f"{name}: {what}" for name, text in read.items() for what in dangers(text, ALLOWED.get(name, set()))]
    assert not found, "\n".join(found)


def test_the_training_state_is_the_only_thing_that_torch_loads(root: Path) -> None:
    """By name, so that a second place is seen by whoever reviews it; weights are safetensors."""
    calls = [
        name
        for name, text in sources(root).items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("torch.load")
    ]
    assert calls == ["zonkey/checkpoint.py"]


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import os.path, dill",
        "import joblib as j",
        "import tarfile",
        "from torch import load",
        "from numpy import array, load as read",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "Popen(text, shell=flag)",
        "shutil.unpack_archive(path)",
        "archive.extractall()",
        "archive.extract(name)",
        "YAML(typ='unsafe').load(path)",
        "import yaml",
        "datasets.load_dataset(name, trust_remote_code=True)",
    ],
)
def test_the_scan_sees(line: str) -> None:
    assert list(dangers(line)), "the scan would let this pass"


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "YAML(typ='safe').load(path)",
        "subprocess.run([name], check=True)",
        "model.eval()",
        "re.compile(pattern)",
        "torch.compile(model)",
    ],
)
def test_the_scan_lets_pass(line: str) -> None:
    assert not list(dangers(line))


def test_what_is_allowed_for_checksums_allows_nothing_else() -> None:
    opened = "import zipfile\nwith zipfile.ZipFile(path) as archive: archive."
    assert not list(dangers(opened + "testzip()", {"zipfile"}))
    assert list(dangers(opened + "testzip()"))
    assert list(dangers(opened + "extractall()", {"zipfile"}))
    assert list(dangers("import zipfile\nzipfile.main()", {"zipfile"}))
    assert list(dangers("from zipfile import ZipFile", {"zipfile"}))
