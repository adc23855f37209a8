"""Varied configurations: dotted names, what follows from them, and the variants of the ablations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.model.build import config, merge
from tests.texts import like, text_read
from zonkey.config import Config, ConfigError, PipelineConfig, StageConfig, load_config, parse
from zonkey.train import plan
from zonkey.variants import lengthened, variant, varied, with_levels

PROFILES = ("default", "tiny", "wikipedia-cpu", "gpu")
LEVELWISE = ("per_level", "levels1", "levels3")  # variants with other steps of the levels


def profile(root: Path, name: str) -> Config:
    """A profile as ``zonkey profile`` would make it."""
    values: dict[str, Any] = {"profile": name}
    for part in dict.fromkeys(("default", name)):
        merge(values, YAML(typ="safe").load(root / "profiles" / f"{part}.yaml"))
    data = values["data"]
    values["pipeline"] = PipelineConfig.of(data["source"], data["path"], len(values["model"]["levels"])).model_dump()
    return parse(Config, values, name)


def test_values_change_by_dotted_name_and_nothing_else() -> None:
    before = config()
    after = varied(before, {"seed": 5, "model.levels.1.target_rate": 0.3, "sample.gaps": ["{gap}"]})
    assert (after.seed, after.model.levels[1].target_rate, after.sample.gaps) == (5, 0.3, ("{gap}",))
    back = {"seed": before.seed, "model.levels.1.target_rate": before.model.levels[1].target_rate}
    assert varied(after, back | {"sample.gaps": list(before.sample.gaps)}) == before
    assert varied(before, {}) == before


def test_every_stage_is_lengthened_alike_and_nothing_else(root: Path) -> None:
    before = profile(root, "default")
    after = lengthened(before, 0.5)
    for stage, longer in zip(_stages(after), _stages(before), strict=True):
        assert stage.steps == longer.steps // 2 and stage == longer.model_copy(update={"steps": stage.steps})
    assert lengthened(after, 2) == before == lengthened(before, 1.0)
    assert [stage.steps for stage in _stages(lengthened(before, 1e-6))] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("model.levls.0.width", 8, "unknown parameter 'model.levls.0.width'; the nearest known name is 'levels'"),
        ("train.step", 8, "unknown parameter 'train.step'; known: checkpoint_every, "),
        ("model.levels.2.width", 8, "unknown parameter 'model.levels.2.width'; model.levels has entries 0 to 1"),
        ("model.levels.top.width", 8, "model.levels has entries 0 to 1"),
        ("seed.more", 8, "unknown parameter 'seed.more'; seed is 0 and holds no others"),
        ("seed", "many", "seed=many: parameter 'seed' is 'many'"),
        ("model.levels.1.width", 8, r"levels\.1\.width is 8, but must be 32, width times vectors of levels\.0"),
    ],
)
def test_what_cannot_be_changed_is_named(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        varied(config(), {name: value})


def test_levels_are_cut_or_repeated() -> None:
    two = config(2)
    one, four = with_levels(two, 1), with_levels(two, 4)
    assert one.model.levels == two.model.levels[:1] and len(one.train.levels) == 1
    assert one.pipeline.finetune == "models/level0" and with_levels(two, 2) == two
    assert [level.width for level in four.model.levels] == [16, 32, 64, 128]
    assert four.model.levels[3].model_copy(update={"width": 32}) == two.model.levels[1]


@pytest.mark.parametrize("name", PROFILES)
def test_variants_differ_in_one_thing_and_see_as_much_text(name: str, root: Path) -> None:
    whole = profile(root, name)
    made = {key: variant(whole, key) for key in whole.ablations.variants}
    text = like(whole)
    seen = {
        key: sum(text_read(plan(one, bool(one.ablations.finetune)).values(), text, seed) for seed in range(8))
        for key, one in made.items()
        if name != "gpu" or key not in LEVELWISE  # there a step of one level is more than of another
    }
    assert "ddmm" in seen
    for key, one in seen.items():
        assert one == pytest.approx(seen["reference"], rel=0.05), key
    reference = made.pop("reference")
    assert made and not whole.ablations.variants["reference"].changes
    assert reference.model == whole.model and reference.losses == whole.losses
    for one in made.values():
        changed = [part for part in ("model", "losses") if getattr(one, part) != getattr(reference, part)]
        assert len(changed) == (0 if not one.ablations.finetune else 1)
        kept = {"model", "losses", "train", "ablations", "pipeline"}
        assert one.model_dump(exclude=kept) == reference.model_dump(exclude=kept)


def test_the_variants_ask_for_what_their_names_say(root: Path) -> None:
    whole = profile(root, "default")
    made = {key: variant(whole, key) for key in whole.ablations.variants}
    for splitting in ("stride", "spaces"):
        assert {level.splitting for level in made[splitting].model.levels} == {splitting}
    assert {level.decompressor for level in made["sequential"].model.levels} == {"sequential"}
    assert [len(made[name].model.levels) for name in ("levels1", "reference", "levels3")] == [1, 2, 3]
    assert (made["hard"].model.existence, made["ddmm"].model.objective) == ("hard", "ddmm")
    assert made["unspread"].losses.spread == made["unmasked"].losses.masked == made["unmasked"].losses.masked_bytes == 0
    assert made["per_level"].ablations.finetune == 0 < made["reference"].ablations.finetune


def test_an_unknown_variant_is_named_with_the_nearest(root: Path) -> None:
    with pytest.raises(ConfigError, match="there is no variant 'strid'; the nearest is 'stride'"):
        variant(load_config(root / "params.yaml"), "strid")


def _stages(config: Config) -> list[StageConfig]:
    return [*config.train.levels, config.train.finetune, config.train.flow]
