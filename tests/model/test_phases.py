"""Which loss terms take part when, and that a run which stops between phases goes on in the right one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.build import bytes_batch, level_config, losses, model, random, raw
from tests.model.test_training import StoppedError, run, short, stop_at, weights_of
from zonkey import Zonkey
from zonkey.config import Config, ConfigError, LossConfig, parse
from zonkey.phases import (
    SETTINGS,
    SPLITTING,
    WAITING,
    early,
    foretelling,
    reconstructs,
    splitting,
    unforeseen,
    weights_at,
)
from zonkey.train.learner import ZonkeyLearner
from zonkey.variants import varied

TERMS = LossConfig.model_fields.keys() - set(SETTINGS)
WHOLE = losses(**dict.fromkeys(sorted(TERMS), 0.5))


@pytest.mark.parametrize(
    ("phase", "off"),
    [
        (foretelling, TERMS - {"predict"}),
        (splitting, TERMS - set(SPLITTING)),
        (early, set(WAITING)),
        (unforeseen, {"predict", "surprise"}),
    ],
)
def test_a_phase_turns_these_off(phase: Callable[[LossConfig], LossConfig], off: set[str]) -> None:
    made = phase(WHOLE)
    assert {name for name in LossConfig.model_fields if getattr(made, name) != getattr(WHOLE, name)} == off
    assert not any(getattr(made, name) for name in off)
    assert reconstructs(made) == (phase in (early, unforeseen))


@pytest.mark.parametrize(
    ("foresight", "step", "wanted"),
    [
        (1.0, 0, foretelling),
        (1.0, 1, foretelling),
        (1.0, 2, splitting),
        (1.0, 3, early),
        (1.0, 4, lambda weights: early(unforeseen(weights))),
        (1.0, 5, unforeseen),
        (0.0, 0, early),
    ],
)
def test_weights_by_step(foresight: float, step: int, wanted: Callable[[LossConfig], LossConfig]) -> None:
    level = level_config(foresight=foresight, predictor_alone=0.2, splitter_alone=0.1, foresight_until=0.4)
    assert weights_at(step, 10, level, losses(delay=0.5)) == wanted(losses(delay=0.5))


def test_foresight_may_hold_begins_to_the_end() -> None:
    level = level_config(predictor_alone=0.2, splitter_alone=0.5, foresight_until=1.0)
    whole = losses(delay=0.5)
    assert [weights_at(step, 10, level, whole) for step in (6, 7, 9)] == [splitting(whole), whole, whole]


def test_begins_that_only_move_are_foretold_but_not_drawn() -> None:
    level = level_config(foresight=0.0, splitter_moves=1, predictor_alone=0.2, splitter_alone=0.5, foresight_until=0.9)
    whole = losses(delay=0.0)
    assert [weights_at(step, 10, level, whole) for step in (1, 2, 9)] == [foretelling(whole), whole, unforeseen(whole)]


@given(st.integers(1, 40), st.floats(0, 0.6), st.floats(0.001, 0.399), st.floats(0, 1))
def test_begins_are_chosen_before_the_end(steps: int, alone: float, both: float, until: float) -> None:
    """However few the steps, the last one reconstructs; begins that move have been chosen by then."""
    level = level_config(predictor_alone=alone, splitter_alone=both, foresight_until=until, splitter_moves=1)
    weights = [weights_at(step, steps, level, WHOLE) for step in range(steps)]
    assert reconstructs(weights[-1])
    assert until == 1 or not weights[-1].predict
    assert sorted(weights, key=reconstructs) == weights, "what began is not left again"
    if round(alone * steps) < steps - 1:
        assert splitting(WHOLE) in weights


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"predictor_sees": 1, "predictor_finds": "independence"}, "give predictor_sees 2 or more"),
        ({"predictor_alone": 0.5, "splitter_alone": 0.5}, "leave no step for reconstruction"),
        ({"splitter_moves": 1, "foresight_until": 1.0}, "needs an end of choosing"),
        ({"splitter_moves": 1, "foresight_until": 1.0, "splitter_alone": 0.1, "foresight": 0.0}, "an end of choosing"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        level_config(**change)


@pytest.mark.parametrize("name", ["predict", "surprise"])
def test_foresight_alone_needs_its_losses(name: str) -> None:
    values = raw(1, splitter_alone=0.1)
    values["losses"][name] = 0.0
    with pytest.raises(ConfigError, match=r"model\.levels\.0\.splitter_alone is 0\.1.*set splitter_alone to 0"):
        parse(Config, values, "test")


def test_moving_needs_a_predictor_that_learns() -> None:
    values = raw(1, splitter_moves=1, foresight=0.0)
    values["losses"]["predict"] = 0.0
    with pytest.raises(ConfigError, match=r"splitter_moves is 1.*set splitter_moves to 0"):
        parse(Config, values, "test")


def test_a_level_by_itself_is_trained_by_phases_and_validated_by_all_terms() -> None:
    made = parse(Config, raw(1, predictor_alone=0.2), "test")
    stage, level = made.train.levels[0], made.model.levels[0]
    learner = ZonkeyLearner(made, stage, 0)
    for step in (0, stage.steps - 1):
        assert learner._weights(step) == weights_at(step, stage.steps, level, made.losses) != made.losses
    assert learner._weights(None) == made.losses


def test_end_to_end_only_levels_that_are_held_are_drawn() -> None:
    values = raw(2)
    values["model"]["levels"][1]["foresight_until"] = 1.0
    made = parse(Config, values, "test")
    weights = ZonkeyLearner(made, made.train.finetune, None)._weights(0)
    assert weights == (unforeseen(made.losses), made.losses)
    out = model(2)(*bytes_batch(["to be or not to be, that is the question"]), weights, random())
    assert out.levels[0].losses.predict is None and out.levels[1].losses.predict is not None


def test_weights_are_for_all_levels_or_for_each() -> None:
    with pytest.raises(ValueError, match="3 sets of weights for 2 levels"):
        model(2)(*bytes_batch(["to be or not"]), (losses(),) * 3, random())


# --- in a run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_run_that_stops_between_phases_resumes_exactly(tmp_path: Path, corpus: Path, step: int) -> None:
    """Six steps: one of the predictor alone, two with the splitter, three that reconstruct."""
    level = {"predictor_alone": 0.17, "splitter_alone": 0.33, "splitter_moves": 1, "foresight_until": 1.0}
    changes = {f"model.levels.0.{name}": value for name, value in level.items()}
    made = varied(short(checkpoint_every=1), changes | {"model.levels.0.target_rate": 0.3})
    phases = [weights_at(at, 6, made.model.levels[0], made.losses) for at in range(6)]
    assert phases[:3] == [foretelling(made.losses), *[splitting(made.losses)] * 2] and reconstructs(phases[3])
    run(made, corpus, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, step)
        with pytest.raises(StoppedError):
            run(made, corpus, tmp_path / "parts")
    run(made, corpus, tmp_path / "parts")
    assert weights_of(tmp_path / "parts" / "level0") == weights_of(tmp_path / "whole" / "level0")
    assert not Zonkey.from_pretrained(tmp_path / "whole" / "level0").levels[0].splitter.signal.any(), "begins moved"
