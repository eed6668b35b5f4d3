"""Defines fields that columns can fill, and how cells are split and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gateway.formats.tables.cell_values import Format
from gateway.formats.tables.notation import TEXT, Notation, read_members, read_parts, unescaped

Read = Callable[[list[str], Format], Any]
"""Makes a value of a member's parts; raises MalformedError, whose message continues the column's name."""


def as_text(parts: list[str], _: Format) -> str:
    """The first part, unchanged."""
    return parts[0]


def as_parts(parts: list[str], _: Format) -> list[str]:
    """All parts, unchanged."""
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that a column can fill.

    Attributes:
        own: notation of an own column.
        parts: most parts of a member.
        many: whether it can have several values.
        key: whether it names the record.
    """

    read: Read = as_text
    own: Notation = TEXT
    parts: int = 1
    many: bool = False
    key: bool = False


Put = Callable[[Any, list[Any]], None]
"""Sets values, at least one, in a message; raises MalformedError where they conflict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Field):
    """A field whose values go to one place of a message.

    Attributes:
        path: of the message's field, with dots; a dict of `read` becomes a message.
        put: sets the values where there is no path.
    """

    path: str = ""
    put: Put | None = None

    def setter(self) -> Put:
        if self.put is not None:
            return self.put
        *parents, name = self.path.split(".")

        def put(message: Any, values: list[Any]) -> None:
            for parent in parents:
                message = getattr(message, parent)
            there = getattr(message, name)
            if isinstance(values[0], dict):
                for members in values:
                    there.add(**members)
            elif hasattr(there, "extend"):
                there.extend(values)
            elif isinstance(there, Message):
                there.CopyFrom(values[0])
            else:
                setattr(message, name, values[0])

        return put


def reader(read: Read, notation: Notation, parts: int, form: Format) -> Callable[[str], Any]:
    """A reader of one member."""
    if parts == 1 and not notation.parts:
        plain = unescaped if notation.escapes else str
        return plain if read is as_text else lambda member: read([plain(member)], form)
    return lambda member: read(read_parts(member, parts, notation), form)


def members_of(notation: Notation, *, many: bool) -> Callable[[str], list[str]] | None:
    """A splitter of cells into members; None if the cell is one."""
    return (lambda text: read_members(text, notation)) if many and notation.members else None
