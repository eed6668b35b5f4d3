"""Reads announcements and the list of controlled goods from CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

from gateway.errors import ConfigurationError, InputFileError, MalformedError
from gateway.formats.tables.reference_tables import parse_table, read_table
from gateway.risk.announcements import Announcement, Announcements, Measure
from gateway.risk.controlled_goods import Basket, ControlledGood, ControlledGoods
from gateway.risk.validity import Confidence, ControlPeriod, Interval

COLUMNS = (
    "code",
    "digits",
    "hs6",
    "hs6_title",
    "element",
    "substance",
    "form",
    "control_code",
    "announcement",
    "basket",
    "confidence",
    "source",
    "note",
)
"""Required columns of goods. `digits` and `hs6` repeat the code to catch typing errors."""

ANNOUNCEMENT_COLUMNS = (
    "announcement",
    "part",
    "measure",
    "applies_to",
    "destinations",
    "announced",
    "effective",
    "effective_to",
    "afterwards",
    "subject",
    "confidence",
    "source",
    "note",
)
"""Required columns of announcements."""

RESUMED = "in force"
"""In `afterwards` of a suspension: what it suspends was verified to hold again. Empty: not verified."""

_TERRITORY = re.compile(r"[A-Z]{2}")
_WordT = TypeVar("_WordT", Measure, Basket)


def load_controlled_goods(path: Path | None = None, announcements: Path | None = None) -> ControlledGoods:
    """A list and its announcements; None: the packaged files.

    Raises:
        ConfigurationError: unreadable or wrong; names file, lines and columns.
    """
    goods = read_table(path, "controlled_goods.csv", what="the list of controlled goods")
    return _controlled_goods(goods, _read_announcements(announcements))


@lru_cache(maxsize=1)
def _controlled_goods(goods: tuple[str, str], announcements: tuple[str, str]) -> ControlledGoods:
    known = parse_announcements(announcements[0].splitlines(), source=announcements[1])
    return parse_controlled_goods(goods[0].splitlines(), known, source=goods[1])


def load_announcements(path: Path | None = None) -> Announcements:
    """Announcements from a file; None: the packaged ones.

    Raises:
        ConfigurationError: unreadable or wrong; names file, lines and columns.
    """
    text, source = _read_announcements(path)
    return parse_announcements(text.splitlines(), source=source)


def _read_announcements(path: Path | None) -> tuple[str, str]:
    return read_table(path, "announcements.csv", what="the announcements")


def parse_controlled_goods(lines: Iterable[str], announcements: Announcements, *, source: str) -> ControlledGoods:
    """Parses CSV lines of goods; `source` names them in errors.

    Raises:
        ConfigurationError: missing columns, no lines, or wrong lines, all named.
    """
    make = partial(_good, announcements=announcements)
    return ControlledGoods(parse_table(lines, COLUMNS, make, source=source, empty="lists no goods"), announcements)


def parse_announcements(lines: Iterable[str], *, source: str) -> Announcements:
    """Parses CSV lines of announcements; `source` names them in errors.

    Raises:
        ConfigurationError: missing columns, no lines, or wrong lines, all named.
    """
    rows = parse_table(lines, ANNOUNCEMENT_COLUMNS, _announcement, source=source, empty="has no announcements")
    try:
        return Announcements(rows)
    except ConfigurationError as error:
        raise InputFileError(f"{source}: {error.message}") from None


def _good(row: Mapping[str, str], *, announcements: Announcements) -> ControlledGood:
    if (row["digits"], row["hs6"]) != (str(len(row["code"])), row["code"][:6]):
        raise MalformedError(
            f"code: {row['code']!r} doesn't agree with digits {row['digits']!r} and hs6 {row['hs6']!r}"
        )
    announcement = announcements.licence(row["announcement"])
    if announcement is None:
        raise MalformedError(f"announcement: {row['announcement']!r} is not among the announcements with licences")
    return ControlledGood(
        code=row["code"],
        element="" if row["element"] == "-" else row["element"],
        substance=row["substance"],
        form=row["form"],
        control_code=row["control_code"],
        announcement=announcement.name,
        announced=announcement.announced,
        validity=ControlPeriod(announcement.effective, announcements.suspensions(announcement.key)),
        confidence=confidence_of(row["confidence"]),
        basket=_word(Basket, row, "basket"),
        title=row["hs6_title"],
        source=row["source"],
        note=row["note"],
    )


def _announcement(row: Mapping[str, str]) -> Announcement:
    measure = _word(Measure, row, "measure")
    destinations = separated(row["destinations"])
    wrong = [code for code in destinations if not _TERRITORY.fullmatch(code)]
    if wrong:
        raise MalformedError(f"destinations: {wrong[0]!r} is not a country of two capital letters (ISO 3166-1)")
    if row["afterwards"] and (measure is not Measure.SUSPENSION or row["afterwards"] != RESUMED):
        raise MalformedError(f"afterwards: only a suspension has it, as {RESUMED!r} or empty")
    return Announcement(
        name=row["announcement"],
        part=row["part"],
        measure=measure,
        applies_to=separated(row["applies_to"]),
        destinations=destinations,
        announced=_date(row, "announced"),
        effective=_interval(row, "effective", "effective_to"),
        resumed=row["afterwards"] == RESUMED,
        subject=row["subject"],
        confidence=confidence_of(row["confidence"]),
        source=row["source"],
        note=row["note"],
    )


def separated(text: str) -> tuple[str, ...]:
    """The parts of a cell that `|` separates."""
    return tuple(part.strip() for part in text.split("|") if part.strip())


def _interval(row: Mapping[str, str], first: str, last: str) -> Interval:
    begin, end = _date(row, first), _date(row, last) if row[last] else None
    try:
        return Interval(begin, end)
    except MalformedError as error:
        raise MalformedError(f"{last}: {error.message}") from None


def _date(row: Mapping[str, str], column: str) -> date:
    text = row[column]
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedError(f"{column}: {text[:40]!r} is not a date YYYY-MM-DD") from None


def confidence_of(text: str) -> Confidence:
    """Raises MalformedError for another word."""
    try:
        return Confidence[text.upper()]
    except KeyError:
        raise MalformedError(f"confidence: {text[:40]!r} is not high, medium or low") from None


def _word(words: type[_WordT], row: Mapping[str, str], column: str) -> _WordT:
    try:
        return words(row[column])
    except ValueError:
        known = ", ".join(str(word) or "empty" for word in words)
        raise MalformedError(f"{column}: {row[column][:40]!r} is not one of {known}") from None
