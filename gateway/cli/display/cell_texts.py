"""Turns values into the texts of cells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Literal

from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.translation.plain_text import printable


class CellTexts:
    """Texts of the values of one table."""

    def __init__(self, now: datetime | None = None, *, to_the: Literal["minute", "second"] = "second") -> None:
        """Times are short, in the zone of `now`; without it whole, in RFC 3339 and UTC."""
        self._now = now
        self._form = "%m-%d %H:%M" if to_the == "minute" else "%m-%d %H:%M:%S"
        self.has_times = False

    @property
    def zone(self) -> str:
        """The zone of short times: `UTC+8`."""
        return zone_name((self._now.utcoffset() if self._now else None) or timedelta(0))

    def shown(self, value: object) -> str:
        """A value for a cell, harmless; its newlines stay in the cell."""
        return printable(self.text(value))

    def text(self, value: object) -> str:
        for kind, text in self._forms:
            if isinstance(value, kind):
                return text(value)
        return str(value)

    @property
    def _forms(self) -> tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...]:
        return (
            (type(None), lambda _nothing: "—"),
            (bool, lambda value: _("yes") if value else _("no")),
            (datetime, self._time),  # before date: it is one
            (date, lambda value: value.isoformat()),
            ((list, tuple, set, frozenset), lambda values: listed(map(self.text, values))),
            (bytes, lambda value: value.hex()),
            (Enum, lambda value: str(value.value)),
        )

    def _time(self, exact: datetime) -> str:
        time = exact.replace(microsecond=0)
        if self._now is None:
            return rfc3339(time)
        self.has_times = True
        there = time.astimezone(self._now.tzinfo)
        return there.strftime(self._form if there.year == self._now.year else f"%Y-{self._form}")


def rfc3339(time: datetime) -> str:
    """A time in RFC 3339, in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def zone_name(offset: timedelta) -> str:
    """`UTC`, `UTC+8` or `UTC+5:30`."""
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return "UTC" if not minutes else f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")
