"""How the columns of somebody else's CSV become the fields of an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from gateway.errors import MalformedError
from gateway.formats.lists.columns import COLUMNS, put_name
from gateway.formats.lists.csv_plan import Plan, Put
from gateway.formats.lists.notation import OWN, Notation, read_members, read_territory
from gateway.formats.tables.cell_values import read_moment
from gateway.formats.tables.mapping_tables import Places
from gateway.v1.watchlist_pb2 import WatchlistContent

ADDRESS_FIELDS = ("street", "city", "address_territory")
"""Fields that together make one address where a file has a column for each part."""

TARGETS = ("list", "id", *COLUMNS, *ADDRESS_FIELDS)
"""Fields that a mapping can fill."""

_TIMES = ("valid_from", "valid_until")
_DATES = ("birth_dates", *_TIMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameColumn:
    """A column of names of one kind, script and language."""

    column: str
    kind: int
    script: str = ""
    language: str = ""
    separator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierColumn:
    """A column of identifiers of one scheme."""

    column: str
    scheme: str
    separator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMapping:
    """How the columns of one kind of file become fields; made by `list_mapping_file`, which checks it."""

    columns: Mapping[str, tuple[str, ...]]
    names: tuple[NameColumn, ...] = ()
    identifiers: tuple[IdentifierColumn, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    description: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    date_format: str = "%Y-%m-%d"
    date_zone: str = "Z"

    def plan(self, header: list[str], source: str) -> Plan:
        """What reads the lines of a file with this header.

        Raises:
            ConfigurationError: a column that the mapping names isn't there, or is there twice.
        """
        place = Places(header, source)
        puts = tuple(self._puts(place))
        return Plan(
            width=len(header),
            list_of=self._text_of("list", place),
            id_of=self._text_of("id", place),
            puts=puts,
            encoding=self.encoding,
            delimiter=self.delimiter,
        )

    def _text_of(self, target: str, place: Places) -> Callable[[list[str]], str]:
        if target in self.constants:
            return lambda _: self.constants[target]
        if target not in self.columns:
            return lambda _: self.defaults.get(target, "")
        at = place.of(self.columns[target][0], target)
        return lambda line: line[at].strip() or self.defaults.get(target, "")

    def _puts(self, place: Places) -> Iterable[tuple[str, Put]]:
        for target in COLUMNS:
            if target in self.constants:
                yield target, _constant(target, self.constants[target])
            for at, column in enumerate(self.columns.get(target, ())):
                default = self.defaults.get(target, "") if at == 0 else ""
                yield f"column {column!r}", self._field(target, place.of(column, target), default)
            if target in self.defaults and target not in self.columns:
                yield target, _constant(target, self.defaults[target])
        for name in self.names:
            yield f"column {name.column!r}", _names(name, place.of(name.column, "names"))
        for each in self.identifiers:
            yield f"column {each.column!r}", _identifiers(each, place.of(each.column, "identifiers"))
        if any(part in self.columns or part in self.constants for part in ADDRESS_FIELDS):
            yield "the address", self._address(place)

    def _field(self, target: str, at: int, default: str) -> Put:
        put = COLUMNS[target].put
        notation = Notation(self.separators.get(target, ""), "", escapes=False)
        translate = self._translation(target)

        def put_cell(content: WatchlistContent, line: list[str]) -> None:
            text = line[at].strip()
            if text:
                if translate is not None:
                    text, separator = translate(text, notation)
                    put(content, text, Notation(separator, "", escapes=False))
                else:
                    put(content, text, notation)
            elif default:
                put(content, default, OWN)

        return put_cell

    def _translation(self, target: str) -> Callable[[str, Notation], tuple[str, str]] | None:
        """What makes of a cell the text that its column understands, and the separator that stands in it then."""
        table = self.values.get(target)
        if table is None and target not in _DATES:
            return None

        def translate(text: str, notation: Notation) -> tuple[str, str]:
            members = read_members(text, notation)
            if table is not None:
                members = [_translated(member, table, target) for member in members]
            if target in _DATES:
                members = [self.dated(member, target) for member in members]
            return "\n".join(members), "\n"

        return translate

    def dated(self, text: str, target: str) -> str:
        """A day in the mapping's notation as the field has it; raises MalformedError where it isn't one."""
        if target == "birth_dates" and len(text) == 4 and text.isascii() and text.isdigit():
            return text
        try:
            day = read_moment(text, self.date_format).date()
            if target == "birth_dates":
                return day.isoformat()
            # Until the end of the day that is named.
            return f"{_next(day) if target == 'valid_until' else day}T00:00:00{self.date_zone}"
        except (MalformedError, OverflowError):
            raise MalformedError(f"{text[:40]!r} isn't a date {self.date_format}") from None

    def _address(self, place: Places) -> Put:
        parts = []
        for part in ADDRESS_FIELDS:
            places = [place.of(column, part) for column in self.columns.get(part, ())]
            parts.append((places, self.constants.get(part) or self.defaults.get(part, "")))
        table = self.values.get("address_territory")

        def put(content: WatchlistContent, line: list[str]) -> None:
            said = [", ".join(text for at in places if (text := line[at].strip())) for places, _ in parts]
            if any(said):
                street, city, territory = (text or default for text, (_, default) in zip(said, parts, strict=True))
                if territory and table is not None:
                    territory = _translated(territory, table, "address_territory")
                code = read_territory(territory) if territory else ""
                content.addresses.add(street=street, city=city, territory=code)

        return put


def _constant(target: str, text: str) -> Put:
    put = COLUMNS[target].put
    return lambda content, _: put(content, text, OWN)


def _names(name: NameColumn, at: int) -> Put:
    notation = Notation(name.separator, "", escapes=False)

    def put(content: WatchlistContent, line: list[str]) -> None:
        if text := line[at].strip():
            for member in read_members(text, notation):
                put_name(content, name.kind, [member, name.script, name.language])

    return put


def _identifiers(each: IdentifierColumn, at: int) -> Put:
    notation = Notation(each.separator, "", escapes=False)

    def put(content: WatchlistContent, line: list[str]) -> None:
        if text := line[at].strip():
            for member in read_members(text, notation):
                content.identifiers.add(scheme=each.scheme, value=member)

    return put


def _translated(text: str, table: Mapping[str, str], target: str) -> str:
    if text not in table:
        raise MalformedError(f"{text[:40]!r} isn't translated by [values.{target}]")
    return table[text]


def _next(day: date) -> date:
    return day + timedelta(days=1)
