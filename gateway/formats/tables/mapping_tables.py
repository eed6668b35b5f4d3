"""What all mapping files have in common: tables of texts, checked key by key, and where a header's columns stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.errors import ConfigurationError

ENCODINGS = ("utf-8", "gb18030", "big5", "big5hkscs", "cp1252", "latin-1")
"""Encodings in which a line end is one byte, which reading line by line relies on."""


class Places:
    """Where the columns of a header stand."""

    def __init__(self, header: list[str], source: str) -> None:
        self._header = header
        self._source = source

    def of(self, column: str, target: str) -> int:
        """The column's index.

        Raises:
            ConfigurationError: the file has no such column, or two; `target` says what for it is needed.
        """
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


def only_known(table: Mapping[str, object], known: Iterable[str], prefix: str) -> None:
    """Refuses a key that isn't known: a typing mistake must not drop a field silently."""
    allowed = tuple(known)
    for key in table:
        if key not in allowed:
            raise ConfigurationError(f"{prefix}{key} is unknown; known are {', '.join(allowed)}")


def one_of(value: str, allowed: tuple[str, ...], key: str) -> None:
    """Refuses a value that isn't one of those allowed."""
    if value not in allowed:
        raise ConfigurationError(f"{key} {value!r} is unknown; use one of {', '.join(map(repr, allowed))}")


def text_of(value: object, key: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} must be text in quotes")
    return value


def table_of(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, Any]:
    """A table, empty where there is none; `known` are its possible keys, None any."""
    table = parent.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{prefix}{name} must be a table [{prefix}{name}]")
    if known is not None:
        only_known(table, known, f"{prefix}{name}.")
    return table


def texts_of(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, str]:
    """A table of texts."""
    found = table_of(parent, name, known, prefix)
    return {key: text_of(value, f"{prefix}{name}.{key}") for key, value in found.items()}


def translations_of(document: Mapping[str, Any], targets: Iterable[str]) -> dict[str, dict[str, str]]:
    """The tables [values.FIELD]: what stands in a cell to what is meant."""
    tables = table_of(document, "values", targets)
    return {target: texts_of(tables, target, None, "values.") for target in tables}


def tables_of(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Tables that may be repeated."""
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ConfigurationError(f"{name} must be tables [[{name}]]")
    return found


def needed_texts(table: dict[str, Any], known: tuple[str, ...], needed: tuple[str, ...], where: str) -> dict[str, str]:
    """The texts of a table of which some must be there."""
    only_known(table, known, f"{where}.")
    for key in needed:
        if key not in table:
            raise ConfigurationError(f"{where} has no {key}")
    return {key: text_of(value, f"{where}.{key}") for key, value in table.items()}


def columns_of(value: object, key: str) -> tuple[str, ...]:
    """One column or several."""
    columns = value if isinstance(value, list) else [value]
    if not columns:
        raise ConfigurationError(f"{key} names no column")
    return tuple(text_of(each, key) for each in columns)


def not_both(columns: Iterable[str], constants: Mapping[str, str]) -> None:
    """Refuses a field that is filled by a column and by a constant."""
    for target in columns:
        if target in constants:
            raise ConfigurationError(f"{target} is both in [columns] and in [constants]; remove one")


def check_file(encoding: str, delimiter: str) -> None:
    """Refuses an encoding or a delimiter that can't be read line by line."""
    one_of(encoding, ENCODINGS, "encoding")
    if len(delimiter) != 1 or delimiter in '"\r\n' or ord(delimiter) > 127:
        raise ConfigurationError(f"delimiter {delimiter!r} must be one ASCII character other than a quote")
