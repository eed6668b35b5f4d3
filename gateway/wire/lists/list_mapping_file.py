"""The mapping file of a foreign CSV: read from TOML, and checked before any line of the list is.

Owns the format, documented in `gateway/reference/mappings/watchlist_entities.toml`. Doesn't own what a mapping does
(`list_mapping`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.errors import ConfigurationError, MalformedError
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.wire.declaration_mapping import ENCODINGS
from gateway.wire.lists.columns import COLUMNS, enum_of
from gateway.wire.lists.list_mapping import ADDRESS_FIELDS, TARGETS, IdentifierColumn, ListMapping, NameColumn
from gateway.wire.lists.notation import OWN, read_territory
from gateway.wire.mapping_files import parse_toml, read_builtin_mapping, read_mapping


def builtin_list_mapping(name: str = "watchlist_entities") -> ListMapping:
    """A mapping that comes with the gateway.

    Raises:
        ConfigurationError: there is none of this name; the message lists those there are.
    """
    return parse_list_mapping(read_builtin_mapping(name, lists=True), source=f"{name}.toml")


def load_list_mapping(path: Path) -> ListMapping:
    """A mapping of one's own.

    Raises:
        ConfigurationError: it can't be read or isn't a mapping; the message names file, key and way out.
    """
    return parse_list_mapping(read_mapping(path), source=str(path))


def parse_list_mapping(text: str, *, source: str) -> ListMapping:
    """A mapping from the text of its TOML file; `source` names it in errors.

    Raises:
        ConfigurationError: not TOML, an unknown key or field, a needed field missing, or a value that isn't allowed.
    """
    return parse_toml(text, _checked, source=source)


def _checked(document: dict[str, Any]) -> ListMapping:
    mapping = _mapping(document)
    _check(mapping)
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
        mapping.dated(day, "valid_from")
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
