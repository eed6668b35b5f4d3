"""Reads the list of controlled goods from CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from importlib import resources
from pathlib import Path

from gateway.errors import MalformedError
from gateway.formats.tables.mapping_files import read_text
from gateway.formats.tables.reference_tables import parse_table
from gateway.risk.controlled_goods import Confidence, ControlledGood, ControlledGoods, Interval

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
    "announced",
    "effective",
    "effective_to",
    "suspended_from",
    "suspended_to",
    "suspended_by",
    "confidence",
    "note",
)
"""Required columns. `digits` and `hs6` repeat the code to catch typing errors."""

MAX_LIST_BYTES = 16 << 20
"""Known lists have less than a megabyte."""


def reference_controlled_goods() -> ControlledGoods:
    """The packaged list."""
    file = resources.files("gateway.reference").joinpath("controlled_goods.csv")
    return parse_controlled_goods(file.read_text("utf-8").splitlines(), source=file.name)


def load_controlled_goods(path: Path) -> ControlledGoods:
    """A user's list.

    Raises:
        ConfigurationError: unreadable or wrong; names file, lines and columns.
    """
    text = read_text(path, what="the list of controlled goods", most_bytes=MAX_LIST_BYTES)
    return parse_controlled_goods(text.splitlines(), source=str(path))


def parse_controlled_goods(lines: Iterable[str], *, source: str) -> ControlledGoods:
    """Parses CSV lines; `source` names them in errors.

    Raises:
        ConfigurationError: missing columns, no lines, or wrong lines, all named.
    """
    return ControlledGoods(parse_table(lines, COLUMNS, _good, source=source, empty="lists no goods"))


def _good(row: Mapping[str, str]) -> ControlledGood:
    if (row["digits"], row["hs6"]) != (str(len(row["code"])), row["code"][:6]):
        raise MalformedError(
            f"code: {row['code']!r} doesn't agree with digits {row['digits']!r} and hs6 {row['hs6']!r}"
        )
    suspension = _interval(row, "suspended_from", "suspended_to")
    effective = _interval(row, "effective", "effective_to")
    if effective is None:
        raise MalformedError("effective: the day on which the control begins is missing")
    return ControlledGood(
        code=row["code"],
        element="" if row["element"] == "-" else row["element"],
        substance=row["substance"],
        form=row["form"],
        control_code=row["control_code"],
        announcement=row["announcement"],
        announced=_date(row, "announced"),
        effective=effective,
        suspensions=(suspension,) if suspension else (),
        suspended_by=row["suspended_by"],
        confidence=_confidence(row["confidence"]),
        title=row["hs6_title"],
        note=row["note"],
    )


def _interval(row: Mapping[str, str], first: str, last: str) -> Interval | None:
    if not row[first]:
        if row[last]:
            raise MalformedError(f"{first}: {last} is given without it")
        return None
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


def _confidence(text: str) -> Confidence:
    try:
        return Confidence[text.upper()]
    except KeyError:
        raise MalformedError(f"confidence: {text[:40]!r} is not high, medium or low") from None
