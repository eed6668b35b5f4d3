"""Finds identifiers in alerts, shipments and list entries that their published algorithms doubt, with their paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from gateway.contract.identification.identifiers import Notice, NoticeCode, Scheme, check_identifier
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, shipment_pb2, watchlist_pb2

Identifier = party_pb2.Identifier | goods_pb2.TransportMeans.Identifier

Doubt = tuple[str, Notice]
"""Path of a field, e.g. `subject.equipment[0].id`, and what is wrong with it."""

_AIR_WAYBILL = re.compile(r"[0-9]{3}[- ]?[0-9]{8}")


def alert_doubts(content: alert_pb2.AlertContent) -> Iterator[Doubt]:
    """Doubts about an alert's containers, registrations and parties."""
    subject = content.subject
    for at, equipment in enumerate(subject.equipment):
        yield from _doubt(f"subject.equipment[{at}].id", Scheme.CONTAINER, equipment.id)
    for at, means in enumerate(subject.means):
        yield from _all(f"subject.means[{at}].registrations", means.registrations)
    for at, party in enumerate(subject.parties):
        yield from _all(f"subject.parties[{at}].identifiers", party.identifiers)


def shipment_doubts(shipment: shipment_pb2.Shipment) -> Iterator[Doubt]:
    """Doubts about a shipment's containers, registrations, parties and air waybills.

    It runs on every recorded shipment, nearly always without a doubt: so it nests no generators.
    """
    for at, equipment in enumerate(shipment.equipment):
        notice = check_identifier(Scheme.CONTAINER, equipment.id)
        if notice is not None and notice.code is not NoticeCode.FORMAT:  # other equipment has other formats
            yield f"equipment[{at}].id", notice
    by_air = False
    for at, means in enumerate(shipment.means):
        by_air = by_air or means.mode == goods_pb2.TRANSPORT_MODE_AIR
        for path, notice in _means_doubts(means.SerializeToString()):
            yield f"means[{at}].{path}", notice
    for at, party in enumerate(shipment.parties):
        for path, notice in _party_doubts(party.SerializeToString()):
            yield f"parties[{at}].{path}", notice
    if by_air:
        yield from _air_waybills(shipment)


@lru_cache(maxsize=16_384)
def _party_doubts(serialised: bytes) -> tuple[Doubt, ...]:
    """Doubts about a party: the same parties trade again and again, and so do vehicles."""
    return tuple(_all("identifiers", party_pb2.Party.FromString(serialised).identifiers))


@lru_cache(maxsize=16_384)
def _means_doubts(serialised: bytes) -> tuple[Doubt, ...]:
    return tuple(_all("registrations", goods_pb2.TransportMeans.FromString(serialised).registrations))


def entry_doubts(content: watchlist_pb2.WatchlistContent) -> Iterator[Doubt]:
    """Doubts about a list entry's identifiers."""
    yield from _all("identifiers", content.identifiers)


def _air_waybills(shipment: shipment_pb2.Shipment) -> Iterator[Doubt]:
    for at, reference in enumerate(shipment.references):
        document = reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT
        if document and _AIR_WAYBILL.fullmatch(reference.value):
            yield from _doubt(f"references[{at}].value", Scheme.AIR_WAYBILL, reference.value)


def _all(path: str, identifiers: Iterable[Identifier]) -> Iterator[Doubt]:
    for at, identifier in enumerate(identifiers):
        yield from _doubt(f"{path}[{at}].value", identifier.scheme, identifier.value)


def _doubt(path: str, scheme: str, value: str) -> Iterator[Doubt]:
    notice = check_identifier(scheme, value)
    if notice is not None:
        yield path, notice
