"""Phrases that readers of the product stumbled over: they must not come back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("gateway", "docs", "demo", "deploy", "examples", "packaging", "protos", "scripts", "bench", "certs", "tests")
ENDINGS = {".py", ".md", ".html", ".js", ".proto", ".toml", ".yaml", ".yml", ".json", ".go", ".ts", ".java", ".pot"}
NOT_READ = ("//gateway/v1/", "node_modules/", "__pycache__/", "/site/", "/vendor/", "/migrations/versions/")
"""What is generated, others', or mustn't change: databases have run the migrations."""

NAMING_THEM = (Path(__file__).resolve(), ROOT / "scripts/planted_defects.toml")

PHRASES = {
    r"\b[Tt]he(?: |\s*\n[\s#/*|]*)own(?=[\s,.;:)])": "our, its, your or their …",
    r"each under (?:the|their) own name": "under their own name",
    r"Ids are cut": "Ids are shortened.",
    r"\b[a-z]+ is the hit of that": "What is reported is the resulting hit …",
    r"wrong word forks": "if that is untrue, two conflicting histories arise",
    r"stands in the source before": "already occurs on line …",
    r"form stands in docs": "name the page",
    r"Nothing was half-written\. Free": "what fits the case",
    r"has room for (?:stands in|goes into) further": "Steps that don't fit go into further bundles",
    r"partners' and own ones on own": "List hits on our entries, by us and partners, …",
}
"""By what is found: what is said instead."""


def files() -> Iterator[Path]:
    yield ROOT / "README.md"
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in ENDINGS and path.is_file() and not any(part in f"//{name}" for part in NOT_READ):
                yield path


def found(text: str) -> list[str]:
    return [
        f"{match[0]!r}: say {instead!r}" for phrase, instead in PHRASES.items() for match in re.finditer(phrase, text)
    ]


@pytest.mark.drift
def test_no_phrase_comes_back() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {problem}"
        for path in files()
        if path not in NAMING_THEM
        for problem in found(path.read_text("utf-8", errors="replace"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text", ["a search at the own\n    node", "# of the\n# own feed", "each under the own name", "The own CA: one"]
)
def test_a_phrase_is_found_across_lines_and_comments(text: str) -> None:
    assert found(text)
