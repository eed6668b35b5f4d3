"""Reads OFAC's lists from their advanced XML (`sdn_advanced.xml`, `cons_advanced.xml`).

Format: OFAC's Advanced Sanctions Data Standard. Reference values, places and documents come before the parties that
name them by number, and the programmes after: so these are held until the file's end. A party's id is its FixedRef,
the ent_num of the comma-delimited files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple

from gateway.errors import TooLargeError, Violation
from gateway.formats.lists.ofac.reader import PROGRAMME
from gateway.formats.lists.published import PublishedEntry, not_whole, one_line
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.lists.safe_xml import Broken, XmlElement, read_records
from gateway.formats.territories import place_in
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_PRIMARY,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_AIRCRAFT,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_VESSEL,
    ListedNameKind,
    WatchlistContent,
)

ROOT: Final = "Sanctions"

MOST_HELD: Final = 1_000_000
"""Most places, documents, parties and entries together."""

_TAGS: Final = frozenset({"ReferenceValueSets", "Location", "IDRegDocument", "DistinctParty", "SanctionsEntry"})
_SUBTYPES: Final = {"vessel": WATCHLIST_KIND_VESSEL, "aircraft": WATCHLIST_KIND_AIRCRAFT}
_HAN: Final = frozenset({"hans", "hant", "hani", "jpan", "kore", "hang"})
"""Codes of scripts in which the family's name comes first and nothing stands between."""

_LAST: Final = frozenset({"Last Name", "Entity Name", "Vessel Name", "Aircraft Name"})
_FEATURES_OF_PLACES: Final = frozenset({"Nationality Country", "Citizenship Country", "Nationality", "Citizenship"})
_IDENTIFYING: Final = ("Digital Currency Address", "SWIFT/BIC", "BIK", "MMSI", "Aircraft Manufacturer’s Serial Number")
"""Beginnings of features that are identifiers."""

_ELEMENTS: Final = {
    "names": "DocumentedName",
    "identifiers": "IDRegistrationNo",
    "addresses": "Location",
    "birth_dates": "Feature Birthdate",
    "birth_periods": "Feature Birthdate",
    "birth_places": "Feature Place of Birth",
    "reason": "SanctionsMeasure",
}


class _Place(NamedTuple):
    street: str
    city: str
    country: str


class _Document(NamedTuple):
    kind: str
    number: str
    country: str
    expires: str
    note: str


@dataclass(slots=True)
class _Listing:
    """Of all entries of a profile.

    Attributes:
        day: the earliest.
        programmes: in the file's order.
    """

    day: str = ""
    programmes: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    """What parties name by number."""

    values: dict[str, dict[str, XmlElement]] = field(default_factory=dict)
    places: dict[str, _Place] = field(default_factory=dict)
    documents: defaultdict[str, list[_Document]] = field(default_factory=lambda: defaultdict(list))
    parties: list[XmlElement] = field(default_factory=list)
    listings: dict[str, _Listing] = field(default_factory=dict)

    def text(self, tag: str, number: str) -> str:
        """A reference value in words."""
        found = self.values.get(tag, {}).get(number)
        return one_line(found.text) if found is not None else ""

    def attribute(self, tag: str, number: str, name: str) -> str:
        found = self.values.get(tag, {}).get(number)
        return found.attribute(name) if found is not None else ""

    def country(self, number: str) -> str:
        return self.attribute("Country", number, "ISO2") or self.text("Country", number)


def read_ofac_xml(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in the file's order; of a file broken elsewhere than in one party, none. Memory grows with the file.

    Raises:
        MalformedError: another root element, or a document type declaration; nothing is used then.
        TooLargeError: beyond the limits of `safe_xml`, or MOST_HELD.
    """
    held, count, broken = _Held(), 0, 0
    for record in read_records(stream, ROOT, _TAGS):
        if isinstance(record, Broken):
            if record.tag != "DistinctParty":
                broken = broken or record.line
            yield BadRow(record.line, "", "", record.reason)
            continue
        count += 1
        if count > MOST_HELD:
            raise TooLargeError(f"the list has more than {MOST_HELD} elements, which don't fit into memory")
        _hold(record, held)
    if broken:
        yield not_whole(broken)
        return
    for party in held.parties:
        entry_id = party.attribute("FixedRef")
        yield from finish(party.line, entry_id, _content(party, held), options, _element)


def _element(violation: Violation, _: WatchlistContent) -> str:
    path = violation.field.partition(".")[0].partition("[")[0]
    return _ELEMENTS.get(path, path) or "the entry"


def _hold(record: XmlElement, held: _Held) -> None:
    match record.tag:
        case "ReferenceValueSets":
            for values in record.below:
                for value in values.below:
                    held.values.setdefault(value.tag, {})[value.attribute("ID")] = value
        case "Location":
            held.places[record.attribute("ID")] = _place(record, held)
        case "IDRegDocument":
            held.documents[record.attribute("IdentityID")].append(_document(record, held))
        case "DistinctParty":
            held.parties.append(record)
        case _:
            _list(record, held.listings.setdefault(record.attribute("ProfileID"), _Listing()), held)


def _place(record: XmlElement, held: _Held) -> _Place:
    parts = {
        held.text("LocPartType", part.attribute("LocPartTypeID")).upper(): one_line(value.child("Value"))
        for part in record.children("LocationPart")
        for value in part.children("LocationPartValue")
    }
    street = ", ".join(filter(None, (parts.get(f"ADDRESS{number}", "") for number in (1, 2, 3))))
    city = ", ".join(filter(None, (parts.get(n, "") for n in ("CITY", "STATE/PROVINCE", "POSTAL CODE", "REGION"))))
    countries = [held.country(each.attribute("CountryID")) for each in record.children("LocationCountry")]
    countries += [held.text("AreaCode", each.attribute("AreaCodeID")) for each in record.children("LocationAreaCode")]
    return _Place(street, city, next(filter(None, countries), ""))


def _document(record: XmlElement, held: _Held) -> _Document:
    expires, notes = "", [one_line(record.child("Comment")), one_line(record.child("IssuingAuthority"))]
    for dated in record.children("DocumentDate"):
        day = _day(next(dated.descendants("DatePeriod", "Start", "From"), None))
        if "xpir" in held.text("IDRegDocDateType", dated.attribute("IDRegDocDateTypeID")):
            expires = day
        elif day:
            notes.append(f"issued {day}")
    if "Invalid" in (validity := held.text("Validity", record.attribute("ValidityID"))):
        notes.append(validity)
    return _Document(
        held.text("IDRegDocType", record.attribute("IDRegDocTypeID")),
        one_line(record.child("IDRegistrationNo")),
        held.country(record.attribute("IssuedBy-CountryID")),
        expires,
        "; ".join(filter(None, notes)),
    )


def _list(record: XmlElement, listing: _Listing, held: _Held) -> None:
    days = [listing.day, *(_day(date) for date in record.descendants("EntryEvent", "Date"))]
    programmes = [
        one_line(measure.child("Comment"))
        for measure in record.children("SanctionsMeasure")
        if held.text("SanctionsType", measure.attribute("SanctionsTypeID")) == "Program"
    ]
    listing.day = min(filter(None, days), default="")
    listing.programmes.update(dict.fromkeys(filter(None, programmes)))


def _content(party: XmlElement, held: _Held) -> WatchlistContent:
    profile = next(party.children("Profile"), XmlElement("Profile", party.line))
    subtype = profile.attribute("PartySubTypeID")
    kind = _SUBTYPES.get(held.text("PartySubType", subtype).casefold(), WATCHLIST_KIND_ORGANISATION)
    if held.text("PartyType", held.attribute("PartySubType", subtype, "PartyTypeID")) == "Individual":
        kind = WATCHLIST_KIND_PERSON
    entry = PublishedEntry(kind)
    for identity in profile.children("Identity"):
        _names(entry, identity, held)
        for document in held.documents.get(identity.attribute("ID"), ()):
            entry.document(
                document.kind, document.number, document.country, expires=document.expires, note=document.note
            )
    for feature in profile.children("Feature"):
        _feature(entry, held.text("FeatureType", feature.attribute("FeatureTypeID")), feature, held)
    listing = held.listings.get(profile.attribute("ID"), _Listing())
    if listing.programmes:
        entry.reason(f"{PROGRAMME}{', '.join(listing.programmes)}")
    if listing.day:
        entry.listed_on(listing.day)
    entry.remark("", party.child("Comment"))
    return entry.finished()


def _names(entry: PublishedEntry, identity: XmlElement, held: _Held) -> None:
    types = {
        group.attribute("ID"): held.text("NamePartType", group.attribute("NamePartTypeID"))
        for group in identity.descendants("NamePartGroups", "MasterNamePartGroup", "NamePartGroup")
    }
    for alias in sorted(identity.children("Alias"), key=lambda each: each.attribute("Primary") != "true"):
        kind = _name_kind(alias, held)
        for documented in alias.children("DocumentedName"):
            entry.name(_whole(documented, types, held), kind)


def _name_kind(alias: XmlElement, held: _Held) -> ListedNameKind.ValueType:
    if alias.attribute("Primary") == "true":
        return LISTED_NAME_KIND_PRIMARY
    if alias.attribute("LowQuality") == "true":
        return LISTED_NAME_KIND_WEAK_ALIAS
    former = held.text("AliasType", alias.attribute("AliasTypeID")).upper().startswith("F.K.A")
    return LISTED_NAME_KIND_FORMER if former else LISTED_NAME_KIND_ALIAS


def _whole(documented: XmlElement, types: Mapping[str, str], held: _Held) -> str:
    """The parts in the order of their script: the family's name last, or first and without spaces."""
    given, last, script = list[str](), list[str](), ""
    for part in documented.descendants("DocumentedNamePart", "NamePartValue"):
        script = held.attribute("Script", part.attribute("ScriptID"), "ScriptCode").casefold() or script
        is_last = types.get(part.attribute("NamePartGroupID"), "") in _LAST
        (last if is_last else given).append(one_line(part.text))
    return "".join(last + given) if script in _HAN else " ".join(given + last)


def _feature(entry: PublishedEntry, kind: str, feature: XmlElement, held: _Held) -> None:
    for version in feature.children("FeatureVersion"):
        places = [held.places[number] for number in _places_of(version) if number in held.places]
        texts = [_detail(detail, held) for detail in version.children("VersionDetail")]
        text = ", ".join(filter(None, texts))
        if kind == "Birthdate":
            for period in version.children("DatePeriod"):
                _born(entry, period)
        elif kind == "Place of Birth":
            entry.born_at(*place_in(text))
            for place in places:
                entry.born_at(place.city, place.country)
        elif kind in _FEATURES_OF_PLACES or kind.startswith("Vessel Flag"):
            for country in [place.country for place in places] or [text]:
                entry.nationality(country)
        elif kind == "Location":
            for place in places:
                entry.address(*place)
        elif kind.startswith(_IDENTIFYING):
            entry.document(kind, text)
        else:
            entry.remark(kind.rstrip(":"), text or one_line(version.child("Comment")))


def _places_of(version: XmlElement) -> Iterator[str]:
    return (place.attribute("LocationID") for place in version.children("VersionLocation"))


def _detail(detail: XmlElement, held: _Held) -> str:
    return one_line(detail.text) or held.text("DetailReference", detail.attribute("DetailReferenceID"))


def _born(entry: PublishedEntry, period: XmlElement) -> None:
    """A day, a year, or a range of years: a period begins and ends between two days each."""
    first = _day(next(period.descendants("Start", "From"), None))
    last = _day(next(period.descendants("End", "To"), None)) or first
    about = any(each.attribute("Approximate") == "true" for each in period.below)
    if not first:
        return
    if first == last:
        entry.born(first, about=about)
    elif first[:4] == last[:4]:
        entry.born(first[:4], about=about)
    else:
        entry.born_between(first[:4], last[:4])


def _day(date: XmlElement | None) -> str:
    """YYYY-MM-DD from its elements, or what is known of it."""
    if date is None or not date.child("Year"):
        return ""
    parts = [date.child("Year").zfill(4), date.child("Month").zfill(2), date.child("Day").zfill(2)]
    return "-".join(parts) if parts[1:] != ["00", "00"] else parts[0]
