"""Reads FollowTheMoney entities from JSON lines, as OpenSanctions publishes them: one a line, flat or nested."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO

from gateway.errors import InputFileError, MalformedError, TooLargeError, Violation
from gateway.formats.json_messages import not_json
from gateway.formats.lists.ftm_schema import (
    DIGITAL_CURRENCY,
    HOLDERS,
    IDENTIFIERS,
    KINDS,
    NAMES,
    NOT_READ,
    REGISTRATIONS,
    RELATED,
    TERRITORIES,
)
from gateway.formats.lists.rows import BadRow, ListOptions, Row, SkippedRow, finish
from gateway.formats.lists.scripts import script_of
from gateway.formats.lists.un_xml import scheme_of
from gateway.formats.tables.lines import decoded, numbered_lines
from gateway.formats.territories import MOST_CITY_CHARS, place_in, territory_code
from gateway.v1.watchlist_pb2 import LISTED_NAME_KIND_PRIMARY, WATCHLIST_KIND_ADDRESS, WatchlistContent

PROGRAMME = "Programme: "
BORN = "Born "
"""Begins a period of birth: the format has exact dates only."""

MAX_RELATED = 2_000_000
"""Most related entities of a file; all are held in memory."""

_EXAMPLE = '{"id": "…", "schema": "Person", "properties": {…}}'
_OF_SANCTION = ("authority", "provisions", "status", "duration", "country", "summary", "sourceUrl")
_OF_DOCUMENT = ("country", "authority", "startDate", "endDate", "summary")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_BORN = re.compile(rf"{BORN}{_DATE.pattern}(?:~|~?/{_DATE.pattern}~?)")
_LOST = re.compile(rb'"(?:id|holder|entity)"\s*+:\s*+(?:\[\s*+)?"([^"\\]{1,255})"')
Properties = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity; a property's value is a text or, in nested files, an entity."""

    id: str
    schema: str
    caption: str
    properties: Properties

    def texts(self, name: str) -> list[str]:
        """Sorted, since their order means nothing."""
        return sorted({text.strip() for text in self.properties.get(name, []) if isinstance(text, str)} - {""})


@dataclass(slots=True)
class RelatedEntities:
    """Addresses, documents and sanctions of a file.

    Attributes:
        lost: ids of what lines that can't be read are, or are about, as far as they can be told.
    """

    by_id: dict[str, Entity] = field(default_factory=dict)
    by_holder: dict[str, list[Entity]] = field(default_factory=dict)
    referred: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


def read_ftm(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entities of the schemata in `ftm_schema.KINDS` as entries, in the file's order.

    The file is read twice; memory grows with addresses, documents and sanctions alone.

    Raises:
        ConfigurationError: the stream can't be read twice.
        TooLargeError: more than MAX_RELATED related entities.
    """
    if not stream.seekable():
        raise InputFileError("FollowTheMoney is read twice and can't come through a pipe; give a file")
    start = stream.tell()
    related = _collected(stream)
    stream.seek(start)
    for number, line in numbered_lines(stream):
        if line is None or line.strip():
            yield from _row(number, line, related, options)


def _row(number: int, line: bytes | None, related: RelatedEntities, options: ListOptions) -> Iterator[Row]:
    try:
        entity = _entity(_document(line))
    except MalformedError as error:
        yield BadRow(number, "", "", error.message)
        return
    if entity.schema in RELATED and (entity.schema != "Address" or entity.id in related.referred):
        return
    if entity.schema not in KINDS:
        yield SkippedRow(
            number, entity.id[:64], f"schema: {entity.schema[:64]!r} is nothing that a list has entries of"
        )
        return
    texts = (text for text in entity.properties.get("addressEntity", []) if isinstance(text, str))
    if not related.lost.isdisjoint((entity.id, *texts)):
        yield BadRow(number, entity.id[:64], "", "another line about it can't be read, so it isn't known whole")
        return
    addresses = [
        found
        for entity_id in entity.properties.get("addressEntity", [])
        if isinstance(entity_id, str) and (found := related.by_id.get(entity_id)) is not None
    ]
    try:
        content = content_of(entity, [*_nested(entity), *related.by_holder.get(entity.id, []), *addresses])
    except (MalformedError, ValueError) as error:  # ValueError: protobuf's own, e.g. a lone surrogate
        yield BadRow(number, entity.id[:64], "", getattr(error, "message", str(error)))
        return
    yield from finish(number, entity.id, content, options, _property)


def _collected(stream: BinaryIO) -> RelatedEntities:
    related, count = RelatedEntities(), 0
    for _, line in numbered_lines(stream):
        try:
            entity = _entity(_document(line)) if line is None or line.strip() else None
        except MalformedError:  # reported when the line itself is read
            related.lost.update(found.decode(errors="replace") for found in _LOST.findall(line or b""))
            if len(related.lost) > MAX_RELATED:
                raise TooLargeError(f"lines that can't be read name more than {MAX_RELATED} entities") from None
            continue
        if entity is None:
            continue
        related.referred.update(
            entity_id for entity_id in entity.properties.get("addressEntity", []) if isinstance(entity_id, str)
        )
        if entity.schema in RELATED:
            count += 1
            if count > MAX_RELATED:
                raise TooLargeError(f"the file has more than {MAX_RELATED} addresses, documents and sanctions")
            related.by_id[entity.id] = entity
            for name in HOLDERS:
                for holder in entity.texts(name):
                    related.by_holder.setdefault(holder, []).append(entity)
    return related


def content_of(entity: Entity, about: Iterable[Entity]) -> WatchlistContent:
    """The content of an entity and those about it, without defaults."""
    content = WatchlistContent(kind=KINDS[entity.schema])
    remarks: list[str] = []
    _names(entity, content)
    _identifiers(entity, content)
    _territories(entity, content, remarks)
    for text in entity.texts("birthDate"):
        content.birth_dates.append(text[:10] if _DATE.fullmatch(text[:10]) else text)
    _birth_places(entity, content, remarks)
    reasons = [f"{PROGRAMME}{text}" for text in entity.texts("program")]
    addresses = [other for other in about if other.schema == "Address"]
    if content.kind == WATCHLIST_KIND_ADDRESS:
        addresses = [entity]
    for other in about:
        _related(other, content, reasons, remarks)
    for address in addresses:
        _address(address, content)
    for text in [] if addresses else entity.texts("address"):
        content.addresses.add(street=text)
    if reasons:
        content.reason = "; ".join(sorted(set(reasons)))
    remarks += _in_words(entity)
    notes = entity.texts("notes")
    periods = [note for note in notes if _BORN.fullmatch(note)]
    content.birth_periods.extend(note.removeprefix(BORN) for note in periods)
    content.remarks = "\n".join([*(note for note in notes if note not in periods), *sorted(set(remarks))])
    return content


def _names(entity: Entity, content: WatchlistContent) -> None:
    names = entity.texts("name")
    if not names and content.kind != WATCHLIST_KIND_ADDRESS:
        parts = ("firstName", "secondName", "middleName", "fatherName", "lastName")
        joined = " ".join(text for part in parts for text in entity.texts(part)[:1])
        names = [joined or entity.caption] if joined or entity.caption else []
    primary = entity.caption if entity.caption in names else next(iter(names), None)
    if primary is not None:
        content.names.add(text=primary, script=script_of(primary), kind=LISTED_NAME_KIND_PRIMARY)
    for name, kind in NAMES.items():
        for text in names if name == "name" else entity.texts(name):
            if text != primary or name != "name":
                content.names.add(text=text, script=script_of(text), kind=kind)


def _identifiers(entity: Entity, content: WatchlistContent) -> None:
    for name, scheme in IDENTIFIERS.items():
        for text in entity.texts(name):
            mine = REGISTRATIONS.get(entity.schema, scheme) if name == "registrationNumber" else scheme
            content.identifiers.add(scheme=mine, value=text)


def _territories(entity: Entity, content: WatchlistContent, remarks: list[str]) -> None:
    if content.kind == WATCHLIST_KIND_ADDRESS:
        return
    for name in TERRITORIES:
        for text in entity.texts(name):
            code = _code(text)
            if code:
                content.territories.append(code)
            else:
                remarks.append(f"{name}: {text}")


def _birth_places(entity: Entity, content: WatchlistContent, remarks: list[str]) -> None:
    """Places of birth with their named country, else the only one stated."""
    places = [place_in(text) for text in entity.texts("birthPlace")]
    codes = {code for _, code in places}
    said = {text: _code(text) for text in entity.texts("birthCountry")}
    remarks += [f"birthCountry: {text}" for text, code in said.items() if not code]
    others = {code for code in said.values() if code} - codes
    if len(places) == len(others) == 1 and codes == {""}:
        places, others = [(places[0][0], others.pop())], set()
    for text, code in [*places, *(("", code) for code in sorted(others))]:
        street, city = ("", text) if len(text) <= MOST_CITY_CHARS else (text, "")
        content.birth_places.add(street=street, city=city, territory=code)


def _code(text: str) -> str:
    """A territory's code from a FollowTheMoney country, such as `gb`, `gb-sct` or longer."""
    code, hyphen, _ = text.partition("-")
    return territory_code(code.upper()) or "" if len(code) == 2 or hyphen else territory_code(text) or ""


def _related(other: Entity, content: WatchlistContent, reasons: list[str], remarks: list[str]) -> None:
    if other.schema == "Sanction":
        reasons += other.texts("reason") + [f"{PROGRAMME}{text}" for text in other.texts("program")]
        for day in sorted({*other.texts("listingDate"), *other.texts("startDate")})[:1]:
            _moment(day, content, "valid_from", remarks)
        for day in other.texts("endDate")[-1:]:
            _moment(day, content, "valid_until", remarks)
        remarks += [f"Sanction, {name}: {text}" for name in _OF_SANCTION for text in other.texts(name)]
        for text in other.texts("unscId"):
            content.identifiers.add(scheme="un_reference", value=text)
    elif other.schema == "CryptoWallet":
        _wallet(other, content, remarks)
    elif other.schema in ("Identification", "Passport"):
        _document_of(other, content, remarks)


def _wallet(wallet: Entity, content: WatchlistContent, remarks: list[str]) -> None:
    currencies = wallet.texts("currency")
    code = re.sub(r"[^a-z0-9]", "", currencies[0].lower()) if len(currencies) == 1 else ""
    for address in wallet.texts("publicKey"):
        content.identifiers.add(scheme=f"{DIGITAL_CURRENCY}{f'_{code}' if code else ''}", value=address)
    remarks += [f"Wallet, currency: {text}" for text in (currencies if not code else [])]


def _document_of(other: Entity, content: WatchlistContent, remarks: list[str]) -> None:
    kinds = other.texts("type")
    scheme = "passport" if other.schema == "Passport" else scheme_of(kinds[0]) if kinds else "identification"
    codes = {_code(text) for text in other.texts("country")}
    territory = codes.pop() if len(codes) == 1 else ""
    ends = other.texts("endDate")
    expires = ends[0][:10] if len(ends) == 1 and _DATE.fullmatch(ends[0][:10]) else ""
    carried = {"country" if territory else "", "endDate" if expires else ""}
    for number in sorted({*other.texts("number"), *other.texts("passportNumber")}):
        content.identifiers.add(scheme=scheme, value=number, territory=territory, expires=expires)
        words = [(name, text) for name in _OF_DOCUMENT if name not in carried for text in other.texts(name)]
        remarks += [f"Document {number}, {name}: {text}" for name, text in words]


def _moment(text: str, content: WatchlistContent, name: str, remarks: list[str]) -> None:
    try:
        if "T" in text:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        else:
            day = date.fromisoformat(text)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            # until the end of that day
            moment += timedelta(days=1) if name == "valid_until" else timedelta()
        getattr(content, name).FromDatetime(moment)
    except (ValueError, OverflowError):
        remarks.append(f"Sanction, {'from' if name == 'valid_from' else 'until'}: {text}")


def _address(address: Entity, content: WatchlistContent) -> None:
    street = ", ".join(text for name in ("street", "street2", "postOfficeBox") for text in address.texts(name))
    city = ", ".join(text for name in ("city", "region", "state", "postalCode") for text in address.texts(name))
    codes = [code for text in address.texts("country") if (code := _code(text))]
    if not street and not city:
        street = next((text for text in address.texts("full") if territory_code(text) not in codes), "")
    if street or city or codes:
        content.addresses.add(street=street, city=city, territory=next(iter(codes), ""))


def _in_words(entity: Entity) -> list[str]:
    if entity.schema == "Address":
        return []
    known = {*NAMES, *IDENTIFIERS, *TERRITORIES, *NOT_READ, "program"}
    return [f"{name}: {text}" for name in entity.properties if name not in known for text in entity.texts(name)]


def _nested(entity: Entity) -> Iterator[Entity]:
    for values in entity.properties.values():
        for value in values:
            if isinstance(value, dict) and isinstance(value.get("schema"), str) and value["schema"] in RELATED:
                yield _entity(value)


def _property(violation: Violation, _: WatchlistContent) -> str:
    path = violation.field.partition(".")[0].partition("[")[0]
    names = {
        "names": "name or alias",
        "birth_dates": "birthDate",
        "birth_places": "birthPlace",
        "addresses": "address",
        "remarks": "notes",
    }
    return names.get(path, path) or "the entity"


def _document(line: bytes | None) -> Any:
    try:
        return json.loads(decoded(line).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise not_json(error, example=_EXAMPLE) from None


def _entity(document: Any) -> Entity:
    if not isinstance(document, dict):
        raise MalformedError(f"the line is not an entity like {_EXAMPLE}")
    properties = document.get("properties", {})
    entity_id, schema, caption = (document.get(name) or "" for name in ("id", "schema", "caption"))
    if not all(isinstance(value, str) for value in (entity_id, schema, caption)) or not schema:
        raise MalformedError("the entity has no schema, or its id, schema or caption isn't a text")
    if not isinstance(properties, dict) or not all(isinstance(value, list) for value in properties.values()):
        raise MalformedError("properties: must be an object of lists")
    return Entity(entity_id, schema, caption, properties)
