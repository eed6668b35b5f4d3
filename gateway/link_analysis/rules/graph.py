"""Puts mentions of records together into nodes and edges. The same records in any order give the same graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.contract.identification.shipment_keys import clean_name
from gateway.link_analysis.rules.things import KINDS, Mention, Name, Numbered, Space
from gateway.v1 import link_graph_pb2
from gateway.v1.link_graph_pb2 import LinkNodeKind

DECLARANT_ROLE = "declarant"

FAR = 99
"""Distance of a node that no step has reached."""

RecordKey = tuple[str, ...]
"""Kind of record (shipment, answer, alert, entry) and what names it among these."""


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A record and what it names; `at_ms`: since 1970."""

    key: RecordKey
    at_ms: int
    mentions: tuple[Mention, ...]

    @property
    def newest_first(self) -> tuple[int, RecordKey]:
        return -self.at_ms, self.key


@dataclass(frozen=True, slots=True)
class NameComparison:
    """Two names that agree only when they are compared."""

    asked: Name
    found: Name
    score: float
    because: str


@dataclass(slots=True)
class LinkedThing:
    """A party or thing, and what is known of it.

    Attributes:
        names, identifiers: as written, in the order in which records name them.
        distance: steps from the seed.
        is_hub: it stands in too many records.
        is_cut: not all of its records were looked at.
        total: of a hub, how many records name it; 0: not counted.
    """

    space: Space
    keys: set[str]
    names: dict[Name, None] = field(default_factory=dict)
    identifiers: dict[Numbered, None] = field(default_factory=dict)
    roles: set[str] = field(default_factory=set)
    records: dict[RecordKey, Mention] = field(default_factory=dict)
    distance: int = FAR
    is_seed: bool = False
    is_expanded: bool = False
    is_hub: bool = False
    is_cut: bool = False
    total: int = 0

    @property
    def id(self) -> str:
        """The least of its keys, identifiers before names."""
        return min(self.keys)

    @property
    def kind(self) -> LinkNodeKind.ValueType:
        if self.space is Space.PARTY and self.roles and self.roles <= {DECLARANT_ROLE}:
            return link_graph_pb2.LINK_NODE_KIND_DECLARANT
        return KINDS[self.space]

    @property
    def label(self) -> str:
        """The first name, as a record writes it where it came from a node's id, or the first number."""
        if self.names:
            first = next(iter(self.names))
            return next((name for name in self.names if name != first and clean_name(name) == first), first)
        return next((value for _, value in self.identifiers), "")

    def name(self, mention: Mention) -> None:
        """Takes over what a mention says of it."""
        self.keys.update(mention.keys)
        self.names.update(dict.fromkeys(mention.names))
        self.identifiers.update(dict.fromkeys(mention.identifiers))
        if mention.role:
            self.roles.add(mention.role)


@dataclass(slots=True)
class Edge:
    """Two nodes by their places among the nodes, the records that name both, and a comparison of their names."""

    one: int
    other: int
    records: list[NamedRecord] = field(default_factory=list)
    comparison: NameComparison | None = None

    @property
    def strength(self) -> tuple[int, float]:
        return len(self.records), self.comparison.score if self.comparison else 0.0


class LinkedRecords:
    """Records by what they name: which mentions are one thing."""

    def __init__(self) -> None:
        self._of_key: dict[str, LinkedThing] = {}
        self.records: dict[RecordKey, NamedRecord] = {}
        self.comparisons: dict[tuple[str, str], NameComparison] = {}

    def node(self, mention: Mention) -> LinkedThing:
        """The node of a mention; two that it shows to be one are joined."""
        known = {id(node): node for key in mention.keys if (node := self._of_key.get(key)) is not None}
        if not known:
            node = LinkedThing(mention.space, set(mention.keys))
        else:
            node, *others = sorted(known.values(), key=lambda each: (not each.is_seed, each.distance, each.id))
            for other in others:
                _join(node, other)
        node.name(mention)
        for key in node.keys:
            self._of_key[key] = node
        return node

    def known(self, mention: Mention) -> LinkedThing:
        """The node of a mention of a record that was added."""
        return self._of_key[mention.keys[0]]

    def find(self, key: str) -> LinkedThing | None:
        """The node with a key."""
        return self._of_key.get(key)

    def nodes(self) -> list[LinkedThing]:
        """All nodes, each once."""
        return list({id(node): node for node in self._of_key.values()}.values())

    def add(self, record: NamedRecord) -> list[LinkedThing]:
        """Adds a record; its nodes, each once."""
        if record.key not in self.records:
            self.records[record.key] = record
            for mention in record.mentions:
                self.node(mention).records.setdefault(record.key, mention)
        return self.nodes_of(record)

    def nodes_of(self, record: NamedRecord) -> list[LinkedThing]:
        """Nodes of a record, each once."""
        return list({id(node): node for node in map(self.known, record.mentions)}.values())

    def compare(self, asked_key: str, found_key: str, comparison: NameComparison) -> None:
        """Notes that two names were compared; the better comparison of two nodes counts."""
        pair = asked_key, found_key
        before = self.comparisons.get(pair)
        if before is None or (comparison.score, comparison.because) > (before.score, before.because):
            self.comparisons[pair] = comparison


def _join(into: LinkedThing, other: LinkedThing) -> None:
    into.keys |= other.keys
    into.names.update(other.names)
    into.identifiers.update(other.identifiers)
    into.roles |= other.roles
    for key, mention in other.records.items():
        into.records.setdefault(key, mention)
    into.distance = min(into.distance, other.distance)
    into.is_seed = into.is_seed or other.is_seed
    into.is_expanded = into.is_expanded or other.is_expanded
    into.is_hub = into.is_hub or other.is_hub
    into.is_cut = into.is_cut or other.is_cut


def ranked(nodes: Iterable[LinkedThing]) -> list[LinkedThing]:
    """Candidates, the nearest first, then those that most records name; then by kind and id."""
    return sorted(nodes, key=lambda node: (node.distance, -len(node.records), node.space, node.id))


def edges(linked: LinkedRecords, shown: Sequence[LinkedThing], centres: Collection[int]) -> list[Edge]:
    """Edges among shown nodes of which at least one is a centre, the strongest first.

    Args:
        centres: `id(node)` of nodes whose records were looked for, and of those found by comparing their names.
    """
    places = {id(node): at for at, node in enumerate(shown)}
    found: dict[tuple[int, int], Edge] = {}
    for record in sorted(linked.records.values(), key=lambda each: each.newest_first):
        of_record = [(places[id(node)], id(node) in centres) for node in linked.nodes_of(record) if id(node) in places]
        for one, other in _pairs(of_record):
            found.setdefault((one, other), Edge(one, other)).records.append(record)
    for (asked, match), comparison in linked.comparisons.items():
        ends = [places.get(id(node)) for node in (linked.find(asked), linked.find(match)) if node is not None]
        if len(ends) < 2 or None in ends or ends[0] == ends[1]:
            continue
        one, other = (end for end in ends if end is not None)
        _compare(found, one, other, comparison)
    return sorted(found.values(), key=lambda edge: (tuple(-part for part in edge.strength), edge.one, edge.other))


def _compare(found: dict[tuple[int, int], Edge], one: int, other: int, comparison: NameComparison) -> None:
    if one > other:
        one, other = other, one
        comparison = NameComparison(comparison.found, comparison.asked, comparison.score, comparison.because)
    edge = found.setdefault((one, other), Edge(one, other))
    if edge.comparison is None or comparison.score > edge.comparison.score:
        edge.comparison = comparison


def _pairs(of_record: Sequence[tuple[int, bool]]) -> Iterator[tuple[int, int]]:
    for at, (one, is_centre) in enumerate(of_record):
        for other, is_other_centre in of_record[at + 1 :]:
            if is_centre or is_other_centre:
                yield min(one, other), max(one, other)


def omitted_neighbours(linked: LinkedRecords, node: LinkedThing, shown: Mapping[int, int]) -> int:
    """Number of nodes that a node's records name and that aren't shown."""
    others = {
        id(other) for key in node.records for other in linked.nodes_of(linked.records[key]) if id(other) not in shown
    }
    return len(others)
