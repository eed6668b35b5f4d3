"""Records found so far by a trace; the link graph is rebuilt only after additions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from gateway.tracing.rules.link_graph import LinkGraph, build_link_graph
from gateway.tracing.rules.records import RecordHit, TraceRecord, merge_hits


class Gathering:
    """Records with the questions that they answered. Not thread-safe."""

    def __init__(self, found: Iterable[RecordHit] = ()) -> None:
        self._found = list(found)

    def add(self, found: Iterable[RecordHit]) -> None:
        """Adds records, known ones included, as answers to further questions."""
        before = len(self._found)
        self._found.extend(found)
        if len(self._found) > before:
            for name in ("_gathered", "web"):
                self.__dict__.pop(name, None)

    @cached_property
    def graph(self) -> LinkGraph:
        """Each record once, with strong links."""
        known, _ = self._gathered
        return build_link_graph(known)

    @property
    def cut(self) -> bool:
        """Whether records exceed a trace's limit."""
        return self._gathered[1]

    @cached_property
    def _gathered(self) -> tuple[list[TraceRecord], bool]:
        return merge_hits(self._found)
