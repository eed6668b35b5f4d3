"""Takes from a trace what a draft alert for one recipient may be made of."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.link_graph import in_order
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit, TraceRecord, name_of
from gateway.v1.alert_pb2 import AlertReference, AnswerReference
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.trace_pb2 import Discrepancy, Trace


def part_for(recipient: str, trace: Trace, gathering: Gathering, onward: OnwardTransfer) -> Trace:
    """The trace as if the records weren't there that mustn't be passed on to the recipient.

    Its records are linked by each other alone. Findings on a third authority's alert are left out: its recipients don't
    learn of each other. With an empty recipient it has own records alone.
    """
    names = {name_of(leg.record) for leg in trace.legs if onward.permits_record(leg.record, recipient)}
    known = [traced for traced in gathering.graph.known if name_of(traced.record) in names]
    answers = [answer for answer in trace.answers if onward.permits(answer.node, recipient)]
    part = assemble(Gathering(_hits(known, onward.own)), answers)
    del part.events[:]
    for leg in part.legs:
        shipment = leg.record.shipment
        kept = [
            inspection
            for inspection in shipment.inspections
            if inspection.alert.publisher in ("", onward.own, recipient)
        ]
        del shipment.inspections[:]
        shipment.inspections.extend(kept)
    return part


def _hits(known: list[TraceRecord], own: str) -> Iterator[RecordHit]:
    """The part begins with the newest own record, or else with the newest."""
    possible = [index for index, traced in enumerate(known) if traced.record.node == own] or range(len(known))
    begins = in_order(possible, known)[-1:]
    for index, traced in enumerate(known):
        if index in begins:
            yield RecordHit(traced.record, query_id=traced.query_id)
        yield from (RecordHit(traced.record, question, traced.query_id) for question in traced.by)
        if index not in begins and not traced.by:
            # Linked like one that a question found.
            yield RecordHit(traced.record, SearchCriteria(), traced.query_id)


def also_in(trace: Trace, part: Trace, discrepancies: list[Discrepancy]) -> list[Discrepancy]:
    """Those discrepancies of a part that the whole trace has too: in a part a record may seem to be missing."""
    of_trace = {
        (discrepancy.rule_id, name_of(trace.legs[leg].record))
        for discrepancy in trace.discrepancies
        for leg in discrepancy.legs
    }
    return [
        discrepancy
        for discrepancy in discrepancies
        if any((discrepancy.rule_id, name_of(part.legs[leg].record)) in of_trace for leg in discrepancy.legs)
    ]


def answers_named(part: Trace) -> list[AnswerReference]:
    """The answers that its records came in; those of all nodes come before the second ones of any."""
    by_node: dict[str, dict[str, None]] = {}
    for leg in part.legs:
        if leg.query_id:
            by_node.setdefault(leg.record.node, {})[leg.query_id] = None
    ranked = [(rank, node, query_id) for node, ids in by_node.items() for rank, query_id in enumerate(ids)]
    return [AnswerReference(node=node, query_id=query_id) for _, node, query_id in sorted(ranked)]


def alerts_named(part: Trace) -> list[AlertReference]:
    """Distinct alerts whose findings are in the records."""
    named: dict[tuple[str, str], AlertReference] = {}
    for leg in part.legs:
        for inspection in leg.record.shipment.inspections:
            if inspection.alert.alert_id:
                named.setdefault((inspection.alert.publisher, inspection.alert.alert_id), inspection.alert)
    return list(named.values())
