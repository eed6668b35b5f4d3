"""How the columns of somebody else's CSV become the fields of an entry: the mapping file.

Owns the mapping's format (TOML, documented in `gateway/reference/mappings/watchlist_entities.toml`) and the plan that
it makes for a header. Doesn't own the fields themselves (`columns`) or the reading of the file (`csv_lists`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.errors import ConfigurationError, MalformedError
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.wire.declaration_mapping import ENCODINGS, MAX_MAPPING_BYTES
from gateway.wire.lists.columns import COLUMNS, enum_of, put_name
from gateway.wire.lists.csv_plan import Plan, Put
from gateway.wire.lists.notation import OWN, Notation, read_members, read_territory

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
    """How the columns of one kind of file become fields; made by `parse_list_mapping`, which checks it."""

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
        place = _Places(header, source)
        puts = tuple(self._puts(place))
        return Plan(
            width=len(header),
            list_of=self._text_of("list", place),
            id_of=self._text_of("id", place),
            puts=puts,
            encoding=self.encoding,
            delimiter=self.delimiter,
        )

    def _text_of(self, target: str, place: _Places) -> Callable[[list[str]], str]:
        if target in self.constants:
            return lambda _: self.constants[target]
        if target not in self.columns:
            return lambda _: self.defaults.get(target, "")
        at = place.of(self.columns[target][0], target)
        return lambda line: line[at].strip() or self.defaults.get(target, "")

    def _puts(self, place: _Places) -> Iterable[tuple[str, Put]]:
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
                members = [self._dated(member, target) for member in members]
            return "\n".join(members), "\n"

        return translate

    def _dated(self, text: str, target: str) -> str:
        if target == "birth_dates" and len(text) == 4 and text.isascii() and text.isdigit():
            return text
        try:
            day = datetime.strptime(text, self.date_format).date()
            if target == "birth_dates":
                return day.isoformat()
            # Until the end of the day that is named.
            return f"{_next(day) if target == 'valid_until' else day}T00:00:00{self.date_zone}"
        except (ValueError, OverflowError):
            raise MalformedError(f"{text[:40]!r} isn't a date {self.date_format}") from None

    def _address(self, place: _Places) -> Put:
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


class _Places:
    """Where the columns of a header stand."""

    def __init__(self, header: list[str], source: str) -> None:
        self._header = header
        self._source = source

    def of(self, column: str, target: str) -> int:
        count = self._header.count(column)
        if count == 1:
            return self._header.index(column)
        if count:
            raise ConfigurationError(
                f"{self._source} has {count} columns {column!r}, which the mapping names for {target}"
            )
        shown = ", ".join(repr(name[:40]) for name in self._header[:40])
        raise ConfigurationError(
            f"{self._source} has no column {column!r}, which the mapping names for {target}; its columns: {shown}"
        )


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


def builtin_list_mapping(name: str = "watchlist_entities") -> ListMapping:
    """A mapping that comes with the gateway.

    Raises:
        ConfigurationError: there is none of this name; the message lists those there are.
    """
    folder = resources.files("gateway.reference").joinpath("mappings")
    known = {
        entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.startswith("watchlist")
    }
    if name not in known:
        raise ConfigurationError(f"there is no mapping {name!r}; those that come along: {', '.join(sorted(known))}")
    return parse_list_mapping(known[name].read_text("utf-8"), source=f"{name}.toml")


def load_list_mapping(path: Path) -> ListMapping:
    """A mapping of one's own.

    Raises:
        ConfigurationError: it can't be read or isn't a mapping; the message names file, key and way out.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MAPPING_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the mapping {path} can't be read: {error}") from error
    if len(content) > MAX_MAPPING_BYTES:
        raise ConfigurationError(f"the mapping {path} is larger than {MAX_MAPPING_BYTES} bytes")
    return parse_list_mapping(text, source=str(path))


def parse_list_mapping(text: str, *, source: str) -> ListMapping:
    """A mapping from the text of its TOML file; `source` names it in errors.

    Raises:
        ConfigurationError: not TOML, an unknown key or field, a needed field missing, or a value that isn't allowed.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from error
    try:
        mapping = _mapping(document)
        _check(mapping)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error.message}") from None
    return mapping


def _mapping(document: dict[str, Any]) -> ListMapping:
    top = ("description", "encoding", "delimiter")
    tables = ("columns", "names", "identifiers", "constants", "defaults", "separators", "values", "date")
    _only_known(document, (*top, *tables), "")
    date_table = _texts(document, "date", ("format", "zone"))
    return ListMapping(
        columns=MappingProxyType(
            {key: _columns(value, f"columns.{key}") for key, value in _table(document, "columns", TARGETS).items()}
        ),
        names=tuple(_name_column(each, at) for at, each in enumerate(_tables(document, "names"))),
        identifiers=tuple(_identifier_column(each, at) for at, each in enumerate(_tables(document, "identifiers"))),
        constants=_texts(document, "constants", TARGETS),
        defaults=_texts(document, "defaults", TARGETS),
        separators=_texts(document, "separators", TARGETS),
        values={
            key: _texts(_table(document, "values", TARGETS), key, None, "values.")
            for key in _table(document, "values", TARGETS)
        },
        **{key: _text(document[key], key) for key in top if key in document},
        **{f"date_{key}": value for key, value in date_table.items()},
    )


def _check(mapping: ListMapping) -> None:
    if "id" not in mapping.columns:
        raise ConfigurationError("[columns] doesn't name a column for id, which every entry needs")
    for target, columns in mapping.columns.items():
        if target in mapping.constants:
            raise ConfigurationError(f"{target} is both in [columns] and in [constants]; remove one")
        several = target in ADDRESS_FIELDS or (target in COLUMNS and COLUMNS[target].many)
        if len(columns) != 1 and not several:
            raise ConfigurationError(f"columns.{target} must name one column")
    for target, separator in mapping.separators.items():
        if target not in COLUMNS or not COLUMNS[target].many or not separator:
            raise ConfigurationError(f"separators.{target} is empty, or {target} holds only one value")
    for target in mapping.values:
        if target not in mapping.columns or target in ("list", "id", "street", "city"):
            raise ConfigurationError(f"[values.{target}] translates a field that [columns] doesn't fill, or no code")
    if mapping.encoding not in ENCODINGS:
        raise ConfigurationError(f"encoding {mapping.encoding!r} is unknown; use one of {', '.join(ENCODINGS)}")
    if len(mapping.delimiter) != 1 or mapping.delimiter in '"\r\n' or ord(mapping.delimiter) > 127:
        raise ConfigurationError(f"delimiter {mapping.delimiter!r} must be one ASCII character other than a quote")
    _check_dates(mapping)
    _check_texts(mapping)


def _check_dates(mapping: ListMapping) -> None:
    if [mapping.date_format.count(part) for part in ("%Y", "%m", "%d")] != [1, 1, 1]:
        raise ConfigurationError(f"date.format {mapping.date_format!r} must have %Y, %m and %d once each")
    try:
        day = date(2026, 11, 24).strftime(mapping.date_format)
        mapping._dated(day, "valid_from")
        COLUMNS["valid_from"].put(WatchlistContent(), f"2026-11-24T00:00:00{mapping.date_zone}", OWN)
    except (MalformedError, ValueError):
        raise ConfigurationError(
            f"date.format {mapping.date_format!r} or date.zone {mapping.date_zone!r} doesn't make a date; "
            'a zone is "Z" or like "+08:00"'
        ) from None


def _check_texts(mapping: ListMapping) -> None:
    for table, texts in (("constants", mapping.constants), ("defaults", mapping.defaults)):
        for target, text in texts.items():
            try:
                if target in COLUMNS:
                    COLUMNS[target].put(WatchlistContent(), text, OWN)
                elif target == "address_territory":
                    read_territory(text)
            except (MalformedError, ValueError) as error:
                raise ConfigurationError(f"{table}.{target}: {getattr(error, 'message', error)}") from None


def _name_column(table: dict[str, Any], at: int) -> NameColumn:
    where = f"names[{at}]"
    texts = _needed(table, ("column", "kind", "script", "language", "separator"), ("column", "kind"), where)
    try:
        kind = enum_of(texts.pop("kind"), watchlist_pb2.ListedNameKind, "LISTED_NAME_KIND_")
    except MalformedError as error:
        raise ConfigurationError(f"{where}.kind: {error.message}") from None
    return NameColumn(kind=kind, **texts)


def _identifier_column(table: dict[str, Any], at: int) -> IdentifierColumn:
    known = ("column", "scheme", "separator")
    return IdentifierColumn(**_needed(table, known, ("column", "scheme"), f"identifiers[{at}]"))


def _needed(table: dict[str, Any], known: tuple[str, ...], needed: tuple[str, ...], where: str) -> dict[str, str]:
    _only_known(table, known, f"{where}.")
    for key in needed:
        if key not in table:
            raise ConfigurationError(f"{where} has no {key}")
    return {key: _text(value, f"{where}.{key}") for key, value in table.items()}


def _columns(value: object, key: str) -> tuple[str, ...]:
    columns = value if isinstance(value, list) else [value]
    if not columns:
        raise ConfigurationError(f"{key} names no column")
    return tuple(_text(each, key) for each in columns)


def _tables(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ConfigurationError(f"{name} must be tables [[{name}]]")
    return found


def _table(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, Any]:
    table = parent.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{prefix}{name} must be a table [{prefix}{name}]")
    if known is not None:
        _only_known(table, known, f"{prefix}{name}.")
    return table


def _texts(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, str]:
    return {key: _text(value, f"{prefix}{name}.{key}") for key, value in _table(parent, name, known, prefix).items()}


def _only_known(table: Mapping[str, object], known: Iterable[str], prefix: str) -> None:
    allowed = tuple(known)
    for key in table:
        if key not in allowed:
            raise ConfigurationError(f"{prefix}{key} is unknown; known are {', '.join(allowed)}")


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} must be text in quotes")
    return value
