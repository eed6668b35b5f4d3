"""The contract's form of a link graph, with each edge and mark in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gateway.contract.messages import to_timestamp
from gateway.link_analysis.rules.graph import Edge, LinkedRecords, LinkedThing, NamedRecord, RecordKey
from gateway.link_analysis.rules.things import CONTAINER_SCHEME, Mention, Numbered, Space, identifiers_of
from gateway.plurals import counted
from gateway.v1 import alert_pb2, link_graph_pb2, party_pb2, screening_pb2, watchlist_pb2

SOURCES_SHOWN = 10
"""Most records named with a node or edge."""

MARKS_SHOWN = 10

_CLASS_WORDS = {
    watchlist_pb2.MATCH_CLASS_IDENTICAL: "identical",
    watchlist_pb2.MATCH_CLASS_STRONG: "strong",
    watchlist_pb2.MATCH_CLASS_COMPATIBLE: "compatible",
}


def node_message(
    node: LinkedThing, *, degree: int, omitted: int, records: Mapping[RecordKey, NamedRecord]
) -> link_graph_pb2.LinkGraphNode:
    """A node without its marks."""
    named = sorted((records[key] for key in node.records), key=lambda record: record.newest_first)
    return link_graph_pb2.LinkGraphNode(
        id=node.id,
        thing=link_graph_pb2.LinkedThing(
            kind=node.kind, names=list(node.names)[:32], identifiers=_identifiers(node)[:32]
        ),
        label=node.label,
        degree=degree,
        records=len(node.records),
        more_records=node.is_hub or node.is_cut,
        expanded=node.is_expanded,
        hub=node.is_hub,
        seed=node.is_seed,
        omitted_neighbours=omitted,
        total_records=node.total,
        sources=[_source(record, node.records[record.key], None) for record in named[:SOURCES_SHOWN]],
    )


def _identifiers(node: LinkedThing) -> list[party_pb2.Identifier]:
    scheme = CONTAINER_SCHEME if node.space is Space.CONTAINER else ""
    numbers: Iterable[Numbered] = ((given or scheme or "number", value) for given, value in node.identifiers)
    return identifiers_of(numbers)


def edge_message(edge: Edge, shown: Sequence[LinkedThing], linked: LinkedRecords) -> link_graph_pb2.LinkGraphEdge:
    """An edge."""
    one, other = shown[edge.one], shown[edge.other]
    message = link_graph_pb2.LinkGraphEdge(
        from_node=one.id,
        to_node=other.id,
        records=len(edge.records),
        sources=[
            _source(record, one.records[record.key], other.records[record.key])
            for record in edge.records[:SOURCES_SHOWN]
        ],
        because=" ".join(_edge_sentences(edge, one, other)),
    )
    if edge.comparison is not None:
        compared = edge.comparison
        message.names.from_name, message.names.to_name = compared.asked, compared.found
        message.names.score, message.names.because = compared.score, compared.because
    return message


def _edge_sentences(edge: Edge, one: LinkedThing, other: LinkedThing) -> Iterator[str]:
    if edge.records:
        newest = edge.records[0]
        roles = [_as_role(node, newest.key) for node in (one, other)]
        more = f" and {counted(len(edge.records) - 1, 'other record')}" if len(edge.records) > 1 else ""
        verb = "name" if more else "names"
        yield f"{_called(newest.key)}{more} {verb} {one.label}{roles[0]} and {other.label}{roles[1]}."
    if edge.comparison is not None:
        yield f"{edge.comparison.asked} and {edge.comparison.found} may be one: {edge.comparison.because}."


def _as_role(node: LinkedThing, record: RecordKey) -> str:
    role = node.records[record].role
    return f" as {role}" if role else ""


def _called(key: RecordKey) -> str:
    match key:
        case ("shipment", record_id):
            return f"Record {record_id}"
        case ("answer", node, _, record_id):
            return f"Record {record_id} of {node}"
        case ("alert", publisher, alert_id):
            return f"Alert {publisher}/{alert_id}"
        case _:
            return f"Entry {'/'.join(key[1:])}"


def _source(record: NamedRecord, mention: Mention, other: Mention | None) -> link_graph_pb2.LinkSource:
    source = link_graph_pb2.LinkSource(field=mention.field, role=mention.role, at=to_timestamp(record.at_ms))
    if other is not None:
        source.to_field, source.to_role = other.field, other.role
    match record.key:
        case ("shipment", record_id):
            source.record_id = record_id
        case ("answer", node, query_id, record_id):
            source.answer.node, source.answer.query_id, source.answer.record_id = node, query_id, record_id
        case ("alert", publisher, alert_id):
            source.alert.publisher, source.alert.alert_id = publisher, alert_id
        case (_, publisher, name, entry_id):
            source.entry.publisher, source.entry.list, source.entry.id = publisher, name, entry_id
    return source


AlertStatusOf = Callable[[str, str], alert_pb2.AlertStatus.ValueType]


def alert_marks(
    node: LinkedThing, records: Iterable[NamedRecord], status_of: AlertStatusOf
) -> Iterator[link_graph_pb2.LinkMark]:
    """A mark for each alert that names the node."""
    for record in sorted(records, key=lambda each: each.newest_first):
        publisher, alert_id = record.key[1:]
        status = status_of(publisher, alert_id)
        mention = next((each for each in record.mentions if not node.keys.isdisjoint(each.keys)), None)
        where = f" in {mention.field}" if mention is not None else ""
        yield link_graph_pb2.LinkMark(
            in_alert=alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id),
            alert_status=status,
            because=f"Alert {publisher}/{alert_id} names it{where}.",
        )


def list_marks(screened: screening_pb2.ScreenedSubject) -> Iterator[link_graph_pb2.LinkMark]:
    """A mark for each entry that it may be."""
    for hit in screened.hits:
        words = _CLASS_WORDS.get(hit.match_class, "")
        entry = f"{hit.entry.publisher}/{hit.entry.list}/{hit.entry.id}"
        because = hit.explanation.because.rstrip(".")
        yield link_graph_pb2.LinkMark(
            on_list=hit.entry,
            score=hit.score,
            match_class=hit.match_class,
            because=f"It may be {entry}, {hit.explanation.listed}: {words}, {because}.",
        )


def subject_of(node: LinkedThing) -> screening_pb2.ScreeningSubject:
    """What is screened for a node."""
    subject = screening_pb2.ScreeningSubject()
    values = [value for _, value in node.identifiers]
    match node.space:
        case Space.PARTY:
            subject.names.extend(party_pb2.Name(text=name[:512]) for name in list(node.names)[:32])
            subject.identifiers.extend(_identifiers(node)[:32])
        case Space.ADDRESS:
            subject.addresses.extend(party_pb2.Address(street=name[:512]) for name in list(node.names)[:1])
        case Space.VEHICLE:
            subject.vehicles.extend(values[:8])
        case Space.VESSEL:
            subject.vessels.extend(list(node.names)[:8])
            subject.identifiers.extend(_identifiers(node)[:8])
        case Space.CONTAINER:
            subject.containers.extend(values[:8])
    return subject
