"""Reads operators' files, whole within a limit, and checks TOML key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import ConfigurationError, InputFileError

MadeT = TypeVar("MadeT")


def read_text(path: Path, *, what: str, most_bytes: int) -> str:
    """The text of a file, UTF-8 with or without a byte order mark.

    Raises:
        ConfigurationError: it can't be read or is larger; the message names it by `what`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(f"{what} {path} can't be read: {error}") from error
    if len(content) > most_bytes:
        raise InputFileError(f"{what} {path} is larger than {most_bytes} bytes")
    return text


def parse_toml(text: str, make: Callable[[dict[str, Any]], MadeT], *, source: str) -> MadeT:
    """The result of `make` for a TOML document; `source` names it in errors.

    Raises:
        ConfigurationError: it isn't TOML, or `make` refuses it.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
        raise InputFileError(f"{source} is not TOML: {error}") from error
    try:
        return make(document)
    except ConfigurationError as error:
        raise InputFileError(f"{source}: {error.message}") from None


def only_known(table: Mapping[str, object], known: Iterable[str], prefix: str) -> None:
    """Refuses unknown keys: a typing mistake must not drop a field silently."""
    allowed = tuple(known)
    for key in table:
        if key not in allowed:
            raise InputFileError(f"{prefix}{key} is unknown; known are {', '.join(allowed)}")


def text_of(value: object, key: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise InputFileError(f"{key} must be text in quotes")
    return value


def columns_of(value: object, key: str) -> tuple[str, ...]:
    """One column or several."""
    columns = value if isinstance(value, list) else [value]
    if not columns:
        raise InputFileError(f"{key} names no column")
    return tuple(text_of(column, key) for column in columns)


def table_of(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, Any]:
    """A table, empty if missing; `known` are its possible keys, None any."""
    table = parent.get(name, {})
    if not isinstance(table, dict):
        raise InputFileError(f"{prefix}{name} must be a table [{prefix}{name}]")
    if known is not None:
        only_known(table, known, f"{prefix}{name}.")
    return table


def texts_of(parent: Mapping[str, Any], name: str, known: Iterable[str] | None, prefix: str = "") -> dict[str, str]:
    """A table of texts."""
    table = table_of(parent, name, known, prefix)
    return {key: text_of(value, f"{prefix}{name}.{key}") for key, value in table.items()}


def tables_of(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Tables that may be repeated."""
    tables = document.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputFileError(f"{name} must be tables [[{name}]]")
    return tables
