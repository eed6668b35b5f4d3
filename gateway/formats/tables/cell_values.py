"""Days and numbers as they stand in cells of other people's files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache
from types import MappingProxyType

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.tables.mapping_tables import one_of

MAX_DIGITS = 18
"""Most digits before and after the decimal point: real exports carry binary noise such as 73.72000000000001."""

MASS_UNITS: Mapping[str, Decimal] = MappingProxyType({"g": Decimal("0.001"), "kg": Decimal(1), "t": Decimal(1000)})
"""Kilograms in a unit of mass."""

_GROUPS = ("", ",", ".", " ", "'")
_DATE_FORMAT = re.compile(r"(?:%[YmdHMS]|[-/. :T年月日])+")
_RUN_TOGETHER = re.compile(r"%[YmdHMS]%")
_EXACT = Context(prec=2 * MAX_DIGITS + 4)


def check_date_format(date_format: str) -> None:
    """Raises ConfigurationError where it isn't made of the parts of a date, each once, and separators."""
    parts = [date_format.count(part) for part in ("%Y", "%m", "%d")]
    if _DATE_FORMAT.fullmatch(date_format) is None or parts != [1, 1, 1]:
        raise ConfigurationError(
            f"date.format {date_format!r} must have %Y, %m, %d once each and else only separators, %H, %M, %S"
        )


def check_decimal(point: str, group: str, mass_unit: str) -> None:
    """Raises ConfigurationError where numbers in this notation can't be read, or masses have no known unit."""
    one_of(mass_unit, tuple(MASS_UNITS), "mass_unit")
    one_of(point, (".", ","), "decimal.point")
    one_of(group, _GROUPS, "decimal.group")
    if group == point:
        raise ConfigurationError("decimal.group and decimal.point must differ")


@lru_cache(maxsize=4_096)
def read_moment(text: str, date_format: str) -> datetime:
    """A day, or a day and a time of day, without zone.

    Raises:
        MalformedError: the text isn't in this notation; the message goes on from the column's name.
    """
    try:
        if not text.isascii() and date_format.isascii():
            raise ValueError
        moment = datetime.strptime(text, date_format)
        # Without separators strptime reads 2021041 as 2021-04-01.
        if _RUN_TOGETHER.search(date_format) and moment.strftime(date_format) != text:
            raise ValueError
    except ValueError:
        raise MalformedError(f"has {text[:40]!r}, which is not a date {date_format}") from None
    return moment


def read_number(text: str, point: str = ".", group: str = "") -> Decimal:
    """A number that isn't negative.

    Raises:
        MalformedError: the text isn't in this notation; the message goes on from the column's name.
    """
    if _number_pattern(point, group).fullmatch(text) is None:
        example = f"1{group}234{point}5"
        raise MalformedError(f"has {text[:40]!r}, which is not a number like {example}")
    plain = text.replace(group, "") if group else text
    number = Decimal(plain.replace(point, "."))
    if number < 0:
        raise MalformedError(f"has {text[:40]!r}, but can't be negative")
    return number


def in_kilograms(mass: Decimal, unit: str) -> Decimal:
    """A mass in kilograms, exactly."""
    return _EXACT.multiply(mass, MASS_UNITS[unit])


@lru_cache(maxsize=16)
def _number_pattern(point: str, group: str) -> re.Pattern[str]:
    """Digits, grouped by threes throughout or not at all: `1.5` must not become 15 where dots are groups."""
    digits = f"[0-9]{{1,{MAX_DIGITS}}}"
    grouped = rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}}){{1,{MAX_DIGITS // 3 - 1}}}"
    whole = f"{grouped}|{digits}" if group else digits
    return re.compile(rf"-?(?:{whole})(?:{re.escape(point)}{digits})?")
