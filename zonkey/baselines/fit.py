"""Training the baselines by the loop that trains Zonkey, on as many bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from zonkey.baselines.chunker import ChunkingModel
from zonkey.baselines.language import LanguageModel
from zonkey.baselines.vocabulary import ByteVocabulary, TokenVocabulary, Vocabulary
from zonkey.config import Config
from zonkey.data import ByteBatch, Corpus
from zonkey.files import file_fingerprint, write_beside
from zonkey.fit import Outcome, Run, TrainSummary, code_fingerprint, fit
from zonkey.runtime import generator

SAMPLE = 120  # bytes of the texts in the log


def train_tokenizer(corpus: Path, split: str, size: int, out: Path) -> TokenVocabulary:
    """Byte-pair encoding with ``size`` entries, learned from a split and written to the file ``out``."""
    text = Corpus(corpus, split)
    vocabulary = TokenVocabulary.train((text[index] for index in range(len(text))), size)
    write_beside(out, vocabulary.tokenizer.to_str())
    return vocabulary


def train_language(
    config: Config,
    corpus: Path,
    split: str,
    out: Path,
    runs: Path,
    *,
    tokenizer: Path | None = None,
    reverse: bool = False,
    bytes_per_chunk: float | None = None,
    source: Path | None = None,
) -> TrainSummary:
    """Train an autoregressive model and save it.

    Args:
        config: all parameters; shape and length of training are ``config.baselines``.
        corpus: folder that ``zonkey.data.prepare`` made.
        split: what it reads; it is always validated on the validation split.
        out: model folder to write.
        runs: where the training state goes, in a folder named by parameters and inputs.
        tokenizer: file that :func:`train_tokenizer` wrote; None reads bytes.
        reverse: read from the end to the beginning.
        bytes_per_chunk: train a :class:`ChunkingModel`, whose chunks have this mean length.
        source: folder of a model to go on from, with its own shape, vocabulary and direction; None begins anew.

    Raises:
        ValueError: a file is missing or damaged, or what is asked for does not go together.
        TrainingError: a loss is not finite, memory is short, or a process of several failed.
    """
    if source is not None and (tokenizer is not None or reverse):
        raise ValueError(f"{source} has its own vocabulary and direction; give no tokenizer and no reverse with it")
    if bytes_per_chunk is not None and (tokenizer is not None or source is not None):
        raise ValueError(f"bytes_per_chunk is {bytes_per_chunk}; chunks are of bytes, give no tokenizer and no source")
    inputs = [tokenizer, *([source / "model.safetensors", source / "config.json"] if source else [])]
    run = Run(
        config,
        config.baselines.stage,
        f"language {split}",
        (
            code_fingerprint(__name__),
            config.baselines.language,
            config.model.ema,
            reverse,
            bytes_per_chunk,
            [path and file_fingerprint(path) for path in inputs],
        ),
        corpus,
        split,
        out,
        runs,
        LanguageLearner(config),
        partial(_model, config, tokenizer, reverse, bytes_per_chunk, source),
        ("zonkey.baselines.worker", split, *map(str, (corpus, out, runs, tokenizer, reverse, bytes_per_chunk, source))),
    )
    return fit(run)


def _model(
    config: Config, tokenizer: Path | None, reverse: bool, bytes_per_chunk: float | None, source: Path | None
) -> LanguageModel:
    if source is not None:
        return LanguageModel.from_pretrained(source)
    vocabulary: Vocabulary = TokenVocabulary.load(tokenizer) if tokenizer else ByteVocabulary()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if bytes_per_chunk is not None:
            return ChunkingModel(config.baselines.language, vocabulary, reverse, bytes_per_chunk)
        return LanguageModel(config.baselines.language, vocabulary, reverse)


@dataclass(frozen=True)
class LanguageLearner:
    """Cross-entropy of the next byte or token."""

    config: Config

    @property
    def decay(self) -> float:
        """Of the averaged weights: Zonkey's."""
        return self.config.model.ema

    def freeze(self, model: LanguageModel) -> None:
        """Everything is trained."""

    def forward(self, network: nn.Module, batch: ByteBatch, random: torch.Generator, step: int | None) -> Outcome:
        """Mean over the entries of the batch, in nats; nothing is drawn."""
        model = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
        assert isinstance(model, LanguageModel)
        ids, lengths = model.pad(model.encode(texts_of(batch)))
        logits, penalty = network(ids)
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        nats = nn.functional.cross_entropy(logits[real].float(), ids[real], reduction="none")
        with torch.no_grad():
            bits = nats.sum() / math.log(2) / batch.lengths.sum()
            accuracy = (logits[real].argmax(dim=-1) == ids[real]).float().mean()
        return Outcome(nats.mean() + penalty, {"bits_per_byte": bits, "accuracy": accuracy})

    def samples(self, model: LanguageModel) -> list[str]:
        """Texts that begin anywhere, as the pieces that it is trained on."""
        random = generator(self.config.seed, device=model.device)
        texts = model.generate(self.config.train.sample_texts, SAMPLE, generator=random)
        return [text.decode(errors="replace") for text in texts]


def texts_of(batch: ByteBatch) -> Sequence[bytes]:
    """The pieces of a batch."""
    rows = batch.tokens.cpu().numpy().astype(np.uint16)
    return [row[:length].astype(np.uint8).tobytes() for row, length in zip(rows, batch.lengths.tolist(), strict=True)]
