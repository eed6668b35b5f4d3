"""How the lines of a table are read: where its fields stand in a file, and what a line says in them.

A kind of table (`Table`) gives a `Layout` for a header of the gateway's own columns, a mapping for any other header. A
`Line` gives the values of its fields, and collects what can't be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.tables.cell_values import Format
from gateway.formats.tables.fields import Column, Field, Put, members_of, reader
from gateway.formats.tables.lines import Dialect


class Columns(Protocol):
    """What the columns of a file mean: the gateway's own (Table), or somebody else's (TableMapping). Pure."""

    def layout(self, header: Sequence[str], source: str) -> Layout:
        """The layout of a file with this header; raises ConfigurationError where it isn't such a file."""
        ...

    def dialect(self, given: Dialect) -> Dialect:
        """The dialect of a file, of which something may be given."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of table.

    Attributes:
        fields: what its columns can fill.
        needed: fields without which a file makes no sense.
        help: where the own columns are described, and what else there is to do.
        mapped: fields that no own column has.
        first_line: fields whose defaults hold in the first line of a record alone.
    """

    fields: Mapping[str, Field]
    needed: tuple[str, ...] = ()
    help: str = ""
    mapped: frozenset[str] = frozenset()
    first_line: frozenset[str] = frozenset()

    def dialect(self, given: Dialect) -> Dialect:
        """The dialect of a file: what is given."""
        return given

    def layout(self, header: Sequence[str], source: str) -> Layout:
        """The layout of a file whose header has the gateway's own columns, in any order.

        Raises:
            ConfigurationError: a column isn't known, stands twice, or is needed and isn't there.
        """
        unknown = [f"unknown column {name[:40]!r}" for name in header if name not in self.fields or name in self.mapped]
        twice = [f"column {name!r} twice" for name in header if header.count(name) > 1]
        missing = [f"no column {name!r}" for name in self.needed if name not in header]
        if wrong := unknown or twice or missing or ([] if header else ["no header"]):
            raise ConfigurationError(f"{source}: {wrong[0]}; {self.help}")
        sources = {name: self.source(name, header, name) for name in self.fields if name in header}
        return Layout(table=self, width=len(header), sources=sources)

    def source(self, name: str, header: Sequence[str], label: str) -> Source:
        """An own column."""
        spec = self.fields[name]
        read = reader(spec.read, spec.own, spec.parts, Format())
        return Source(label=label, at=(header.index(name),), members=members_of(spec.own, many=spec.many), read=read)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a line can't be used; a line may have several.

    Attributes:
        line: line in the file, from 1.
        field: the column as the file calls it; empty where it is the line as a whole.
        reason: a sentence that names the column and, where there is one, the way out.
    """

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the values of one field stand in a file.

    Attributes:
        label: names it in problems.
        at: indexes of its columns.
        members: takes a cell apart; None: it is one member.
        read: makes a value of each member.
        fixed: values that every line has, whatever stands in it.
        default: values where the cells are empty.
        extra: what a mapping says of the column beside.
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
        """The index of its column where values come from nowhere else; -1 otherwise."""
        return self.at[0] if len(self.at) == 1 and not (self.fixed or self.default) else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the lines of one file are read.

    Attributes:
        table: the kind of file.
        width: cells in a line.
        sources: where the fields stand, by field.
        extras: columns with a role or scheme of their own, by the mapping's table that names them.
        places: in which notation a field's cells name places, by field.
    """

    table: Table
    width: int
    sources: Mapping[str, Source]
    extras: Mapping[str, Sequence[Source]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    def fills(self, *targets: str) -> bool:
        """Whether any of these fields is filled by the file or the mapping."""
        return any(target in self.sources for target in targets)

    def columns(self, columns: Mapping[str, Field]) -> Sequence[FilledColumn]:
        """Those of the columns that the file or the mapping fills, for `Line.fill`."""
        fields = ((name, source, columns.get(name)) for name, source in self.sources.items())
        return [
            FilledColumn(name, source, field.setter(), source.only)
            for name, source, field in fields
            if isinstance(field, Column)
        ]

    def label(self, target: str) -> str:
        """What a field is called in problems: its column where it has one."""
        source = self.sources.get(target)
        return source.label if source else target


class FilledColumn(NamedTuple):
    """A column that a file fills: its name, where it stands, what sets its values, and its index where these come from
    nowhere else, -1 otherwise."""

    name: str
    source: Source
    put: Put
    only: int


@dataclass(slots=True)
class Line:
    """One line, read by field; what can't be read is noted in `problems` and left out.

    Attributes:
        layout: of the file.
        number: from 1.
        cells: its cells.
        first: whether it is the first line of its record.
        problems: what can't be read; where it is the line as a whole, its cells may be fewer or more than the header's.
    """

    layout: Layout
    number: int
    cells: Sequence[str]
    first: bool = True
    problems: list[Problem] = field(default_factory=list)

    def said(self, *targets: str) -> bool:
        """Whether the line itself says anything in one of these fields."""
        sources = self.layout.sources
        return any(self.cells[at].strip() for target in targets if target in sources for at in sources[target].at)

    def has(self, target: str) -> bool:
        """Whether the line, a constant or a default says anything in a field."""
        source = self.layout.sources.get(target)
        return source is not None and bool(source.fixed or self.said(target) or self._default(target, source))

    def values(self, target: str) -> list[Any]:
        """The values of a field; none where nothing is said."""
        source = self.layout.sources.get(target)
        return self._values(target, source) if source else []

    def values_of(self, source: Source, default: Sequence[Any] = ()) -> list[Any]:
        """The values in the columns of a source; the default where these are empty."""
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
        """The first value of a field; None where nothing is said, or nothing that can be read."""
        values = self.values(target)
        return values[0] if values else None

    def text(self, target: str) -> str:
        """The one value of a field of text, empty where nothing is said."""
        return self.value(target) or ""

    def fill(self, message: Any, columns: Sequence[FilledColumn]) -> None:
        """Sets in a message what the line says in these columns."""
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
        """What `read` makes of a text; None, and a problem, where it raises MalformedError."""
        try:
            return read(text)
        except MalformedError as error:
            self.problem(label, error.message)
            return None

    def problem(self, label: str, message: str) -> None:
        """Notes that something can't be used; the message goes on from the column's name."""
        self.problems.append(Problem(self.number, label, f"{label}: {message}"))

    def _values(self, target: str, source: Source) -> list[Any]:
        if source.fixed:
            return list(source.fixed)
        return self.values_of(source, self._default(target, source) if source.default else ())

    def _default(self, target: str, source: Source) -> Sequence[Any]:
        return source.default if self.first or target not in self.layout.table.first_line else ()
