"""Reads alerts in JSON lines, and makes request ids of alerts from their lines' content."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from gateway.contract.identification.identifiers import alert_doubts
from gateway.contract.validation import violations
from gateway.errors import MalformedError, Violation
from gateway.formats.json_messages import parse_object, read_sound_part
from gateway.formats.tables.layout import Problem
from gateway.formats.tables.lines import decoded, numbered_lines
from gateway.v1.alert_pb2 import AlertContent

_DOMAIN = b"gateway alert line v1\n"


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert from a line of a file.

    Attributes:
        line: from 1.
        source: digest of the line's content, 32 bytes.
    """

    line: int
    content: AlertContent
    source: bytes


class RequestIds:
    """Request ids for the lines of one file.

    An id depends on a line's content, the recipients, and the number of equal lines before it, so correcting or moving
    a line leaves other ids unchanged.
    """

    def __init__(self, recipients: Iterable[str]) -> None:
        self._recipients = ",".join(sorted(recipients)).encode()
        self._seen: Counter[bytes] = Counter()

    def next(self, source: bytes) -> str:
        """UUID version 8 (RFC 9562 section 5.8) over SHA-256."""
        earlier = self._seen[source]
        self._seen[source] += 1
        digest = sha256(_DOMAIN + source + earlier.to_bytes(8, "big") + self._recipients).digest()
        return str(uuid.UUID(int=_as_version_8(int.from_bytes(digest[:16], "big"))))


def read_json_lines(stream: BinaryIO) -> Iterator[AlertLine | Problem]:
    """Alerts from JSON lines, each an AlertContent."""
    for number, line in numbered_lines(stream):
        if line is None or line.strip():
            yield _row(number, line)


def line_of(number: int, content: AlertContent) -> AlertLine:
    """A line whose source is the alert's whole content."""
    return AlertLine(number, content, sha256(content.SerializeToString(deterministic=True)).digest())


def everything_wrong(content: AlertContent, broken: Iterable[Violation] = ()) -> list[Violation]:
    """All that can be said of an alert without a gateway: what couldn't be read, broken rules, doubtful identifiers.

    Args:
        content: what could be read.
        broken: of what couldn't; nothing more is said of these fields.
    """
    found = list(broken)
    unread = tuple(each.field for each in found)
    doubts = (Violation(path, f"notice.{doubt.code.value}", doubt.message) for path, doubt in alert_doubts(content))
    for each in (*violations(content), *doubts):
        if not any(each.field == path or each.field.startswith((f"{path}.", f"{path}[")) for path in unread):
            found.append(each)
    return found


def _row(number: int, line: bytes | None) -> AlertLine | Problem:
    try:
        document = parse_object(decoded(line), example='{"priority": "A", …}')
        content, broken = read_sound_part(document, AlertContent)
    except MalformedError as error:
        return Problem(number, "", error.message)
    if broken:
        wrong = "; ".join(f"{each.field}: {each.message}" for each in everything_wrong(content, broken))
        return Problem(number, "", f"not an AlertContent: {wrong}")
    return line_of(number, content)


def _as_version_8(bits: int) -> int:
    bits &= ~((0xF << 76) | (0b11 << 62))
    return bits | (0x8 << 76) | (0b10 << 62)
