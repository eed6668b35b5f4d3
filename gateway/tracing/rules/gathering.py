"""Records of a trace so far, and their link graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from gateway.tracing.rules.link_graph import LinkGraph, build_link_graph
from gateway.tracing.rules.links import LinkKey, link_keys
from gateway.tracing.rules.records import (
    MAX_RECORDS,
    RecordHit,
    RecordName,
    TraceRecord,
    name_of,
    nearest_records,
    newest_revision,
)
from gateway.v1.history_pb2 import HistoryRecord

_Part: TypeAlias = tuple[frozenset[str], frozenset[RecordName]]
"""Nodes of a graph, and records that it is without."""


class Gathering:
    """Merges and links only what additions change, and reads the keys of each record once. Not thread-safe."""

    def __init__(self, hits: Iterable[RecordHit] = ()) -> None:
        self._hits: dict[RecordName, list[RecordHit]] = {}
        self._traced: dict[RecordName, TraceRecord] = {}
        self._known: _KnownRecords | None = None
        self._parts: dict[_Part, LinkGraph] = {}
        self._keys: dict[int, Sequence[LinkKey]] = {}  # by the message's identity: `_hits` holds it
        self.add(hits)

    def add(self, hits: Iterable[RecordHit]) -> None:
        changed: set[RecordName] = set()
        for hit in hits:
            name = name_of(hit.record)
            self._hits.setdefault(name, []).append(hit)
            changed.add(name)
        if not changed:
            return
        self._traced.update((name, newest_revision(self._hits[name])) for name in changed)
        self._known = None
        nodes = (
            {node for node, _ in changed}
            if len(self._traced) <= MAX_RECORDS
            else set(chain(*(part for part, _hidden in self._parts)))
        )
        self._parts = {part: graph for part, graph in self._parts.items() if part[0].isdisjoint(nodes)}

    @property
    def graph(self) -> LinkGraph:
        return self._graph_of(self._merge().nodes, frozenset())

    def graph_of(self, nodes: frozenset[str], hidden: frozenset[RecordName] = frozenset()) -> LinkGraph:
        """The graph of these nodes' records alone, as if no other node had any and nobody had the hidden ones."""
        return self._graph_of(nodes & self._merge().nodes, hidden)

    def _graph_of(self, nodes: frozenset[str], hidden: frozenset[RecordName]) -> LinkGraph:
        """Its nodes have records: those without any make no other graph."""
        part = nodes, hidden
        if part not in self._parts:
            known = (traced for traced in self._merge().records if traced.record.node in nodes)
            of_part = [traced for traced in known if name_of(traced.record) not in hidden]
            self._parts[part] = build_link_graph(of_part, self._keys_of)
        return self._parts[part]

    def _keys_of(self, record: HistoryRecord) -> Sequence[LinkKey]:
        keys = self._keys.get(id(record))
        if keys is None:
            keys = self._keys[id(record)] = link_keys(record)
        return keys

    @property
    def cut(self) -> bool:
        """Whether records exceed a trace's limit."""
        return self._merge().cut

    def _merge(self) -> _KnownRecords:
        if self._known is None:
            records, cut = nearest_records([self._traced[name] for name in sorted(self._traced)])
            self._known = _KnownRecords(records, cut, frozenset(traced.record.node for traced in records))
        return self._known


class _KnownRecords(NamedTuple):
    """Distinct records, whether others were dropped, and the nodes that they are of."""

    records: Sequence[TraceRecord]
    cut: bool
    nodes: frozenset[str]
