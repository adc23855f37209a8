"""What the tests of the pipeline share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.chaos.state import Digests, results
from tests.chaos.trial import forget
from tests.repository import Copy


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy where the pipeline has run once, and its results are committed."""
    copy = Copy.make(tmp_path_factory.mktemp("pipeline") / "first")
    copy.run("dvc", "repro")
    copy.commit()
    return copy


@pytest.fixture(scope="session")
def expected(repository: Copy) -> Digests:
    """What the pipeline made there, byte by byte."""
    return results(repository.path)


@pytest.fixture
def copy(repository: Copy, tmp_path: Path) -> Copy:
    """A copy of that, to be spoilt, where nothing is known of how level 0 was trained."""
    shutil.copytree(repository.path, tmp_path / "copy", symlinks=True)
    copy = Copy(tmp_path / "copy")
    forget(copy, "train@0")
    return copy
