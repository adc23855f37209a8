"""The pages that people read: links lead somewhere, commands exist, and the changelog keeps its form."""

from __future__ import annotations

import re
import tomllib

import pytest

import zonkey
from tests.docs.markdown import anchor, blocks, headings, links
from tests.repository import ROOT

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]  # Keep a Changelog's, in its order
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in links(read(name)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, place = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), f"{name} links to {target}"
        assert not place or place in map(anchor, headings(file.read_text(encoding="utf-8"))), f"{name}: {target}"


@pytest.mark.parametrize("name", PAGES)
def test_what_make_is_asked_for_exists(name: str) -> None:
    page = read(name)
    asked = re.findall(r"`make ([a-z -]+)", page)
    asked += [words for block in blocks(page, "sh") for words in re.findall(r"(?m)(?:^|&& )make ([a-z -]+)", block)]
    targets = re.search(r"(?m)^\.PHONY: (.*)$", read("Makefile"))
    assert targets and {word for words in asked for word in words.split()} <= set(targets[1].split())


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md", ".github/workflows/test.yml"])
def test_the_readme_leads_to_it(name: str) -> None:
    assert name in links(read("README.md"))


def test_the_changelog_keeps_its_form() -> None:
    page = read("CHANGELOG.md")
    titles = headings(page)
    assert titles[:2] == ["Changelog", "[Unreleased]"]
    releases = [title for title in titles if title.startswith("[") and title != "[Unreleased]"]
    assert all(map(RELEASE.fullmatch, releases)), "a release is [1.2.3] - 2026-01-31"
    kinds = [title for title in titles[1:] if not title.startswith("[")]
    assert set(kinds) <= set(KINDS)
    parts = re.split(r"(?m)^## .*$", page)[1:]
    assert all(found == sorted(found, key=KINDS.index) for found in ([*headings(part)] for part in parts))


def test_there_is_one_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert zonkey.__version__ == version
    assert version in read("CHANGELOG.md"), "say what the version in the making is called, or what it brought"
