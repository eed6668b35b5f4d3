"""Values that link records, with strength and time limit."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from gateway.tracing.rules.records import Span, span_of
from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord

DAY_S = 86_400
HOUR_S = 3_600

MIN_SEAL_CHARS = 5
"""Shorter serial numbers are common. A judgement."""

MIN_DOCUMENT_CHARS = 6
"""As for seals."""

MIN_RECORD_ID_CHARS = 8
"""Shorter ids are counters, not declaration numbers. A judgement."""


MAX_KEYS = 256


class LinkKind(StrEnum):
    """Words of TraceLink.kind."""

    CONTAINER = "container"
    SEAL = "seal"
    E_LOCK = "e_lock"
    UCR = "ucr"
    TRANSPORT_DOCUMENT = "transport_document"
    PREVIOUS_DOCUMENT = "previous_document"
    DECLARATION = "declaration"
    VEHICLE = "vehicle"
    PARTY = "party"
    QUANTITY_AND_TIME = "quantity_and_time"


@dataclass(frozen=True, slots=True)
class LinkRule:
    """A rule for one kind of link.

    Attributes:
        strength: 0 to 1.
        window_s: most seconds between the records.
        widens: whether to query it, and to link further records.
        trip_s: the same authority and procedure after more seconds is another trip.
    """

    strength: float
    window_s: int
    widens: bool = True
    trip_s: int | None = None


RULES: Mapping[LinkKind, LinkRule] = MappingProxyType(
    {
        # WCO: unique; its year has one digit, so it may recur after ten years.
        LinkKind.UCR: LinkRule(0.95, 9 * 365 * DAY_S),
        # A mainland bonded warehouse may hold goods for two years.
        LinkKind.PREVIOUS_DOCUMENT: LinkRule(0.95, 2 * 366 * DAY_S),
        LinkKind.DECLARATION: LinkRule(0.95, 2 * 366 * DAY_S),
        # A carrier's numbers recur; as in rule R13.
        LinkKind.TRANSPORT_DOCUMENT: LinkRule(0.9, 180 * DAY_S),
        # ISO 17712: unique per maker only.
        LinkKind.SEAL: LinkRule(0.85, 180 * DAY_S),
        # 30 days for a re-export (rule R12), 14 to declare. A day between trips: one container's goods are declared on
        # one day. Judgements.
        LinkKind.CONTAINER: LinkRule(0.7, 45 * DAY_S, trip_s=DAY_S),
        # A week, and two hours for a crossing and back. Judgements.
        LinkKind.E_LOCK: LinkRule(0.6, 7 * DAY_S, trip_s=2 * HOUR_S),
        # Rule R12.
        LinkKind.PARTY: LinkRule(0.4, 30 * DAY_S, widens=False),
        # Other goods the next day; a judgement.
        LinkKind.VEHICLE: LinkRule(0.3, DAY_S, widens=False, trip_s=2 * HOUR_S),
        LinkKind.QUANTITY_AND_TIME: LinkRule(0.25, 30 * DAY_S, widens=False),
    }
)
"""Strengths by judgement: documents, seals, reusable things."""

ValueSpace: TypeAlias = tuple[str, str]
"""What a value is a value of, and the value: a declaration may be another's previous document."""


class LinkKey(NamedTuple):
    """A value of a record that others may share.

    Attributes:
        value: normalised.
        shown: as written.
        realm: territory or scheme; different ones don't agree.
        implied: the record id, taken as a declaration number.
        space: where equal values may link.
        widens: see LinkRule.
    """

    kind: LinkKind
    value: str
    shown: str
    realm: str
    span: Span
    implied: bool
    space: ValueSpace
    widens: bool


def link_keys(record: HistoryRecord) -> list[LinkKey]:
    """Distinct values of a record that can link it.

    Vessels and flights don't: a thousand consignments share one.
    """
    span = span_of(record)
    keys: dict[tuple[str, str, str], LinkKey] = {}
    for form, shown, realm, implied in _named(record):
        if len(keys) == MAX_KEYS:
            break
        value = form.normal(shown)
        if len(value) >= form.shortest and (form.name, value, realm) not in keys:
            space = (form.space, value)
            keys[form.name, value, realm] = LinkKey(form.kind, value, shown, realm, span, implied, space, form.widens)
    return list(keys.values())


@lru_cache(maxsize=16_384)
def plain(value: str) -> str:
    """Letters and digits, half width, upper case."""
    if value.isascii() and value.isalnum():
        return value.upper()
    return "".join(char for char in unicodedata.normalize("NFKC", value).upper() if char.isalnum())


def ucr(value: str) -> str:
    """Half width, upper case, without spaces; punctuation counts."""
    half_width = value if value.isascii() else unicodedata.normalize("NFKC", value)
    return "".join(half_width.upper().split())


class _ValueForm(NamedTuple):
    """How values of one kind become keys.

    Attributes:
        name, widens: of the kind, at hand: a record has dozens of values, and an enumeration's hash is slow.
        shortest: fewest characters of a value that may link.
    """

    kind: LinkKind
    name: str
    space: str
    widens: bool
    normal: Callable[[str], str]
    shortest: int


def _form(kind: LinkKind, *, normal: Callable[[str], str] = plain, shortest: int = 4, space: str = "") -> _ValueForm:
    return _ValueForm(kind, kind.value, space or kind.value, RULES[kind].widens, normal, shortest)


_CONTAINER = _form(LinkKind.CONTAINER)
_SEAL = _form(LinkKind.SEAL, shortest=MIN_SEAL_CHARS)
_E_LOCK = _form(LinkKind.E_LOCK, shortest=MIN_SEAL_CHARS)
_VEHICLE = _form(LinkKind.VEHICLE)
_UCR = _form(LinkKind.UCR, normal=ucr, shortest=MIN_DOCUMENT_CHARS)
_TRANSPORT_DOCUMENT, _PREVIOUS_DOCUMENT, _DECLARATION = (
    _form(kind, shortest=MIN_DOCUMENT_CHARS, space="document")
    for kind in (LinkKind.TRANSPORT_DOCUMENT, LinkKind.PREVIOUS_DOCUMENT, LinkKind.DECLARATION)
)

_REFERENCES = {
    goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION: _DECLARATION,
    goods_pb2.SHIPMENT_REFERENCE_KIND_UCR: _UCR,
    goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT: _TRANSPORT_DOCUMENT,
    goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT: _PREVIOUS_DOCUMENT,
}
"""Without licences: one covers many consignments."""

_LOCK_EVENTS = frozenset(
    {
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED,
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED,
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED,
    }
)

_NamedValue: TypeAlias = tuple[_ValueForm, str, str, bool]
"""A value as written, with its realm and whether it is implied."""


def _named(record: HistoryRecord) -> Iterator[_NamedValue]:
    shipment = record.shipment
    for reference in shipment.references:
        form = _REFERENCES.get(reference.kind)
        if form is not None:
            yield form, reference.value, "" if form is _UCR else reference.territory, False
    if len(shipment.record_id) >= MIN_RECORD_ID_CHARS:
        yield _DECLARATION, shipment.record_id, "", True
    for equipment in shipment.equipment:
        yield _CONTAINER, equipment.id, "", False
        for seal in equipment.seals:
            yield _SEAL, seal, "", False
        yield _E_LOCK, equipment.e_lock, "", False
    for event in shipment.events:
        yield _CONTAINER, event.equipment_id, "", False
        yield _E_LOCK if event.kind in _LOCK_EVENTS else _SEAL, event.seal, "", False
    for means in _road_means(shipment):
        for registration in means.registrations:
            yield _VEHICLE, registration.value, registration.scheme, False


def _road_means(shipment: shipment_pb2.Shipment) -> Iterator[goods_pb2.TransportMeans]:
    for means in (*shipment.means, *(leg.means for leg in shipment.route)):
        if means.mode == goods_pb2.TRANSPORT_MODE_ROAD:
            yield means
