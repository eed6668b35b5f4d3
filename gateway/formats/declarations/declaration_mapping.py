"""How the columns of a declarations CSV become fields: the mapping file, and the notation of what stands in a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from gateway.contract.commodity_codes import normalise_code
from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.tables.cell_values import check_date_format, check_decimal, in_kilograms, read_moment, read_number
from gateway.formats.tables.mapping_files import Family, MappingKind
from gateway.formats.tables.mapping_tables import check_file, not_both, only_known, text_of, texts_of, translations_of

MAX_TEXT_CHARS = 512
"""Longest text in a field in characters; goods descriptions are the longest (WCO: an..512)."""

REQUIRED = ("declaration_number", "date", "hs_code")
"""Fields that every mapping must fill and every line must have."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationMapping:
    """How the columns of one kind of file become fields; made by `parse_mapping`, which checks it."""

    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    description: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    mass_unit: str = "kg"
    date_format: str = "%Y-%m-%d"
    decimal_point: str = "."
    decimal_group: str = ""


def _mapping(document: dict[str, Any]) -> DeclarationMapping:
    top = ("description", "encoding", "delimiter", "mass_unit")
    only_known(document, (*top, "date", "decimal", "columns", "constants", "values"), "")
    settings = {key: text_of(document[key], key) for key in top if key in document}
    for table, names in (("date", ("format",)), ("decimal", ("point", "group"))):
        for name, value in texts_of(document, table, names).items():
            settings[f"{table}_{name}"] = value
    mapping = DeclarationMapping(
        columns=texts_of(document, "columns", TARGETS),
        constants=texts_of(document, "constants", TARGETS),
        values=translations_of(document, TARGETS),
        **settings,
    )
    _check_fields(mapping)
    _check_notation(mapping)
    return mapping


def _check_fields(mapping: DeclarationMapping) -> None:
    for target in REQUIRED:
        if target not in mapping.columns and target not in mapping.constants:
            raise ConfigurationError(f"[columns] doesn't name a column for {target}, which every declaration needs")
    not_both(mapping.columns, mapping.constants)
    for target in mapping.values:
        if target not in mapping.columns:
            raise ConfigurationError(f"[values.{target}] translates a field that [columns] doesn't fill")


def _check_notation(mapping: DeclarationMapping) -> None:
    check_file(mapping.encoding, mapping.delimiter)
    check_decimal(mapping.decimal_point, mapping.decimal_group, mapping.mass_unit)
    check_date_format(mapping.date_format)
    for target, text in mapping.constants.items():
        try:
            _PARSERS[target](text, mapping)
        except MalformedError as error:
            raise ConfigurationError(f"constants.{target} {error.message}") from None


def read_value(target: str, text: str, mapping: DeclarationMapping) -> Any:
    """The value of one field from the text in its column: str, date or Decimal, as DeclarationRow has it.

    Raises:
        MalformedError: the text isn't in the mapping's notation; the message goes on from the column's name.
    """
    table = mapping.values.get(target)
    if table is not None:
        if text not in table:
            raise MalformedError(f"has {text[:40]!r}, which [values.{target}] doesn't translate")
        text = table[text]
    return _PARSERS[target](text, mapping)


def _parse_text(text: str, _: DeclarationMapping) -> str:
    if not text:
        raise MalformedError("is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise MalformedError(f"has {len(text)} characters, at most {MAX_TEXT_CHARS} are allowed")
    if _UNPRINTABLE.search(text):
        raise MalformedError("has control characters")
    return text


def _parse_letters(count: int, what: str) -> Callable[[str, DeclarationMapping], str]:
    pattern = re.compile(rf"[A-Z]{{{count}}}")

    def parse(text: str, _: DeclarationMapping) -> str:
        if pattern.fullmatch(text) is None:
            raise MalformedError(f"has {text[:40]!r}, which is not {what}")
        return text

    return parse


def _parse_date(text: str, mapping: DeclarationMapping) -> date:
    return read_moment(text, mapping.date_format).date()


def _parse_code(text: str, _: DeclarationMapping) -> str:
    try:
        return normalise_code(text)
    except MalformedError:
        raise MalformedError(f"has {text[:40]!r}, which is not a commodity code of 6, 8, 10 or 12 digits") from None


def _parse_number(text: str, mapping: DeclarationMapping) -> Decimal:
    return read_number(text, mapping.decimal_point, mapping.decimal_group)


def _parse_mass(text: str, mapping: DeclarationMapping) -> Decimal:
    return in_kilograms(_parse_number(text, mapping), mapping.mass_unit)


_TEXT_FIELDS = (
    "declaration_number",
    "office",
    "mode_of_transport",
    "declarant_id",
    "importer_id",
    "exporter_id",
    "seller_id",
    "courier_id",
    "goods_description",
    "container_number",
    "transport_document",
)
_COUNTRY_FIELDS = ("country_of_origin", "country_of_departure", "country_of_destination", "tariff_territory")
_COUNTRY = _parse_letters(2, "a country of two capital letters (ISO 3166-1)")

_PARSERS: Mapping[str, Callable[[str, DeclarationMapping], Any]] = MappingProxyType(
    {
        **dict.fromkeys(_TEXT_FIELDS, _parse_text),
        "date": _parse_date,
        "hs_code": _parse_code,
        "net_mass_kg": _parse_mass,
        "gross_mass_kg": _parse_mass,
        "value": _parse_number,
        "currency": _parse_letters(3, "a currency of three capital letters (ISO 4217)"),
        **dict.fromkeys(_COUNTRY_FIELDS, _COUNTRY),
    }
)

TARGETS = tuple(_PARSERS)
"""Fields that a mapping can fill."""


_KIND = MappingKind(Family.DECLARATIONS, _mapping, "import_declarations")
builtin_mapping, load_mapping, parse_mapping, named_mapping = _KIND.builtin, _KIND.load, _KIND.parse, _KIND.named
