"""What all tests share."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Shapes and types of all that modules with tensors are given and return are checked while they are tested.
# Here, because it has to come before the first import of the package.
TENSORS = (
    *("sphere", "existence", "attention", "transformer", "splitter", "predictor", "compressor", "denoiser", "flow"),
    *("stitcher", "losses", "level", "model", "generate", "baselines"),
)
install_import_hook([f"zonkey.{module}" for module in TENSORS], "beartype.beartype")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parent.parent
