"""Records of a trace so far, and their link graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.tracing.rules.link_graph import LinkGraph, build_link_graph
from gateway.tracing.rules.links import LinkKey, link_keys
from gateway.tracing.rules.records import RecordHit, TraceRecord, merge_hits
from gateway.v1.history_pb2 import HistoryRecord


class Gathering:
    """Rebuilds the graph only after additions, and reads the keys of each record once. Not thread-safe."""

    def __init__(self, hits: Iterable[RecordHit] = ()) -> None:
        self._found = list(hits)
        self._merged: tuple[list[TraceRecord], bool] | None = None
        self._parts: dict[frozenset[str], LinkGraph] = {}
        self._keys: dict[int, Sequence[LinkKey]] = {}  # by the message's identity: `_found` holds it

    def add(self, hits: Iterable[RecordHit]) -> None:
        before = len(self._found)
        self._found.extend(hits)
        if len(self._found) > before:
            self._merged = None
            self._parts = {}

    @property
    def graph(self) -> LinkGraph:
        known, _ = self._merge()
        return self._graph_of({traced.record.node for traced in known})

    def graph_of(self, nodes: frozenset[str]) -> LinkGraph:
        """The graph of these nodes' records alone, as if no other node had any."""
        known, _ = self._merge()
        return self._graph_of(nodes & {traced.record.node for traced in known})

    def _graph_of(self, nodes: Iterable[str]) -> LinkGraph:
        """`nodes` have records: those without any make no other graph."""
        part = frozenset(nodes)
        if part not in self._parts:
            known, _ = self._merge()
            of_part = [traced for traced in known if traced.record.node in part]
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
        return self._merge()[1]

    def _merge(self) -> tuple[list[TraceRecord], bool]:
        if self._merged is None:
            self._merged = merge_hits(self._found)
        return self._merged
