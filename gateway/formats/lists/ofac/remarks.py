"""Finds facts in the remarks of OFAC's files.

An item begins with its kind, as `kinds` lists them. One that says more than its field holds (when a passport was
issued) fills the field and stays in the remarks too. One that isn't understood whole stays there and is named.

Source: the remarks of the published SDN list and its data specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from gateway.formats.lists.ftm_schema import DIGITAL_CURRENCY
from gateway.formats.lists.ofac.kinds import ItemKind, ReadsAs, kind_of
from gateway.formats.lists.scripts import script_of
from gateway.formats.lists.un_xml import scheme_of
from gateway.formats.territories import MOST_CITY_CHARS, place_in, territory_code
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_UNSPECIFIED,
    WATCHLIST_KIND_VESSEL,
    WatchlistContent,
)

MOST_VALUE_CHARS = 128
"""Of an identifier, as the contract has it."""

MOST_ITEM_CHARS = 2_048
"""Of an item that is looked into; a longer one stays in words."""

_DAY = r"(?:(?:[0-9]{1,2} )?[A-Z][a-z]{2} )?[0-9]{4}"
_SEPARATOR = re.compile(r";\s+|;(?=[^\s;]+\s)")
_ISSUED = re.compile(rf"issued (?P<day>{_DAY})(?P<last> to {_DAY})?\Z")
_EXPIRES = re.compile(rf"expire[sd] (?P<day>{_DAY})(?P<last> to {_DAY})?\Z")
_MOST_DATE_CHARS = 40
"""Of "expires 01 Jan 2020 to 31 Dec 2021"."""
_ONE_IN_BRACKETS = re.compile(r"\(([^()\d]*+\d[^()]*+)\)")
_SENTENCE = re.compile(r",(?!\d)|\s(?:and|or|at|in|of|on|the|under|is|was|issued|expires|expired|with|as)\s")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9./ -]*")
_NEW_LABEL = re.compile(
    r"(?:alt\.?\s+)?(?P<label>[A-Z][\w.'/()& -]{1,60}?\s?(?:No\.?|Number|Nr\.?|#|ID|Card|Code|Passport|Licen[cs]e))"
    r"[\s:#]+(?P<rest>[^\s:#a-z].*)"
)
_IMO = re.compile(r"(?:IMO[\s:#]*+(?:(?:No\.?|Number)[\s:#]*+)?)?(?P<digits>[0-9]{7})")
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}")
_CURRENCY = re.compile(r"(?P<currency>[A-Z]{2,8})\s+(?P<address>\S+)")
_EMAIL = re.compile(r"(?<![^\s@;,])[^\s@;,]++@[^\s@;,]+\.[^\s@;,.]++")
_WEBSITE = re.compile(r"(?:https?://\S+|(?<![\w.-])(?:[\w-]++\.)+[A-Za-z]{2,}(?:/\S*)?)(?<![.,])")
_TELEPHONE = re.compile(
    r"(?<![0-9\s()+./-])[+(]?[\s0-9][0-9\s()+./-]*[0-9]\)?(?:\s*ext\.?\s*[0-9]+)?(?![\w@])", re.IGNORECASE
)
_CONTACTS: Mapping[str, re.Pattern[str]] = MappingProxyType({"email": _EMAIL, "website": _WEBSITE})
_BIRTH = re.compile(rf"(?P<about>circa )?(?P<first>{_DAY})(?:(?: to |-)(?P<last>{_DAY}))?")
_QUOTED = re.compile(r"['\"](?P<name>.+)['\"]")
_DATE = re.compile(r"(?:(?:(?P<day>[0-9]{1,2}) )?(?P<month>[A-Z][a-z]{2}) )?(?P<year>[0-9]{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Remarks(NamedTuple):
    """What is left of remarks.

    Attributes:
        kept: items that stay in words, in order.
        not_understood: those of them that have no known kind, or hold more than their kind says.
    """

    kept: tuple[str, ...]
    not_understood: tuple[str, ...]


class RemarkOutcome(Enum):
    """What became of an item."""

    CARRIED = auto()
    """All of it is in a field."""
    IN_WORDS = auto()
    """It is understood, and stays in words, whole or in part."""
    NOT_UNDERSTOOD = auto()


def read_remarks(text: str, content: WatchlistContent) -> Remarks:
    """Fills fields from remarks."""
    kept, not_understood = [], []
    for item in items_of(text):
        outcome = _take(item, content)
        if outcome is not RemarkOutcome.CARRIED:
            kept.append(item)
        if outcome is RemarkOutcome.NOT_UNDERSTOOD:
            not_understood.append(item)
    return Remarks(tuple(kept), tuple(not_understood))


def items_of(text: str) -> Iterator[str]:
    """The items of remarks, without separators and the final full stop."""
    return filter(None, (item.strip() for item in _SEPARATOR.split(text.removesuffix("."))))


def _take(item: str, content: WatchlistContent) -> RemarkOutcome:
    if len(item) > MOST_ITEM_CHARS:
        return RemarkOutcome.NOT_UNDERSTOOD
    known = kind_of(item)
    if known is not None:
        kind, rest = known
        return _READERS[kind.reads_as](kind, rest, content)
    for scheme, pattern in _CONTACTS.items():
        if pattern.fullmatch(item) and _add(content, scheme, item):
            return RemarkOutcome.CARRIED
    if unlisted := _NEW_LABEL.fullmatch(item):
        kind = ItemKind(unlisted["label"], ReadsAs.IDENTIFIER, scheme_of(unlisted["label"]))
        return _identifier(kind, unlisted["rest"], content)
    return RemarkOutcome.NOT_UNDERSTOOD


def _identifier(kind: ItemKind, rest: str, content: WatchlistContent) -> RemarkOutcome:
    if "\n" in rest:
        return RemarkOutcome.NOT_UNDERSTOOD
    text, issued, expires, brackets = _parts_of_document(rest)
    if alone := _ONE_IN_BRACKETS.fullmatch(text):
        text = alone[1]
    code = next(filter(None, (territory_code(name.strip()) for name in reversed(brackets))), "")
    value, is_whole = _value_in(kind, text)
    if not value:
        return RemarkOutcome.NOT_UNDERSTOOD
    until = "" if expires is None or expires["last"] else _date(expires["day"]) or ""
    if not _add(content, *_scheme_and_value(kind, value, content), territory=code, expires=until):
        return RemarkOutcome.NOT_UNDERSTOOD
    dates = [each["day"] for each in (issued, expires) if each]
    if not all(map(_date, dates)) or _SENTENCE.search(text) or (brackets and not code):
        return RemarkOutcome.NOT_UNDERSTOOD
    is_carried = is_whole and len(brackets) < 2 and not issued and not (expires and expires["last"])
    return RemarkOutcome.CARRIED if is_carried else RemarkOutcome.IN_WORDS


def _parts_of_document(text: str) -> tuple[str, re.Match[str] | None, re.Match[str] | None, list[str]]:
    """The value at the beginning, when it was issued and expires, and what stands in brackets behind each of them.

    Read from the end, where each part begins with its own word or bracket.
    """
    text, after = _without_brackets(text)
    text, expires = _without_date(text, _EXPIRES)
    text, issued = _without_date(text, _ISSUED)
    text, before = _without_brackets(text) if issued or expires else (text, [])
    return text.strip(), issued, expires, before + after


def _without_brackets(text: str) -> tuple[str, list[str]]:
    """The text before the brackets at its end, and what these hold; before each is a space."""
    inner: list[str] = []
    while text.endswith(")"):
        at = text.rfind("(")
        if at < 1 or not text[at - 1].isspace() or ")" in text[at:-1]:
            break
        inner.append(text[at + 1 : -1])
        text = text[:at].rstrip()
    return text, inner[::-1]


def _without_date(text: str, pattern: re.Pattern[str]) -> tuple[str, re.Match[str] | None]:
    found = pattern.search(text, max(0, len(text) - _MOST_DATE_CHARS))
    return (text[: found.start()].rstrip().removesuffix(",").rstrip(), found) if found else (text, None)


def _value_in(kind: ItemKind, text: str) -> tuple[str, bool]:
    """The value in the text after a label, and whether it is all of that; empty if there is none.

    Words around a number ("Booklet A0000001", "0000001 Distrito Federal") aren't part of it.
    """
    said = _SENTENCE.split(text, maxsplit=1)[0].strip()
    if kind.reads_as is ReadsAs.CODE:
        is_value = kind.scheme == DIGITAL_CURRENCY or _CODE.fullmatch(said.upper()) is not None
        return (said, True) if is_value else ("", False)
    parts = said.split()
    while parts and _is_word(parts[0]):
        del parts[0]
    while parts and _is_word(parts[-1]):
        del parts[-1]
    value = " ".join(parts)
    return (value, value == text) if any(map(str.isdigit, value)) else ("", False)


def _is_word(text: str) -> bool:
    return any(map(str.islower, text)) and not any(map(str.isdigit, text))


def _scheme_and_value(kind: ItemKind, value: str, content: WatchlistContent) -> tuple[str, str]:
    """The scheme that the value shows, where the label leaves it open."""
    if kind.scheme == DIGITAL_CURRENCY and (coin := _CURRENCY.fullmatch(value)):
        return f"{kind.scheme}_{coin['currency'].lower()}", coin["address"]
    if kind.scheme == "lei" and not _LEI.fullmatch(value):
        return "legal_entity_number", value
    if (imo := _IMO.fullmatch(value)) and (kind.scheme == "imo_ship" or value.startswith("IMO")):
        of_ship = content.kind in (WATCHLIST_KIND_VESSEL, WATCHLIST_KIND_UNSPECIFIED)
        return "imo_ship" if of_ship and kind.scheme != "company_number" else "imo_company", imo["digits"]
    return kind.scheme, value


def _contact(kind: ItemKind, rest: str, content: WatchlistContent) -> RemarkOutcome:
    match = _CONTACTS.get(kind.scheme, _TELEPHONE).match(rest)
    if match is None or not _add(content, kind.scheme, match[0].strip()):
        return RemarkOutcome.NOT_UNDERSTOOD
    return RemarkOutcome.NOT_UNDERSTOOD if rest[match.end() :].strip(" .") else RemarkOutcome.CARRIED


def _add(content: WatchlistContent, scheme: str, value: str, *, territory: str = "", expires: str = "") -> bool:
    """Whether the value isn't too long for an identifier."""
    if len(value) > MOST_VALUE_CHARS:
        return False
    content.identifiers.add(scheme=scheme, value=value, territory=territory, expires=expires)
    return True


def _territory(_: ItemKind, rest: str, content: WatchlistContent) -> RemarkOutcome:
    code = territory_code(rest)
    if code is None:
        return RemarkOutcome.NOT_UNDERSTOOD
    content.territories.append(code)
    return RemarkOutcome.CARRIED


def _birth_place(_: ItemKind, rest: str, content: WatchlistContent) -> RemarkOutcome:
    """A place whose last part is a territory's name, else in words."""
    city, code = place_in(rest)
    if len(city) > MOST_CITY_CHARS or not rest:
        return RemarkOutcome.NOT_UNDERSTOOD
    content.birth_places.add(city=city, territory=code)
    return RemarkOutcome.CARRIED


def _birth_date(_: ItemKind, rest: str, content: WatchlistContent) -> RemarkOutcome:
    birth = _BIRTH.fullmatch(rest)
    first = _date(birth["first"]) if birth else None
    last = _date(birth["last"]) if birth and birth["last"] else None
    if birth is None or first is None or (birth["last"] and last is None):
        return RemarkOutcome.NOT_UNDERSTOOD
    about = "~" if birth["about"] else ""
    if last is not None:
        content.birth_periods.append(f"{first}{about}/{last}{about}")
    else:
        (content.birth_periods if about else content.birth_dates).append(f"{first}{about}")
    return RemarkOutcome.CARRIED


def _name(kind: ItemKind, rest: str, content: WatchlistContent) -> RemarkOutcome:
    quoted = _QUOTED.fullmatch(rest)
    if quoted is None:
        return RemarkOutcome.NOT_UNDERSTOOD
    former = kind.reads_as is ReadsAs.FORMER_NAME
    name_kind = LISTED_NAME_KIND_FORMER if former else LISTED_NAME_KIND_WEAK_ALIAS
    content.names.add(text=quoted["name"], script=script_of(quoted["name"]), kind=name_kind)
    return RemarkOutcome.CARRIED


def _words(_: ItemKind, __: str, ___: WatchlistContent) -> RemarkOutcome:
    return RemarkOutcome.IN_WORDS


_READERS: Mapping[ReadsAs, Callable[[ItemKind, str, WatchlistContent], RemarkOutcome]] = MappingProxyType(
    {
        ReadsAs.IDENTIFIER: _identifier,
        ReadsAs.CODE: _identifier,
        ReadsAs.CONTACT: _contact,
        ReadsAs.TERRITORY: _territory,
        ReadsAs.BIRTH_DATE: _birth_date,
        ReadsAs.BIRTH_PLACE: _birth_place,
        ReadsAs.WEAK_ALIAS: _name,
        ReadsAs.FORMER_NAME: _name,
        ReadsAs.WORDS: _words,
    }
)


def _date(text: str) -> str | None:
    match = _DATE.fullmatch(text.strip())
    if match is None or not int(match["year"]):
        return None
    if match["month"] is None:
        return match["year"]
    if match["month"] not in _MONTHS:
        return None
    month = f"{match['year']}-{_MONTHS.index(match['month']) + 1:02}"
    if match["day"] is None:
        return month
    try:
        return date.fromisoformat(f"{month}-{int(match['day']):02}").isoformat()
    except ValueError:
        return None
