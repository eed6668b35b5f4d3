"""Reads a node's records in the order of their declaration, which it answers in the order of recording; merges nodes.

A question for a span of time that is answered to its end shows every record of that span. So a page of `size` records
is sure once a span up to the page before was read to its end and holds so many. Where too much is in a span, its
beginning is moved towards its end: to the last of the `size` newest declared of what is known, then half-way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MOST_QUESTIONS = 100
"""Most questions to a node for one page: halving a span of years to a millisecond takes 40."""

LEAST_FURTHER = 100
"""Least records asked for after the first question, since a span's number of them isn't known."""


class RecordKey(NamedTuple):
    """Where a record of a node stands: by time of declaration, milliseconds since 1970, newest first, then by id."""

    declared_ms: int
    record_id: str

    @property
    def rank(self) -> tuple[int, str]:
        """Sorts keys in their order."""
        return -self.declared_ms, self.record_id


class NodePlace(NamedTuple):
    """Where a node's next record stands.

    Attributes:
        as_of: records that are new since then are left out, milliseconds since 1970 by the node's clock; 0: none was
            read yet.
        after: the node's last record on the pages before; None: none.
    """

    as_of: int = 0
    after: RecordKey | None = None


class SpanQuestion(NamedTuple):
    """A question for records declared from (0: ever) until (exclusive; 0: ever), milliseconds since 1970.

    Attributes:
        goes_on: whether it goes on after the answer before.
    """

    declared_from: int
    declared_until: int
    limit: int
    goes_on: bool

    def within(self, declared_ms: int) -> int:
        """The time, or the nearest in the span: a partner's answer can't leave it."""
        latest = min(declared_ms, self.declared_until - 1) if self.declared_until else declared_ms
        return max(latest, self.declared_from, 0)


class NodeReading:
    """The first `size` records of a node after a place."""

    def __init__(self, after: RecordKey | None, size: int, *, now_ms: int, most: int) -> None:
        """
        Args:
            now_ms: by when most records were declared.
            most: most records in one answer.
        """
        self._after = after
        self._size = size
        self._most = most
        self._until = after.declared_ms + 1 if after is not None else 0
        self._top = self._until or now_ms
        self._known: dict[str, RecordKey] = {}
        self._whole_from = 0  # everything from there on is known; 0: nothing is
        self._least = 0  # from there on there are `size` records
        self.exhausted = False
        """Whether the node has no further records."""
        self.question: SpanQuestion | None = SpanQuestion(0, self._until, min(size, most), goes_on=False)
        """What is to be asked next; None: `keys` is sure."""

    @property
    def keys(self) -> list[RecordKey]:
        """The node's records in order, at most `size`."""
        return sorted(self._known.values(), key=lambda key: key.rank)[: self._size]

    def take(self, asked: SpanQuestion, keys: Iterable[RecordKey], *, more: bool) -> None:
        """Takes the answer to the question; `more`: it doesn't reach the end of the question's span."""
        for key in keys:
            if self._after is None or key.rank > self._after.rank:
                self._known[key.record_id] = key
        first = self.keys
        least = first[-1].declared_ms if len(first) == self._size else 0
        if not more:
            self._take_whole(asked, least)
        elif least > self._least:
            begins = least if not self._least else (least + self._end()) // 2
            self._least = least
            self._ask(max(least, begins))
        else:
            self.question = self._further(asked.declared_from, asked.declared_until, goes_on=True)

    def _take_whole(self, asked: SpanQuestion, least: int) -> None:
        self._whole_from = asked.declared_from
        self.exhausted = not asked.declared_from and len(self._known) <= self._size
        if not asked.declared_from or least >= asked.declared_from:
            self.question = None
        else:
            self._ask(self._least)

    def _end(self) -> int:
        """Where a span ends whose records aren't all known."""
        newest = max(key.declared_ms for key in self._known.values()) + 1
        return self._whole_from or max(newest, self._top)

    def _ask(self, declared_from: int) -> None:
        self.question = self._further(declared_from, self._whole_from or self._until, goes_on=False)

    def _further(self, declared_from: int, declared_until: int, *, goes_on: bool) -> SpanQuestion:
        limit = min(max(4 * self._size, LEAST_FURTHER), self._most)
        return SpanQuestion(declared_from, declared_until, limit, goes_on)


class MergedPage(NamedTuple):
    """A page: nodes and record ids in order, and the places of the nodes that have more."""

    records: Sequence[tuple[str, str]]
    places: Mapping[str, NodePlace]


def merge(readings: Mapping[str, NodeReading], places: Mapping[str, NodePlace], size: int) -> MergedPage:
    """The first `size` records of all nodes; `places` has each node's before, with when it was read first."""
    ranked = sorted(
        (-key.declared_ms, node, key.record_id, key) for node, reading in readings.items() for key in reading.keys
    )
    shown = ranked[:size]
    last = {node: key for _, node, _, key in shown}
    left = {node for _, node, _, _ in ranked[size:]}
    further = {
        node: places[node]._replace(after=last.get(node, places[node].after))
        for node, reading in readings.items()
        if node in left or not reading.exhausted
    }
    return MergedPage([(node, record_id) for _, node, record_id, _ in shown], further)
