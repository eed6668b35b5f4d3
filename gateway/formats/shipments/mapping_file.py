"""The mapping file of a CSV of shipments: read from TOML, and checked before any line of the file is."""

from __future__ import annotations

import re
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from gateway.errors import ConfigurationError
from gateway.formats.shipments.build import line_reader
from gateway.formats.shipments.layout import LISTS, PLACE_KINDS, PLACES, RFC3339, ROLES, TARGETS, TIMES, Cells
from gateway.formats.shipments.mapping import ExtraColumn, ShipmentMapping
from gateway.formats.tables.cell_values import check_date_format, check_decimal
from gateway.formats.tables.mapping_files import Family, MappingKind
from gateway.formats.tables.mapping_tables import (
    check_file,
    columns_of,
    needed_texts,
    not_both,
    one_of,
    only_known,
    table_of,
    tables_of,
    text_of,
    texts_of,
    translations_of,
)

_ZONE = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])")
_SCHEME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_WIDEST_ZONE = timedelta(hours=14)


def _checked(document: dict[str, Any]) -> ShipmentMapping:
    mapping = _mapping(document)
    _check_fields(mapping)
    _check_notation(mapping)
    _check_constants(mapping)
    return mapping


def _mapping(document: dict[str, Any]) -> ShipmentMapping:
    top = ("description", "encoding", "delimiter", "mass_unit")
    tables = ("date", "decimal", "columns", "constants", "defaults", "separators", "values", "places")
    extra = ("names", "identifiers", "registrations")
    only_known(document, (*top, *tables, *extra), "")
    date_table = texts_of(document, "date", ("format", "zone"))
    columns = table_of(document, "columns", TARGETS)
    return ShipmentMapping(
        columns=MappingProxyType({key: columns_of(value, f"columns.{key}") for key, value in columns.items()}),
        names=_extra(document, "names", ("role", "script", "language"), ("role",)),
        identifiers=_extra(document, "identifiers", ("role", "scheme", "territory"), ("role", "scheme")),
        registrations=_extra(document, "registrations", ("scheme",), ("scheme",)),
        constants=texts_of(document, "constants", TARGETS),
        defaults=texts_of(document, "defaults", TARGETS),
        separators=texts_of(document, "separators", LISTS),
        values=translations_of(document, TARGETS),
        places=texts_of(document, "places", PLACES),
        date_format=date_table.get("format", RFC3339),
        date_zone=_zone(date_table),
        **{key: text_of(document[key], key) for key in top if key in document},
        **{f"decimal_{key}": value for key, value in texts_of(document, "decimal", ("point", "group")).items()},
    )


def _extra(
    document: dict[str, Any], name: str, keys: tuple[str, ...], needed: tuple[str, ...]
) -> tuple[ExtraColumn, ...]:
    found = []
    for at, table in enumerate(tables_of(document, name)):
        where = f"{name}[{at}]"
        texts: dict[str, Any] = needed_texts(table, ("column", "separator", *keys), ("column", *needed), where)
        if "role" in texts:
            one_of(texts["role"], tuple(ROLES), f"{where}.role")
            texts["role"] = ROLES[texts["role"]]
        if _SCHEME.fullmatch(texts.get("scheme", "x")) is None:
            raise ConfigurationError(f"{where}.scheme must be small letters, digits and underscores, e.g. trader_id")
        found.append(ExtraColumn(**texts))
    return tuple(found)


def _zone(date_table: dict[str, str]) -> timedelta:
    """The zone's offset from UTC; needed as soon as times don't carry theirs."""
    if date_table.get("format", RFC3339) == RFC3339:
        if "zone" in date_table:
            raise ConfigurationError(f'date.zone is for a date.format of its own; times in "{RFC3339}" carry theirs')
        return timedelta()
    if "zone" not in date_table:
        raise ConfigurationError('date.zone is missing: say in which zone the times are, "Z" or like "+08:00"')
    if date_table["zone"] == "Z":
        return timedelta()
    found = _ZONE.fullmatch(date_table["zone"])
    offset = timedelta(hours=int(found[2]), minutes=int(found[3])) if found else timedelta.max
    if found is None or offset > _WIDEST_ZONE:
        raise ConfigurationError(f'date.zone {date_table["zone"]!r} isn\'t a zone: "Z" or like "+08:00"')
    return -offset if found[1] == "-" else offset


def _check_fields(mapping: ShipmentMapping) -> None:
    if "record_id" not in mapping.columns:
        raise ConfigurationError("[columns] doesn't name a column for record_id, which every line needs")
    if len(mapping.columns["record_id"]) != 1 or "record_id" in mapping.values or "record_id" in mapping.defaults:
        raise ConfigurationError("record_id is one column, taken as it stands")
    not_both(mapping.columns, mapping.constants)
    not_both(mapping.defaults, mapping.constants)
    for target, columns in mapping.columns.items():
        if len(columns) != 1 and target not in LISTS:
            raise ConfigurationError(f"columns.{target} must name one column")
    for target, separator in mapping.separators.items():
        if not separator or target not in mapping.columns:
            raise ConfigurationError(f"separators.{target} is empty, or [columns] doesn't fill {target}")
    for target in mapping.values:
        if target not in mapping.columns:
            raise ConfigurationError(f"[values.{target}] translates a field that [columns] doesn't fill")


def _check_notation(mapping: ShipmentMapping) -> None:
    check_file(mapping.encoding, mapping.delimiter)
    check_decimal(mapping.decimal_point, mapping.decimal_group, mapping.mass_unit)
    if mapping.date_format != RFC3339:
        check_date_format(mapping.date_format)
    for target, kind in mapping.places.items():
        one_of(kind, PLACE_KINDS, f"places.{target}")


def _check_constants(mapping: ShipmentMapping) -> None:
    """Reads a line in which only what is the same for all lines stands: what is wrong in it is wrong in the mapping."""
    columns = [column for each in mapping.columns.values() for column in each]
    columns += [each.column for each in (*mapping.names, *mapping.identifiers, *mapping.registrations)]
    header = list(dict.fromkeys(columns))
    layout = mapping.layout(header, "the mapping")
    cells = Cells(layout, 1, [""] * len(header))
    line_reader(layout).read(cells, "")
    said = {*mapping.constants, *mapping.defaults}
    for problem in cells.problems:
        # without its columns a line may lack something beside; a constant's own text is what is looked at here
        if problem.column in said and problem.column not in TIMES:
            raise ConfigurationError(f"constants or defaults: {problem.reason}")


_KIND = MappingKind(Family.SHIPMENTS, _checked, "shipments_import_declarations")
builtin_shipment_mapping, load_shipment_mapping = _KIND.builtin, _KIND.load
parse_shipment_mapping, named_shipment_mapping = _KIND.parse, _KIND.named
