"""What Zonkey is compared with: autoregressive models by the same loop and budget, and other ways to cut."""

from zonkey.baselines.adapt import adapt_language, domain_judge
from zonkey.baselines.chunker import ChunkingModel
from zonkey.baselines.fit import train_language, train_tokenizer
from zonkey.baselines.language import LanguageModel
from zonkey.baselines.scores import LanguageScore, language_score
from zonkey.baselines.splitters import (
    Splitter,
    bpe_of_rate,
    bpe_splitter,
    calibrate,
    chunk_splitter,
    entropy_splitter,
    fixed_stride,
    random_splitter,
    white_space,
)
from zonkey.baselines.vocabulary import ByteVocabulary, TokenVocabulary

__all__ = [
    "ByteVocabulary",
    "ChunkingModel",
    "LanguageModel",
    "LanguageScore",
    "Splitter",
    "TokenVocabulary",
    "adapt_language",
    "bpe_of_rate",
    "bpe_splitter",
    "calibrate",
    "chunk_splitter",
    "domain_judge",
    "entropy_splitter",
    "fixed_stride",
    "language_score",
    "random_splitter",
    "train_language",
    "train_tokenizer",
    "white_space",
]
