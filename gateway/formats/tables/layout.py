"""Locates a table's fields in a file, and holds its lines' values and problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from gateway.contract.suggestions import did_you_mean
from gateway.errors import InputFileError, MalformedError
from gateway.formats.tables.cell_values import Format
from gateway.formats.tables.fields import Column, Field, Put, members_of, reader
from gateway.formats.tables.lines import Dialect

MOST_NAMED = 10
"""Most faults of a header that are named."""


class Columns(Protocol):
    """Meaning of a file's columns: the gateway's own (Table), or a mapping's (TableMapping). Pure."""

    def layout(self, header: Sequence[str], source: str) -> Layout:
        """The layout for a header; raises ConfigurationError if it doesn't fit."""
        ...

    def dialect(self, given: Dialect) -> Dialect:
        """The dialect of a file, completed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of table.

    Attributes:
        needed: fields that every file has.
        help: the way out of a wrong header.
        mapped: fields without an own column.
        first_line: fields whose defaults hold in the first line of a record only.
    """

    fields: Mapping[str, Field]
    needed: tuple[str, ...] = ()
    help: str = ""
    mapped: frozenset[str] = frozenset()
    first_line: frozenset[str] = frozenset()

    def dialect(self, given: Dialect) -> Dialect:
        return given

    def layout(self, header: Sequence[str], source: str) -> Layout:
        """The layout for own columns in any order.

        Raises:
            ConfigurationError: an unknown, repeated or missing column.
        """
        strange = [name for name in header if name not in self.fields or name in self.mapped]
        others = [name for name in self.fields if name not in self.mapped and name not in header]
        unknown = [f"unknown column {name[:40]!r}{did_you_mean(name[:40], others)}" for name in strange]
        twice = [f"column {name!r} twice" for name in header if header.count(name) > 1]
        missing = [f"no column {name!r}" for name in self.needed if name not in header]
        if wrong := [*unknown, *dict.fromkeys(twice), *missing] or ([] if header else ["no header"]):
            raise InputFileError(
                f"{source}: {'; '.join(wrong[:MOST_NAMED])}{_more(len(wrong) - MOST_NAMED)}",
                way_out=f"Correct the header, the first line of the file: {self.help}.",
            )
        sources = {name: self.source(name, header, name) for name in self.fields if name in header}
        return Layout(table=self, width=len(header), sources=sources)

    def source(self, name: str, header: Sequence[str], label: str) -> Source:
        spec = self.fields[name]
        read = reader(spec.read, spec.own, spec.parts, Format())
        return Source(label=label, at=(header.index(name),), members=members_of(spec.own, many=spec.many), read=read)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a line can't be used.

    Attributes:
        line: from 1.
        field: the file's column; empty for the whole line.
        reason: a sentence that names the column and, if there is one, the way out.
    """

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Source of a field's values in a file.

    Attributes:
        label: its name in problems.
        at: indexes of its columns.
        members: splits a cell; None: it is one member.
        fixed: values of every line.
        default: values for empty cells.
        extra: role, scheme and the like from a mapping.
    """

    label: str
    at: Sequence[int]
    members: Callable[[str], list[str]] | None
    read: Callable[[str], Any]
    fixed: Sequence[Any] = ()
    default: Sequence[Any] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def only(self) -> int:
        """The index of the only column; -1 if there are other sources."""
        return self.at[0] if len(self.at) == 1 and not (self.fixed or self.default) else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the lines of one file are read.

    Attributes:
        width: cells in a line.
        extras: columns with a role or a scheme, by the mapping's table.
        places: notation of places, by field.
    """

    table: Table
    width: int
    sources: Mapping[str, Source]
    extras: Mapping[str, Sequence[Source]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    def fills(self, *targets: str) -> bool:
        return any(target in self.sources for target in targets)

    def columns(self, columns: Mapping[str, Field]) -> Sequence[FilledColumn]:
        """The filled columns, for `Line.fill`."""
        fields = ((name, source, columns.get(name)) for name, source in self.sources.items())
        return [
            FilledColumn(name, source, field.setter(), source.only)
            for name, source, field in fields
            if isinstance(field, Column)
        ]

    def label(self, target: str) -> str:
        """The name of a field in problems."""
        source = self.sources.get(target)
        return source.label if source else target


class FilledColumn(NamedTuple):
    """A column that a file fills; `only` as in its source."""

    name: str
    source: Source
    put: Put
    only: int


@dataclass(slots=True)
class Line:
    """One line, read by field.

    Attributes:
        number: from 1.
        cells: as many as the header has, unless `problems` has something from the beginning.
        first: whether it is the first line of its record.
    """

    layout: Layout
    number: int
    cells: Sequence[str]
    first: bool = True
    problems: list[Problem] = field(default_factory=list)

    def said(self, *targets: str) -> bool:
        """Whether a cell of these fields isn't empty."""
        sources = self.layout.sources
        return any(self.cells[at].strip() for target in targets if target in sources for at in sources[target].at)

    def has(self, target: str) -> bool:
        """Whether a cell, a constant or a default fills the field."""
        source = self.layout.sources.get(target)
        return source is not None and bool(source.fixed or self.said(target) or self._default(target, source))

    def values(self, target: str) -> list[Any]:
        source = self.layout.sources.get(target)
        return self._values(target, source) if source else []

    def values_of(self, source: Source, default: Sequence[Any] = ()) -> list[Any]:
        """The values in a source's columns; the default if these are empty."""
        values: list[Any] = []
        empty = True
        for at in source.at:
            text = self.cells[at]
            if text and (text := text.strip()):
                empty = False
                for member in source.members(text) if source.members else (text,):
                    try:
                        value = source.read(member)
                    except MalformedError as error:
                        self.problem(source.label, error.message)
                        continue
                    if value is not None:
                        values.append(value)
        return list(default) if empty else values

    def value(self, target: str) -> Any:
        """The first value of a field, if any."""
        values = self.values(target)
        return values[0] if values else None

    def text(self, target: str) -> str:
        """The first value of a text field, or empty."""
        return self.value(target) or ""

    def fill(self, message: Any, columns: Sequence[FilledColumn]) -> None:
        cells = self.cells
        for name, source, put, only in columns:
            if only >= 0 and not cells[only]:
                continue
            if values := self._values(name, source):
                try:
                    put(message, values)
                except MalformedError as error:
                    self.problem(source.label, error.message)
                except ValueError as error:  # protobuf's own, e.g. a lone surrogate
                    self.problem(source.label, str(error))

    def check(self, label: str, text: str, read: Callable[[str], Any]) -> Any:
        """The value that `read` makes; None, and a problem, if it raises MalformedError."""
        try:
            return read(text)
        except MalformedError as error:
            self.problem(label, error.message)
            return None

    def problem(self, label: str, message: str) -> None:
        """Notes a problem; the message continues the column's name."""
        self.problems.append(Problem(self.number, label, f"{label}: {message}"))

    def _values(self, target: str, source: Source) -> list[Any]:
        if source.fixed:
            return list(source.fixed)
        return self.values_of(source, self._default(target, source) if source.default else ())

    def _default(self, target: str, source: Source) -> Sequence[Any]:
        return source.default if self.first or target not in self.layout.table.first_line else ()


def _more(number: int) -> str:
    return f"; and {number} more" if number > 0 else ""
