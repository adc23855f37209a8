"""The short measurement: one call, one mapping of numbers, the same for every model that is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zonkey.config import EvaluateConfig
from zonkey.data import Corpus, encyclopedia
from zonkey.evaluate.generation import corpus_words, generation_score
from zonkey.evaluate.records import rounded
from zonkey.evaluate.round_trip import noise_curve
from zonkey.evaluate.segmentation import level_report
from zonkey.generate import generate
from zonkey.model import Zonkey


def measure(model: Zonkey, corpus: Path, plan: EvaluateConfig) -> dict[str, Any]:
    """Reconstruction, boundaries and generated text of every level, on the test split.

    Args:
        model: in evaluation mode, on its device.
        corpus: folder that ``zonkey.data.prepare`` made.
        plan: how much text, which noise levels and which seed.

    Returns:
        ``model`` (parameters, levels, objective), ``data`` (source, documents, bytes), and by level (``level0``, ...)
        ``reconstruction`` (bytes and exact without noise, ``noise`` level to bytes), ``segmentation``
        (:class:`LevelReport`) and ``generation``
        (:class:`GenerationScore`), all as plain numbers.
    """
    test, training = Corpus(corpus, "test"), Corpus(corpus, "train")
    texts = [test.text(index) for index in range(min(plan.documents, len(test)))]
    segmented = [model.segment(text) for text in texts]
    known = corpus_words(training, least=plan.least_count)
    accepts = encyclopedia.recogniser(training.summary.source)
    levels = range(len(model.levels))
    written = [generate(model, plan.generated, level=level, seed=plan.seed) for level in levels]
    found = {
        "model": {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "levels": len(model.levels),
            "objective": model.config.objective,
        },
        "data": {
            "source": training.summary.source,
            "documents": len(texts),
            "bytes": sum(len(text.encode()) for text in texts),
        },
        "reconstruction": {f"level{level}": _fidelity(model, texts, level, plan) for level in levels},
        "segmentation": {f"level{level}": level_report(segmented, level) for level in levels},
        "generation": {
            f"level{level}": generation_score(made, known, training, accepts)
            for level, made in zip(levels, written, strict=True)
        },
    }
    return rounded(found)


def _fidelity(model: Zonkey, texts: Sequence[str], level: int, plan: EvaluateConfig) -> dict[str, Any]:
    clean, *noised = noise_curve(model, texts, level, [0.0, *(t for t in plan.noise_levels if t)], plan.seed)
    return asdict(clean.score) | {"noise": {f"{one.noise:g}": one.score.bytes for one in (clean, *noised)}}
