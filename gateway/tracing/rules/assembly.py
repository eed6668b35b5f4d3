"""Puts a consignment together: from records of several nodes to legs with their links and events in order.

Owns the way from records to a Trace without discrepancies. The result doesn't depend on the order of the records:
1. each record once, in its newest revision (records.gathered);
2. what joins them strongly (join.weave), and what of it the trace's beginning reaches (Web.core);
3. what joins weakly and unambiguously, as leaves (weak.weak_edges);
4. from the first record on, each leg by its strongest link to what was found before, then its further links;
5. legs and events in the order in which they happened.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from gateway.tracing.rules.events import events_of
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import is_exhausted
from gateway.tracing.rules.link_graph import LinkGraph, RecordLink, in_order
from gateway.tracing.rules.links import LinkKind
from gateway.tracing.rules.records import TraceRecord
from gateway.tracing.rules.sentences import because
from gateway.tracing.rules.weak import weak_links
from gateway.v1.history_pb2 import ANSWER_STATUS_PARTIAL, NodeAnswer, SearchCriteria
from gateway.v1.trace_pb2 import Trace, TraceLeg, TraceLink

MAX_LEGS = 300
"""Most records in a trace: more can't be looked at, and each is a message with up to 200 goods items."""

MAX_EVENTS = 5_000
"""Most events in a trace, the earliest first: a record may have hundreds."""

MAX_LINKS = 12
"""Most links that are told of one leg, the strongest first."""


def assemble(gathering: Gathering, answers: Iterable[NodeAnswer], asked: Sequence[SearchCriteria] = ()) -> Trace:
    """The consignment that the first question's newest record belongs to, without discrepancies and controlled items.

    Args:
        gathering: records with the questions that they answered; those of the first question have none.
        answers: what became of the questions, in the order in which they were asked.
        asked: all questions, to tell whether something is left to ask; none: nothing is.

    Returns:
        the trace; without legs when the first question found nothing. It is `truncated` when the first question found
        further consignments, a node had more records than it gave, not everything could be asked, or there are more
        records, legs or events than a trace takes.
    """
    web = gathering.web
    known = web.known
    core, others = web.core()
    trace = Trace(answers=answers)
    legs = _grown(web, core)
    kept = in_order([index for index, _ in legs[:MAX_LEGS]], known)
    at = {index: leg for leg, index in enumerate(kept)}
    links = _links(dict(legs), known, at)
    trace.legs.extend(
        TraceLeg(record=known[index].record, links=links[index], query_id=known[index].query_id) for index in kept
    )
    events = events_of([known[index].record for index in kept])
    trace.events.extend(events[:MAX_EVENTS])
    trace.truncated = (
        others
        or gathering.cut
        or len(events) > MAX_EVENTS
        or len(legs) > MAX_LEGS
        or any(answer.status == ANSWER_STATUS_PARTIAL for answer in trace.answers)
        or bool(asked and not is_exhausted(web, core, asked))
    )
    return trace


def _grown(web: LinkGraph, core: set[int]) -> list[tuple[int, list[RecordLink]]]:
    """Records in the order in which they are found from the first one, each with its links to earlier ones.

    The strongest link of all that lead on is taken first, weak ones after all strong ones.
    """
    starts = in_order([index for index in core if web.known[index].start], web.known)
    if not starts:
        return []
    weak = weak_links(web, core)
    members = core | {edge.other for edge in weak}
    edges: dict[int, list[RecordLink]] = {}
    for edge in (*web.edges, *weak):
        if edge.one in members and edge.other in members:
            edges.setdefault(edge.one, []).append(edge)
            edges.setdefault(edge.other, []).append(edge)
    position = {index: rank for rank, index in enumerate(in_order(range(len(web.known)), web.known))}
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
        told: dict[tuple[int, LinkKind, str], TraceLink] = {}
        for edge in edges:
            link = _link(edge, index, known, at)
            told.setdefault((link.leg, edge.kind, link.value), link)
        links[index] = sorted(told.values(), key=lambda link: (-link.strength, link.leg, link.kind, link.value))[
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
