"""What every reader of shipments gives: items to record, and records that can't be used with everything that is
wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.contract.messages import RecordedItem
from gateway.contract.validation import violations
from gateway.errors import Violation
from gateway.formats.tables.layout import Problem


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item that may be recorded: it keeps the rules of the contract.

    Attributes:
        line: its first line in the file, from 1.
        item: the shipment, or what is added to one.
        lines: lines that it was made from.
    """

    line: int
    item: RecordedItem
    lines: int = 1


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that isn't taken, or a line of which it isn't known to which record it belongs.

    Attributes:
        line: its first line in the file, from 1.
        record_id: empty where the line couldn't be read so far.
        lines: lines that are left out with it.
        problems: everything that is wrong, in order; at least one.
    """

    line: int
    record_id: str
    lines: int
    problems: tuple[Problem, ...]


Row = ItemRow | BadRecord

Label = Callable[[Violation, RecordedItem], tuple[int, str]]
"""Line and name of the column or member that a broken rule is about."""


def finish(line: int, item: RecordedItem, label: Label, *, lines: int = 1) -> Row:
    """The item, or every rule of the contract that it breaks."""
    found = violations(item)
    if not found:
        return ItemRow(line, item, lines)
    problems = []
    for violation in found:
        at, name = label(violation, item)
        problems.append(Problem(at, name, f"{name}: {violation.message}" if name else violation.message))
    return BadRecord(line, item.record_id[:64], lines, tuple(problems))
