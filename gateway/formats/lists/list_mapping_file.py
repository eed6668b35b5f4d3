"""The mapping file of a foreign CSV: read from TOML, and checked before any line of the list is."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Any

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.lists.columns import COLUMNS, enum_of
from gateway.formats.lists.list_mapping import ADDRESS_FIELDS, TARGETS, IdentifierColumn, ListMapping, NameColumn
from gateway.formats.lists.notation import OWN, read_territory
from gateway.formats.tables.mapping_files import Family, MappingKind
from gateway.formats.tables.mapping_tables import (
    check_file,
    columns_of,
    needed_texts,
    not_both,
    only_known,
    table_of,
    tables_of,
    text_of,
    texts_of,
    translations_of,
)
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent


def _checked(document: dict[str, Any]) -> ListMapping:
    mapping = _mapping(document)
    _check(mapping)
    return mapping


def _mapping(document: dict[str, Any]) -> ListMapping:
    top = ("description", "encoding", "delimiter")
    tables = ("columns", "names", "identifiers", "constants", "defaults", "separators", "values", "date")
    only_known(document, (*top, *tables), "")
    date_table = texts_of(document, "date", ("format", "zone"))
    return ListMapping(
        columns=MappingProxyType(
            {key: columns_of(value, f"columns.{key}") for key, value in table_of(document, "columns", TARGETS).items()}
        ),
        names=tuple(_name_column(each, at) for at, each in enumerate(tables_of(document, "names"))),
        identifiers=tuple(_identifier_column(each, at) for at, each in enumerate(tables_of(document, "identifiers"))),
        constants=texts_of(document, "constants", TARGETS),
        defaults=texts_of(document, "defaults", TARGETS),
        separators=texts_of(document, "separators", TARGETS),
        values=translations_of(document, TARGETS),
        **{key: text_of(document[key], key) for key in top if key in document},
        **{f"date_{key}": value for key, value in date_table.items()},
    )


def _check(mapping: ListMapping) -> None:
    if "id" not in mapping.columns:
        raise ConfigurationError("[columns] doesn't name a column for id, which every entry needs")
    not_both(mapping.columns, mapping.constants)
    for target, columns in mapping.columns.items():
        several = target in ADDRESS_FIELDS or (target in COLUMNS and COLUMNS[target].many)
        if len(columns) != 1 and not several:
            raise ConfigurationError(f"columns.{target} must name one column")
    for target, separator in mapping.separators.items():
        if target not in COLUMNS or not COLUMNS[target].many or not separator:
            raise ConfigurationError(f"separators.{target} is empty, or {target} holds only one value")
    for target in mapping.values:
        if target not in mapping.columns or target in ("list", "id", "street", "city"):
            raise ConfigurationError(f"[values.{target}] translates a field that [columns] doesn't fill, or no code")
    check_file(mapping.encoding, mapping.delimiter)
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
    texts = needed_texts(table, ("column", "kind", "script", "language", "separator"), ("column", "kind"), where)
    try:
        kind = enum_of(texts.pop("kind"), watchlist_pb2.ListedNameKind, "LISTED_NAME_KIND_")
    except MalformedError as error:
        raise ConfigurationError(f"{where}.kind: {error.message}") from None
    return NameColumn(kind=kind, **texts)


def _identifier_column(table: dict[str, Any], at: int) -> IdentifierColumn:
    known = ("column", "scheme", "separator")
    return IdentifierColumn(**needed_texts(table, known, ("column", "scheme"), f"identifiers[{at}]"))


_KIND = MappingKind(Family.WATCHLIST, _checked, "watchlist_entities")
builtin_list_mapping, load_list_mapping = _KIND.builtin, _KIND.load
parse_list_mapping, named_list_mapping = _KIND.parse, _KIND.named
