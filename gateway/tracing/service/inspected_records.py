"""Selects our records of an inspection: the goods in its alert, on the inspected trip.

1. If records name a UCR, declaration, transport document or previous document of the alert, these alone count.
2. Otherwise for each container the records that name it or its seals, by consignment: the one that shares a seal
   counts, else the nearest in time, since containers are reused. A record with another UCR is of other goods.

Locks and vehicles carry other goods within hours and don't count, nor do licences and parties.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.history.tables.shipment_search import RecordFilter
from gateway.tracing.rules.inquiry import DECLARED_LATE_S
from gateway.tracing.rules.link_graph import build_link_graph
from gateway.tracing.rules.links import RULES, LinkKey, LinkKind, link_keys
from gateway.tracing.rules.records import Span, TraceRecord, span_of
from gateway.v1 import alert_pb2, goods_pb2, history_pb2, shipment_pb2

DOCUMENTS = frozenset({LinkKind.UCR, LinkKind.DECLARATION, LinkKind.TRANSPORT_DOCUMENT, LinkKind.PREVIOUS_DOCUMENT})
EQUIPMENT = frozenset({LinkKind.CONTAINER, LinkKind.SEAL})


class RecordQuery(NamedTuple):
    """Any of some keys, and a time of declaration."""

    keys: Sequence[int]
    record_filter: RecordFilter


@dataclass(frozen=True, slots=True)
class Inspection:
    """An alert's subject, with the time and node of its inspection."""

    subject: alert_pb2.Subject
    at: Timestamp
    node: str

    def queries(self) -> Iterator[RecordQuery]:
        """Queries for all candidate records."""
        for key in link_keys(_record(self.subject, self.at)):
            if key.kind in DOCUMENTS | EQUIPMENT:
                sets = [keys for criteria in _criteria(key) for keys in keys_wire.key_sets(criteria)]
                yield RecordQuery([number for numbers in sets for number in numbers], _declared(key))

    def meant(self, shipments: Mapping[str, shipment_pb2.Shipment]) -> list[str]:
        """Ids of the inspected records."""
        known = {record_id: _known(self.node, shipment) for record_id, shipment in shipments.items()}
        documents = _record(alert_pb2.Subject(references=self.subject.references), self.at)
        named = [record_id for record_id, each in known.items() if _shared(documents, each) & DOCUMENTS]
        if named:
            return sorted(named)
        own = {record_id: each for record_id, each in known.items() if not self._is_of_other_goods(each)}
        return sorted({record_id for unit in self.subject.equipment for record_id in self._with(unit, own)})

    def _is_of_other_goods(self, known: TraceRecord) -> bool:
        ours = _ucrs(link_keys(_record(self.subject, self.at)))
        theirs = _ucrs(link_keys(known.record))
        return bool(ours and theirs and not ours & theirs)

    def _with(self, unit: goods_pb2.Equipment, known: Mapping[str, TraceRecord]) -> set[str]:
        """Records in a container at the inspection."""
        named = _record(alert_pb2.Subject(equipment=[unit]), self.at)
        shared = {record_id: _shared(named, each) & EQUIPMENT for record_id, each in known.items()}
        candidates = {record_id: kinds for record_id, kinds in shared.items() if kinds}
        ranked = [
            (self._rank(part, candidates, known), part)
            for part in _consignments({record_id: known[record_id] for record_id in candidates})
        ]
        best = max((rank for rank, _ in ranked), default=None)
        return {record_id for rank, part in ranked if rank == best for record_id in part}

    def _rank(
        self, part: Collection[str], shared: Mapping[str, Collection[LinkKind]], known: Mapping[str, TraceRecord]
    ) -> tuple[float, int]:
        """Strength of the best link, then nearness in time."""
        now = Span(self.at.seconds, self.at.seconds)
        strength = max(RULES[kind].strength for record_id in part for kind in shared[record_id])
        return strength, -min(span_of(known[record_id].record).gap(now) for record_id in part)


def _record(subject: alert_pb2.Subject, at: Timestamp) -> history_pb2.HistoryRecord:
    """An alert's subject as a record; a manifest starts no trip."""
    shipment = shipment_pb2.Shipment(
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST,
        declared_at=at,
        references=subject.references,
        equipment=subject.equipment,
    )
    return history_pb2.HistoryRecord(shipment=shipment)


def _known(node: str, shipment: shipment_pb2.Shipment) -> TraceRecord:
    """A record without inspections: a finding would attract later ones."""
    record = history_pb2.HistoryRecord(node=node, shipment=shipment)
    record.shipment.ClearField("inspections")
    return TraceRecord(record, start=False)


def _shared(named: history_pb2.HistoryRecord, known: TraceRecord) -> set[LinkKind]:
    return {edge.kind for edge in build_link_graph([TraceRecord(named, start=True), known]).edges}


def _consignments(known: Mapping[str, TraceRecord]) -> Iterator[set[str]]:
    names = list(known)
    graph = build_link_graph([known[name] for name in names])
    left = set(range(len(names)))
    while left:
        part = graph.reached_from(min(left))
        left -= part
        yield {names[index] for index in part}


def _ucrs(keys: Iterable[LinkKey]) -> set[str]:
    return {key.value for key in keys if key.kind is LinkKind.UCR}


def _criteria(key: LinkKey) -> Iterator[history_pb2.SearchCriteria]:
    if key.kind is LinkKind.CONTAINER:
        yield history_pb2.SearchCriteria(containers=[key.shown])
    elif key.kind is LinkKind.SEAL:
        yield history_pb2.SearchCriteria(seals=[key.shown])
    else:
        yield history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=key.shown)])
        yield history_pb2.SearchCriteria(record_ids=[key.shown, key.value])  # a record id may be a declaration number


def _declared(key: LinkKey) -> RecordFilter:
    """Times of declaration within the link's window, as in a trace."""
    window_s = RULES[key.kind].window_s + DECLARED_LATE_S
    first, last = key.span.first - window_s, key.span.last + window_s + 1
    return RecordFilter(max(1, first * 1000), max(1, last * 1000))
