"""What a trace has found so far, woven anew only when something has come."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from gateway.tracing.rules.link_graph import LinkGraph, build_link_graph
from gateway.tracing.rules.records import RecordHit, TraceRecord, merge_hits


class Gathering:
    """Records with the questions that they answered; for one thread at a time."""

    def __init__(self, found: Iterable[RecordHit] = ()) -> None:
        self._found = list(found)

    def add(self, found: Iterable[RecordHit]) -> None:
        """Takes further records, perhaps the same ones again, as answers to further questions."""
        before = len(self._found)
        self._found.extend(found)
        if len(self._found) > before:
            for name in ("_gathered", "web"):
                self.__dict__.pop(name, None)

    @cached_property
    def web(self) -> LinkGraph:
        """Each record once, with what joins them strongly."""
        known, _ = self._gathered
        return build_link_graph(known)

    @property
    def cut(self) -> bool:
        """Whether there were more records than a trace looks at."""
        return self._gathered[1]

    @cached_property
    def _gathered(self) -> tuple[list[TraceRecord], bool]:
        return merge_hits(self._found)
