"""Explanations of screening are said in the reader's language: none of its sentences is unknown to the console."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.translation.match_reasons import PARTS, SENTENCES, said

SCREENING = Path(__file__).parents[3] / "gateway" / "screening"


def sentences() -> Iterator[str]:
    """Whole texts that explain, in the sources of screening."""
    for path in sorted(SCREENING.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Explanation", "TokenMatch"):
                texts = node.args[:1] if node.func.id == "Explanation" else node.args[2:3]  # type: ignore[attr-defined]
                yield from (each for text in texts for each in _whole(text))
            elif isinstance(node, ast.Assign) and any("because" in ast.unparse(target) for target in node.targets):
                yield from _whole(node.value)


def _whole(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_whole(node.body), *_whole(node.orelse))
    elif isinstance(node, ast.Tuple):
        yield from (each for element in node.elts for each in _whole(element))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


@pytest.mark.drift
def test_every_sentence_of_screening_can_be_translated() -> None:
    found = list(sentences())
    assert len(found) > 20
    parts = {part for sentence in found for part in sentence.split("; ")}
    assert parts <= SENTENCES | PARTS, "add them to gateway/translation/match_reasons.py"


def test_parts_are_said_one_by_one_and_unknown_ones_stay() -> None:
    assert said("only Latin letters agree; several persons may be written so; new") == (
        "only Latin letters agree; several persons may be written so; new"
    )
    assert said("the same identifier (uscc)") == "the same identifier (uscc)"
    assert said("") == ""
