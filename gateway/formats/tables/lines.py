"""Lines of a file in bounded memory, and the cells of a CSV line.

Knows no format's meaning.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from gateway.contract.limits import MAX_PAYLOAD_BYTES
from gateway.errors import ConfigurationError, MalformedError

MAX_LINE_BYTES = 4 * MAX_PAYLOAD_BYTES
"""Longest line in bytes: escapes and field names make an entry longer than its bytes on the wire. Longer lines are
named and skipped without being held."""

csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1; None for one that is too long."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) <= MAX_LINE_BYTES:
            yield number, line
        else:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, None


def decoded(line: bytes | None, encoding: str = "utf-8") -> str:
    """A line's text without its end.

    Raises:
        MalformedError: too long, or not in this encoding.
    """
    if line is None:
        raise MalformedError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        return line.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start + 1} of the line is not {encoding}") from None


def read_header(first: bytes | None, source: str, encoding: str = "utf-8", delimiter: str = ",") -> list[str]:
    """The names of a CSV file's columns from its first line, with or without a byte order mark.

    Raises:
        ConfigurationError: the line can't be read; `source` names the file.
    """
    try:
        return [name.strip() for name in cells(decoded(first, encoding).removeprefix("\ufeff"), delimiter)]
    except MalformedError as error:
        raise ConfigurationError(f"{source}: the header can't be read: {error.message}") from None


def cells(text: str, delimiter: str = ",") -> list[str]:
    """The cells of a line; a record is one line, so that a stray quote spoils its own line only.

    Raises:
        MalformedError: not CSV.
    """
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise MalformedError(f"the line is not CSV: {error}") from None
