"""How the columns of a declarations CSV become fields: the mapping file, and the notation of what stands in a field.

Owns the mapping's format (TOML, documented in `gateway/reference/mappings/import_declarations.toml`) and the reading of
single values. Doesn't own the reading of the CSV file (`gateway.wire.declarations`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.errors import ConfigurationError, MalformedError
from gateway.model.controlled_goods import normalise_code
from gateway.wire.mapping_files import parse_toml, read_builtin_mapping, read_mapping

MAX_TEXT_CHARS = 512
"""Longest text in a field in characters; goods descriptions are the longest (WCO: an..512)."""

MAX_DIGITS = 18
"""Most digits before and after the decimal point: real exports carry binary noise such as 73.72000000000001."""

ENCODINGS = ("utf-8", "gb18030", "big5", "big5hkscs", "cp1252", "latin-1")
"""Encodings in which a line end is one byte, which reading line by line relies on."""

REQUIRED = ("declaration_number", "date", "hs_code")
"""Fields that every mapping must fill and every line must have."""


_MASS_UNITS = MappingProxyType({"g": Decimal("0.001"), "kg": Decimal(1), "t": Decimal(1000)})
_EXACT = Context(prec=2 * MAX_DIGITS + 4)
_GROUPS = ("", ",", ".", " ", "'")
_DATE_FORMAT = re.compile(r"(?:%[YmdHMS]|[-/. :T年月日])+")
_RUN_TOGETHER = re.compile(r"%[YmdHMS]%")
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


def builtin_mapping(name: str = "import_declarations") -> DeclarationMapping:
    """A mapping that comes with the gateway.

    Raises:
        ConfigurationError: there is none of this name; the message lists those there are.
    """
    return parse_mapping(read_builtin_mapping(name, lists=False), source=f"{name}.toml")


def load_mapping(path: Path) -> DeclarationMapping:
    """A mapping of one's own.

    Raises:
        ConfigurationError: it can't be read or isn't a mapping; the message names file, key and way out.
    """
    return parse_mapping(read_mapping(path), source=str(path))


def parse_mapping(text: str, *, source: str) -> DeclarationMapping:
    """A mapping from the text of its TOML file; `source` names it in errors.

    Raises:
        ConfigurationError: not TOML, an unknown key or field, a needed field missing, or a value that isn't allowed.
    """
    return parse_toml(text, _mapping, source=source)


def _mapping(document: dict[str, Any]) -> DeclarationMapping:
    top = ("description", "encoding", "delimiter", "mass_unit")
    _only_known(document, (*top, "date", "decimal", "columns", "constants", "values"), "")
    settings = {key: _text(document[key], key) for key in top if key in document}
    for table, names in (("date", ("format",)), ("decimal", ("point", "group"))):
        for name, value in _texts(document, table, names).items():
            settings[f"{table}_{name}"] = value
    translations = _table(document, "values", TARGETS)
    mapping = DeclarationMapping(
        columns=_texts(document, "columns", TARGETS),
        constants=_texts(document, "constants", TARGETS),
        values={target: _texts(translations, target, None, "values.") for target in translations},
        **settings,
    )
    _check_fields(mapping)
    _check_notation(mapping)
    return mapping


def _check_fields(mapping: DeclarationMapping) -> None:
    for target in REQUIRED:
        if target not in mapping.columns and target not in mapping.constants:
            raise ConfigurationError(f"[columns] doesn't name a column for {target}, which every declaration needs")
    for target in mapping.columns:
        if target in mapping.constants:
            raise ConfigurationError(f"{target} is both in [columns] and in [constants]; remove one")
    for target in mapping.values:
        if target not in mapping.columns:
            raise ConfigurationError(f"[values.{target}] translates a field that [columns] doesn't fill")


def _check_notation(mapping: DeclarationMapping) -> None:
    _one_of(mapping.encoding, ENCODINGS, "encoding")
    _one_of(mapping.mass_unit, tuple(_MASS_UNITS), "mass_unit")
    _one_of(mapping.decimal_point, (".", ","), "decimal.point")
    _one_of(mapping.decimal_group, _GROUPS, "decimal.group")
    if mapping.decimal_group == mapping.decimal_point:
        raise ConfigurationError("decimal.group and decimal.point must differ")
    if len(mapping.delimiter) != 1 or mapping.delimiter in '"\r\n' or ord(mapping.delimiter) > 127:
        raise ConfigurationError(f"delimiter {mapping.delimiter!r} must be one ASCII character other than a quote")
    parts = [mapping.date_format.count(part) for part in ("%Y", "%m", "%d")]
    if _DATE_FORMAT.fullmatch(mapping.date_format) is None or parts != [1, 1, 1]:
        raise ConfigurationError(
            f"date.format {mapping.date_format!r} must have %Y, %m, %d once each and else only separators, %H, %M, %S"
        )
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
    try:
        if not text.isascii() and mapping.date_format.isascii():
            raise ValueError
        moment = datetime.strptime(text, mapping.date_format)
        # Without separators strptime reads 2021041 as 2021-04-01.
        if _RUN_TOGETHER.search(mapping.date_format) and moment.strftime(mapping.date_format) != text:
            raise ValueError
        return moment.date()
    except ValueError:
        raise MalformedError(f"has {text[:40]!r}, which is not a date {mapping.date_format}") from None


def _parse_code(text: str, _: DeclarationMapping) -> str:
    try:
        return normalise_code(text)
    except MalformedError:
        raise MalformedError(f"has {text[:40]!r}, which is not a commodity code of 6, 8, 10 or 12 digits") from None


@lru_cache(maxsize=16)
def _number_pattern(point: str, group: str) -> re.Pattern[str]:
    """Digits, grouped by threes throughout or not at all: `1.5` must not become 15 where dots are groups."""
    digits = f"[0-9]{{1,{MAX_DIGITS}}}"
    grouped = rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}}){{1,{MAX_DIGITS // 3 - 1}}}"
    whole = f"{grouped}|{digits}" if group else digits
    return re.compile(rf"-?(?:{whole})(?:{re.escape(point)}{digits})?")


def _parse_number(text: str, mapping: DeclarationMapping) -> Decimal:
    if _number_pattern(mapping.decimal_point, mapping.decimal_group).fullmatch(text) is None:
        example = f"1{mapping.decimal_group}234{mapping.decimal_point}5"
        raise MalformedError(f"has {text[:40]!r}, which is not a number like {example}")
    plain = text.replace(mapping.decimal_group, "") if mapping.decimal_group else text
    number = Decimal(plain.replace(mapping.decimal_point, "."))
    if number < 0:
        raise MalformedError(f"has {text[:40]!r}, but can't be negative")
    return number


def _parse_mass(text: str, mapping: DeclarationMapping) -> Decimal:
    return _EXACT.multiply(_parse_number(text, mapping), _MASS_UNITS[mapping.mass_unit])


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


def _only_known(table: Mapping[str, object], known: Iterable[str], prefix: str) -> None:
    allowed = tuple(known)
    for key in table:
        if key not in allowed:
            raise ConfigurationError(f"{prefix}{key} is unknown; known are {', '.join(allowed)}")


def _one_of(value: str, allowed: tuple[str, ...], key: str) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{key} {value!r} is unknown; use one of {', '.join(map(repr, allowed))}")


def _table(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, Any]:
    table = parent.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{prefix}{name} must be a table [{prefix}{name}]")
    if known is not None:
        _only_known(table, known, f"{prefix}{name}.")
    return table


def _texts(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, str]:
    return {key: _text(value, f"{prefix}{name}.{key}") for key, value in _table(parent, name, known, prefix).items()}


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} must be text in quotes")
    return value
