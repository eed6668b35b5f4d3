"""Decides which records of a trace may shape what a node is asked or sent: a value keeps its sources.

To a node B goes a value only if
1. the caller gave it, or
2. a record of our node or of B says it, or
3. a record of a node that lets its answers be passed on to B says it.

Each value counts by itself: that B knows a container doesn't make another node's UCR of it known to B. A record of B
counts only if our records, those of B and those that may be passed on link it to the consignment. Otherwise B
could put guesses into records and see by the next question which of them another node confirmed. For the same reason an
own record counts if it is linked without B's records, or without the others'. An own record whose release list doesn't
name B is as if it weren't there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.history.rules.releases import is_releasable
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.link_graph import LinkGraph, in_order
from gateway.tracing.rules.links import LinkKey
from gateway.tracing.rules.records import RecordName, TraceRecord, name_of
from gateway.v1.history_pb2 import HistoryRecord


@dataclass(frozen=True, slots=True)
class OnwardTransfer:
    """Who may learn what whose records say.

    Attributes:
        own: our node, whose agreements cover its own records.
        releases: per node, the nodes to which its answers may be passed on; unknown means none.
    """

    own: str
    releases: Mapping[str, Collection[str]] = field(default_factory=dict, hash=False)

    def permits(self, source: str, recipient: str) -> bool:
        return recipient == self.own or source in (self.own, recipient) or recipient in self.releases.get(source, ())

    def permits_record(self, record: HistoryRecord, recipient: str) -> bool:
        """Whether a node may learn of a record: also an own one only by its release list."""
        listed = record.node != self.own or recipient in ("", self.own) or is_releasable(record.shipment, recipient)
        return listed and self.permits(record.node, recipient)

    def unreleased(self, gathering: Gathering, recipient: str) -> frozenset[RecordName]:
        """Own records that mustn't be released to a node."""
        known = [traced.record for traced in gathering.graph.known if traced.record.node == self.own]
        return frozenset(name_of(record) for record in known if not self.permits_record(record, recipient))

    def withheld(self, sources: Collection[str], recipient: str) -> list[str]:
        """Those of the sources whose records a node may not learn of."""
        return sorted(source for source in sources if not self.permits(source, recipient))


@dataclass(frozen=True, slots=True)
class KeyedRecord:
    """A record with its link keys."""

    record: TraceRecord
    keys: Sequence[LinkKey]


def disclosable(gathering: Gathering, onward: OnwardTransfer, node: str, asked: Collection[str]) -> list[KeyedRecord]:
    """Records from which a question to a node may be made, in the order of legs; `asked` are the nodes of the trace."""
    graph, hidden = gathering.graph, onward.unreleased(gathering, node)
    if not hidden and not onward.withheld(asked, node):
        return _keyed(graph, graph.core()[0])
    unsteered = gathering.graph_of(frozenset(asked) - {node}, hidden)
    linked = [index for index in unsteered.core()[0] if unsteered.known[index].record.node == onward.own]
    own = {name_of(unsteered.known[index].record): index for index in linked}
    visible = gathering.graph_of(frozenset(source for source in asked if onward.permits(source, node)), hidden)
    reached = _reached(visible, own, onward.own)
    known = {name_of(visible.known[index].record) for index in reached}
    further = [index for name, index in own.items() if name not in known]
    records = [*_keyed(visible, reached), *_keyed(unsteered, further)]
    return sorted(records, key=lambda keyed: keyed.record.order)


def _reached(visible: LinkGraph, own: Collection[RecordName], own_node: str) -> set[int]:
    """Records linked to these own ones, or to the newest of others that the first question found."""
    begins = {index for name in own if (index := visible.index_of(name)) is not None}
    starts = [index for index in visible.starts if visible.known[index].record.node != own_node]
    begins.update(in_order(starts, visible.known)[-1:])
    return {index for begin in begins for index in visible.reached_from(begin)}


def _keyed(graph: LinkGraph, indexes: Collection[int]) -> list[KeyedRecord]:
    return [KeyedRecord(graph.known[index], graph.keys[index]) for index in in_order(indexes, graph.known)]
