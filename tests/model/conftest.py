"""Few, repeatable examples for the property tests, and threads kept to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.model.build import config
from zonkey.data import prepare

settings.register_profile(
    "model", max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("model")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Shape checks off: they take most of the time of a tiny model's training step."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few articles of the built-in grammar."""
    folder = tmp_path_factory.mktemp("corpus")
    prepare(config().data.model_copy(update={"documents": 60, "judge": 0.2, "validation": 0.1, "test": 0.1}), folder)
    return folder
