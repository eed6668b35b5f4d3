"""Reads and checks mapping files (TOML), which define other people's columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError, InputFileError, MalformedError
from gateway.formats.tables.cell_values import RFC3339, Format, one_of
from gateway.formats.tables.fields import members_of, reader
from gateway.formats.tables.layout import Layout, Source, Table
from gateway.formats.tables.lines import Dialect, check_delimiter, check_encoding
from gateway.formats.tables.mapping_files import (
    columns_of,
    only_known,
    parse_toml,
    read_text,
    table_of,
    tables_of,
    text_of,
    texts_of,
)
from gateway.formats.tables.notation import Notation

MAX_MAPPING_BYTES = 256 << 10
"""Translation tables are its longest part."""

_ZONE = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])")
_WIDEST_ZONE = timedelta(hours=14)


class Family(StrEnum):
    """A mapping's use. Names of packaged ones begin so, except for declarations."""

    DECLARATIONS = ""
    SHIPMENTS = "shipments"
    WATCHLIST = "watchlist"


class Zone(Enum):
    """Whether a mapping names the zone of its dates."""

    NEVER = 0
    MAYBE = 1
    ALWAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A table [[…]] of columns that have a role or a scheme.

    Attributes:
        keys: beside column and separator, with their readers, which raise MalformedError.
        needed: mandatory keys.
    """

    keys: Mapping[str, Callable[[str], Any]]
    needed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraColumn:
    """One column of an Extra."""

    column: str
    separator: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingKind:
    """One kind of mapping. Its methods raise ConfigurationError, which names file, key and way out.

    Attributes:
        family: of packaged ones.
        default: the packaged one that is read without a name.
        record: what a line is, in errors.
        date: format of dates without one in the mapping.
        zone: whether it names their zone.
        own_constants: whether constants and defaults have the notation of own columns, not the file's.
    """

    table: Table
    family: Family
    default: str
    record: str
    date: str
    zone: Zone
    numbers: bool = True
    own_constants: bool = False
    extras: Mapping[str, Extra] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    place_kinds: tuple[str, ...] = ()

    def builtin(self, name: str = "") -> TableMapping:
        """A packaged mapping, by its name without `.toml`."""
        name = name or self.default
        folder = resources.files("gateway.reference").joinpath("mappings")
        known = {
            entry.name.removesuffix(".toml"): entry
            for entry in folder.iterdir()
            if entry.name.endswith(".toml") and _family_of(entry.name) is self.family
        }
        if name not in known:
            raise InputFileError(f"there is no mapping {name!r}; those that come along: {', '.join(sorted(known))}")
        return self.parse(known[name].read_text("utf-8"), source=f"{name}.toml")

    def load(self, path: Path) -> TableMapping:
        return self.parse(read_text(path, what="the mapping", most_bytes=MAX_MAPPING_BYTES), source=str(path))

    def named(self, given: str) -> TableMapping:
        """By file or name."""
        path = Path(given)
        return self.load(path) if path.suffix or path.exists() else self.builtin(given)

    def parse(self, text: str, *, source: str) -> TableMapping:
        """`source` names the text in errors."""
        return parse_toml(text, self._checked, source=source)

    def _checked(self, document: dict[str, Any]) -> TableMapping:
        mapping = self._mapping(document)
        mapping.check()
        return mapping

    def _mapping(self, document: dict[str, Any]) -> TableMapping:
        top = ("description", "encoding", "delimiter", *(("mass_unit",) if self.numbers else ()))
        optional = (("decimal",) if self.numbers else ()) + (("places",) if self.places else ())
        tables = ("columns", "constants", "defaults", "separators", "values", "date", *optional, *self.extras)
        only_known(document, (*top, *tables), "")
        texts = {key: text_of(document[key], key) for key in top if key in document}
        for key, check in (("encoding", check_encoding), ("delimiter", check_delimiter)):
            if key in texts:
                check(texts[key])
        names = tuple(self.table.fields)
        columns = table_of(document, "columns", names)
        values = table_of(document, "values", names)
        return TableMapping(
            kind=self,
            columns={target: columns_of(value, f"columns.{target}") for target, value in columns.items()},
            constants=texts_of(document, "constants", names),
            defaults=texts_of(document, "defaults", names),
            separators=texts_of(document, "separators", [name for name in names if self.table.fields[name].many]),
            values={target: texts_of(values, target, None, "values.") for target in values},
            places=texts_of(document, "places", self.places),
            extras={name: _extra_columns(document, name, extra) for name, extra in self.extras.items()},
            form=self._form(document, texts.pop("mass_unit", "kg")),
            **texts,
        )

    def _form(self, document: dict[str, Any], mass_unit: str) -> Format:
        dates = texts_of(document, "date", ("format", *(("zone",) if self.zone is not Zone.NEVER else ())))
        date = dates.get("format", self.date)
        decimal = texts_of(document, "decimal", ("point", "group"))
        form = Format(date=date, zone=self._zone(date, dates.get("zone")), mass_unit=mass_unit, **decimal)
        form.check()
        return form

    def _zone(self, date: str, zone: str | None) -> timedelta:
        if date == RFC3339 and zone is not None:
            raise InputFileError(f'date.zone is for a date.format of its own; times in "{RFC3339}" carry theirs')
        if zone is None and date != RFC3339 and self.zone is Zone.ALWAYS:
            raise InputFileError('date.zone is missing: say in which zone the times are, "Z" or like "+08:00"')
        if zone in (None, "Z"):
            return timedelta()
        match = _ZONE.fullmatch(zone or "")
        offset = timedelta(hours=int(match[2]), minutes=int(match[3])) if match else timedelta.max
        if match is None or offset > _WIDEST_ZONE:
            raise InputFileError(f'date.zone {zone!r} isn\'t a zone: "Z" or like "+08:00"')
        return -offset if match[1] == "-" else offset


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """How the columns of one kind of file become fields."""

    kind: MappingKind
    columns: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    defaults: Mapping[str, str]
    separators: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    places: Mapping[str, str]
    extras: Mapping[str, Sequence[ExtraColumn]]
    form: Format
    description: str = ""
    encoding: str = ""
    delimiter: str = ""

    def dialect(self, given: Dialect) -> Dialect:
        """The given dialect, completed by the mapping."""
        given.encoding, given.delimiter = given.encoding or self.encoding, given.delimiter or self.delimiter
        return given

    def layout(self, header: Sequence[str], source: str) -> Layout:
        """The layout for a header; raises ConfigurationError if a named column is missing or repeated."""
        filled = {*self.columns, *self.constants, *self.defaults}
        return Layout(
            table=self.kind.table,
            width=len(header),
            sources={name: self._source(name, header, source) for name in self.kind.table.fields if name in filled},
            extras={
                name: [_extra_source(column, _place(header, source, column.column, name)) for column in columns]
                for name, columns in self.extras.items()
            },
            places=self.places,
        )

    def check(self) -> None:
        """Raises ConfigurationError for contradictions and for constants that can't be read."""
        self._check_columns()
        self._check_keys()
        for name, texts in (("constants", self.constants), ("defaults", self.defaults)):
            for target, text in texts.items():
                self._said(target, text, name)

    def _check_columns(self) -> None:
        fields, columns = self.kind.table.fields, self.columns
        for target in self.kind.table.needed:
            if target not in columns and (fields[target].key or target not in self.constants):
                raise InputFileError(
                    f"[columns] doesn't name a column for {target}, which every {self.kind.record} needs"
                )
        for name, table in (("columns", columns), ("defaults", self.defaults)):
            for target in table:
                if target in self.constants:
                    raise InputFileError(f"{target} is both in [{name}] and in [constants]; remove one")
        for target, names in columns.items():
            if len(names) != 1 and not fields[target].many:
                raise InputFileError(f"columns.{target} must name one column")

    def _check_keys(self) -> None:
        fields, columns = self.kind.table.fields, self.columns
        for target, separator in self.separators.items():
            if not separator or target not in columns:
                raise InputFileError(f"separators.{target} is empty, or [columns] doesn't fill {target}")
        for target in (*self.values, *self.defaults):
            if fields[target].key:
                raise InputFileError(f"{target} is taken as it stands: it has no default and no [values.{target}]")
        for target in self.values:
            if target not in columns:
                raise InputFileError(f"[values.{target}] translates a field that [columns] doesn't fill")
        for target, place_kind in self.places.items():
            one_of(place_kind, self.kind.place_kinds, f"places.{target}")

    def _said(self, target: str, text: str, table: str) -> list[Any]:
        """The values of a constant or default."""
        try:
            members = self._members(target, said=True)
            read = self._reader(target, said=True)
            return [read(member) for member in (members(text) if members else [text])]
        except (MalformedError, ValueError) as error:
            raise InputFileError(f"{table}.{target}: {getattr(error, 'message', error)}") from None

    def _notation(self, target: str, *, said: bool) -> Notation:
        own = said and self.kind.own_constants
        return self.kind.table.fields[target].own if own else _notation(self.separators.get(target, ""))

    def _members(self, target: str, *, said: bool = False) -> Callable[[str], list[str]] | None:
        return members_of(self._notation(target, said=said), many=self.kind.table.fields[target].many)

    def _reader(self, target: str, *, said: bool = False) -> Callable[[str], Any]:
        spec = self.kind.table.fields[target]
        own = said and self.kind.own_constants
        read = reader(spec.read, self._notation(target, said=said), spec.parts, Format() if own else self.form)
        table = None if own else self.values.get(target)
        return read if table is None else _translated(table, target, read)

    def _source(self, target: str, header: Sequence[str], source: str) -> Source:
        columns = self.columns.get(target, ())
        constant, default = self.constants.get(target), self.defaults.get(target)
        return Source(
            label=_label(columns) if columns else target,
            at=tuple(_place(header, source, column, target) for column in columns),
            members=self._members(target),
            read=self._reader(target),
            fixed=() if constant is None else self._said(target, constant, "constants"),
            default=() if default is None else self._said(target, default, "defaults"),
        )


def _family_of(name: str) -> Family:
    return next((family for family in Family if family and name.startswith(family)), Family.DECLARATIONS)


def _extra_columns(document: dict[str, Any], name: str, extra: Extra) -> tuple[ExtraColumn, ...]:
    columns = []
    for at, table in enumerate(tables_of(document, name)):
        where = f"{name}[{at}]"
        only_known(table, ("column", *extra.keys, "separator"), f"{where}.")
        for key in ("column", *extra.needed):
            if key not in table:
                raise InputFileError(f"{where} has no {key}")
        texts = {key: text_of(value, f"{where}.{key}") for key, value in table.items()}
        column, separator = texts.pop("column"), texts.pop("separator", "")
        try:
            values = {key: extra.keys[key](text) for key, text in texts.items()}
        except (MalformedError, ConfigurationError) as error:
            raise InputFileError(f"{where}: {error.message}") from None
        columns.append(ExtraColumn(column=column, separator=separator, values=values))
    return tuple(columns)


def _extra_source(column: ExtraColumn, place: int) -> Source:
    members = members_of(_notation(column.separator), many=True)
    return Source(label=_label((column.column,)), at=(place,), members=members, read=str, extra=column.values)


def _place(header: Sequence[str], source: str, column: str, target: str) -> int:
    """Index of a column in a header."""
    number = header.count(column)
    if number == 1:
        return header.index(column)
    if number:
        raise InputFileError(f"{source} has {number} columns {column!r}, which the mapping names for {target}")
    shown = ", ".join(repr(name[:40]) for name in header[:40])
    raise InputFileError(
        f"{source} has no column {column!r}, which the mapping names for {target}; its columns: {shown}"
    )


def _label(columns: Iterable[str]) -> str:
    return f"column {' and '.join(map(repr, columns))}"


def _notation(separator: str) -> Notation:
    """Other people's cells have no parts or escapes."""
    return Notation(separator, "", escapes=False)


def _translated(table: Mapping[str, str], target: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    def translate(member: str) -> Any:
        if member not in table:
            raise MalformedError(f"{member[:40]!r} isn't translated by [values.{target}]")
        return read(table[member]) if table[member] else None

    return translate
