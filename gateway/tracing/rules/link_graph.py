"""Resolves which records belong to one consignment, by shared values within their time limits.

The order of records doesn't matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.tracing.rules.links import DAY_S, RULES, LinkKey, LinkKind, ValueSpace, link_keys, plain
from gateway.tracing.rules.records import RecordName, TraceRecord, name_of
from gateway.tracing.rules.trips import trips
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria

MAX_LOOK_BACK = 64

_Named = tuple[int, LinkKey]


@dataclass(frozen=True, slots=True)
class RecordLink:
    """Two records with something in common.

    Attributes:
        keys: of `one` and `other`; None if withheld or for a weak link.
        because, value: without keys; `because` is a sentence.
        gap_s: seconds between the records.
    """

    one: int
    other: int
    kind: LinkKind
    keys: tuple[LinkKey, LinkKey] | None = None
    because: str = ""
    value: str = ""
    gap_s: int = 0

    @property
    def strength(self) -> float:
        return RULES[self.kind].strength

    def turned(self) -> RecordLink:
        keys = None if self.keys is None else (self.keys[1], self.keys[0])
        return replace(self, one=self.other, other=self.one, keys=keys)


class LinkGraph:
    """Records and their strong links, found as they are needed: most records of a trace are of other consignments.

    Not thread-safe.

    Attributes:
        known: the records.
        keys: of each record.
        starts: indexes of records with which the trace started.
    """

    def __init__(self, known: Sequence[TraceRecord], keys: Sequence[Sequence[LinkKey]]) -> None:
        self.known = known
        self.keys = keys
        self.starts = [index for index, each in enumerate(known) if each.start]
        self._indexes: dict[RecordName, int] = {}
        self._groups: dict[ValueSpace, list[_Named]] = {}
        self._linked: dict[ValueSpace, Sequence[RecordLink]] = {}
        self._ends: dict[int, list[int]] = {}
        self._core: tuple[set[int], bool] | None = None
        for index, own in enumerate(keys):
            for key in own:
                if key.widens:
                    self._groups.setdefault(key.space, []).append((index, key))
        self._asked_for = list(_asked_for(known, keys))
        self._join(self._asked_for)

    @property
    def edges(self) -> list[RecordLink]:
        """All strong links."""
        return self._links_of(self._groups)

    def edges_among(self, indexes: Collection[int]) -> list[RecordLink]:
        """Strong links between these records."""
        of_values = self._links_of({key.space for index in indexes for key in self.keys[index] if key.widens})
        return [edge for edge in of_values if edge.one in indexes and edge.other in indexes]

    def reached_from(self, start: int) -> set[int]:
        """The records that links join with this one."""
        reached, waiting = {start}, [start]
        while waiting:
            index = waiting.pop()
            for key in self.keys[index]:
                if key.widens:
                    self._links(key.space)
            for end in self._ends.get(index, ()):
                if end not in reached:
                    reached.add(end)
                    waiting.append(end)
        return reached

    def core(self) -> tuple[set[int], bool]:
        """The consignment, and whether the start found others.

        A container number finds many: the newest counts.
        """
        if self._core is None:
            newest = max(self.starts, key=lambda index: self.known[index].order, default=None)
            reached = set() if newest is None else self.reached_from(newest)
            self._core = reached, any(start not in reached for start in self.starts)
        return self._core

    def index_of(self, name: RecordName) -> int | None:
        """Where a record stands, if it is known."""
        if not self._indexes:
            self._indexes = {name_of(traced.record): index for index, traced in enumerate(self.known)}
        return self._indexes.get(name)

    def _links_of(self, spaces: Iterable[ValueSpace]) -> list[RecordLink]:
        return [*(edge for space in sorted(spaces) for edge in self._links(space)), *self._asked_for]

    def _links(self, space: ValueSpace) -> Sequence[RecordLink]:
        links = self._linked.get(space)
        if links is None:
            group = self._groups[space]
            links = self._linked[space] = list(_links(group, self.known)) if len(group) > 1 else ()
            self._join(links)
        return links

    def _join(self, links: Iterable[RecordLink]) -> None:
        for link in links:
            self._ends.setdefault(link.one, []).append(link.other)
            self._ends.setdefault(link.other, []).append(link.one)


def build_link_graph(
    known: Sequence[TraceRecord], keys_of: Callable[[HistoryRecord], Sequence[LinkKey]] = link_keys
) -> LinkGraph:
    """Links records by their strong links; `keys_of` may remember what `link_keys` has found."""
    return LinkGraph(known, [keys_of(record.record) for record in known])


def vehicle_links(graph: LinkGraph) -> list[RecordLink]:
    """Weak links: the same lorry on the same trip."""
    groups: dict[ValueSpace, list[_Named]] = {}
    for index, own in enumerate(graph.keys):
        for key in own:
            if key.kind is LinkKind.VEHICLE:
                groups.setdefault(key.space, []).append((index, key))
    return [edge for _, group in sorted(groups.items()) if len(group) > 1 for edge in _links(group, graph.known)]


def _links(group: list[_Named], known: Sequence[TraceRecord]) -> Iterator[RecordLink]:
    ordered = sorted(group, key=lambda named: (known[named[0]].order, named[1].kind))
    rule = RULES[group[0][1].kind]
    if rule.trip_s is None:
        yield from _spanning(ordered)
        return
    for trip in trips([known[index] for index, _ in ordered], rule.trip_s):
        yield from _spanning([ordered[at] for at in trip])


def _spanning(trip: list[_Named]) -> Iterator[RecordLink]:
    """A spanning set of links, nearest earlier record first.

    Values of two realms stay apart; one without a realm joins the nearest.
    """
    parts = list(range(len(trip)))
    realms = [key.realm for _, key in trip]
    count = 0
    for at, (index, key) in enumerate(trip):
        count += 1
        for before in range(at - 1, max(-1, at - 1 - MAX_LOOK_BACK), -1):
            if count == 1:
                break
            mine, yours = _root(parts, at), _root(parts, before)
            if mine == yours or (realms[mine] and realms[yours] and realms[mine] != realms[yours]):
                continue
            earlier, other = trip[before]
            kind = _agreement(key, other)
            if earlier != index and kind is None:
                continue
            parts[mine] = yours
            realms[yours] = realms[yours] or realms[mine]
            count -= 1
            if earlier != index and kind is not None:
                yield RecordLink(earlier, index, kind, (other, key), gap_s=key.span.gap(other.span))


def _root(parts: list[int], at: int) -> int:
    while parts[at] != at:
        parts[at] = at = parts[parts[at]]
    return at


def _agreement(one: LinkKey, other: LinkKey) -> LinkKind | None:
    if (one.realm and other.realm and one.realm != other.realm) or (one.implied and other.implied):
        return None
    kind = _kind_of(one.kind, other.kind)
    if kind is None or one.span.gap(other.span) > RULES[kind].window_s:
        return None
    return kind


def _kind_of(one: LinkKind, other: LinkKind) -> LinkKind | None:
    if one is other:
        return one
    return LinkKind.PREVIOUS_DOCUMENT if LinkKind.PREVIOUS_DOCUMENT in (one, other) else None


def slot_of(record: HistoryRecord) -> tuple[str, int]:
    """Node and procedure: an unsplit consignment has one record of each."""
    return record.node, record.shipment.procedure


def _asked_for(known: Sequence[TraceRecord], keys: Sequence[Sequence[LinkKey]]) -> Iterator[RecordLink]:
    """Links of records found by a value that they don't show: withheld, or no longer there."""
    hidden = [index for index, each in enumerate(known) if each.by and _reason(each.record)]
    if not hidden:
        return
    holders: dict[str, _Named] = {}
    for index in sorted(range(len(known)), key=lambda index: known[index].order):
        for key in keys[index]:
            if key.widens:
                holders.setdefault(plain(key.shown), (index, key))
    for index in hidden:
        shown = {plain(key.shown) for key in keys[index]}
        for question in known[index].by:
            values = {plain(value) for value in asked_values(question)}
            if values & shown:
                continue
            yield from _found_by(
                index, known[index].record, [holders[value] for value in sorted(values & set(holders))]
            )


def _found_by(index: int, record: HistoryRecord, holders: list[_Named]) -> Iterator[RecordLink]:
    named = [(holder, key) for holder, key in holders if holder != index]
    if not named:
        return
    holder, key = max(named, key=lambda each: (RULES[each[1].kind].strength, -each[0]))
    values = list(dict.fromkeys(each.shown for _, each in named))
    what = values[0] if len(values) == 1 else f"one of {', '.join(values[:5])}"
    yield RecordLink(
        holder,
        index,
        key.kind,
        because=f"{record.node} found it when asked for {what}{_reason(record)}.",
        value=values[0] if len(values) == 1 else "",
    )


def _reason(record: HistoryRecord) -> str:
    if record.matched_revision:
        return f"; that stands in its revision {record.matched_revision} and no longer in the newest"
    paths = (field.path for field in record.withheld)
    if any(path.startswith(("references", "equipment", "means", "events")) for path in paths):
        return "; what it names itself is withheld"
    return ""


def asked_values(question: SearchCriteria) -> list[str]:
    """References, containers and seals of a question."""
    return [*(reference.value for reference in question.references), *question.containers, *question.seals]


def days_apart(gap_s: int) -> str:
    """Time between records, for people."""
    days = gap_s // DAY_S
    if days == 0:
        return "within a day"
    return "1 day apart" if days == 1 else f"{days} days apart"


def in_order(indexes: Iterable[int], known: Sequence[TraceRecord]) -> list[int]:
    """Indexes in the order of legs."""
    return sorted(indexes, key=lambda index: known[index].order)
