"""docs/tracing.md says what the table of links and the limits are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.tracing.rules.assembly import MAX_EVENTS, MAX_LEGS
from gateway.tracing.rules.inquiry import DECLARED_LATE_S, MAX_QUESTIONS
from gateway.tracing.rules.links import DAY_S, HOUR_S, MIN_RECORD_ID_CHARS, MIN_SEAL_CHARS, RULES
from gateway.tracing.rules.records import MAX_RECORDS
from gateway.tracing.rules.weak import MASS_TOLERANCE

pytestmark = pytest.mark.drift

PAGE = (Path(__file__).parents[3] / "docs" / "tracing.md").read_text("utf-8")


def test_every_kind_of_link_is_in_the_table_with_its_figures() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line[:3] == "| `"]
    documented = [(kind.strip("`"), *figures[:4]) for kind, *figures in rows]
    assert documented == [
        (
            kind.value,
            f"{rule.strength:.2f}",
            f"{rule.window_s // DAY_S}",
            "–" if rule.trip_s is None else f"{rule.trip_s // HOUR_S} h",
            "yes" if rule.widens else "weak",
        )
        for kind, rule in RULES.items()
    ]
    assert all(figures[-1] for _, *figures in rows)


@pytest.mark.parametrize(
    "said",
    [
        f"up to {MAX_QUESTIONS} questions",
        f"more than {MAX_LEGS} legs or {MAX_EVENTS:,} events",
        f"more than {MAX_RECORDS:,} records",
        f"at most {MASS_TOLERANCE:.0%} apart".replace("%", " %"),
        f"{DECLARED_LATE_S // DAY_S} days after them",
        f"from {MIN_RECORD_ID_CHARS} characters on",
        f"from {MIN_SEAL_CHARS} characters on",
    ],
)
def test_limits_are_told(said: str) -> None:
    assert said in re.sub(r"\s+", " ", PAGE)
