"""Which loss terms take part in which step of a level's training (departs from the paper: there all in all).

In this order, each a share of the level's steps, or none:

1. its predictor alone (``predictor_alone``),
2. predictor and splitter alone: begins follow foresight (``splitter_alone``),
3. reconstruction, at first without the terms that wait until units have settled (``losses.delay``),
4. all terms.

Foresight acts on begins until ``foresight_until``.
"""

from zonkey.config import LevelConfig, LossConfig

SPLITTING = ("window", "short", "rate", "predict", "surprise", "decisive")  # terms of predictor and splitter
WAITING = ("dirty", "noisy", "masked", "masked_bytes", "position", "sequence")
SETTINGS = ("masked_rows", "negatives", "delay")  # no weights
RECONSTRUCTING = tuple(name for name in LossConfig.model_fields if name not in (*SPLITTING, *SETTINGS))


def weights_at(step: int, steps: int, level: LevelConfig, losses: LossConfig) -> LossConfig:
    """The weights of one of ``steps`` steps that train a level by itself.

    The last step reconstructs in any case, and is past foresight that ends: begins move when they are chosen, and that
    must not be left to what is trained next.
    """
    last = steps - 1
    foretold = round(level.predictor_alone * steps) if level.foresees and losses.predict else 0
    split = max(round((level.predictor_alone + level.splitter_alone) * steps), foretold + 1)
    if step < min(foretold, last):
        return foretelling(losses)
    if level.splits_alone and step < min(split, last):
        return splitting(losses)
    weights = early(losses) if step < losses.delay * steps else losses
    until = steps if level.foresight_until == 1 else min(level.foresight_until * steps, last)
    return weights if step < until else unforeseen(weights)


def weights_end_to_end(level: LevelConfig, losses: LossConfig) -> LossConfig:
    """The weights of a level where all are trained together: foresight acts if it did to the end."""
    return losses if level.foresight_until == 1 else unforeseen(losses)


def foretelling(losses: LossConfig) -> LossConfig:
    """A predictor is trained, and nothing else."""
    return _only(losses, ("predict",))


def splitting(losses: LossConfig) -> LossConfig:
    """Predictor and splitter are trained, and nothing else."""
    return _only(losses, SPLITTING)


def early(losses: LossConfig) -> LossConfig:
    """All but the terms that wait."""
    return losses.model_copy(update=dict.fromkeys(WAITING, 0.0))


def unforeseen(losses: LossConfig) -> LossConfig:
    """Begins are left to reconstruction."""
    return losses.model_copy(update={"predict": 0.0, "surprise": 0.0})


def reconstructs(losses: LossConfig) -> bool:
    """Whether anything but predictor and splitter is trained."""
    return any(getattr(losses, name) for name in RECONSTRUCTING)


def _only(losses: LossConfig, terms: tuple[str, ...]) -> LossConfig:
    kept = (*terms, *SETTINGS)
    return losses.model_copy(update={name: 0.0 for name in LossConfig.model_fields if name not in kept})
