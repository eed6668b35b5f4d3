"""What a record can be joined by: containers, seals, documents, vehicles, each with a strength and a rule about
time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from gateway.tracing.rules.records import Span, span_of
from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord

DAY_S = 86_400
HOUR_S = 3_600

MIN_SEAL_CHARS = 5
"""Shortest seal that joins: shorter ones are serial numbers that every maker has. A judgement."""

MIN_DOCUMENT_CHARS = 6
"""Shortest number of a document that joins; as for seals."""

MIN_RECORD_ID_CHARS = 8
"""Shortest key of a record that counts as the number of its declaration; shorter ones are counters. A judgement."""


MAX_KEYS = 256
"""Most keys of a record, documents and containers first; one with more is no record of one consignment."""


class LinkKind(StrEnum):
    """What two records share; the words of TraceLink.kind."""

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
    """What a link of one kind is worth.

    Attributes:
        strength: 0 to 1.
        window_s: most seconds between what the two records tell of.
        widens: whether it is asked for at other nodes, and whether what it joins may join further records.
        trip_s: of what is used again and again: the same authority and procedure again after more than these seconds is
            another trip. None: it isn't used again.
    """

    strength: float
    window_s: int
    widens: bool = True
    trip_s: int | None = None


RULES: Mapping[LinkKind, LinkRule] = MappingProxyType(
    {
        # WCO guidelines make a UCR unique; its first digit is the year's last, so it can come again after ten years.
        LinkKind.UCR: LinkRule(0.95, 9 * 365 * DAY_S),
        # Goods may lie in a mainland bonded warehouse for a year and, with an extension, for another one.
        LinkKind.PREVIOUS_DOCUMENT: LinkRule(0.95, 2 * 366 * DAY_S),
        LinkKind.DECLARATION: LinkRule(0.95, 2 * 366 * DAY_S),
        # Numbers are a carrier's own and come again after some time. 180 days: as long as rule R13 looks for circles.
        LinkKind.TRANSPORT_DOCUMENT: LinkRule(0.9, 180 * DAY_S),
        # ISO 17712 wants a seal's number to be unique to its maker; makers' numbers coincide. 180 days: as above.
        LinkKind.SEAL: LinkRule(0.85, 180 * DAY_S),
        # 45 days: the 30 within which rule R12 looks for a re-export, and the 14 that the mainland and Hong Kong give
        # to declare. A day between trips: goods of one container are declared on one day. Both are judgements.
        LinkKind.CONTAINER: LinkRule(0.7, 45 * DAY_S, trip_s=DAY_S),
        # A lock goes from lorry to lorry. A week and two hours (a crossing and back) are judgements.
        LinkKind.E_LOCK: LinkRule(0.6, 7 * DAY_S, trip_s=2 * HOUR_S),
        # A shared trader, the same quantity and a short time; 30 days: rule R12.
        LinkKind.PARTY: LinkRule(0.4, 30 * DAY_S, widens=False),
        # A lorry carries other goods the next day; a judgement.
        LinkKind.VEHICLE: LinkRule(0.3, DAY_S, widens=False, trip_s=2 * HOUR_S),
        LinkKind.QUANTITY_AND_TIME: LinkRule(0.25, 30 * DAY_S, widens=False),
    }
)
"""Strengths are an order, made by judgement: documents before seals, seals before what is used again and again."""

_DOCUMENTS = frozenset({LinkKind.TRANSPORT_DOCUMENT, LinkKind.PREVIOUS_DOCUMENT, LinkKind.DECLARATION})


@dataclass(frozen=True, slots=True)
class LinkKey:
    """Something that a record names and others may name too.

    Attributes:
        kind: what it is.
        value: in normal form, to compare by.
        shown: as written.
        realm: whose value it is, a territory or a scheme; two that are given and differ don't agree.
        span: the time that the record tells of.
        implied: the key of the record itself, taken as the number of its declaration.
    """

    kind: LinkKind
    value: str
    shown: str
    realm: str
    span: Span
    implied: bool = False

    @property
    def space(self) -> tuple[str, str]:
        """Keys with the same may agree: one authority's declaration is another's previous document."""
        return ("document" if self.kind in _DOCUMENTS else self.kind, self.value)


def link_keys(record: HistoryRecord) -> list[LinkKey]:
    """What a record names that can join it to others, each once, in a fixed order.

    Parties and quantities aren't among them: they join only together (see `join`). Nor are vessels and flights: a
    thousand consignments share them.
    """
    span = span_of(record)
    found: dict[tuple[LinkKind, str, str], LinkKey] = {}
    for kind, shown, realm, implied in _named(record):
        if len(found) == MAX_KEYS:
            break
        value = _NORMAL.get(kind, plain)(shown)
        if len(value) >= _SHORTEST.get(kind, 4):
            found.setdefault((kind, value, realm), LinkKey(kind, value, shown, realm, span, implied))
    return list(found.values())


@lru_cache(maxsize=16_384)
def plain(value: str) -> str:
    """Letters and digits in half width and upper case, without spaces, hyphens and other separators."""
    if value.isascii() and value.isalnum():
        return value.upper()
    return "".join(char for char in unicodedata.normalize("NFKC", value).upper() if char.isalnum())


def ucr(value: str) -> str:
    """A UCR without spaces, in half width and upper case: its punctuation belongs to the number."""
    return "".join(unicodedata.normalize("NFKC", value).upper().split())


_NORMAL = {LinkKind.UCR: ucr}
_SHORTEST = {
    LinkKind.SEAL: MIN_SEAL_CHARS,
    LinkKind.E_LOCK: MIN_SEAL_CHARS,
    LinkKind.UCR: MIN_DOCUMENT_CHARS,
    LinkKind.TRANSPORT_DOCUMENT: MIN_DOCUMENT_CHARS,
    LinkKind.PREVIOUS_DOCUMENT: MIN_DOCUMENT_CHARS,
    LinkKind.DECLARATION: MIN_DOCUMENT_CHARS,
}

_REFERENCES = {
    goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION: LinkKind.DECLARATION,
    goods_pb2.SHIPMENT_REFERENCE_KIND_UCR: LinkKind.UCR,
    goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT: LinkKind.TRANSPORT_DOCUMENT,
    goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT: LinkKind.PREVIOUS_DOCUMENT,
}
"""A licence isn't among them: one covers many consignments."""

_LOCK_EVENTS = frozenset(
    {
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED,
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED,
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED,
    }
)

_Named = tuple[LinkKind, str, str, bool]


def _named(record: HistoryRecord) -> Iterator[_Named]:
    shipment = record.shipment
    for reference in shipment.references:
        kind = _REFERENCES.get(reference.kind)
        if kind is not None:
            yield kind, reference.value, "" if kind is LinkKind.UCR else reference.territory, False
    if len(shipment.record_id) >= MIN_RECORD_ID_CHARS:
        yield LinkKind.DECLARATION, shipment.record_id, "", True
    for equipment in shipment.equipment:
        yield LinkKind.CONTAINER, equipment.id, "", False
        yield from ((LinkKind.SEAL, seal, "", False) for seal in equipment.seals)
        yield LinkKind.E_LOCK, equipment.e_lock, "", False
    for event in shipment.events:
        yield LinkKind.CONTAINER, event.equipment_id, "", False
        yield LinkKind.E_LOCK if event.kind in _LOCK_EVENTS else LinkKind.SEAL, event.seal, "", False
    for means in _road_means(shipment):
        yield from ((LinkKind.VEHICLE, each.value, each.scheme, False) for each in means.registrations)


def _road_means(shipment: shipment_pb2.Shipment) -> Iterator[goods_pb2.TransportMeans]:
    for means in (*shipment.means, *(leg.means for leg in shipment.route)):
        if means.mode == goods_pb2.TRANSPORT_MODE_ROAD:
            yield means
