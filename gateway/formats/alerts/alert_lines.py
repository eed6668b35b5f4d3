"""Alerts in files: one a line, each with a request id that comes from what the line says.

The CSV forms are alert_csv's and declaration_alerts'.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from google.protobuf.json_format import Parse, ParseError

from gateway.contract.limits import MAX_PAYLOAD_BYTES
from gateway.formats.tables.layout import Problem
from gateway.v1.alert_pb2 import AlertContent

MAX_LINE_BYTES = 4 * MAX_PAYLOAD_BYTES
"""Longest line of JSON in bytes: field names and escapes make an alert longer than its bytes on the wire."""

_DOMAIN = b"gateway alert line v1\n"


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert read from a line of a file.

    Attributes:
        line: line in the file, from 1.
        content: what it says.
        source: digest of what the line says, 32 bytes; equal lines have equal ones.
    """

    line: int
    content: AlertContent
    source: bytes


class RequestIds:
    """Request ids for the lines of one file to the same recipients.

    An id depends on what a line says, on the recipients, and on how many equal lines stood before it; not on where in
    the file it stands. So a line that is corrected or moved leaves the ids of all others as they were.
    """

    def __init__(self, recipients: Iterable[str]) -> None:
        self._recipients = ",".join(sorted(recipients)).encode()
        self._seen: Counter[bytes] = Counter()

    def next(self, source: bytes) -> str:
        """The id for the next line; UUID version 8 (RFC 9562 section 5.8) over SHA-256."""
        earlier = self._seen[source]
        self._seen[source] += 1
        digest = sha256(_DOMAIN + source + earlier.to_bytes(8, "big") + self._recipients).digest()
        return str(uuid.UUID(int=_as_version_8(int.from_bytes(digest[:16], "big"))))


def read_json_lines(stream: BinaryIO) -> Iterator[AlertLine | Problem]:
    """Alerts from JSON lines: on each line an AlertContent in protobuf's JSON form; empty lines are left out.

    Args:
        stream: the file, opened in binary mode; the caller closes it.
    """
    number = 0
    while data := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(data) > MAX_LINE_BYTES:
            while data and not data.endswith(b"\n"):
                data = stream.readline(MAX_LINE_BYTES)
            yield Problem(number, "", f"the line is longer than {MAX_LINE_BYTES} bytes")
        elif data.strip():
            yield _json_line(number, data)


def line_of(number: int, content: AlertContent) -> AlertLine:
    """A line whose source is the alert's whole content."""
    return AlertLine(number, content, sha256(content.SerializeToString(deterministic=True)).digest())


def _json_line(number: int, data: bytes) -> AlertLine | Problem:
    try:
        return line_of(number, Parse(data.decode("utf-8"), AlertContent()))
    except UnicodeDecodeError as error:
        return Problem(number, "", f"byte {error.start + 1} of the line is not UTF-8")
    except (ParseError, RecursionError) as error:
        return Problem(number, "", f"not an AlertContent as JSON: {error}")


def _as_version_8(bits: int) -> int:
    bits &= ~((0xF << 76) | (0b11 << 62))
    return bits | (0x8 << 76) | (0b10 << 62)
