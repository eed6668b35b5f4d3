"""Next questions to find further legs of a consignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.link_graph import LinkGraph, asked_values, in_order
from gateway.tracing.rules.links import DAY_S, RULES, LinkKey, LinkKind, plain
from gateway.tracing.rules.records import OUTWARD, Span, span_of, territory_of
from gateway.tracing.rules.weak import TRADERS
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria, SearchIdentifier, SearchReference

MAX_QUESTIONS = 16
"""Most questions of a trace: four rounds of four kinds, each to every node."""

MAX_VALUES = 100
"""The contract's limit on values in a question."""

MAX_PARTIES = 16

DECLARED_LATE_S = 14 * DAY_S
"""A declaration may follow the goods by 14 days, on the mainland and in Hong Kong."""

_YEAR_1_S = -62_135_596_800
_YEAR_10000_S = 253_402_300_800
"""Bounds of google.protobuf.Timestamp, seconds since 1970."""

_FIELDS = {
    LinkKind.CONTAINER: "containers",
    LinkKind.SEAL: "seals",
    LinkKind.E_LOCK: "locks",
    LinkKind.UCR: "references",
    LinkKind.TRANSPORT_DOCUMENT: "references",
    LinkKind.PREVIOUS_DOCUMENT: "references",
    LinkKind.DECLARATION: "references",
}


def next_criteria(gathering: Gathering, asked: Sequence[SearchCriteria]) -> list[SearchCriteria]:
    """Questions for every node; none at the end or at the limit."""
    if len(asked) >= MAX_QUESTIONS:
        return []
    graph = gathering.graph
    core, _ = graph.core()
    strong = list(_strong(graph, core, _values(asked)))
    questions = strong or list(_weak(graph, core, asked))
    return questions[: MAX_QUESTIONS - len(asked)]


def is_exhausted(graph: LinkGraph, core: set[int], asked: Sequence[SearchCriteria]) -> bool:
    """Whether no strong value is left to ask."""
    return next(_strong(graph, core, _values(asked)), None) is None


def has_gap(records: Sequence[HistoryRecord]) -> bool:
    """Whether an end of the goods' way has no record."""
    known = {territory_of(record) for record in records}
    return any(_other_end(record) not in known for record in records)


def _other_end(record: HistoryRecord) -> str:
    """Territory of origin or destination, if known."""
    shipment = record.shipment
    if shipment.procedure in OUTWARD:
        return shipment.destination_territory or next((leg.to.territory for leg in reversed(shipment.route)), "")
    return shipment.export_territory or next((getattr(leg, "from").territory for leg in shipment.route), "")


def _values(asked: Sequence[SearchCriteria]) -> set[str]:
    """Values asked without conditions that would hide records."""
    values: set[str] = set()
    for number, question in enumerate(asked):
        if number > 0 or _is_open(question):
            values.update(plain(value) for value in asked_values(question))
    return values


def _is_open(question: SearchCriteria) -> bool:
    set_fields = [field.name for field, _ in question.ListFields()]
    return len(set_fields) == 1 and all(not reference.kind for reference in question.references)


def _strong(graph: LinkGraph, core: set[int], asked: set[str]) -> Iterator[SearchCriteria]:
    open_keys: dict[str, dict[str, LinkKey]] = {}
    spans: dict[str, list[Span]] = {}
    for index in in_order(core, graph.known):
        for key in graph.keys[index]:
            field, value = _FIELDS.get(key.kind), plain(key.shown)
            if field is None or value in asked:
                continue
            open_keys.setdefault(field, {}).setdefault(value, key)
            spans.setdefault(field, []).append(key.span)
    for field in ("references", "containers", "seals", "locks"):
        keys = list(open_keys.get(field, {}).values())[:MAX_VALUES]
        if keys:
            yield _question(field, keys, spans[field])


def _question(field: str, keys: list[LinkKey], spans: list[Span]) -> SearchCriteria:
    written = [key.shown for key in keys]
    if field == "references":
        return SearchCriteria(references=[SearchReference(value=value) for value in written])
    question = SearchCriteria(containers=written) if field == "containers" else SearchCriteria(seals=written)
    _limit(question, spans, RULES[keys[0].kind].window_s + DECLARED_LATE_S)
    return question


def _weak(graph: LinkGraph, core: set[int], asked: Sequence[SearchCriteria]) -> Iterator[SearchCriteria]:
    """A question for the traders, only where the way has a gap: a large trader has thousands of records."""
    records = [graph.known[index].record for index in in_order(core, graph.known)]
    if any(question.party_identifiers for question in asked[1:]) or not has_gap(records):
        return
    identifiers: dict[tuple[str, str], SearchIdentifier] = {}
    for record in records:
        for party in record.shipment.parties:
            if party.role in TRADERS:
                for identifier in party.identifiers:
                    if identifier.value:
                        criterion = SearchIdentifier(scheme=identifier.scheme, value=identifier.value)
                        identifiers.setdefault((identifier.scheme, plain(identifier.value)), criterion)
    if identifiers:
        question = SearchCriteria(party_identifiers=list(identifiers.values())[:MAX_PARTIES])
        _limit(question, [span_of(record) for record in records], RULES[LinkKind.PARTY].window_s)
        yield question


def _limit(question: SearchCriteria, spans: list[Span], window_s: int) -> None:
    first = max(min(span.first for span in spans) - window_s, _YEAR_1_S)
    last = min(max(span.last for span in spans) + window_s + 1, _YEAR_10000_S - 1)
    question.declared_from.CopyFrom(Timestamp(seconds=first))
    question.declared_until.CopyFrom(Timestamp(seconds=last))
