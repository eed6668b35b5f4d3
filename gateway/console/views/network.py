"""A link graph for people: its picture, and each node and edge in words with the records that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import day_text
from gateway.console.pictures.graph import GraphEdge, GraphNode, graph
from gateway.console.pictures.svg import Illustration
from gateway.console.views.lists.entries import entry_text
from gateway.console.views.lists.matches import score_text
from gateway.console.views.partner_question import PartnerQuestion
from gateway.console.views.words import capitalised
from gateway.tracing.report.criteria_words import criteria_lines
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import label, label_of
from gateway.translation.match_reasons import may_be_listed, said
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, ngettext
from gateway.v1.alert_pb2 import AlertStatus
from gateway.v1.link_analysis_service_pb2 import GetLinkGraphResponse
from gateway.v1.link_graph_pb2 import (
    LINK_NODE_KIND_ADDRESS,
    LINK_NODE_KIND_CONTAINER,
    LINK_NODE_KIND_DECLARANT,
    LINK_NODE_KIND_PARTY,
    LINK_NODE_KIND_VEHICLE,
    LINK_NODE_KIND_VESSEL,
    LinkGraphEdge,
    LinkGraphNode,
    LinkMark,
    LinkNodeKind,
    LinkSource,
)
from gateway.v1.watchlist_pb2 import (
    MATCH_CLASS_COMPATIBLE,
    MATCH_CLASS_IDENTICAL,
    MATCH_CLASS_STRONG,
    WatchlistReference,
)

KINDS: Final[Mapping[str, LinkNodeKind.ValueType]] = {
    "party": LINK_NODE_KIND_PARTY,
    "declarant": LINK_NODE_KIND_DECLARANT,
    "address": LINK_NODE_KIND_ADDRESS,
    "vehicle": LINK_NODE_KIND_VEHICLE,
    "vessel": LINK_NODE_KIND_VESSEL,
    "container": LINK_NODE_KIND_CONTAINER,
}
"""By their names in forms."""

SOURCES_OF_EDGE: Final = 3
"""Records named with an edge of a seed; with others the newest stands in the text."""

MOST_COUNTED: Final = 5_000
"""Records of a hub that the gateway counts, by the contract."""

SOURCES_OF_NODE: Final = 2
"""Records named with a node that isn't a seed."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """A record: what it is called, its page (empty: none here), what stands where, and when.

    `question`: what partners are asked of it, for an own shipment; else empty.
    """

    text: str
    href: str
    where: str
    at: Timestamp
    question: str = ""


@dataclass(frozen=True, slots=True)
class MarkView:
    """Why to look at a node: `kind` is the tag's style."""

    tag: str
    kind: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class EdgeView:
    """An edge as one of its nodes' lists shows it."""

    anchor: str
    label: str
    text: str
    sources: Sequence[SourceView]
    more: int


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node.

    Attributes:
        anchor: its place in the list.
        facts: names and numbers beside the label.
        question: what partners are asked about it; empty where a search has no criterion for it.
        is_closed_hub: it is a hub that isn't expanded, and can be shown in pages.
    """

    node: LinkGraphNode
    anchor: str
    kind: str
    facts: Sequence[str]
    marks: Sequence[MarkView]
    edges: Sequence[EdgeView]
    sources: Sequence[SourceView]
    state: str
    question: str
    is_closed_hub: bool


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The page: `problems` say what the graph lacks, a sentence each."""

    picture: Illustration
    nodes: Sequence[NodeView]
    edges: int
    problems: Sequence[str]


def kind_word(kind: int) -> str:
    """A kind of node for people."""
    words: dict[int, str] = {
        LINK_NODE_KIND_PARTY: _("Party"),
        LINK_NODE_KIND_DECLARANT: _("Declarant"),
        LINK_NODE_KIND_ADDRESS: _("Address"),
        LINK_NODE_KIND_VEHICLE: _("Vehicle"),
        LINK_NODE_KIND_VESSEL: _("Vessel"),
        LINK_NODE_KIND_CONTAINER: _("Container"),
    }
    return words.get(kind, "—")


def network_view(found: GetLinkGraphResponse) -> NetworkView:
    """The graph as picture and list."""
    anchors = {node.id: f"node-{number}" for number, node in enumerate(found.nodes, start=1)}
    labels = {node.id: node.label for node in found.nodes}
    seeds = {node.id for node in found.nodes if node.seed}
    of_node: dict[str, list[EdgeView]] = {}
    drawn: list[GraphEdge] = []
    for edge in found.edges:
        drawn.append(GraphEdge(edge.from_node, edge.to_node, edge_text(edge, labels), is_sure=edge.records > 0))
        for end, other in ((edge.from_node, edge.to_node), (edge.to_node, edge.from_node)):
            most = SOURCES_OF_EDGE if end in seeds else 0
            view = _edge(edge, labels, anchors[other], labels[other], most)
            of_node.setdefault(end, []).append(view)
    nodes = [_node(node, anchors[node.id], of_node.get(node.id, ())) for node in found.nodes]
    shapes = [
        GraphNode(
            view.node.id,
            view.node.label,
            view.kind,
            note="; ".join(mark.tag for mark in view.marks),
            is_root=view.node.seed,
            target=f"#{view.anchor}",
        )
        for view in nodes
    ]
    picture = graph(shapes, drawn, title=_("Connections"), kinds=[kind_word(kind) for kind in KINDS.values()])
    return NetworkView(picture, nodes, len(found.edges), list(_problems(found)))


def answer_options(found: GetLinkGraphResponse, chosen: Sequence[str]) -> list[tuple[str, str, str]]:
    """Held answers of partners for checkboxes, in words, and those that are chosen and aren't listed any more."""
    options = {}
    for held in found.held_answers:
        reference = held.answer
        options[f"{reference.node}/{reference.query_id}"] = _(
            "{node}, {day}: {sought} ({records})",
            node=reference.node.upper(),
            day=day_text(held.asked_at),
            sought=listed(criteria_lines(held.criteria)),
            records=ngettext("{number} record", "{number} records", held.records),
        )
    for value in chosen:
        options.setdefault(value, _("{node}, an earlier answer", node=value.partition("/")[0].upper()))
    return [(value, text, "") for value, text in options.items()]


def edge_text(edge: LinkGraphEdge, labels: Mapping[str, str]) -> str:
    """Why an edge is there, in the reader's language."""
    parts = []
    if edge.records:
        parts.append(ngettext("{number} record names both", "{number} records name both", edge.records))
        source = edge.sources[0]
        roles = [role for role in (_role(source.role), _role(source.to_role)) if role]
        newest = _("newest: {record}", record=source_text(source))
        parts.append(f"{newest} ({' – '.join(roles)})" if roles else newest)
    if edge.HasField("names"):
        names = edge.names
        parts.append(
            _(
                "{one} and {other} may be one: {because} ({score})",
                one=names.from_name,
                other=names.to_name,
                because=said(names.because),
                score=score_text(names.score),
            )
        )
    return "; ".join(parts) or edge.because


def source_text(source: LinkSource) -> str:
    """What a record is called."""
    match source.WhichOneof("source"):
        case "record_id":
            return _("shipment {id}", id=source.record_id)
        case "answer":
            return _("shipment {id} of {node}", id=source.answer.record_id, node=source.answer.node.upper())
        case "alert":
            return _("alert of {node}", node=source.alert.publisher.upper())
        case _:
            return _("list entry {entry}", entry=entry_text(source.entry))


def _source_href(source: LinkSource) -> str:
    match source.WhichOneof("source"):
        case "record_id":
            return f"/history/records/{quote(source.record_id, safe='')}"
        case "alert":
            return f"/alerts/{source.alert.publisher}/{source.alert.alert_id}"
        case "entry":
            return entry_href(source.entry)
        case _:
            return ""


def entry_href(entry: WatchlistReference) -> str:
    """The page of a list's entry."""
    return "/watchlists/entry/" + "/".join(quote(part, safe="") for part in (entry.publisher, entry.list, entry.id))


def _role(role: str) -> str:
    return label("PartyRole", role) if role else ""


def _source(source: LinkSource) -> SourceView:
    ends = [(source.role, source.field), *([(source.to_role, source.to_field)] if source.to_field else [])]
    where = " – ".join(filter(None, (_role(role) or field_text(field) for role, field in ends)))
    question = PartnerQuestion.of_record(source.record_id).text if source.record_id else ""
    return SourceView(source_text(source), _source_href(source), where, source.at, question)


def field_text(path: str) -> str:
    """What a field of a record holds, in words: `subject.equipment[1]` is the second container."""
    words = {
        "parties": _("party"),
        "equipment": _("container"),
        "means": _("means of transport"),
        "addresses": _("address"),
        "equipment_id": _("container"),
        "names": _("name"),
        "identifiers": _("number"),
    }
    last = path.rpartition(".")[2]
    name, _bracket, number = last.partition("[")
    if name not in words:
        return path
    place = number.rstrip("]")
    return f"{words[name]} {int(place) + 1}" if place.isdecimal() and int(place) else words[name]


def _edge(edge: LinkGraphEdge, labels: Mapping[str, str], anchor: str, other: str, most: int) -> EdgeView:
    sources = [_source(source) for source in edge.sources[:most]]
    return EdgeView(anchor, other, edge_text(edge, labels), sources, edge.records - len(sources) if sources else 0)


def _node(node: LinkGraphNode, anchor: str, edges: Sequence[EdgeView]) -> NodeView:
    others = [name for name in node.thing.names if name.casefold() != node.label.casefold()]
    numbers = [
        f"{each.value} ({scheme_word(each.scheme)})"
        for each in node.thing.identifiers
        if each.value != node.label and each.scheme
    ]
    shown = node.sources if node.seed else node.sources[:SOURCES_OF_NODE]
    sources = [_source(source) for source in shown]
    question = PartnerQuestion.of_node(node)
    return NodeView(
        node,
        anchor,
        kind_word(node.thing.kind),
        facts=[*others, *numbers],
        marks=[_mark(mark) for mark in node.marks],
        edges=edges,
        sources=sources,
        state=_state(node),
        question=question.text if question is not None else "",
        is_closed_hub=node.hub and not node.expanded and node.total_records > 0,
    )


def _state(node: LinkGraphNode) -> str:
    if node.hub:
        return _hub_state(node)
    if not node.expanded:
        return _("Not followed yet: it may have other connections.")
    if node.more_records:
        return _("Not all of its records were looked at.")
    if node.omitted_neighbours:
        return ngettext(
            "{number} more connection of it isn't shown.", "{number} more connections of it aren't shown.",
            node.omitted_neighbours,
        )  # fmt: skip
    return ""


def _hub_state(node: LinkGraphNode) -> str:
    if node.total_records >= MOST_COUNTED:
        return ngettext(
            "In {number} record or more: they are shown in pages.",
            "In {number} records or more: they are shown in pages.",
            MOST_COUNTED,
        )
    if node.total_records:
        return ngettext(
            "In {number} record: it is shown in pages.",
            "In {number} records: they are shown in pages.",
            node.total_records,
        )
    return _("In so many records that it would connect everything: it isn't followed. A shorter period may help.")


def _mark(mark: LinkMark) -> MarkView:
    if mark.HasField("on_list"):
        entry = mark.on_list
        words = {
            MATCH_CLASS_IDENTICAL: _("identical"),
            MATCH_CLASS_STRONG: _("strong agreement"),
            MATCH_CLASS_COMPATIBLE: _("may be the same"),
        }
        name = f"{entry.publisher}/{entry.list}"
        return MarkView(
            _("List {name}: {agreement}", name=name, agreement=words.get(mark.match_class, "—")),
            "bad" if mark.match_class == MATCH_CLASS_IDENTICAL else "warn",
            may_be_listed(mark.because, entry=entry_text(entry)),
            entry_href(entry),
        )
    reference = mark.in_alert
    status = capitalised(label_of(AlertStatus, mark.alert_status))
    return MarkView(
        _("Alert of {node}: {status}", node=reference.publisher.upper(), status=status),
        "info",
        "",
        f"/alerts/{reference.publisher}/{reference.alert_id}",
    )


def _problems(found: GetLinkGraphResponse) -> Iterator[str]:
    if more := found.omitted_nodes:
        yield ngettext(
            "{number} further node was found and isn't shown.",
            "{number} further nodes were found and aren't shown.",
            more,
        )
    if more := found.omitted_edges:
        yield ngettext("{number} connection isn't shown.", "{number} connections aren't shown.", more)
    if found.lists_not_screened:
        yield _("Lists couldn't be looked at just now: a node without a mark may be listed all the same.")
    if waiting := found.unindexed_records + found.unindexed_links:
        yield ngettext(
            "{number} record is here and not searched yet.", "{number} records are here and not searched yet.", waiting
        )
