"""Writes ends as an iCalendar file (RFC 5545), which calendars take and update by the same ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from gateway.console.views.expiring import ExpiringThing

MEDIA_TYPE: Final = "text/calendar"

REMIND: Final = "-P14D"
"""Time before an end at which a calendar reminds."""

_LINE_BYTES: Final = 75
"""Longest line in octets (RFC 5545, 3.1)."""


def calendar_file(things: Iterable[ExpiringThing], *, title: str, node: str, now: datetime) -> bytes:
    """The file.

    Args:
        title: of the calendar.
        node: part of each event's id.
        now: when it is made.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//{_text(node)}//gateway console//EN", "CALSCALE:GREGORIAN"]
    lines.append(f"X-WR-CALNAME:{_text(title)}")
    for thing in things:
        lines += _event(thing, node, now)
    lines.append("END:VCALENDAR")
    return b"".join(part + b"\r\n" for line in lines for part in _folded(line))


def _event(thing: ExpiringThing, node: str, now: datetime) -> Iterator[str]:
    summary = _text(f"{thing.kind}: {thing.what} ({thing.whose})")
    yield "BEGIN:VEVENT"
    yield f"UID:{sha256(thing.key.encode()).hexdigest()[:32]}@{node}.gateway"
    yield f"DTSTAMP:{_time(now)}"
    yield f"DTSTART:{_time(thing.at)}"
    yield f"SUMMARY:{summary}"
    yield f"DESCRIPTION:{_text(' '.join(filter(None, (thing.todo, thing.command))))}"
    yield "TRANSP:TRANSPARENT"
    yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER:{REMIND}", f"DESCRIPTION:{summary}", "END:VALARM")
    yield "END:VEVENT"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """A text as RFC 5545, 3.3.11 has it; characters of control don't occur."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    return "".join(letter for letter in escaped if letter.isprintable())


def _folded(line: str) -> Iterator[bytes]:
    """A line in parts of at most 75 octets; those after the first begin with a space, and no letter is cut."""
    part = b""
    for letter in line:
        octets = letter.encode()
        if len(part) + len(octets) > _LINE_BYTES:
            yield part
            part = b" "
        part += octets
    yield part
