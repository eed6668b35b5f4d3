"""Drafts an alert from a consignment's discrepancies, for an officer to complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.limits import MAX_PAYLOAD_BYTES
from gateway.risk.rule_hits import rule_hit, typologies_of
from gateway.tracing.rules.draft_goods import goods_of
from gateway.tracing.rules.links import DAY_S, plain
from gateway.tracing.rules.records import territory_of
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, trace_pb2
from gateway.v1.history_pb2 import HistoryRecord, QueryGrounds

VALID_S: Final = 30 * DAY_S

MAX_REFERENCES = 32
MAX_EQUIPMENT = 64
MAX_SEALS = 16
MAX_MEANS = 32
MAX_PARTIES = 64
MAX_ROUTE = 32
MAX_RULE_HITS = 64
"""The contract's limits on an alert."""

MAX_DRAFT_BYTES: Final = MAX_PAYLOAD_BYTES // 2
"""Half an entry; the rest is for narratives and the gateway's additions."""

TO_COMPLETE: Final = ("narratives", "requested_action", "handling", "legal_basis")
"""Fields for an officer; until then `legal_basis` is that of the trace."""

_PRIORITIES: Final = {
    trace_pb2.SEVERITY_HIGH: alert_pb2.PRIORITY_A,
    trace_pb2.SEVERITY_MEDIUM: alert_pb2.PRIORITY_B,
}
_ACTIONS: Final = {
    alert_pb2.PRIORITY_A: alert_pb2.REQUESTED_ACTION_INSPECT,
    alert_pb2.PRIORITY_B: alert_pb2.REQUESTED_ACTION_DISCREET_CHECK,
}

MessageT = TypeVar("MessageT", bound=Message)


def draft_alert(
    trace: trace_pb2.Trace,
    discrepancies: Sequence[trace_pb2.Discrepancy],
    grounds: QueryGrounds,
    own_node: str,
    *,
    now: datetime,
) -> trace_pb2.DraftAlert | None:
    """Drafts an alert that keeps the contract's rules; None without discrepancies or legs.

    `own_node` is never a recipient; `to_complete` has paths in AlertContent.
    """
    if not discrepancies or not trace.legs:
        return None
    records = [leg.record for leg in trace.legs]
    about = sorted({leg for discrepancy in discrepancies for leg in discrepancy.legs if leg < len(records)}) or range(
        len(records)
    )
    ordered = [records[index] for index in dict.fromkeys([*about, *range(len(records))])]
    severity = max(discrepancy.severity for discrepancy in discrepancies)
    priority = _PRIORITIES.get(severity, alert_pb2.PRIORITY_C)
    route = _route(records)
    content = alert_pb2.AlertContent(
        priority=priority,
        typologies=typologies_of(discrepancies),
        subject=_subject(ordered),
        goods=goods_of(trace, about, discrepancies),
        route=route,
        rule_hits=[rule_hit(discrepancy) for discrepancy in discrepancies[:MAX_RULE_HITS]],
        requested_action=_ACTIONS.get(priority, alert_pb2.REQUESTED_ACTION_INFORM),
        legal_basis=grounds.legal_basis,
        purpose=grounds.purpose,
        case_reference=grounds.case_reference,
        handling=_handling(records, own_node),
        valid_until=Timestamp(seconds=int(now.timestamp()) + VALID_S),
    )
    return trace_pb2.DraftAlert(
        content=content,
        recipients=_recipients(trace, route, own_node),
        to_complete=[*TO_COMPLETE, *_cut_to_size(content)],
    )


def _cut_to_size(content: alert_pb2.AlertContent) -> list[str]:
    """Halves long fields to make room for an officer's words; returns their paths."""
    long: dict[str, MutableSequence[Any]] = {
        "rule_hits": content.rule_hits,
        "goods": content.goods,
        "subject.parties": content.subject.parties,
    }
    shortened: dict[str, None] = {}
    while content.ByteSize() > MAX_DRAFT_BYTES:
        path = max(long, key=lambda path: sum(item.ByteSize() for item in long[path]))
        if len(long[path]) < 2:
            break
        del long[path][len(long[path]) // 2 :]
        shortened[path] = None
    return list(shortened)


def _handling(records: Sequence[HistoryRecord], own_node: str) -> alert_pb2.Handling:
    handling = alert_pb2.Handling(
        classification=alert_pb2.CLASSIFICATION_RESTRICTED, onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED
    )
    others = [node for node in dict.fromkeys(record.node for record in records) if node != own_node]
    if others:
        handling.caveat = f"Holds what {' and '.join(others)} answered; passing it on needs their consent."[:512]
    return handling


def _recipients(trace: trace_pb2.Trace, route: Sequence[goods_pb2.RouteLeg], own_node: str) -> list[str]:
    """Nodes with records, and asked nodes named after a territory on the route."""
    territories = {end.territory for leg in route for end in (getattr(leg, "from"), leg.to)}
    nodes = [leg.record.node for leg in trace.legs]
    nodes += [answer.node for answer in trace.answers if answer.node.upper() in territories]
    return [node for node in dict.fromkeys(nodes) if node != own_node]


def _subject(records: Sequence[HistoryRecord]) -> alert_pb2.Subject:
    subject = alert_pb2.Subject(
        references=_first(
            _references(records), MAX_REFERENCES, lambda reference: (reference.kind, plain(reference.value))
        ),
        equipment=_equipment(records),
        means=_first(_means(records), MAX_MEANS, _bytes),
        parties=_first(_parties(records), MAX_PARTIES, _bytes),
    )
    if not subject.ByteSize():  # all is withheld: the record id finds it at its node
        subject.references.extend(
            goods_pb2.ShipmentReference(
                kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
                value=record.shipment.record_id,
                territory=territory_of(record),
            )
            for record in records[:MAX_REFERENCES]
        )
    return subject


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _first(messages: Iterable[MessageT], limit: int, key: Callable[[MessageT], object]) -> list[MessageT]:
    distinct: dict[object, MessageT] = {}
    for item in messages:
        distinct.setdefault(key(item), item)
    return list(distinct.values())[:limit]


def _references(records: Sequence[HistoryRecord]) -> Iterator[goods_pb2.ShipmentReference]:
    for record in records:
        yield from (reference for reference in record.shipment.references if reference.value and reference.kind)


def _equipment(records: Sequence[HistoryRecord]) -> list[goods_pb2.Equipment]:
    merged: dict[str, goods_pb2.Equipment] = {}
    for record in records:
        for unit in record.shipment.equipment:
            if unit.id:
                known = merged.setdefault(plain(unit.id), goods_pb2.Equipment(id=unit.id))
                known.seals.extend(seal for seal in unit.seals if seal not in known.seals)
                known.e_lock = known.e_lock or unit.e_lock
    for unit in merged.values():
        del unit.seals[MAX_SEALS:]
    return list(merged.values())[:MAX_EQUIPMENT]


def _means(records: Sequence[HistoryRecord]) -> Iterator[goods_pb2.TransportMeans]:
    for record in records:
        yield from (transport for transport in record.shipment.means if transport.registrations or transport.name)


def _parties(records: Sequence[HistoryRecord]) -> Iterator[party_pb2.Party]:
    """Parties without withheld parts: the contract refuses empty names and numbers."""
    for record in records:
        for party in record.shipment.parties:
            names = [name for name in party.names if name.text]
            identifiers = [identifier for identifier in party.identifiers if identifier.value]
            if names or identifiers:
                yield party_pb2.Party(role=party.role, names=names, identifiers=identifiers, addresses=party.addresses)


def _route(records: Sequence[HistoryRecord]) -> list[goods_pb2.RouteLeg]:
    """Distinct legs by departure; else from territory to territory."""
    legs: dict[object, goods_pb2.RouteLeg] = {}
    for record in records:
        for leg in record.shipment.route:
            day = (leg.departure.seconds or leg.arrival.seconds) // DAY_S
            legs.setdefault((_place(getattr(leg, "from")), _place(leg.to), day), leg)
    if legs:
        ordered = sorted(legs.values(), key=lambda leg: leg.departure.seconds or leg.arrival.seconds)
        return ordered[:MAX_ROUTE]
    territories = [territory_of(record) for record in records]
    made = []
    for start, end in pairwise(territories):
        if start and end and start != end:
            leg = goods_pb2.RouteLeg(to=goods_pb2.Place(territory=end))
            getattr(leg, "from").territory = start
            made.append(leg)
    return made[:MAX_ROUTE]


def _place(place: goods_pb2.Place) -> tuple[str, str, str]:
    return place.territory, place.unlocode, plain(place.name)
