"""Tiny language models, and the same corpus as the tests of the model."""

from tests.model.conftest import _one_thread, corpus, unchecked

__all__ = ["_one_thread", "corpus", "unchecked"]
