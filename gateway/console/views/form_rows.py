"""Rows of a form: each is an item of a repeated field, and an item that it has no fields for stays as it was.

A row of the form changes the item of that number in the content that the form began with, and a row that is emptied
takes its item away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.console.form import Form
from gateway.contract.enum_words import word_of

MOST_ROWS: Final = 200
"""Most rows of one kind that are read."""

CHOSEN: Final = frozenset({"kind", "mode", "role", "scheme"})
"""Fields that always have a value: they don't make a row."""


@dataclass(slots=True)
class RowProblems:
    """Notes problems of one row under its fields' names."""

    sent: Form
    prefix: str

    def note(self, name: str, problem: str) -> None:
        self.sent.problems.setdefault(f"{self.prefix}-{name}", problem)


@dataclass(frozen=True, slots=True)
class RowKind:
    """Rows of one kind.

    Args:
        name: before the number in names of fields, e.g. `goods-0-description`.
        fields: names of a row's fields; a row without a value in any of them is no row.
        path: of the items in the content.
        items: the repeated field of a content.
        show: values of an item's fields.
        change: puts a row's values into an item.
    """

    name: str
    fields: Sequence[str]
    path: str
    items: Callable[[Any], Any]
    show: Callable[[Any], Mapping[str, str]]
    change: Callable[[Any, Mapping[str, str], RowProblems], None]


def replace_all(repeated: Any, items: Sequence[Any]) -> None:
    """Gives a repeated field these items alone."""
    del repeated[:]
    repeated.extend(items)


def word_or_empty(enum: Any, value: int) -> str:
    """An enum's word, as forms send it; empty for unspecified."""
    return word_of(enum, value) if value else ""


def row_count(sent: Form, kind: RowKind) -> int:
    """Rows that a form shows: those with values, and an empty one."""
    last = max((number for number, _ in rows_in(sent, kind)), default=-1)
    return min(last + 2, MOST_ROWS)


def rows_in(sent: Form, kind: RowKind) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Numbers and values of the rows that say something."""
    numbers = {
        int(parts[1])
        for parts in (name.split("-", 2) for name in sent)
        if len(parts) == 3 and parts[0] == kind.name and parts[1].isdecimal() and len(parts[1]) <= 3
    }
    for number in sorted(numbers)[:MOST_ROWS]:
        values = {name: sent.text(f"{kind.name}-{number}-{name}") for name in kind.fields}
        if any(values[name] for name in kind.fields if name not in CHOSEN):
            yield number, values


def read_rows(sent: Form, kind: RowKind, base: Any, content: Any) -> list[int]:
    """Puts a form's rows of one kind into a content, each into the item of its number in `base`; the rows' numbers."""
    before, items, numbers = kind.items(base), kind.items(content), []
    del items[:]
    for number, values in rows_in(sent, kind):
        item = items.add()
        if number < len(before):
            item.CopyFrom(before[number])
        kind.change(item, values, RowProblems(sent, f"{kind.name}-{number}"))
        numbers.append(number)
    return numbers
