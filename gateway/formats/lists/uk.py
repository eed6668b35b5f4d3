"""Reads the United Kingdom's lists: the UK Sanctions List of the Foreign Office, and OFSI's ConList of before 2026.

Formats: UK Sanctions List XML (`Designations`), one element for each designation; ConList XML
(`ArrayOfFinancialSanctionsTarget`), one element for each name of a target, which share a `GroupID`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final

from gateway.errors import TooLargeError, Violation
from gateway.formats.lists.published import PublishedEntry, code_of, not_whole, one_line
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.lists.safe_xml import Broken, XmlElement, read_records
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_PRIMARY,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_VESSEL,
    ListedNameKind,
    WatchlistContent,
)

DESIGNATIONS: Final = "Designations"
TARGETS: Final = "ArrayOfFinancialSanctionsTarget"

PROGRAMME: Final = "United Kingdom sanctions: "
"""Begins the reason; the regime follows."""

MOST_TARGETS: Final = 200_000
"""Most elements of a ConList: names of one target may stand apart, so all are held."""

MOST_NAMES: Final = 5_000
"""Most elements of one target."""

KINDS: Final = {
    "individual": WATCHLIST_KIND_PERSON,
    "entity": WATCHLIST_KIND_ORGANISATION,
    "ship": WATCHLIST_KIND_VESSEL,
}

MOST_COUNTRY_CHARS: Final = 60
"""Of a note on a document that may be a country's name."""

_LINES: Final = tuple(f"AddressLine{number}" for number in range(1, 7))
_NUMBERED: Final = re.compile(r"\([0-9]{1,3}\)")
_ELEMENTS: Final = {
    "names": "Name",
    "identifiers": "PassportNumber, NationalIdentifierNumber or IMONumber",
    "addresses": "Address",
    "birth_dates": "DOB",
    "birth_places": "BirthDetails",
    "territories": "Nationality",
    "reason": "RegimeName",
}


def read_uk_xml(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in the file's order, of either list by its outermost element; of a broken ConList none.

    Raises:
        MalformedError: another root element, or a document type declaration; nothing is used then.
        TooLargeError: beyond the limits of `safe_xml`, or MOST_TARGETS.
    """
    targets: dict[str, list[XmlElement]] = {}
    held, broken = 0, 0
    for record in read_records(stream, {DESIGNATIONS, TARGETS}, {"Designation", "FinancialSanctionsTarget"}):
        if isinstance(record, Broken):
            broken = broken or record.line
            yield BadRow(record.line, "", "", record.reason)
        elif record.tag == "Designation":
            yield from _row(one_line(record.child("UniqueID")), _kind(record), _designation, [record], options)
        else:
            held += 1
            if held > MOST_TARGETS:
                raise TooLargeError(f"the list has more than {MOST_TARGETS} names, which don't fit into memory")
            targets.setdefault(one_line(record.child("GroupID")), []).append(record)
    if targets and broken:
        yield not_whole(broken)
        return
    for group, records in targets.items():
        first = records[0]
        if len(records) > MOST_NAMES:
            yield BadRow(first.line, group[:64], "GroupID", f"GroupID: a target has at most {MOST_NAMES} names")
        else:
            yield from _row(group, one_line(first.child("GroupTypeDescription")), _target, records, options)


def _row(
    entry_id: str,
    kind: str,
    content_of: Callable[[PublishedEntry, Sequence[XmlElement]], None],
    records: Sequence[XmlElement],
    options: ListOptions,
) -> Iterator[Row]:
    known, line = KINDS.get(kind.casefold()), records[0].line
    if known is None:
        yield BadRow(line, entry_id, "IndividualEntityShip", f"{kind[:40]!r} isn't one of {', '.join(KINDS)}")
        return
    entry = PublishedEntry(known)
    content_of(entry, records)
    yield from finish(line, entry_id, entry.finished(), options, _element)


def _kind(record: XmlElement) -> str:
    return one_line(record.child("IndividualEntityShip"))


def _element(violation: Violation, _: WatchlistContent) -> str:
    field = violation.field.partition(".")[0].partition("[")[0]
    return _ELEMENTS.get(field, field) or "the entry"


# The UK Sanctions List


def _designation(entry: PublishedEntry, records: Sequence[XmlElement]) -> None:
    (record,) = records
    for name in record.descendants("Names", "Name"):
        entry.name(_whole(name, "Name"), _name_kind(name.child("NameType"), name.child("AliasStrength")))
    for text in _texts(record, "NonLatinNames", "NonLatinName", "NameNonLatinScript"):
        entry.name(text)
    for address in record.descendants("Addresses", "Address"):
        lines = [one_line(address.child(line)) for line in _LINES]
        _address(entry, lines, address.child("AddressPostalCode"), address.child("AddressCountry"))
    for person in record.descendants("IndividualDetails", "Individual"):
        _person(entry, person)
    for company in record.descendants("EntityDetails", "Entity"):
        for number in _texts(company, "BusinessRegistrationNumbers", "BusinessRegistrationNumber"):
            entry.document("Registration number", number)
        for label, path in (("Type", "TypeOfEntities/TypeOfEntity"), ("Parent", "ParentCompanies/ParentCompany")):
            entry.remark(label, ", ".join(_texts(company, *path.split("/"))))
    for ship in record.descendants("ShipDetails", "Ship"):
        _ship(entry, ship)
    _listing(entry, record.child("RegimeName"), record.child("DateDesignated"), record.child("UKStatementofReasons"))
    for label, tag in (("Sanctions", "SanctionsImposed"), ("United Nations reference", "UNReferenceNumber")):
        entry.remark(label, record.child(tag))
    entry.remark("OFSI group", record.child("OFSIGroupID"))
    entry.remark("", record.child("OtherInformation"))
    for label, path in (("Telephone", "PhoneNumbers/PhoneNumber"), ("Website", "Websites/Website")):
        entry.remark(label, ", ".join(_texts(record, *path.split("/"))))
    entry.remark("Email", ", ".join(_texts(record, "EmailAddresses", "EmailAddress")))


def _person(entry: PublishedEntry, person: XmlElement) -> None:
    for text in _texts(person, "DOBs", "DOB"):
        entry.born(text)
    for text in _texts(person, "Nationalities", "Nationality"):
        entry.nationality(text)
    for place in person.descendants("BirthDetails", "Location"):
        entry.born_at(place.child("TownOfBirth"), place.child("CountryOfBirth"))
    for passport in person.descendants("PassportDetails", "Passport"):
        _document(entry, "Passport", passport.child("PassportNumber"), passport.child("PassportAdditionalInformation"))
    for number in person.descendants("NationalIdentifierDetails", "NationalIdentifier"):
        note = number.child("NationalIdentifierAdditionalInformation")
        _document(entry, "National identification number", number.child("NationalIdentifierNumber"), note)
    for label, path in (("Position", "Positions/Position"), ("Gender", "Genders/Gender")):
        entry.remark(label, ", ".join(_texts(person, *path.split("/"))))


def _ship(entry: PublishedEntry, ship: XmlElement) -> None:
    for number in _texts(ship, "IMONumbers", "IMONumber"):
        entry.document("IMO", number.removeprefix("IMO").strip())
    for path in ("CurrentBelievedFlagOfShips/CurrentBelievedFlagOfShip", "CurrentBelievedFlags/CurrentBelievedFlag"):
        for flag in _texts(ship, *path.split("/")):
            entry.nationality(flag)
    for child in ship.below:
        if child.tag not in ("IMONumbers", "CurrentBelievedFlagOfShips", "CurrentBelievedFlags"):
            entry.remark(_words(child.tag), ", ".join(_all(child)))


# OFSI's ConList


def _target(entry: PublishedEntry, records: Sequence[XmlElement]) -> None:
    for record in sorted(records, key=_is_alias):
        whole = " ".join(filter(None, (one_line(record.child(tag)) for tag in _parts(record))))
        entry.name(
            whole, _name_kind(record.child("AliasTypeName") or record.child("AliasType"), record.child("AliasQuality"))
        )
        entry.name(one_line(record.child("NameNonLatinScript")))
        lines = [one_line(record.child(f"Address{number}")) for number in range(1, 7)]
        _address(entry, lines, record.child("PostCode"), record.child("Country"))
        for text in _numbered(record.child("Individual_DateOfBirth")):
            entry.born(text)
        for town, country in _paired(record, "Individual_TownOfBirth", "Individual_CountryOfBirth"):
            entry.born_at(town, country)
        for text in _numbered(record.child("Individual_Nationality")):
            entry.nationality(text)
        for number, note in _paired(record, "Individual_PassportNumber", "Individual_PassportDetails"):
            _document(entry, "Passport", number, note)
        for number, note in _paired(record, "Individual_NINumber", "Individual_NIDetails"):
            _document(entry, "National identification number", number, note)
        for number in _numbered(record.child("Entity_BusinessRegNumber")):
            entry.document("Registration number", number)
        for number in _numbered(record.child("Ship_IMONumber")):
            entry.document("IMO", number)
        for flag in _numbered(record.child("Ship_Flag")):
            entry.nationality(flag)
        for tag in ("Title", "Individual_Position", "Individual_Gender", "Entity_Type", "Entity_ParentCompany"):
            entry.remark(_words(tag.rpartition("_")[2]), record.child(tag))
        for tag in ("OtherInformation", "FurtherIdentifiyingInformation"):
            entry.remark("", record.child(tag))
    first = records[0]
    listed = first.child("DateListed") or first.child("UKSanctionsListDateDesignated")
    _listing(entry, first.child("RegimeName"), listed[:10], first.child("UKStatementOfReasons"))
    entry.remark("UK Sanctions List", first.child("UKSanctionsListRef") or first.child("FCOId"))


def _is_alias(record: XmlElement) -> bool:
    return not _alias_type(record).casefold().startswith("primary")


def _alias_type(record: XmlElement) -> str:
    return one_line(record.child("AliasTypeName") or record.child("AliasType"))


def _parts(record: XmlElement) -> Iterable[str]:
    """Names of the parts as the file writes them: `name1` to `name5`, then `Name6`, the family's or the firm's."""
    written = {child.tag.casefold(): child.tag for child in record.below}
    return [written[f"name{number}"] for number in range(1, 7) if f"name{number}" in written]


def _numbered(text: str) -> list[str]:
    """Values of a field that may have several: `(1) A (2) B`."""
    return [found for part in _NUMBERED.split(one_line(text)) if (found := part.strip(" ,;"))]


def _paired(record: XmlElement, first: str, second: str) -> list[tuple[str, str]]:
    """Values of two fields by their numbers."""
    ones, others = _numbered(record.child(first)), _numbered(record.child(second))
    length = max(len(ones), len(others))
    return list(zip([*ones, *[""] * (length - len(ones))], [*others, *[""] * (length - len(others))], strict=True))


# Both


def _name_kind(kind: str, strength: str) -> ListedNameKind.ValueType:
    kind, strength = kind.casefold(), strength.casefold()
    if "primary" in kind and "variation" not in kind:
        return LISTED_NAME_KIND_PRIMARY
    if "f.k.a" in kind or "formerly" in kind:
        return LISTED_NAME_KIND_FORMER
    return LISTED_NAME_KIND_WEAK_ALIAS if "low" in strength else LISTED_NAME_KIND_ALIAS


def _whole(name: XmlElement, tag: str) -> str:
    return " ".join(filter(None, (one_line(name.child(f"{tag}{number}")) for number in range(1, 7))))


def _address(entry: PublishedEntry, lines: Sequence[str], post_code: str, country: str) -> None:
    """Its last line is the town."""
    said = [line for line in lines if line]
    if said or one_line(post_code) or one_line(country):
        street, town = ", ".join(said[:-1]), said[-1] if said else ""
        entry.address(street, ", ".join(filter(None, (town, one_line(post_code)))), country)


def _document(entry: PublishedEntry, kind: str, number: str, note: str) -> None:
    """A country that stands alone in the note is the issuer."""
    note = one_line(note)
    issuer = code_of(note) if note and len(note) <= MOST_COUNTRY_CHARS else ""
    entry.document(kind, number, issuer, note="" if issuer else note)


def _listing(entry: PublishedEntry, regime: str, day: str, reasons: str) -> None:
    if one_line(regime):
        entry.reason(f"{PROGRAMME}{one_line(regime)}")
    if one_line(day):
        entry.listed_on(day)
    entry.remark("Reasons", reasons)


def _texts(element: XmlElement, *path: str) -> list[str]:
    return [text for found in element.descendants(*path) if (text := one_line(found.text))]


def _all(element: XmlElement) -> list[str]:
    own = [one_line(element.text)] if element.text else []
    return own + [text for child in element.below for text in _all(child)]


def _words(tag: str) -> str:
    """`YearsBuilt` is `Years built`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag)
    return words[:1] + words[1:].lower()
