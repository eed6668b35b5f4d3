"""Puts a link graph together, step by step from its seeds, within its limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.link_analysis.rules.graph import LinkedRecords, LinkedThing, NamedRecord, ranked
from gateway.link_analysis.rules.things import KINDS, Mention
from gateway.link_analysis.service.records import (
    ALWAYS,
    HUB_START,
    PAGE_RECORDS,
    HubPlace,
    RecordLookup,
    ShipmentPeriod,
)
from gateway.v1.link_graph_pb2 import LinkNodeKind

DEFAULT_NODES, DEFAULT_EDGES = 60, 300

MAX_RECORDS = 5_000
"""Most records that are read for one graph: some two seconds."""

MOST_EMPTY_READS = 30
"""Reads of a hub's records without any in the period, after which a page ends."""


@dataclass(frozen=True, slots=True)
class GraphLimits:
    """How much a caller wants; `kinds`: empty for all."""

    depth: int = 1
    nodes: int = DEFAULT_NODES
    edges: int = DEFAULT_EDGES
    kinds: frozenset[LinkNodeKind.ValueType] = frozenset()
    period: ShipmentPeriod = ALWAYS


@dataclass(slots=True)
class FoundGraph:
    """A graph before it is shown.

    Attributes:
        shown: nodes, seeds first.
        centres: `id(node)` of nodes of which all records are here, and of those found by comparing their names.
        omitted: number of nodes that were found and aren't shown.
        further: of a page of a hub: where the next one begins.
    """

    linked: LinkedRecords = field(default_factory=LinkedRecords)
    shown: list[LinkedThing] = field(default_factory=list)
    centres: set[int] = field(default_factory=set)
    omitted: int = 0
    further: HubPlace | None = None


class GraphSearch:
    """Searches for what seeds are connected with. Thread-safe; not for the event loop's thread."""

    def __init__(self, lookup: RecordLookup) -> None:
        self._lookup = lookup

    def of_thing(self, thing: Mention, limits: GraphLimits, held: Sequence[NamedRecord] = ()) -> FoundGraph:
        """From one thing."""
        graph = FoundGraph()
        return self._searched(graph, [graph.linked.node(thing)], limits, held)

    def of_record(self, record: NamedRecord, limits: GraphLimits, held: Sequence[NamedRecord] = ()) -> FoundGraph:
        """From everything that a record names."""
        graph = FoundGraph()
        return self._searched(graph, graph.linked.add(record), limits, held)

    def page_of_hub(
        self, thing: Mention, limits: GraphLimits, held: Sequence[NamedRecord] = (), start: HubPlace = HUB_START
    ) -> FoundGraph:
        """One step from a thing, by as many of its records from a place on as the limits have room for.

        Raises:
            InvalidRequestError: its name may be any of too many.
        """
        graph = FoundGraph()
        seed = graph.linked.node(thing)
        seed.is_seed, seed.is_expanded, seed.distance = True, True, 0
        asked = LinkedRecords().node(thing)  # the seed takes over names from records, which the next page lacks
        place, reads = start, 0
        for record, comparisons, after in self._lookup.of_hub(asked, limits.period, held, start):
            count = len(graph.linked.records)
            if reads == MOST_EMPTY_READS or count == PAGE_RECORDS or (count and not _has_room(graph, record, limits)):
                graph.further = place
                break
            place, reads = after, reads + (record is None)
            if record is not None:
                graph.linked.add(record)
            for one, other, comparison in comparisons:
                graph.linked.compare(one, other, comparison)
        others = (node for node in graph.linked.nodes() if node is not seed)
        wanted = [node for node in ranked(others) if not limits.kinds or node.kind in limits.kinds]
        graph.shown = [seed, *wanted[: limits.nodes - 1]]
        graph.omitted = len(wanted) - len(graph.shown) + 1
        graph.centres = _centres(graph)
        seed.total = self._lookup.count(asked, limits.period)
        seed.is_hub, seed.is_cut = self._lookup.is_hub(seed.total), start != HUB_START or graph.further is not None
        return graph

    def _searched(
        self, graph: FoundGraph, seeds: Iterable[LinkedThing], limits: GraphLimits, held: Sequence[NamedRecord]
    ) -> FoundGraph:
        seeds = list(seeds)
        for node in seeds:
            node.is_seed, node.distance = True, 0
        graph.shown = frontier = ranked(seeds)[: limits.nodes]
        for distance in range(1, limits.depth + 1):
            candidates = self._expanded(graph, frontier, distance, limits, held)
            graph.shown = _current(graph.linked, graph.shown)
            known = {id(node) for node in graph.shown}
            new = ranked(node for node in _current(graph.linked, candidates) if id(node) not in known)
            wanted = [node for node in new if not limits.kinds or node.kind in limits.kinds]
            frontier = wanted[: limits.nodes - len(graph.shown)]
            graph.omitted += len(wanted) - len(frontier)
            graph.shown += frontier
        graph.centres = _centres(graph)
        for node in graph.shown:
            node.total = self._lookup.count(node, limits.period) if node.is_hub else 0
        return graph

    def _expanded(
        self,
        graph: FoundGraph,
        frontier: Iterable[LinkedThing],
        distance: int,
        limits: GraphLimits,
        held: Sequence[NamedRecord],
    ) -> list[LinkedThing]:
        """Nodes that the records of a frontier name."""
        candidates: list[LinkedThing] = []
        for node in _current(graph.linked, frontier):
            if len(graph.linked.records) >= MAX_RECORDS:
                node.is_cut = True
                continue
            found = self._lookup.of_node(node, limits.period, held)
            node.is_hub, node.is_expanded = found.is_hub, not found.is_hub
            for record in found.records:
                for named in graph.linked.add(record):
                    named.distance = min(named.distance, distance)
                    candidates.append(named)
            for asked, match, comparison in found.comparisons:
                graph.linked.compare(asked, match, comparison)
        return candidates


def _current(linked: LinkedRecords, nodes: Iterable[LinkedThing]) -> list[LinkedThing]:
    """Nodes after those that turned out to be one were joined, each once."""
    current = (linked.find(next(iter(node.keys))) or node for node in nodes)
    return list({id(node): node for node in current}.values())


def _has_room(graph: FoundGraph, record: NamedRecord | None, limits: GraphLimits) -> bool:
    """Whether what a record names is known in the graph already, or can be shown beside it."""
    kinds = limits.kinds or frozenset(KINDS.values()) | {LinkNodeKind.LINK_NODE_KIND_DECLARANT}
    mentions = record.mentions if record is not None else ()
    new = [each for each in mentions if KINDS[each.space] in kinds and not any(map(graph.linked.find, each.keys))]
    shown = [node for node in graph.linked.nodes() if node.is_seed or node.kind in kinds]
    return not new or len(shown) + len(new) <= limits.nodes


def _centres(graph: FoundGraph) -> set[int]:
    centres = {id(node) for node in graph.shown if node.is_expanded or node.is_seed}
    for asked, match in graph.linked.comparisons:
        node, other = graph.linked.find(asked), graph.linked.find(match)
        if node is not None and other is not None and id(node) in centres:
            centres.add(id(other))
    return centres
