"""Corpora: from a source to memory-mapped bytes, and from these to batches in an exactly resumable order."""

from zonkey.data.batches import PADDING, Batches, ByteBatch
from zonkey.data.corpus import SPLITS, Corpus, CorpusSummary
from zonkey.data.errors import DataError
from zonkey.data.part import take
from zonkey.data.shards import prepare
from zonkey.data.sources import Document, documents

__all__ = [
    "PADDING",
    "SPLITS",
    "Batches",
    "ByteBatch",
    "Corpus",
    "CorpusSummary",
    "DataError",
    "Document",
    "documents",
    "prepare",
    "take",
]
