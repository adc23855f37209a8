"""What Zonkey is compared with: autoregressive models by the same loop and budget, and other ways to cut."""

from zonkey.baselines.adapt import adapt_language, domain_judge
from zonkey.baselines.chunker import ChunkingModel
from zonkey.baselines.continuing import Continuer, continuer
from zonkey.baselines.fit import train_language, train_tokenizer
from zonkey.baselines.free import FreeVocabulary
from zonkey.baselines.language import LanguageModel
from zonkey.baselines.scores import LanguageScore, language_score
from zonkey.baselines.splitters import (
    Signal,
    Splitter,
    bpe_of_rate,
    bpe_splitter,
    calibrate,
    first_documents,
    fixed_stride,
    random_splitter,
    remembered,
    threshold_splitter,
    white_space,
)
from zonkey.baselines.vocabulary import ByteVocabulary, TokenVocabulary

__all__ = [
    "ByteVocabulary",
    "ChunkingModel",
    "Continuer",
    "FreeVocabulary",
    "LanguageModel",
    "LanguageScore",
    "Signal",
    "Splitter",
    "TokenVocabulary",
    "adapt_language",
    "bpe_of_rate",
    "bpe_splitter",
    "calibrate",
    "continuer",
    "domain_judge",
    "first_documents",
    "fixed_stride",
    "language_score",
    "random_splitter",
    "remembered",
    "threshold_splitter",
    "train_language",
    "train_tokenizer",
    "white_space",
]
