"""An entry as a published list has it, filled step by step; what has no field goes to the remarks in words."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from gateway.formats.lists.rows import BadRow
from gateway.formats.lists.scripts import script_of
from gateway.formats.lists.un_xml import scheme_of
from gateway.formats.territories import MOST_CITY_CHARS, territory_code
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_PRIMARY,
    ListedNameKind,
    WatchlistContent,
    WatchlistKind,
)

NO_COUNTRY = frozenset({"", "00", "unknown", "undetermined", "none identified"})
"""Codes and names that say no country, in lower case."""

_YEAR = re.compile(r"[0-9]{4}")
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2}|dd|00)/(?P<month>[0-9]{1,2}|mm|00)/(?P<year>[0-9]{4})", re.IGNORECASE)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class PublishedEntry:
    """Gathers one entry; each method takes texts as they are published, also empty ones."""

    def __init__(self, kind: WatchlistKind.ValueType) -> None:
        self.content = WatchlistContent(kind=kind)
        self._remarks: set[str] = set()
        self._known: set[tuple[str, ...]] = set()
        self._has_main = False

    def name(self, text: str, kind: ListedNameKind.ValueType = LISTED_NAME_KIND_ALIAS) -> None:
        """A name; the first that is published as the main one is it, others are aliases."""
        text = one_line(text)
        if not text or not self._is_new("name", text):
            return
        if kind == LISTED_NAME_KIND_PRIMARY:
            kind = LISTED_NAME_KIND_ALIAS if self._has_main else kind
            self._has_main = True
        self.content.names.add(text=text, script=script_of(text), kind=kind)

    def nationality(self, country: str) -> None:
        code = code_of(country)
        if code and code not in self.content.territories:
            self.content.territories.append(code)
        elif not code:
            self.remark("Nationality", _said(country))

    def address(self, street: str, city: str, country: str, note: str = "") -> None:
        street, city, code = one_line(street), one_line(city), code_of(country)
        if _said(country) and not code:
            city = ", ".join(filter(None, (city, one_line(country))))
        if len(city) > MOST_CITY_CHARS:
            street, city = ", ".join(filter(None, (street, city))), ""
        if street or city or code:
            self.content.addresses.add(street=street, city=city, territory=code)
        where = ", ".join(filter(None, (street, city, code)))
        self.remark(f"Address {where}" if where else "Address", note)

    def born(self, text: str, *, about: bool = False) -> None:
        """A day, as YYYY-MM-DD or DD/MM/YYYY where DD and MM may be unknown, or a year."""
        text = one_line(text)
        when = birth_date(text)
        if not when:
            self.remark("Born", text)
        elif about:
            self.content.birth_periods.append(f"{when}~")
        elif self._is_new("born", when):
            self.content.birth_dates.append(when)

    def born_between(self, first: str, last: str) -> None:
        """Two years."""
        if _YEAR.fullmatch(first) and _YEAR.fullmatch(last) and first <= last:
            self.content.birth_periods.append(f"{first}/{last}")
        else:
            self.remark("Born", " to ".join(filter(None, (first, last))))

    def born_at(self, place: str, country: str) -> None:
        place, code = one_line(place), code_of(country)
        if _said(country) and not code:
            place = ", ".join(filter(None, (place, one_line(country))))
        if place or code:
            street, city = ("", place) if len(place) <= MOST_CITY_CHARS else (place, "")
            if self._is_new("born at", street, city, code):
                self.content.birth_places.add(street=street, city=city, territory=code)

    def document(self, kind: str, number: str, country: str = "", *, expires: str = "", note: str = "") -> None:
        """A number that identifies; `kind` as it is published, e.g. `Passport`."""
        number, code = one_line(number), code_of(country)
        if not number:
            self.remark(kind or "Document", note)
            return
        expires = expires if is_day(expires) else ""
        self.content.identifiers.add(scheme=scheme_of(kind), value=number, territory=code, expires=expires)
        unknown = "" if code else _said(country)
        self.remark(f"{kind or 'Document'} {number}", "; ".join(filter(None, (unknown, one_line(note)))))

    def listed_on(self, text: str) -> None:
        """The day of listing, in any of the forms of `born`."""
        when = birth_date(one_line(text)[:10])
        if is_day(when):
            day = date.fromisoformat(when)
            self.content.valid_from.FromDatetime(datetime(day.year, day.month, day.day, tzinfo=UTC))
        else:
            self.remark("Listed on", text)

    def reason(self, text: str) -> None:
        self.content.reason = one_line(text)

    def remark(self, label: str, text: str) -> None:
        text = one_line(text)
        said = f"{label}: {text}" if label else text
        if text:
            self._remarks.add(said)

    def finished(self) -> WatchlistContent:
        """The content; the order of remarks in the file means nothing."""
        self.content.remarks = "\n".join(sorted(self._remarks))
        return self.content

    def _is_new(self, *said: str) -> bool:
        before = len(self._known)
        self._known.add(said)
        return len(self._known) > before


def not_whole(line: int) -> BadRow:
    """Why nothing of a file is used whose entries have their parts all over it."""
    reason = f"the file is broken at line {line}; nothing of it is used until the whole file can be read. "
    return BadRow(line, "", "", f"{reason}Get the file from its source again")


def one_line(text: str) -> str:
    """A text without layout."""
    return " ".join(text.split())


def code_of(country: str) -> str:
    """A territory's code from a code or a name; empty for none."""
    text = one_line(country)
    return "" if text.casefold() in NO_COUNTRY else territory_code(text) or ""


def birth_date(text: str) -> str:
    """A day as YYYY-MM-DD, or a year where day or month isn't known; empty for what is neither."""
    if is_day(text) or _YEAR.fullmatch(text):
        return text
    parts = _DAY_FIRST.fullmatch(text)
    if parts is None:
        return ""
    if not (parts["day"].isdigit() and parts["month"].isdigit()) or "00" in (parts["day"], parts["month"]):
        return parts["year"]
    found = f"{parts['year']}-{int(parts['month']):02}-{int(parts['day']):02}"
    return found if is_day(found) else ""


def is_day(text: str) -> bool:
    """Whether a text is a day of the calendar as YYYY-MM-DD."""
    try:
        return bool(_ISO.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _said(country: str) -> str:
    text = one_line(country)
    return "" if text.casefold() in NO_COUNTRY else text
