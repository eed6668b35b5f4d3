"""Makes the discrepancy of a rule that fired: inputs as text, thresholds, sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.risk.rule_file import PLACEHOLDER, SEVERITIES, Rule
from gateway.v1 import trace_pb2

MAX_INPUT_CHARS = 400
"""Longer inputs are cut."""

MAX_EXPLANATION_CHARS = 1024

DIGITS = 6
"""Significant digits of numbers."""

WHOLE_FROM = 1000
"""Larger numbers are whole in sentences."""


def discrepancy(
    rule: Rule,
    severity: str,
    values: Mapping[str, Any],
    measured: float | None,
    *,
    legs: tuple[int, ...],
    sequence: int,
) -> trace_pb2.Discrepancy:
    """Makes a discrepancy.

    Args:
        measured: None for yes/no rules.
        legs: indexes of the records concerned.
        sequence: of the goods item; 0 for none.
    """
    inputs = {name: text for name, value in values.items() if (text := as_text(value))}
    thresholds = {name: as_text(number) for name, number in rule.thresholds.items()}
    thresholds |= {name: as_text(words) for name, words in rule.lists.items()}
    found = trace_pb2.Discrepancy(
        rule_id=rule.id,
        rule_version=rule.version,
        name=rule.name,
        typology=rule.typology,
        severity=SEVERITIES[severity],
        confidence=rule.confidence,
        inputs=inputs,
        thresholds=thresholds,
        explanation=_sentence(rule, values, measured),
        legs=legs,
        goods_sequence=sequence,
    )
    if measured is not None and math.isfinite(measured):
        found.measured, found.unit = measured, rule.unit
    return found


def as_text(value: Any) -> str:
    """A value as text; empty if unknown."""
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = _number(value)
    elif isinstance(value, datetime):
        text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    elif isinstance(value, list | tuple):
        text = ", ".join(as_text(part) for part in value)
    else:
        text = str(value)
    return text if len(text) <= MAX_INPUT_CHARS else text[: MAX_INPUT_CHARS - 1] + "…"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return format(Decimal(f"{value:.{DIGITS}g}").normalize() + 0, "f")


def _spoken(value: float) -> str:
    """Whole from a thousand on, else three digits; inputs have the exact number."""
    if not math.isfinite(value) or abs(value) >= WHOLE_FROM:
        return _number(round(value)) if math.isfinite(value) else ""
    return format(Decimal(f"{value:.3g}").normalize() + 0, "f")


def _sentence(rule: Rule, values: Mapping[str, Any], measured: float | None) -> str:
    known = {**values, "measured": measured, **{f"t.{name}": number for name, number in rule.thresholds.items()}}

    def fill(match: Any) -> str:
        value = known.get(match[1])
        if match[2] == "percent" and isinstance(value, float) and math.isfinite(value):
            return f"{_number(round(value * 100, 2))} %"
        if isinstance(value, float):
            return _spoken(value)
        return as_text(value) if value is not None else ""

    return PLACEHOLDER.sub(fill, rule.explanation).rstrip()[:MAX_EXPLANATION_CHARS]
