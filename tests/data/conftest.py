"""Data configurations over small files that each test writes for itself."""

from __future__ import annotations

import pytest

from zonkey.config import DataConfig


@pytest.fixture
def configured():
    """A function that makes a data configuration from what differs."""

    def make(**changes) -> DataConfig:
        values = {
            "source": "encyclopedia",
            "path": None,
            "hub_name": "some/corpus",
            "hub_config": "en",
            "hub_revision": "0" * 40,
            "text_column": "text",
            "id_column": "id",
            "documents": None,
            "seed": 0,
            "min_bytes": 2,
            "max_bytes": 65536,
            "judge": 0.2,
            "validation": 0.2,
            "test": 0.2,
        }
        return DataConfig(**(values | changes))

    return make
