"""Defines the rows that shipment readers return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.contract.messages import RecordedItem
from gateway.contract.validation import violations
from gateway.errors import Violation
from gateway.formats.tables.layout import Problem


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item that keeps the contract's rules.

    Attributes:
        line: its first line, from 1.
        lines: how many it was made from.
    """

    line: int
    item: RecordedItem
    lines: int = 1


@dataclass(frozen=True, slots=True)
class BadRecord:
    """An unusable record, or a line of no known record.

    Attributes:
        line: its first line, from 1.
        record_id: empty if it can't be read.
        lines: how many are left out with it.
        problems: at least one.
    """

    line: int
    record_id: str
    lines: int
    problems: tuple[Problem, ...]


Row = ItemRow | BadRecord

Label = Callable[[Violation, RecordedItem], tuple[int, str]]
"""Line and column or member of a broken rule."""


def finish(line: int, item: RecordedItem, label: Label, *, lines: int = 1) -> Row:
    """The item, or all rules of the contract that it breaks."""
    found = violations(item)
    if not found:
        return ItemRow(line, item, lines)
    problems = []
    for violation in found:
        at, name = label(violation, item)
        problems.append(Problem(at, name, f"{name}: {violation.message}" if name else violation.message))
    return BadRecord(line, item.record_id[:64], lines, tuple(problems))
