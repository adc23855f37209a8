"""The built-in grammar: what it writes, what it knows of it, and what its recogniser tells apart."""

from __future__ import annotations

import math
import random
import re
import string
import time
from collections import Counter

import pytest

from zonkey.data import encyclopedia
from zonkey.data.encyclopedia.draw import Draw
from zonkey.data.encyclopedia.grammar import grammar
from zonkey.data.encyclopedia.language import GrammarError, Scope, entries, figure
from zonkey.data.encyclopedia.nodes import Derivation, indefinite

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@pytest.fixture(scope="module")
def articles():
    return list(encyclopedia.articles(300, seed=17))


@pytest.fixture(scope="module")
def sentences(articles):
    return [line for article in articles for line in article.lines()]


def test_an_article_hangs_on_its_seed_and_index_only(articles):
    assert list(encyclopedia.articles(20, seed=17)) == articles[:20]
    assert encyclopedia.article(17, 250) == articles[250]
    assert encyclopedia.article(18, 0).text != articles[0].text


def test_pieces_have_the_size_that_was_asked_for():
    assert [len(text.encode()) for text in encyclopedia.pieces(3, 100, 0)] == [100] * 3


def test_articles_are_varied(articles):
    assert len({article.id for article in articles}) == len(articles)
    assert len({article.text for article in articles}) == len(articles)
    assert {article.kind for article in articles} == set(encyclopedia.kinds())
    assert len(encyclopedia.kinds()) >= 12
    assert all(len(kind.plans) >= 3 for kind in grammar().kinds)


def test_articles_have_the_size_of_short_encyclopedia_articles(articles, sentences):
    sizes = [len(article.text.encode()) for article in articles]
    assert sum(300 <= size <= 1500 for size in sizes) >= 0.95 * len(sizes)
    assert sum(40 <= len(sentence) <= 120 for sentence in sentences) >= 0.65 * len(sentences)
    assert all("\n\n" in article.text for article in articles)


def test_a_minority_of_articles_goes_beyond_ascii(articles):
    share = sum(not article.text.isascii() for article in articles) / len(articles)
    assert 0.05 < share < 0.5


def test_names_are_few_and_closed_words_many(articles):
    vocabulary = encyclopedia.vocabulary()
    assert len(vocabulary) >= 2000
    assert all(word == word.lower() and WORD.fullmatch(word) for word in vocabulary)
    words = [word.lower() for article in articles for word in WORD.findall(article.text)]
    names = [word for word in words if word not in vocabulary]
    assert 0.02 < len(names) / len(words) < 0.12
    assert len(set(names)) > 500  # an open vocabulary


def test_boundaries_are_true(articles):
    for article in articles:
        data = article.text.encode()
        lines = article.lines()
        assert article.sentences[0] == 0 and article.ends[-1] == len(data)
        between = [data[a:b] for a, b in zip(article.ends, article.sentences[1:], strict=False)]
        assert set(between) <= {b" ", b"\n", b"\n\n"}
        assert all(line == line.strip() for line in lines)
        starts = [data[offset:].decode() for offset in article.words]
        assert all(start[0].isalnum() for start in starts)
        alone = [start[0] for start in starts]
        assert Counter(alone) == Counter(word[0] for word in re.findall(r"\w[\w.,'’-]*", article.text))


def test_the_text_reads_well(articles):
    for article in articles:
        for mark in ("  ", "..", ",,", " ,", " .", "\0", "\x01", "{", "<", "["):
            assert mark not in article.text
        assert not re.search(r"\b(\w+) \1\b", article.text), "a word said twice"
        for found in re.finditer(r"\b([Aa]n?) (\w+)", article.text):
            assert found[1].lower() == indefinite(found[2]), found[0]
        assert not re.search(r"[a-z]*([a-z])\1\1", article.text), "a letter three times"
        assert all(int(year) < 2026 for year in re.findall(r"\bin (\d{4})\b(?! \w)", article.text))
        assert all(line[0].isupper() or not line[0].isalpha() for line in article.lines())


def test_facts_agree(articles):
    people = [article for article in articles if article.kind == "person"]
    assert len(people) > 5
    for article in people:
        words = set(WORD.findall(article.text))
        assert not ({"He", "his"} & words and {"She", "her"} & words)
        born, died = map(int, re.search(r"(\d{4})\D+(?:\d+ \D+)?(\d{4})", article.text).groups())
        assert born < died
        if age := re.search(r"at the age of (\d+)", article.text):
            assert int(age[1]) == died - born


@pytest.mark.parametrize("following", ["hour", "Irish", "unusual", "18-year", "honest", "Élby", "8", "11th"])
def test_an_stands_before_a_vowel(following):
    assert indefinite(following) == "an"


@pytest.mark.parametrize("following", ["river", "university", "European", "one-armed", "1800s", "useful"])
def test_a_stands_before_a_consonant(following):
    assert indefinite(following) == "a"


def test_the_recogniser_accepts_every_sentence_and_heading(sentences):
    refused = [sentence for sentence in sentences if not encyclopedia.is_sentence(sentence)]
    assert refused == []


def test_the_recogniser_refuses_shuffled_words(sentences):
    random_order = random.Random(0)
    shuffled = []
    for sentence in sentences:
        words = sentence.split()
        random_order.shuffle(words)
        if len(words) > 1 and " ".join(words) != sentence:
            shuffled.append(" ".join(words))
    accepted = [sentence for sentence in shuffled if encyclopedia.is_sentence(sentence)]
    assert len(shuffled) > 2000 and len(accepted) <= 0.01 * len(shuffled), accepted[:5]


def test_the_recogniser_refuses_misspellings_of_closed_words(sentences):
    draw = random.Random(1)
    vocabulary = encyclopedia.vocabulary()
    misspelt = []
    for sentence in sentences:
        closed = [found for found in WORD.finditer(sentence) if found[0].lower() in vocabulary]
        if closed:
            found = draw.choice(closed)
            place = draw.randrange(found.start(), found.end())
            other = draw.choice([c for c in string.ascii_lowercase if c != sentence[place].lower()])
            misspelt.append(sentence[:place] + other + sentence[place + 1 :])
    accepted = [sentence for sentence in misspelt if encyclopedia.is_sentence(sentence)]
    assert len(misspelt) > 2000 and len(accepted) <= 0.01 * len(misspelt), accepted[:5]


@pytest.mark.parametrize("text", ["", " ", "The", "Thé river", "He was born.", "\0", "a" * 5000])
def test_the_recogniser_refuses_what_is_no_sentence(text):
    assert not encyclopedia.is_sentence(text)


def test_what_binds_within_a_sentence_is_honoured():
    scope = Scope()
    source = """
crop = oats, rye, apples
fact born = year 1800..1850
fact died = year born + 20..60
fact age = died - born
fact he = by gender: he | she
fact his = by gender: his | her
table lands:
  France | French
  Spain | Spanish
"""
    for entry in sorted(entries(source), key=lambda entry: entry.head.startswith("fact")):
        scope.add(entry)
    scope.add(next(entries("fact country = lands.1 by land")))
    scope.add(next(entries("fact people = lands.2 by land")))
    scope.add(next(entries("fact other = lands.1 by land2")))

    def accepts(template: str, text: str) -> bool:
        return any(end == len(text) for end, _ in scope.template(template).match(text, 0, {}))

    assert accepts("{born}-{died}", "1810-1850") and not accepts("{born}-{died}", "1850-1810")
    assert accepts("{born}-{died} ({age})", "1810-1850 (40)") and not accepts("{born}-{died} ({age})", "1810-1850 (41)")
    assert accepts("{he} and {his}", "she and her") and not accepts("{he} and {his}", "she and his")
    assert accepts("{country}, {people}", "Spain, Spanish")
    assert not accepts("{country}, {people}", "Spain, French")
    assert accepts("{country}, {other}", "Spain, France")
    assert not accepts("{country}, {other}", "Spain, Spain")
    assert accepts("<crop> and <crop>", "oats and rye") and not accepts("<crop> and <crop>", "rye and rye")
    assert accepts("{a} <crop>", "an apples") and not accepts("{a} <crop>", "a apples")
    assert accepts("{1..2000}", "1,234") and not accepts("{1..2000}", "1234")


def test_entropy_counts_every_choice():
    scope = Scope()
    for entry in entries("crop = oats, rye\nfact kind = <crop>"):
        scope.add(entry)
    draws = []
    for seed in range(200):
        derivation = Derivation(Draw(seed, 0))
        text = scope.template("{kind} {kind} [x|y] {0..7}").write(derivation)
        draws.append((text, derivation.draw.bits))
    weights = {"oats": (1 / 3) / (1 / 3 + 1 / 4), "rye": (1 / 4) / (1 / 3 + 1 / 4)}
    for text, bits in draws:
        assert bits == pytest.approx(-math.log2(weights[text.split()[0]]) + 1 + 3)
        assert text.split()[0] == text.split()[1]
    share = sum(text.startswith("oats") for text, _ in draws) / len(draws)
    assert share == pytest.approx(weights["oats"], abs=0.12)


def test_entropy_is_estimated_with_its_error():
    small, large = (encyclopedia.entropy_per_character(count, seed=3) for count in (100, 800))
    assert 0.1 < large.bits_per_character < 1
    assert large.standard_error < small.standard_error < 0.02
    assert abs(small.bits_per_character - large.bits_per_character) < 5 * small.standard_error
    with pytest.raises(ValueError, match="at least 2"):
        encyclopedia.entropy_per_character(1)


def test_bad_counts_are_refused():
    with pytest.raises(ValueError, match="negative"):
        encyclopedia.articles(-1, 0)
    assert list(encyclopedia.articles(0, 0)) == []


@pytest.mark.parametrize(
    ("source", "template", "message"),
    [
        ("", "<none>", "no rule"),
        ("", "{none}", "no fact"),
        ("x = a, b, a", "<x>", "twice"),
        ("x:\n  <x>", "<x>", "itself"),
        ("x = a", "a <x>", "write {a}"),
        ("", "[a|b", "unbalanced"),
    ],
)
def test_a_broken_grammar_is_refused(source, template, message):
    scope = Scope()
    with pytest.raises(GrammarError, match=message):
        for entry in entries(source):
            scope.add(entry)
        scope.template(template)


def test_a_number_needs_a_step_that_fits():
    assert (figure("1.5..9.9").low, figure("1.5..9.9").decimals) == (15, 1)
    with pytest.raises(GrammarError, match="step"):
        figure("1..10 by 4")


def test_at_least_300_articles_a_second():
    grammar()
    start = time.perf_counter()
    list(encyclopedia.articles(150, seed=1))
    assert time.perf_counter() - start < 0.5
