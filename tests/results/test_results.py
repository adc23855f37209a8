"""The results page on metrics made up by hand: what is reached, what is said, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.docs.markdown import anchor, headings
from zonkey.cli import main
from zonkey.config import ConfigError, parse
from zonkey.evaluate import off_rate, rounded
from zonkey.results import (
    Measured,
    Page,
    Status,
    load_page,
    load_words,
    outcome,
    outcomes,
    read,
    rows,
    series,
    verdicts,
)
from zonkey.results.schema import Table, Target, Word
from zonkey.results.tables import fill, markdown, reading

MEASURED = {"seg.zonkey.f1": 0.85, "seg.random.f1": 0.2, "seg.entropy.f1": 0.8, "seg.none.f1": 0.0}


def target(**changes: Any) -> Target:
    raw = {
        "id": "words",
        "section": "cuts",
        "claim": "splits are words",
        "name": "F1",
        "value": ["seg.zonkey.f1"],
        "compare": "at least",
        "corpora": {"default": 0.85},
    }
    return parse(Target, raw | changes, "test")


def status(metrics: dict[str, float] | None = None, **changes: Any) -> tuple[Status, str]:
    found = outcome(target(**changes), "default", MEASURED if metrics is None else metrics)
    return found.status, found.figure


class TestOutcome:
    """Both sides of every bound."""

    @pytest.mark.parametrize(
        ("compare", "bound", "reached"),
        [
            ("at least", 0.85, True),
            ("at least", 0.851, False),
            ("above", 0.849, True),
            ("above", 0.85, False),
            ("at most", 0.85, True),
            ("at most", 0.849, False),
        ],
    )
    def test_a_number(self, compare: str, bound: float, reached: bool) -> None:
        expected = Status.REACHED if reached else Status.MISSED
        assert status(compare=compare, corpora={"default": bound}) == (expected, "0.850")

    def test_the_strongest_of_others_counts(self) -> None:
        others = {"random": "seg.random.f1", "entropy": "seg.entropy.f1"}
        assert status(compare="above", of=others, corpora={"default": 1.0}) == (
            Status.REACHED,
            "0.850 against 0.800 (entropy)",
        )
        missed = outcome(target(compare="above", of=others, corpora={"default": 1.1}), "default", MEASURED)
        assert missed.status is Status.MISSED  # 0.85 < 1.1 x 0.8
        assert missed.bound == "> 110% of random and entropy"

    def test_the_hardest_of_others_counts_from_above_too(self) -> None:
        """At most as much as several: the least of them is the bound."""
        of = {"held-out": "gen.held.bits", "shuffled": "gen.shuffled.bits"}
        metrics = {"gen.bits": 2.5, "gen.held.bits": 2.0, "gen.shuffled.bits": 3.0}
        found = status(metrics, value=["gen.bits"], compare="at most", of=of, corpora={"default": 1.0})
        assert found == (Status.MISSED, "2.500 against 2.000 (held-out)")
        metrics["gen.bits"] = 2.0
        assert (
            status(metrics, value=["gen.bits"], compare="at most", of=of, corpora={"default": 1.0})[0] is Status.REACHED
        )

    def test_an_interval_is_shown_with_the_number_that_it_is_of(self) -> None:
        interval = ["seg.low", "seg.high"]
        metrics = MEASURED | {"seg.low": 0.8412, "seg.high": 0.861}
        assert status(metrics, interval=interval) == (Status.REACHED, "0.850 (0.841 to 0.861)")
        of = {"entropy": "seg.entropy.f1"}
        figure = status(metrics, interval=interval, of=of, compare="above", corpora={"default": 1.0})[1]
        assert figure == "0.850 (0.841 to 0.861) against 0.800 (entropy)"
        assert status(MEASURED, interval=interval) == (Status.REACHED, "0.850"), "it was not measured"
        assert status(metrics, value=["seg.gone", "seg.zonkey.f1"], interval=interval)[1] == "0.850", "it is another's"
        raw = load_page().model_dump()
        raw["targets"][0]["interval"] = ["one.end"]
        with pytest.raises(ConfigError, match="'word_starts' has 1 interval ends; give two or none"):
            parse(Page, raw, "page")

    def test_a_share_of_another_metric(self) -> None:
        of = {"held-out text": "gen.held.bits"}
        for bits, expected in ((2.3, Status.REACHED), (2.31, Status.MISSED)):  # 15% above 2.0 is 2.3
            metrics = {"gen.bits": bits, "gen.held.bits": 2.0}
            found = status(metrics, value=["gen.bits"], compare="at most", of=of, corpora={"default": 1.15})
            assert found == (expected, f"{bits:.3f} against 2.000 (held-out text)")

    def test_each_has_to_hold_and_the_worst_is_shown(self) -> None:
        options: dict[str, Any] = {
            "value": ["fill.gap*.zonkey"],
            "of": {"left": "fill.gap*.left"},
            "each": ["4", "8"],
            "compare": "above",
            "corpora": {"default": 1.0},
            "percent": True,
        }
        metrics = {"fill.gap4.zonkey": 0.5, "fill.gap4.left": 0.3, "fill.gap8.zonkey": 0.4, "fill.gap8.left": 0.35}
        assert status(metrics, **options) == (Status.REACHED, "40.0% against 35.0% (left) at 8")
        assert status(metrics | {"fill.gap4.left": 0.5}, **options) == (
            Status.MISSED,
            "50.0% against 50.0% (left) at 4",
        )
        del metrics["fill.gap8.zonkey"]  # one length that was not measured leaves all open
        assert status(metrics, **options) == (Status.UNMEASURED, "not measured")

    @pytest.mark.parametrize("metrics", [{}, {"seg.zonkey.f1": 0.9}, {"seg.entropy.f1": 0.9}])
    def test_what_is_missing_is_not_made_up(self, metrics: dict[str, float]) -> None:
        found = status(metrics, compare="above", of={"entropy": "seg.entropy.f1"}, corpora={"default": 1.0})
        assert found == (Status.UNMEASURED, "not measured")

    def test_the_first_name_that_was_measured_counts(self) -> None:
        assert status(value=["seg.gone.f1", "seg.random.f1", "seg.zonkey.f1"]) == (Status.MISSED, "0.200")

    @pytest.mark.parametrize(
        ("metrics", "word", "verdict"),
        [
            (MEASURED, None, "reproduced"),
            (MEASURED, Word(change="other loss"), "reproduced with a change"),
            (MEASURED, Word(why="too small"), None),
            ({"seg.zonkey.f1": 0.5}, None, "not"),
            ({"seg.zonkey.f1": 0.5}, Word(why="too small"), "not"),
            ({"seg.zonkey.f1": 0.5}, Word(change="other loss"), None),
            ({}, None, "not measured"),
            ({}, Word(why="too small"), "not measured"),
            ({}, Word(change="other loss"), "not measured"),
        ],
    )
    def test_words_may_not_contradict_the_metrics(
        self, metrics: dict[str, float], word: Word | None, verdict: str | None
    ) -> None:
        if verdict is None:
            with pytest.raises(ValueError, match=r"verdict of words on default says .*, but it is "):
                outcome(target(), "default", metrics, word)
        else:
            assert outcome(target(), "default", metrics, word).verdict == verdict


@pytest.mark.parametrize(
    ("value", "percent", "text"),
    [
        (0.85, False, "0.850"),
        (0.000001, False, "0.000"),
        (123.4, False, "123.4"),
        (7, False, "7"),
        (12345, False, "12,345"),
        (3456.7, False, "3,457"),
        (0.125, True, "12.5%"),
        (1, True, "100.0%"),
    ],
)
def test_numbers_for_reading(value: float, percent: bool, text: str) -> None:
    assert verdicts.number(value, percent) == text


def test_rows_by_what_stars_stand_for() -> None:
    metrics = {"a.x.f1": 1.0, "a.x.deep.n": 2.0, "a.y.f1": 0.5, "b.x.f1": 9.0, "a.noise.0.2.f1": 3.0, "seed1.f1": 4.0}
    assert rows(metrics, "a.*") == {"x": {"f1": 1.0, "deep.n": 2.0}, "y": {"f1": 0.5}, "noise": {"0.2.f1": 3.0}}
    assert rows(metrics, "a.noise.*") == {"0.2": {"f1": 3.0}}
    assert rows(metrics, "*.x") == {"a": {"f1": 1.0, "deep.n": 2.0}, "b": {"f1": 9.0}}
    assert rows(metrics, "*.*.f1")["a, y"] == {"": 0.5}
    assert rows(metrics, "seed*") == {"1": {"f1": 4.0}}
    assert rows(metrics, "c.*") == {}


def test_series_take_one_metric_of_each_row() -> None:
    metrics = {"fill.gap4.left": 0.5, "fill.gap16.left": 0.25, "fill.gap4.left.more": 9.0}
    patterns = {"baseline": "fill.gap*.left", "gone": "fill.gap*.right"}
    assert series(metrics, patterns) == {"baseline": {"4": 0.5, "16": 0.25}}


def table(**changes: Any) -> Table:
    raw = {
        "title": "Cuts",
        "command": "dvc repro",
        "rows": ["seg.*"],
        "first": "splitter",
        "columns": {"F1": "f1", "sure %": "sure"},
        "read": ["F1", "sure %"],
    }
    return parse(Table, raw | changes, "test")


class TestTables:
    """Tables and the sentences below them."""

    def test_numbers_gaps_and_extremes(self) -> None:
        filled = fill(table(names={"zonkey": "Zonkey"}), MEASURED | {"seg.zonkey.sure": 0.5, "seg.other.x": 1.0})
        assert markdown(table(), filled) == [
            "| splitter | F1 | sure |",
            "|---|---:|---:|",
            "| entropy | 0.800 | – |",
            "| none | 0.000 | – |",
            "| random | 0.200 | – |",
            "| Zonkey | 0.850 | 50.0% |",
        ]
        said = "F1 is highest for Zonkey (0.850) and lowest for none (0.000); sure is 50.0% for Zonkey."
        assert reading(table(), filled) == said

    def test_a_note_stands_below_what_is_read(self) -> None:
        filled = fill(table(), {"seg.zonkey.f1": 0.5})
        assert reading(table(note="Cut by hand."), filled) == "F1 is 0.500 for zonkey. Cut by hand."
        assert reading(table(note="Cut by hand.", read=[]), filled) == "Cut by hand."
        assert reading(table(read=[]), filled) == ""

    def test_a_trend_goes_by_number(self) -> None:
        metrics = {"seg.gap16.f1": 0.1, "seg.gap4.f1": 0.3, "seg.gap8.f1": 0.5}
        filled = fill(table(trend=True), metrics)
        assert list(filled.rows) == ["gap 4", "gap 8", "gap 16"]
        assert reading(table(trend=True), filled) == "F1 goes from 0.300 (gap 4) to 0.100 (gap 16)."

    def test_seeds_have_mean_least_and_most(self) -> None:
        spec = table(rows=["seed*"], seeds=True)
        filled = fill(spec, {"seed0.f1": 0.5, "seed1.f1": 0.25, "seed2.f1": 0.75, "seed0.sure": 0.5})
        assert filled.rows == {"F1": (0.5, 0.25, 0.75, 3), "sure %": (0.5, 0.5, 0.5, 1)}
        assert markdown(spec, filled)[2:] == [
            "| F1 | 0.500 | 0.250 | 0.750 | 3 |",
            "| sure | 50.0% | 50.0% | 50.0% | 1 |",
        ]
        assert reading(spec, filled) == "F1 lies between 0.250 and 0.750; sure lies between 50.0% and 50.0%."

    def test_rows_come_from_several_places(self) -> None:
        metrics = {"own.zonkey_level0.f1": 0.9, "own.zonkey_level1.f1": 0.5, "others.level0.bpe.f1": 0.25}
        spec = table(rows=["own.*_level0", "others.level0.*"], columns={"F1": "f1"})
        assert fill(spec, metrics).rows == {"bpe": (0.25,), "zonkey": (0.9,)}

    def test_nothing_measured_is_no_row(self) -> None:
        assert fill(table(), {}).rows == {}


class TestFiles:
    """From folders of metrics to the page."""

    def test_read_flattens_and_leaves_out_what_is_no_number(self, tmp_path: Path) -> None:
        content = {"a": {"b": 1, "c": None, "d": "x", "e": True}, "list": [{"n": 0.5}]}
        (tmp_path / "one.json").write_text(json.dumps(content))
        assert read(tmp_path, tmp_path / "missing") == {"one.a.b": 1, "one.list.0.n": 0.5}

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ('{"a": 1', "is not valid JSON"),
            ("[1]", "holds list, not an object"),
            ('{"a": NaN}', "a is nan, no number"),
        ],
    )
    def test_a_malformed_file_is_one_sentence(
        self, tmp_path: Path, content: str, sentence: str, capsys: pytest.CaptureFixture
    ) -> None:
        (tmp_path / "reports" / "default" / "metrics").mkdir(parents=True)
        (tmp_path / "reports" / "default" / "metrics" / "evaluate.json").write_text(content)
        out = tmp_path / "docs" / "results.md"
        assert main(_arguments(tmp_path / "reports", out)) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"zonkey: {tmp_path}") and sentence in error and error.count("\n") == 1
        assert not out.exists()

    def test_without_reports(self, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        assert main(_arguments(tmp_path / "reports", tmp_path / "results.md")) == 2
        assert "no folder" in capsys.readouterr().err
        (tmp_path / "reports").mkdir()  # nothing is measured: a page all the same
        assert main(_arguments(tmp_path / "reports", tmp_path / "results.md")) == 0
        text = (tmp_path / "results.md").read_text(encoding="utf-8")
        assert "not measured" in text and "reproduced" not in text.split("\n\n", 2)[2]

    def test_the_same_metrics_give_the_same_bytes_and_targets_write_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        wanted = next(target for target in load_page().targets if target.id == "existing_words")
        file, *keys = wanted.value[0].split(".")
        content: Any = 0.9512
        for key in reversed(keys):
            content = {key: content}
        metrics = tmp_path / "reports" / "suites" / "default" / "metrics"
        metrics.mkdir(parents=True)
        (metrics / f"{file}.json").write_text(json.dumps(content))
        for name in ("one", "two"):
            assert main(_arguments(tmp_path / "reports", tmp_path / f"{name}.md")) == 0
        assert (tmp_path / "one.md").read_bytes() == (tmp_path / "two.md").read_bytes()
        capsys.readouterr()
        assert main([*_arguments(tmp_path / "reports", tmp_path / "three.md"), "--targets"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert f"Built-in corpus, {wanted.name}: 95.1% (target ≥ 95.0%): reached" in lines
        assert f"Wikipedia, {wanted.name}: not measured (target ≥ 80.0%): not measured" in lines
        assert len(lines) == sum(len(target.corpora) for target in load_page().targets if target.wanted)
        assert not (tmp_path / "three.md").exists()

    @pytest.mark.parametrize(
        ("pipeline", "suites", "same", "figure"),
        [
            (0.6, 0.9, True, "90.0%"),
            (0.6, 0.9, False, "60.0%"),
            (None, 0.9, False, "90.0%, by another model than the pipeline's"),
            (0.6, None, False, "60.0%"),
            (None, None, False, "not measured"),
        ],
    )
    def test_the_pipelines_own_model_counts_first_where_suites_measured_another(
        self, pipeline: float | None, suites: float | None, same: bool, figure: str
    ) -> None:
        target = next(target for target in load_page().targets if target.id == "existing_words")
        second, first = ({name: value} for name, value in zip(target.value, (suites, pipeline), strict=True))
        own = {name: value for name, value in first.items() if value is not None} | {"prepare.bytes.train": 9.0}
        every = own | {name: value for name, value in second.items() if value is not None}
        params = {"": {"seed": 0}, "suites": {"seed": 0 if same else 1}}
        page = load_page().model_copy(update={"targets": (target,)})
        nothing = Measured({}, {}, {}, (), Path("reports"), "")
        one = Measured(every, own, params, (), Path("reports"), "")
        found = outcomes(page, {name: one if name == "default" else nothing for name in page.corpora}, {})
        one = found["existing_words", "default"]
        assert one.figure == figure
        assert ("another model" in one.verdict) == ("another model" in figure)


class TestWords:
    """What is written by hand."""

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("existing_word: {default: {why: x}}", "no target 'existing_word'; the nearest is 'existing_words'"),
            ("accepted_sentences: {wikipedia: {why: x}}", "no corpus of accepted_sentences 'wikipedia'"),
            ("existing_words: {default: {why: x, change: y}}", "give either change"),
            ("existing_words: {default: {see: []}}", "give either change"),
            ("existing_words: {default: {because: x}}", "unknown parameter"),
        ],
    )
    def test_a_slip_is_one_sentence(self, tmp_path: Path, text: str, sentence: str) -> None:
        path = tmp_path / "verdicts.yaml"
        path.write_text(f"verdicts:\n  {text}\n")
        with pytest.raises(ValueError, match=sentence):
            load_words(path, load_page())

    def test_links_lead_somewhere(self, root: Path) -> None:
        for word in load_words(root / "docs" / "verdicts.yaml", load_page()).values():
            for link in word.see:
                file, _, place = link.partition("#")
                text = (root / "docs" / file).read_text(encoding="utf-8")
                assert not place or place in map(anchor, headings(text)), f"{link} leads nowhere"


def test_a_section_without_a_target_is_refused() -> None:
    raw = load_page().model_dump()
    raw["targets"] = [one for one in raw["targets"] if one["section"] != "infilling"]
    with pytest.raises(ConfigError, match="infilling"):
        parse(Page, raw, "page")


WANTED = {
    "word_starts": {"default": 0.85, "wikipedia": 0.70},
    "sentence_starts": {"default": 0.80, "wikipedia": 0.50},
    "words_above_baselines": {"default": 1.0, "wikipedia": 1.0},
    "sentences_above_baselines": {"default": 1.0, "wikipedia": 1.0},
    "existing_words": {"default": 0.95, "wikipedia": 0.80},
    "accepted_sentences": {"default": 0.50},
    "judge_bits": {"default": 1.15, "wikipedia": 1.60},
    "no_two_alike": {"default": 1.0, "wikipedia": 1.0},
    "distinct_4": {"default": 0.8, "wikipedia": 0.8},
    "infilling": {"default": 1.0, "wikipedia": 1.0},
}
LEVEL0, LEVEL1 = "segmentation.level0.{}.words.near.f1", "segmentation.level1.{}.sentences.near.f1"
AGAINST = {
    "words_above_baselines": {
        LEVEL0.format(name) for name in ("entropy_threshold", "entropy_rise", "bpe", "bpe_free", "chunker")
    },
    # Tokens do not reach the rate of level 1, whoever makes them.
    "sentences_above_baselines": {LEVEL1.format(name) for name in ("entropy_threshold", "entropy_rise", "chunker")},
    "judge_bits": {"generation.heldout.bits"},
    "distinct_4": {"generation.heldout.distinct4"},
    "infilling": {"infilling.middle.gap*.left.bytes"},
}


def test_the_targets_of_the_project_are_on_the_page() -> None:
    """All of them, with their bounds and all that they are held against."""
    wanted = {one.id: one for one in load_page().targets if one.wanted}
    assert {name: one.corpora for name, one in wanted.items()} == WANTED
    assert {name: {*one.of.values()} for name, one in wanted.items() if one.of} == AGAINST
    ways = {name: one.compare for name, one in wanted.items()}
    assert {name for name, way in ways.items() if way == "at most"} == {"judge_bits"}
    assert {name for name, way in ways.items() if way == "above"} == {*AGAINST} - {"judge_bits", "distinct_4"}
    assert wanted["infilling"].each == ["4", "8", "16", "32"]


def test_the_splitters_that_count_are_those_that_the_notebook_holds_to_the_rate(root: Path) -> None:
    """Who misses the rate has another name, which no target knows: the comparison is then not made."""
    cells = json.loads((root / "notebooks" / "71_segmentation.ipynb").read_text(encoding="utf-8"))["cells"]
    (source,) = ("".join(cell["source"]) for cell in cells if "off_rate" in "".join(cell["source"]))
    (tokens,) = ("".join(cell["source"]) for cell in cells if "tokens = {" in "".join(cell["source"]))
    thresholds = {*json.loads(re.search(r"set_to_rate = .*?(\[.*?\])", source).group(1))}
    made = {*re.findall(r'"(\w+)": \w+\.train', tokens)}
    rates = {"level0": 4.0, "level1": 50.0}
    reached = {"level0": {"bpe": 3.2, "entropy_rise": 4.1}, "level1": {"chunker": 60.0, "bpe": 4.0}}
    every = thresholds | made | {"white_space"}

    def splitter_scores(row: dict[str, str], *_: object) -> dict[str, SimpleNamespace]:
        level = row["bpe"]
        return {kind: SimpleNamespace(bytes_per_segment=reached[level].get(kind, rates[level])) for kind in row}

    run: dict[str, Any] = {
        "evaluate": SimpleNamespace(splitter_scores=splitter_scores, off_rate=off_rate, rounded=rounded),
        "others": {level: dict.fromkeys(every, level) for level in rates},
        "tokens": dict.fromkeys(made),
        "plan": SimpleNamespace(seed=0, rate_within=0.05),
        **{"rates": rates, "data": None, "found": None},
    }
    exec(source, run)
    for row in ("scores", "others"):
        assert {*run[row]["level0"]} == every - {"bpe"} | {"bpe_off_rate"}
        assert {*run[row]["level1"]} == every - {"chunker"} | {"chunker_off_rate"}, "tokens above level 0 are no rivals"
    rivals = {one.id: {path.split(".")[2] for path in one.of.values()} for one in load_page().targets}
    assert rivals["words_above_baselines"] == thresholds | made and rivals["sentences_above_baselines"] == thresholds


def test_the_published_page_is_what_the_command_makes(tmp_path: Path, root: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "reports").symlink_to(root / "reports")
    (tmp_path / "docs" / "verdicts.yaml").symlink_to(root / "docs" / "verdicts.yaml")
    out = tmp_path / "docs" / "results.md"
    assert main(_arguments(tmp_path / "reports", out)) == 0
    published = (root / "docs" / "results.md").read_bytes()
    assert out.read_bytes() == published, "run `python -m zonkey results` and commit docs/results.md"


def _arguments(reports: Path, out: Path) -> list[str]:
    return ["results", "--reports", str(reports), "--out", str(out)]
