"""Records of a trace so far, and their link graph."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.tracing.rules.link_graph import LinkGraph, build_link_graph
from gateway.tracing.rules.records import RecordHit, TraceRecord, merge_hits


class Gathering:
    """Rebuilds the graph only after additions. Not thread-safe."""

    def __init__(self, hits: Iterable[RecordHit] = ()) -> None:
        self._found = list(hits)
        self._merged: tuple[list[TraceRecord], bool] | None = None
        self._graph: LinkGraph | None = None
        self._parts: dict[frozenset[str], LinkGraph] = {}

    def add(self, hits: Iterable[RecordHit]) -> None:
        before = len(self._found)
        self._found.extend(hits)
        if len(self._found) > before:
            self._merged = self._graph = None
            self._parts = {}

    @property
    def graph(self) -> LinkGraph:
        if self._graph is None:
            known, _ = self._merge()
            self._graph = build_link_graph(known)
        return self._graph

    def graph_of(self, nodes: frozenset[str]) -> LinkGraph:
        """The graph of these nodes' records alone, as if no other node had any."""
        if nodes not in self._parts:
            known, _ = self._merge()
            self._parts[nodes] = build_link_graph([traced for traced in known if traced.record.node in nodes])
        return self._parts[nodes]

    @property
    def cut(self) -> bool:
        """Whether records exceed a trace's limit."""
        return self._merge()[1]

    def _merge(self) -> tuple[list[TraceRecord], bool]:
        if self._merged is None:
            self._merged = merge_hits(self._found)
        return self._merged
