"""Links as sentences."""

from __future__ import annotations

from gateway.tracing.rules.link_graph import RecordLink, days_apart
from gateway.tracing.rules.links import RULES, LinkKey, LinkKind
from gateway.v1.history_pb2 import HistoryRecord

_NAMED = {
    LinkKind.CONTAINER: "container",
    LinkKind.SEAL: "seal",
    LinkKind.E_LOCK: "electronic lock",
    LinkKind.UCR: "UCR",
    LinkKind.TRANSPORT_DOCUMENT: "transport document",
    LinkKind.DECLARATION: "declaration",
    LinkKind.VEHICLE: "vehicle",
}


def because(edge: RecordLink, one: HistoryRecord, other: HistoryRecord) -> str:
    """A link as a sentence."""
    if edge.keys is None:
        return edge.because
    mine, yours = edge.keys
    if edge.kind is LinkKind.PREVIOUS_DOCUMENT:
        return _follows(mine, yours, one, other)
    shown = mine.shown if mine.shown == yours.shown else f"{mine.shown} ({yours.shown})"
    sentence = f"Both name the {_NAMED[edge.kind]} {shown}"
    rule = RULES[edge.kind]
    if rule.trip_s is not None:
        return f"{sentence}, {days_apart(edge.gap_s)}, and no other trip of it lies between."
    return f"{sentence}, {days_apart(edge.gap_s)}." if edge.kind is LinkKind.SEAL else f"{sentence}."


def _follows(mine: LinkKey, yours: LinkKey, one: HistoryRecord, other: HistoryRecord) -> str:
    if mine.kind is yours.kind:
        return f"Both give {mine.shown} as their previous document."
    if mine.kind is LinkKind.PREVIOUS_DOCUMENT:
        mine, yours, one, other = yours, mine, other, one
    what = f"that is the {_NAMED[mine.kind]} of {_called(one)}"
    return f"{_called(other)} gives {yours.shown} as its previous document; {what}."


def _called(record: HistoryRecord) -> str:
    return f"{record.node}/{record.shipment.record_id}"
