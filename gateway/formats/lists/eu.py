"""Reads the European Union's consolidated list of persons and entities under financial sanctions, XML 1.1 and CSV.

Format: "Consolidated Financial Sanctions File 1.1" of the Commission's service FPI (FSF), one `sanctionEntity` for each
person or entity in XML; in CSV one line for each of its names, addresses, births and documents, with all of them in
lines that follow each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from gateway.errors import MalformedError, Violation
from gateway.formats.lists.published import PublishedEntry
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.lists.safe_xml import Broken, XmlElement, read_records
from gateway.formats.tables.lines import cells, decoded, numbered_lines
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_PRIMARY,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WatchlistContent,
)

ROOT: Final = "export"
RECORD: Final = "sanctionEntity"

PROGRAMME: Final = "European Union sanctions: "
"""Begins the reason; programmes and acts follow."""

NEEDED: Final = ("Entity_LogicalId", "Entity_SubjectType", "NameAlias_WholeName")
"""Columns without which a CSV isn't this list."""

MOST_LINES: Final = 5_000
"""Most lines of one entity in CSV."""

_ELEMENTS: Final = {
    "names": "nameAlias",
    "identifiers": "identification",
    "addresses": "address",
    "birth_dates": "birthdate",
    "birth_periods": "birthdate",
    "birth_places": "birthdate",
    "territories": "citizenship",
    "reason": "regulation",
}


def read_eu_xml(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in the file's order; memory doesn't grow with the file. Errors as `un_xml.read_un_xml`."""
    for record in read_records(stream, ROOT, {RECORD}):
        if isinstance(record, Broken):
            yield BadRow(record.line, "", "", record.reason)
        else:
            yield from finish(record.line, record.attribute("logicalId"), _of_xml(record), options, _element)


def _element(violation: Violation, _: WatchlistContent) -> str:
    field = violation.field.partition(".")[0].partition("[")[0]
    return _ELEMENTS.get(field, field) or "the entry"


def _of_xml(record: XmlElement) -> WatchlistContent:
    kinds = list(record.children("subjectType"))
    person = bool(kinds) and (kinds[0].attribute("code") == "person" or kinds[0].attribute("classificationCode") == "P")
    entry = PublishedEntry(WATCHLIST_KIND_PERSON if person else WATCHLIST_KIND_ORGANISATION)
    for number, alias in enumerate(record.children("nameAlias")):
        strong = alias.attribute("strong") != "false"
        _name(entry, alias.attributes, strong=strong, first=not number)
        for label in ("function", "title", "gender"):
            entry.remark(label.capitalize(), alias.attribute(label))
        entry.remark("", alias.child("remark"))
    for element in record.children("citizenship"):
        entry.nationality(element.attribute("countryIso2Code") or element.attribute("countryDescription"))
    for element in record.children("address"):
        _address(entry, element.attributes, "; ".join(child.text for child in element.children("remark")))
    for element in record.children("birthdate"):
        _birth(entry, element.attributes)
    for element in record.children("identification"):
        _document(entry, element.attributes, "; ".join(child.text for child in element.children("remark")))
    regulations = [element.attributes for element in record.children("regulation")]
    _listing(entry, regulations, record.attribute("designationDetails"))
    for element in record.children("remark"):
        entry.remark("", element.text)
    for label, name in (("EU reference", "euReferenceNumber"), ("United Nations reference", "unitedNationId")):
        entry.remark(label, record.attribute(name))
    return entry.finished()


def _name(entry: PublishedEntry, said: Mapping[str, str], *, strong: bool, first: bool) -> None:
    parts = (said.get(name, "") for name in ("firstName", "middleName", "lastName"))
    kind = LISTED_NAME_KIND_ALIAS if strong else LISTED_NAME_KIND_WEAK_ALIAS
    entry.name(said.get("wholeName", "") or " ".join(parts), LISTED_NAME_KIND_PRIMARY if first else kind)


def _address(entry: PublishedEntry, said: Mapping[str, str], note: str) -> None:
    street = ", ".join(filter(None, (said.get("street", ""), _labelled("PO box", said.get("poBox", "")))))
    city = ", ".join(filter(None, (said.get(name, "") for name in ("place", "city", "zipCode", "region"))))
    entry.address(street, city, said.get("countryIso2Code", "") or said.get("countryDescription", ""), note)


def _birth(entry: PublishedEntry, said: Mapping[str, str]) -> None:
    """A date, year or range, and a place; a date of another calendar stays in words."""
    first, last = said.get("yearRangeFrom", ""), said.get("yearRangeTo", "")
    date, year = said.get("birthdate", ""), said.get("year", "")
    if said.get("calendarType", "GREGORIAN") not in ("", "GREGORIAN"):
        entry.remark("Born", f"{date or year} ({said['calendarType'].lower()} calendar)")
    elif first or last:
        entry.born_between(first, last)
    elif date or year:
        entry.born(date or year, about=said.get("circa") == "true")
    place = ", ".join(filter(None, (said.get(name, "") for name in ("place", "city", "zipCode", "region"))))
    entry.born_at(place, said.get("countryIso2Code", "") or said.get("countryDescription", ""))


def _document(entry: PublishedEntry, said: Mapping[str, str], note: str) -> None:
    doubts = (("knownExpired", "expired"), ("knownFalse", "false"), ("reportedLost", "reported lost"))
    notes = [word for name, word in (*doubts, ("revokedByIssuer", "revoked")) if said.get(name) == "true"]
    notes += [_labelled("issued by", said.get("issuedBy", "")), _labelled("on", said.get("issueDate", "")), note]
    number = said.get("number", "") or said.get("latinNumber", "")
    entry.document(
        _KINDS.get(said.get("identificationTypeCode", ""), said.get("identificationTypeDescription", "")),
        number,
        said.get("countryIso2Code", "") or said.get("countryDescription", ""),
        expires=said.get("validTo", ""),
        note="; ".join(filter(None, notes)),
    )


_KINDS: Final = {"passport": "passport", "id": "national identification", "ssn": "social security number"}
"""Type codes whose descriptions differ from other lists' words."""


def _listing(entry: PublishedEntry, regulations: Iterable[Mapping[str, str]], details: str) -> None:
    """The newest act of each programme, and the first day in force."""
    said = list(regulations)
    programmes = dict.fromkeys(filter(None, (one.get("programme", "") for one in said)))
    acts = dict.fromkeys(filter(None, (one.get("numberTitle", "") for one in said)))
    reason = f"{', '.join(programmes)} ({'; '.join(acts)})" if acts else ", ".join(programmes)
    if reason:
        entry.reason(f"{PROGRAMME}{reason}{f': {details}' if details else ''}")
    if days := sorted(filter(None, (one.get("entryIntoForceDate", "") for one in said))):
        entry.listed_on(days[0])


def _labelled(label: str, text: str) -> str:
    return f"{label} {text}" if text else ""


# CSV


def read_eu_csv(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in the file's order, each of all its lines, if all can be read; memory doesn't grow with the file.

    Raises:
        MalformedError: the first line has other columns; nothing is used then.
    """
    lines = numbered_lines(stream)
    header = _header(lines)
    held: _Gathered | None = None
    lost = "", 0
    for number, line in lines:
        try:
            said = _said(line, header)
        except MalformedError as error:
            lost = _likely_id(line, header), number
            if held is not None:
                held.refuse(_lost(number))
            yield BadRow(number, "", "", error.message)
            continue
        if not said:
            continue
        entry_id = said["Entity_LogicalId"]
        if held is None or entry_id != held.id:
            yield from _entity(held, options)
            held = _Gathered(entry_id, number, problem=_lost(lost[1]) if entry_id == lost[0] else "")
        held.add(said)
    yield from _entity(held, options)


@dataclass(slots=True)
class _Gathered:
    """Lines of one entity; none once there is a problem, for which nothing of it is used."""

    id: str
    first: int
    lines: list[Mapping[str, str]] = field(default_factory=list)
    problem: str = ""

    def add(self, said: Mapping[str, str]) -> None:
        if len(self.lines) == MOST_LINES:
            self.refuse(f"an entity has at most {MOST_LINES} lines, and this one goes on")
        elif not self.problem:
            self.lines.append(said)

    def refuse(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.lines.clear()


def _entity(held: _Gathered | None, options: ListOptions) -> Iterator[Row]:
    if held is not None and held.problem:
        yield BadRow(held.first, held.id[:64], "", held.problem)
    elif held is not None:
        yield from finish(held.first, held.id, _of_lines(held.lines), options, _column)


def _lost(number: int) -> str:
    return f"line {number} can't be read and may belong to this entity, so it isn't known whole"


def _said(line: bytes | None, header: Sequence[str]) -> Mapping[str, str]:
    """Cells by column; none of an empty line."""
    values = cells(decoded(line), ";")
    if not any(values):
        return {}
    if len(values) < len(header) or any(values[len(header) :]):
        raise MalformedError(f"the line has {len(values)} columns, the header has {len(header)}")
    said = dict(zip(header, values, strict=False))
    if not said["Entity_LogicalId"]:
        raise MalformedError("Entity_LogicalId: is missing")
    return said


def _likely_id(line: bytes | None, header: Sequence[str]) -> str:
    """What stands where a line that can't be read has its id."""
    parts = (line or b"").decode(errors="replace").split(";")
    at = header.index("Entity_LogicalId")
    return parts[at].strip() if at < len(parts) else ""


_PREFIXES: Final = ("NameAlias_", "Address_", "BirthDate_", "Identification_", "Citizenship_")


def _header(lines: Iterator[tuple[int, bytes | None]]) -> Sequence[str]:
    number, line = next(lines, (1, b""))
    header = [name.strip() for name in cells(decoded(line), ";")]
    if missing := [name for name in NEEDED if name not in header]:
        raise MalformedError(
            f"line {number}: the columns {', '.join(missing)} are missing; the European Union's CSV has them, "
            "separated by semicolons"
        )
    return header


def _of_lines(lines: Sequence[Mapping[str, str]]) -> WatchlistContent:
    said = lines[0]
    kind = (said.get("Entity_SubjectType", ""), said.get("Entity_SubjectType_ClassificationCode", ""))
    person = kind[0].casefold() in ("person", "p") or kind[1] == "P"
    entry = PublishedEntry(WATCHLIST_KIND_PERSON if person else WATCHLIST_KIND_ORGANISATION)
    regulations = []
    for line in lines:
        alias, address, birth, document, citizen = (
            _below(line, prefix)
            for prefix in ("NameAlias_", "Address_", "BirthDate_", "Identification_", "Citizenship_")
        )
        _name(entry, alias, strong=True, first=not entry.content.names)
        for label in ("function", "title", "gender"):
            entry.remark(label.capitalize(), alias.get(label, ""))
        if any(address.values()):
            _address(entry, address, address.get("remark", ""))
        if any(birth.values()):
            _birth(entry, {**birth, "birthdate": birth.get("birthDate", "")})
        if document.get("number") or document.get("latinNumber"):
            typed = {
                "identificationTypeCode": document.get("typeCode", ""),
                "identificationTypeDescription": document.get("typeDescription", ""),
            }
            _document(entry, {**document, **typed}, document.get("remark", ""))
        if any(citizen.values()):
            entry.nationality(citizen.get("countryIso2Code", "") or citizen.get("countryDescription", ""))
        regulations.append(_below(line, "Entity_Regulation_"))
    _listing(entry, regulations, said.get("Entity_DesignationDetails", ""))
    entry.remark("", said.get("Entity_Remark", ""))
    entry.remark("EU reference", said.get("Entity_EU_ReferenceNumber", ""))
    entry.remark("United Nations reference", said.get("Entity_UnitedNationId", ""))
    return entry.finished()


def _below(line: Mapping[str, str], prefix: str) -> Mapping[str, str]:
    """Cells of one kind, by the names that XML has: `NameAlias_WholeName` is `wholeName`."""
    found = {}
    for column, value in line.items():
        if column.startswith(prefix):
            name = column.removeprefix(prefix)
            found[name[:1].lower() + name[1:]] = value.strip()
    return found


def _column(violation: Violation, content: WatchlistContent) -> str:
    return {"nameAlias": "NameAlias_WholeName", "identification": "Identification_Number"}.get(
        found := _element(violation, content), found
    )
