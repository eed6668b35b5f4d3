"""Assembles a consignment: records of several nodes become legs with links and events in order.

The order of records doesn't matter:
1. each record once, newest revision (records.newest_revision);
2. strong links (link_graph.build_link_graph) and what they reach from the trace's start (LinkGraph.core);
3. unambiguous weak links, as leaves (weak.weak_links);
4. each leg from the first record on, by its strongest link to earlier ones, then its further links;
5. legs and events by time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from gateway.contract.messages import page_of
from gateway.tracing.rules.events import events_of
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.link_graph import LinkGraph, RecordLink, in_order
from gateway.tracing.rules.links import LinkKind
from gateway.tracing.rules.records import TraceRecord
from gateway.tracing.rules.sentences import because
from gateway.tracing.rules.weak import weak_links
from gateway.v1.history_pb2 import ANSWER_STATUS_PARTIAL, NodeAnswer
from gateway.v1.trace_pb2 import Trace, TraceEvent, TraceLeg, TraceLink

MAX_LEGS = 300
"""Most records in a trace; each has up to 200 goods items."""

MAX_EVENTS = 5_000
"""Most events, the earliest; a record may have hundreds."""

LEG_BYTES = 2560 * 1024
"""Bytes of records in a trace, besides the first; discrepancies, drafts and answers have room beside them."""

EVENT_BYTES = 1280 * 1024
"""Bytes of events."""

ROOM_BYTES = 4224 * 1024
"""Bytes of records and events: less than a message, also with a first record of MAX_RECORD_BYTES."""

MAX_LINKS = 12
"""Most links of a leg, the strongest."""


def assemble(gathering: Gathering, answers: Iterable[NodeAnswer], *, exhausted: bool = True) -> Trace:
    """The consignment of the first question's newest record.

    It is `truncated` if that question found further consignments, a node had more records than it gave, a limit was
    reached, or more is left to ask (not `exhausted`). `answers` are in the order of questions.
    """
    graph = gathering.graph
    known = graph.known
    core, others = graph.core()
    trace = Trace(answers=answers)
    legs = _grown(graph, core)
    fitting = _fitting([index for index, _ in legs], known)
    kept = in_order(fitting, known)
    at = {index: leg for leg, index in enumerate(kept)}
    links = _links(dict(legs), known, at)
    trace.legs.extend(
        TraceLeg(record=known[index].record, links=links[index], query_id=known[index].query_id) for index in kept
    )
    events = events_of([known[index].record for index in kept])
    room = min(EVENT_BYTES, ROOM_BYTES - sum(known[index].record.ByteSize() for index in kept))
    page = page_of(events, _as_it_is, limit=MAX_EVENTS, most_bytes=room)
    trace.events.extend(page.messages)
    trace.truncated = (
        others
        or gathering.cut
        or len(events) > len(trace.events)
        or len(legs) > len(trace.legs)
        or any(_has_more(answer) for answer in trace.answers)
        or not exhausted
    )
    return trace


def _has_more(answer: NodeAnswer) -> bool:
    lacks = answer.unindexed or answer.HasField("lost_before")
    return answer.status == ANSWER_STATUS_PARTIAL and not lacks


def _fitting(legs: Iterable[int], known: Sequence[TraceRecord]) -> list[int]:
    """The first of them, and those after it that there is room for: a large record takes no other's place."""
    kept: list[int] = []
    size = 0
    for index in legs:
        of_leg = known[index].record.ByteSize()
        if len(kept) < MAX_LEGS and (not kept or size + of_leg <= LEG_BYTES):
            kept.append(index)
            size += of_leg
    return kept


def _as_it_is(event: TraceEvent) -> TraceEvent:
    return event


def _grown(graph: LinkGraph, core: set[int]) -> list[tuple[int, list[RecordLink]]]:
    """Records in order of discovery, each with its links to earlier ones: the strongest first, weak ones last."""
    starts = in_order([index for index in core if graph.known[index].start], graph.known)
    if not starts:
        return []
    weak = weak_links(graph, core)
    members = core | {edge.other for edge in weak}
    edges: dict[int, list[RecordLink]] = {}
    for edge in (*graph.edges_among(members), *weak):
        edges.setdefault(edge.one, []).append(edge)
        edges.setdefault(edge.other, []).append(edge)
    position = {index: rank for rank, index in enumerate(in_order(range(len(graph.known)), graph.known))}
    grown: dict[int, list[RecordLink]] = {}
    waiting: list[tuple[float, int, str, int]] = [(0.0, position[starts[0]], "", starts[0])]
    while waiting:
        _, _, _, index = heapq.heappop(waiting)
        if index in grown:
            continue
        grown[index] = [edge for edge in edges.get(index, ()) if _end(edge, index) in grown]
        for edge in edges.get(index, ()):
            end = _end(edge, index)
            if end not in grown:
                heapq.heappush(waiting, (-edge.strength, position[end], edge.kind, end))
    return list(grown.items())


def _end(edge: RecordLink, index: int) -> int:
    return edge.other if edge.one == index else edge.one


def _links(
    grown: dict[int, list[RecordLink]], known: Sequence[TraceRecord], at: dict[int, int]
) -> dict[int, list[TraceLink]]:
    links: dict[int, list[TraceLink]] = {}
    for index, edges in grown.items():
        if index not in at:
            continue
        distinct: dict[tuple[int, LinkKind, str], TraceLink] = {}
        for edge in edges:
            if _end(edge, index) not in at:
                continue
            link = _link(edge, index, known, at)
            distinct.setdefault((link.leg, edge.kind, link.value), link)
        links[index] = sorted(distinct.values(), key=lambda link: (-link.strength, link.leg, link.kind, link.value))[
            :MAX_LINKS
        ]
    return links


def _link(edge: RecordLink, index: int, known: Sequence[TraceRecord], at: dict[int, int]) -> TraceLink:
    value = edge.value if edge.keys is None else edge.keys[edge.one != index].shown
    return TraceLink(
        leg=at[_end(edge, index)],
        kind=edge.kind,
        value=value,
        strength=edge.strength,
        because=because(edge, known[edge.one].record, known[edge.other].record),
    )
