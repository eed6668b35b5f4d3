"""Reads numbers, masses, times, days, enum values and territories from cells.

Readers take a member's parts and the file's format. They raise MalformedError, whose message continues the column's
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import InputFileError, MalformedError
from gateway.formats.territories import territory_code

MAX_DIGITS = 18
"""Most digits before and after the decimal point: exports have noise such as 73.72000000000001."""

MASS_UNITS: Mapping[str, Decimal] = MappingProxyType({"g": Decimal("0.001"), "kg": Decimal(1), "t": Decimal(1000)})
"""Kilograms per unit."""

RFC3339 = "rfc3339"
"""Format of times with zone."""

UNKNOWN_TERRITORY = "ZZ"
"""An unknown territory (user-assigned in ISO 3166-1)."""

_GROUPS = ("", ",", ".", " ", "'")
_DATE_FORMAT = re.compile(r"(?:%[YmdHMS]|[^%])+")
_RUN_TOGETHER = re.compile(r"%[YmdHMS]%")
_SCHEME = re.compile(r"[a-z][a-z0-9_]*")
_EXACT = Context(prec=2 * MAX_DIGITS + 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a file writes dates and numbers.

    Attributes:
        date: RFC3339, or of %Y %m %d %H %M %S.
        zone: offset from UTC of times without one.
        point: decimal point.
        group: thousands separator.
        mass_unit: g, kg or t.
    """

    date: str = RFC3339
    zone: timedelta = timedelta()
    point: str = "."
    group: str = ""
    mass_unit: str = "kg"

    def check(self) -> None:
        """Raises ConfigurationError for an impossible format."""
        parts = [self.date.count(part) for part in ("%Y", "%m", "%d")]
        if self.date != RFC3339 and (_DATE_FORMAT.fullmatch(self.date) is None or parts != [1, 1, 1]):
            raise InputFileError(
                f"date.format {self.date!r} must have %Y, %m, %d once each and else only separators, %H, %M, %S"
            )
        one_of(self.mass_unit, tuple(MASS_UNITS), "mass_unit")
        one_of(self.point, (".", ","), "decimal.point")
        one_of(self.group, _GROUPS, "decimal.group")
        if self.group == self.point:
            raise InputFileError("decimal.group and decimal.point must differ")


def one_of(value: str, allowed: tuple[str, ...], key: str) -> None:
    """Raises ConfigurationError for a value that isn't allowed; `key` names it."""
    if value not in allowed:
        raise InputFileError(f"{key} {value!r} is unknown; use one of {', '.join(map(repr, allowed))}")


def as_number(parts: list[str], form: Format) -> Decimal:
    """A number that isn't negative."""
    text = parts[0]
    if _number_pattern(form.point, form.group).fullmatch(text) is None:
        raise MalformedError(f"{text[:40]!r} is not a number like 1{form.group}234{form.point}5")
    plain = text.replace(form.group, "") if form.group else text
    number = Decimal(plain.replace(form.point, "."))
    if number < 0:
        raise MalformedError(f"{text[:40]!r} can't be negative")
    return number


def as_mass(parts: list[str], form: Format) -> Decimal:
    """A mass in kilograms, exactly."""
    return _EXACT.multiply(as_number(parts, form), MASS_UNITS[form.mass_unit])


def as_count(parts: list[str], form: Format) -> int:
    """A whole number that fits the contract's uint32."""
    number = as_number(parts, form)
    if number != number.to_integral_value() or number >= 1 << 32:
        raise MalformedError(f"{parts[0][:40]!r} is not a whole number below 2³²")
    return int(number)


def as_day(parts: list[str], form: Format) -> date:
    """A day; a time of day is ignored."""
    return _moment(parts[0], form.date).date()


def as_time(parts: list[str], form: Format) -> tuple[Timestamp, int]:
    """A time, and its zone's offset from UTC in minutes."""
    if form.date == RFC3339:
        return read_time(parts[0])
    return stamped(_moment(parts[0], form.date), form.zone)


def as_stamp(parts: list[str], form: Format) -> Timestamp:
    """A time."""
    return as_time(parts, form)[0]


def read_time(text: str) -> tuple[Timestamp, int]:
    """A time with zone, and its offset from UTC in minutes."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    offset = moment.utcoffset() if moment is not None else None
    if moment is None or offset is None:
        raise MalformedError(f"{text[:40]!r} isn't a time with its zone, e.g. 2026-01-15T08:00:00+08:00")
    stamp = Timestamp()
    try:
        stamp.FromJsonString(text)  # to the nanosecond
    except ValueError:
        stamp, _ = stamped(moment.replace(tzinfo=None), offset)
    return stamp, int(offset.total_seconds()) // 60


def stamped(moment: datetime, zone: timedelta) -> tuple[Timestamp, int]:
    """A local time as Timestamp, and its zone's offset from UTC in minutes."""
    stamp = Timestamp()
    try:
        stamp.FromDatetime(moment - zone)
    except (ValueError, OverflowError):
        raise MalformedError(f"{moment.isoformat()} is outside the years 1 to 9999") from None
    return stamp, int(zone.total_seconds()) // 60


def as_enum(enum: Any, prefix: str) -> Callable[[list[str], Format], Any]:
    """A reader of an enum's lower-case names without prefix."""
    return lambda parts, _: enum_of(parts[0], enum, prefix)


@lru_cache(maxsize=256)
def enum_of(text: str, enum: Any, prefix: str) -> Any:
    """An enum's number from its lower-case name without prefix."""
    name = prefix + text.upper().replace("-", "_").replace(" ", "_")
    if name in enum.keys() and not name.endswith("_UNSPECIFIED"):  # noqa: SIM118  enum wrappers aren't mappings
        return enum.Value(name)
    known = [each.removeprefix(prefix).lower() for each in enum.keys() if not each.endswith("_UNSPECIFIED")]  # noqa: SIM118
    raise MalformedError(f"{text[:40]!r} isn't one of {', '.join(known)}")


def split_identifier(text: str) -> tuple[str, str]:
    """Scheme and value of `scheme:value`."""
    scheme, colon, value = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise MalformedError(f"{text[:40]!r} isn't an identifier scheme:value, e.g. uscc:91350100M000100Y43")
    return scheme, value.strip()


def read_territory(text: str) -> str:
    """A territory's code from its code or English name."""
    code = territory_code(text)
    if code is None:
        raise MalformedError(f"{text[:40]!r} is neither a two-letter code (ISO 3166-1) nor a known name of a territory")
    return code


def read_known_territory(text: str) -> str:
    """As `read_territory`, but empty for UNKNOWN_TERRITORY and an empty text."""
    code = read_territory(text) if text else ""
    return "" if code == UNKNOWN_TERRITORY else code


def as_territory(parts: list[str], _: Format) -> str:
    """A territory's code."""
    return read_territory(parts[0])


def as_known_territory(parts: list[str], _: Format) -> str:
    """As `as_territory`, but empty for UNKNOWN_TERRITORY."""
    return read_known_territory(parts[0])


@lru_cache(maxsize=4_096)
def _moment(text: str, date_format: str) -> datetime:
    """A day, perhaps with time of day, without zone."""
    try:
        if not text.isascii() and date_format.isascii():
            raise ValueError
        moment = datetime.strptime(text, date_format)
        # Without separators strptime reads 2021041 as 2021-04-01.
        if _RUN_TOGETHER.search(date_format) and moment.strftime(date_format) != text:
            raise ValueError
    except ValueError:
        raise MalformedError(f"{text[:40]!r} isn't a date {date_format}") from None
    return moment


@lru_cache(maxsize=16)
def _number_pattern(point: str, group: str) -> re.Pattern[str]:
    """Digits, grouped by threes throughout or not at all: `1.5` must not become 15 where dots are groups."""
    digits = f"[0-9]{{1,{MAX_DIGITS}}}"
    grouped = rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}}){{1,{MAX_DIGITS // 3 - 1}}}"
    whole = f"{grouped}|{digits}" if group else digits
    return re.compile(rf"-?(?:{whole})(?:{re.escape(point)}{digits})?")
