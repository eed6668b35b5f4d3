"""docs/risk-rules.md says what the rules file is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.risk.rule_file import load_rules

pytestmark = pytest.mark.drift

PAGE = (Path(__file__).parents[3] / "docs" / "risk-rules.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert lines
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_rule_is_in_the_table_with_its_thresholds() -> None:
    documented = {row[0]: row[1:] for row in rows("The rules")}
    said = {
        rule.id: [
            rule.confidence,
            ", ".join(f"`{name}` {number:g}" for name, number in rule.thresholds.items()) or "–",
        ]
        for rule in load_rules()
    }
    assert documented == said


def test_every_rule_is_explained() -> None:
    text = PAGE.partition("\n## Meaning and limits of each rule\n")[2].partition("\n## ")[0]
    for rule in load_rules():
        assert re.search(rf"\*\*{rule.id}[\s*]", text), rule.id
    assert "R10" in text
