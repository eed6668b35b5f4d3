"""docs/tracing.md says what bench.traces measures, and the links keep their precision and recall."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.consignments import held_out
from bench.traces import CONSIGNMENTS, OPEN_SEED, SEALED_SEED, measure

pytestmark = pytest.mark.drift

PAGE = (Path(__file__).parents[3] / "docs" / "tracing.md").read_text("utf-8")


@pytest.mark.parametrize(("half", "seed"), [("to look at", OPEN_SEED), ("sealed", SEALED_SEED)])
def test_the_page_says_what_is_measured(half: str, seed: int) -> None:
    found = measure(held_out(seed, CONSIGNMENTS))
    figures = [found.precision, found.recall, found.whole / found.traces]
    assert f"| {half} | {found.traces} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |" in PAGE
    assert found.precision >= 0.95


def test_a_seed_makes_the_same_consignments() -> None:
    one, other = held_out(7, 20), held_out(7, 20)
    assert one == other
