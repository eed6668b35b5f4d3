"""Reads the United Nations Security Council's consolidated list from XML.

Elements without a field go to the remarks; only NOT_READ is left out.

Format: https://www.un.org/sc/resources/sc-sanctions.xsd.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime
from typing import BinaryIO

from gateway.errors import Violation
from gateway.formats.lists.labelled import take_labelled
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.lists.safe_xml import Broken, XmlElement, read_records
from gateway.formats.lists.scripts import script_of
from gateway.formats.territories import MOST_CITY_CHARS, territory_code
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_PRIMARY,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WatchlistContent,
)

ROOT = "CONSOLIDATED_LIST"
NAME_PARTS = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
NOT_READ = ("DATAID", "VERSIONNUM", "LIST_TYPE", "LAST_DAY_UPDATED", "SORT_KEY", "SORT_KEY_LAST_MOD")
"""Elements about the file."""

PROGRAMME = "United Nations Security Council list: "
"""Begins the reason; the list's name and the designations follow."""

DESIGNATION = "; designation: "

DOCUMENT_SCHEMES = {
    "passport": "passport",
    "national identification number": "national_id",
    "national identification": "national_id",
    "numéro de passeport": "passport",
    "número de pasaporte": "passport",
}
"""Type of document to scheme; other types become one: `driving_licence`."""

MOST_ALIAS_CHARS = 4_096
"""Of an alias that is looked into; a longer one is too long for a name, too."""

MOST_BRACKETS = 2
"""In each other, in an alias."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISSUED_BY = ("ISSUING_COUNTRY", "COUNTRY_OF_ISSUE")
_NUMBERED = re.compile(r"(?:^|\s)[a-z]\)\s")
_ORIGINAL = re.compile(r"^original script:\s*|(?<!\s)\s*+\(original script\)$", re.IGNORECASE)
_ORIGINAL_NOTE = re.compile(r"original script:\s*+(?P<names>.+)", re.IGNORECASE)
_NUMBER_IN_WORDS = re.compile(
    r"(?P<words>[^\d]*\b(?:number|no\.?|n°))\s*+(?:[:.]\s*+)?(?P<number>[^\s\d]{0,32}+\d.*)", re.IGNORECASE
)
_EXPIRES = re.compile(
    r"\b(?:expir(?:es|ed|y|ation date|y date)|valid until)(?:\s+on)?\s*+(?::\s*+)?"
    r"(?:(?P<iso>\d{4}-\d{2}-\d{2})|(?P<day>\d{1,2})\s+(?P<month>[A-Za-z]{3})[a-z]*\.?\s+(?P<year>\d{4}))\s*\.?",
    re.IGNORECASE,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"[0-9]{4}")
_HANDLED = frozenset(
    {
        *(*NAME_PARTS, *NOT_READ, "UN_LIST_TYPE", "REFERENCE_NUMBER", "LISTED_ON", "COMMENTS1", "DESIGNATION"),
        *("GENDER", "TITLE", "NATIONALITY", "NAME_ORIGINAL_SCRIPT"),
        *("INDIVIDUAL_ALIAS", "INDIVIDUAL_ADDRESS", "INDIVIDUAL_DATE_OF_BIRTH", "INDIVIDUAL_PLACE_OF_BIRTH"),
        *("INDIVIDUAL_DOCUMENT", "ENTITY_ALIAS", "ENTITY_ADDRESS"),
    }
)
_ELEMENTS = {
    "names": "FIRST_NAME or ALIAS_NAME",
    "identifiers": "INDIVIDUAL_DOCUMENT",
    "addresses": "INDIVIDUAL_ADDRESS or ENTITY_ADDRESS",
    "birth_dates": "INDIVIDUAL_DATE_OF_BIRTH",
    "birth_periods": "INDIVIDUAL_DATE_OF_BIRTH",
    "birth_places": "INDIVIDUAL_PLACE_OF_BIRTH",
    "territories": "NATIONALITY",
    "valid_from": "LISTED_ON",
    "remarks": "COMMENTS1 and what joins it",
}


def read_un_xml(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in the file's order; memory doesn't grow with the file.

    Raises:
        MalformedError: another root element, or a document type declaration; nothing is used then.
        TooLargeError: beyond the limits of `safe_xml`.
    """
    return read_as(stream, options, content_of)


def read_as(
    stream: BinaryIO, options: ListOptions, content_of: Callable[[XmlElement], WatchlistContent]
) -> Iterator[Row]:
    """As `read_un_xml`, with contents of records as a list in the same form has them."""
    for record in read_records(stream, ROOT, {"INDIVIDUAL", "ENTITY"}):
        if isinstance(record, Broken):
            yield BadRow(record.line, "", "", record.reason)
        else:
            entry_id = _clean(record.child("REFERENCE_NUMBER"))
            content = content_of(record)
            yield from finish(
                record.line, entry_id, content, options, _element, not_understood=_in_sentences(record, content)
            )


def _element(violation: Violation, _: WatchlistContent) -> str:
    field = violation.field.partition(".")[0].partition("[")[0]
    return _ELEMENTS.get(field, field) or "the entry"


def content_of(record: XmlElement, beside: Collection[str] = ()) -> WatchlistContent:
    """Of an INDIVIDUAL or ENTITY, without defaults and without the elements `beside`."""
    is_person = record.tag == "INDIVIDUAL"
    content = WatchlistContent(kind=WATCHLIST_KIND_PERSON if is_person else WATCHLIST_KIND_ORGANISATION)
    remarks = [_lines(record.child("COMMENTS1"))]
    _names(record, content, remarks)
    _reason(record, content)
    _listed_on(record, content, remarks)
    for tag, label in (("GENDER", "Gender"), ("TITLE", "Title")):
        said = sorted({text for element in record.children(tag) for text in _values(element)})
        remarks += [f"{label}: {', '.join(said)}"] if said else []
    _nationalities(record, content, remarks)
    for element in record.below:
        if element.tag.endswith("_ADDRESS"):
            _address(element, content, remarks)
        elif element.tag == "INDIVIDUAL_DATE_OF_BIRTH":
            _birth(element, content, remarks)
        elif element.tag == "INDIVIDUAL_PLACE_OF_BIRTH":
            _birth_place(element, content, remarks)
        elif element.tag == "INDIVIDUAL_DOCUMENT":
            _document(element, content, remarks)
        elif element.tag not in _HANDLED and element.tag not in beside:
            _remark(element.tag, "; ".join(_all_texts(element)), remarks)
    _drop_covered_places(content)
    # the order of documents and aliases means nothing
    content.remarks = "\n".join(filter(None, [remarks[0], *sorted(set(remarks[1:]))]))
    return content


def _in_sentences(record: XmlElement, content: WatchlistContent) -> tuple[str, ...]:
    """Takes identifiers from the texts in sentences; returns what may identify there and isn't understood."""
    texts = [_clean(record.child("COMMENTS1"))]
    texts += [_clean(note.text) for element in record.below for note in element.children("NOTE")]
    return tuple(text for said in texts for text in take_labelled(said, content))


def _drop_covered_places(content: WatchlistContent) -> None:
    """Drops a country of birth, as aliases have it, where a place in that country is known."""
    covered = {place.territory for place in content.birth_places if place.street or place.city}
    kept = [place for place in content.birth_places if place.street or place.city or place.territory not in covered]
    if len(kept) < len(content.birth_places):
        content.ClearField("birth_places")
        content.birth_places.extend(kept)


def _names(record: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    primary = _clean(" ".join(record.child(part) for part in NAME_PARTS))
    if primary:
        content.names.add(text=primary, script=script_of(primary), kind=LISTED_NAME_KIND_PRIMARY)
    original = _clean(record.child("NAME_ORIGINAL_SCRIPT"))
    if original:
        content.names.add(text=original, script=script_of(original), kind=LISTED_NAME_KIND_ALIAS)
    for tag in ("INDIVIDUAL_ALIAS", "ENTITY_ALIAS"):
        for alias in record.children(tag):
            _alias(alias, content, remarks)


def _alias(alias: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    text = _clean(alias.child("ALIAS_NAME"))
    quality = alias.child("QUALITY").casefold()
    kind = {"low": LISTED_NAME_KIND_WEAK_ALIAS, "f.k.a.": LISTED_NAME_KIND_FORMER}.get(quality, LISTED_NAME_KIND_ALIAS)
    for name in names_in(text):
        content.names.add(text=name, script=script_of(name), kind=kind)
    _remark(f"Alias {text}" if text else "Alias", _alias_note(alias, content), remarks)


def _alias_note(alias: XmlElement, content: WatchlistContent) -> str:
    """Birth and note of an alias in words; fields take the birth, and a name in its original script."""
    born, note = _clean(alias.child("DATE_OF_BIRTH")), _joined(alias, "NOTE")
    if _day(born) or _YEAR.fullmatch(born):
        content.birth_dates.append(born)
    city, country = _joined(alias, "CITY_OF_BIRTH"), _clean(alias.child("COUNTRY_OF_BIRTH"))
    code = territory_code(country) or ""
    if (city or code) and len(city) <= MOST_CITY_CHARS:
        content.birth_places.add(city=city, territory=code)
    if original := _ORIGINAL_NOTE.fullmatch(note):
        for name in names_in(original["names"]):
            content.names.add(text=name, script=script_of(name), kind=LISTED_NAME_KIND_ALIAS)
    return _joined(alias, "DATE_OF_BIRTH", "CITY_OF_BIRTH", "COUNTRY_OF_BIRTH", "NOTE")


def names_in(text: str) -> list[str]:
    """Names in an alias, separated by `;` or by brackets with another script: "Jin Tiesan (金铁三)" is two names."""
    if not text:
        return []
    if len(text) > MOST_ALIAS_CHARS:
        return [text]
    brackets = _in_brackets(text)
    if brackets is not None and ";" not in brackets[0]:
        outer, inner = brackets
        scripts = {script_of(outer), script_of(_ORIGINAL.sub("", inner))}
        if outer and (";" in inner or (len(scripts) == 2 and "" not in scripts)):
            return [*names_in(outer), *names_in(inner)]
        return [text]
    found = []
    for piece in _parted(text):
        name = _ORIGINAL.sub("", piece).strip()
        found += [name] if name == text else names_in(name)
    return list(filter(None, found))


def _in_brackets(text: str) -> tuple[str, str] | None:
    """What stands before the brackets at the end of a text, and in them; these may hold others, which hold none."""
    text = text.rstrip(",;. ")
    if "\n" in text or not text.endswith(")"):
        return None
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        depth += (text[at] == ")") - (text[at] == "(")
        if depth > MOST_BRACKETS:
            return None
        if not depth:
            return text[:at].rstrip(), text[at + 1 : -1]
    return None


def _parted(text: str) -> Iterator[str]:
    """Pieces between `;` or numbering like ` b) ` outside brackets."""
    depth = start = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")" and depth > 0)
        if character == ";" and not depth:
            yield from _NUMBERED.split(text[start:at])
            start = at + 1
    yield from _NUMBERED.split(text[start:]) if "(" not in text[start:] else [text[start:]]


def _reason(record: XmlElement, content: WatchlistContent) -> None:
    programme = _clean(record.child("UN_LIST_TYPE"))
    designations = [text for element in record.children("DESIGNATION") for text in _values(element)]
    if programme:
        said = f"{DESIGNATION}{' / '.join(designations)}" if designations else ""
        content.reason = f"{PROGRAMME}{programme}{said}"


def _listed_on(record: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    text = _clean(record.child("LISTED_ON"))
    day = _day(text[:10])
    if day is not None:
        content.valid_from.FromDatetime(datetime(day.year, day.month, day.day, tzinfo=UTC))
    else:
        _remark("Listed on", text, remarks)


def _nationalities(record: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    for element in record.children("NATIONALITY"):
        for name in _values(element):
            code = territory_code(name)
            if code:
                content.territories.append(code)
            else:
                _remark("Nationality", name, remarks)


def _address(element: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    street, city = _joined(element, "STREET"), _joined(element, "CITY", "STATE_PROVINCE", "ZIP_CODE")
    country = _clean(element.child("COUNTRY"))
    code = territory_code(country) or ""
    if country and not code:
        city = ", ".join(filter(None, (city, country)))
    if len(city) > MOST_CITY_CHARS:
        street, city = ", ".join(filter(None, (street, city))), ""
    if street or city or code:
        content.addresses.add(street=street, city=city, territory=code)
    where = ", ".join(filter(None, (street, city, code)))
    _remark(f"Address {where}" if where else "Address", _joined(element, "NOTE"), remarks)


def _birth_place(element: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    country = _clean(element.child("COUNTRY"))
    code = territory_code(country) or ""
    city = _joined(element, "STREET", "CITY", "STATE_PROVINCE", *(() if code else ("COUNTRY",)))
    if city or code:
        street, city = ("", city) if len(city) <= MOST_CITY_CHARS else (city, "")
        content.birth_places.add(street=street, city=city, territory=code)
    _remark("Born in", _joined(element, "NOTE"), remarks)


def _birth(element: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    first, last = element.child("FROM_YEAR"), element.child("TO_YEAR")
    dates = (element.child("DATE")[:10], element.child("YEAR"))
    exact = [text for text in dates if _day(text) or _YEAR.fullmatch(text)]
    if _YEAR.fullmatch(first) and _YEAR.fullmatch(last):
        content.birth_dates.extend(exact[:1])
        content.birth_periods.append(f"{first}/{last}")
    elif exact:
        about = element.child("TYPE_OF_DATE") == "APPROXIMATELY"
        (content.birth_periods if about else content.birth_dates).append(f"{exact[0]}~" if about else exact[0])
    else:
        said = (element.child(tag) for tag in ("DATE", "YEAR", "FROM_YEAR", "TO_YEAR"))
        _remark("Born", " ".join(filter(None, map(_clean, said))), remarks)
    _remark("Birth", _joined(element, "NOTE"), remarks)


def _document(element: XmlElement, content: WatchlistContent, remarks: list[str]) -> None:
    number = _clean(element.child("NUMBER"))
    kind = _clean(element.child("TYPE_OF_DOCUMENT"))
    if not number:
        _remark("Document", _joined(element, *(child.tag for child in element.below)), remarks)
        return
    words = _NUMBER_IN_WORDS.fullmatch(number)
    value = words["number"].strip() if words else number
    countries = [_clean(node.text) for tag in _ISSUED_BY for node in element.children(tag)]
    codes = {territory_code(country) for country in countries if country}
    territory = (codes.pop() or "") if len(codes) == 1 else ""
    expires, note = _expiry(_joined(element, "NOTE"))
    content.identifiers.add(scheme=scheme_of(kind), value=value, territory=territory, expires=expires)
    said = [*filter(None, [words["words"].strip()] if words else []), _joined(element, "TYPE_OF_DOCUMENT2")]
    issued = _joined(element, "CITY_OF_ISSUE", *(() if territory else _ISSUED_BY), "DATE_OF_ISSUE")
    said += [f"issued {issued}" if issued else "", note]
    _remark(f"Document {value}", "; ".join(filter(None, said)), remarks)


def _expiry(note: str) -> tuple[str, str]:
    """The only expiry in a document's note, and the rest of the note."""
    matches = list(_EXPIRES.finditer(note))
    if len(matches) != 1:
        return "", note
    (parts,) = matches
    month = parts["month"].casefold() if parts["month"] else ""
    if month and month not in _MONTHS:
        return "", note
    text = parts["iso"] or f"{parts['year']}-{_MONTHS.index(month) + 1:02}-{int(parts['day']):02}"
    if _day(text) is None:
        return "", note
    return text, "" if parts[0].strip() == note else note


def scheme_of(kind: str) -> str:
    """The scheme for a type of document."""
    folded = kind.casefold()
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:48]
    return DOCUMENT_SCHEMES.get(folded) or (slug if slug[:1].isalpha() else "document")


def _remark(label: str, text: str, remarks: list[str]) -> None:
    if text:
        remarks.append(f"{label}: {text}")


def _values(element: XmlElement) -> list[str]:
    values = [_clean(value.text) for value in element.children("VALUE")] or [_clean(element.text)]
    return [text for text in values if text]


def _all_texts(element: XmlElement) -> Iterator[str]:
    if element.text:
        yield _clean(element.text)
    for child in element.below:
        yield from _all_texts(child)


def _joined(element: XmlElement, *tags: str) -> str:
    texts = (_clean(child.text) for tag in tags for child in element.children(tag))
    return ", ".join(dict.fromkeys(filter(None, texts)))


def _clean(text: str) -> str:
    """On one line."""
    return " ".join(text.split())


def _lines(text: str) -> str:
    """Lines without layout."""
    return "\n".join(filter(None, map(_clean, text.splitlines())))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
