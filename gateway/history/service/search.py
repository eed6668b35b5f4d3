"""Searches the node's records by criteria, page by page, newest first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.limits import ANSWER_MESSAGE_BYTES
from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.db.standby import Reads
from gateway.history.codec import shipments as wire
from gateway.history.service.backlog import Backlog, Lag
from gateway.history.service.criteria import (
    KeyCriteria,
    SearchPlan,
    filter_of,
    matching_positions,
    require_all_narrow,
)
from gateway.history.service.following import (
    FollowedLinks,
    FollowedPage,
    FoundRecords,
    MayFollow,
    NextCriteria,
    follow_links,
)
from gateway.history.service.last_matches import declared_at, last_matches, newest_hits
from gateway.history.service.losses import concerns
from gateway.history.service.record_messages import record_messages, records_in
from gateway.history.tables import cells, shipment_search, shipments
from gateway.history.tables import progress as record_progress
from gateway.history.tables.cells import CellsState
from gateway.history.tables.shipment_search import RecordFilter, RecordRow
from gateway.history.tables.shipments import LogRow
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2

DEFAULT_LIMIT = 1_000

MAX_LIMIT = 10_000
"""Records in a page, by the contract."""

CHUNK = 250
"""Most records in a chunk: it outweighs a change of threads, and ends within milliseconds when the caller leaves."""

FIRST_CHUNK = 50
"""Small, to be ready sooner: most answers have no more."""

LEAST_CHUNK = 10

CHUNK_BYTES = ANSWER_MESSAGE_BYTES
"""Most bytes in a chunk, estimated from the chunk before."""

NEWEST = 1 << 62
"""A position after every record."""

POSITIONS_AT_ONCE = 10_000

_ALL_CLASSES = frozenset(FieldClass)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a page.

    Attributes:
        more_before: position below which the search continues; 0 at its end.
        as_of: last searched position.
        recorded: last position that was recorded when the search began.
        lag: what isn't indexed and may change the page so far.
        removed: number of fields that the searcher may not have.
        last: whether the page ends here.
        followed: criteria that were followed, their records in this last chunk.
    """

    messages: Sequence[history_service_pb2.SearchShipmentsResponse]
    more_before: int
    as_of: int
    recorded: int
    lag: Lag
    removed: int
    last: bool
    followed: Sequence[history_pb2.SearchCriteria] = ()

    @property
    def records(self) -> Sequence[history_pb2.HistoryRecord]:
        return records_in(self.messages)


class RecordReading(NamedTuple):
    """A record, if it is indexed, and the position of the last item of it that isn't (0: none)."""

    response: history_service_pb2.GetShipmentResponse | None
    unindexed_until: int


class _PagePart(NamedTuple):
    """A chunk's records; `bytes_each` is their mean length."""

    messages: Sequence[history_service_pb2.SearchShipmentsResponse]
    records: int
    bytes_each: int
    removed: int
    more_before: int


class SubstanceCodes(Protocol):
    """Reads the controlled goods list."""

    def codes(self, substance: str) -> Sequence[str]:
        """Commodity codes of a substance, by name or chemical symbol; empty if it isn't controlled."""


MatchNames = Callable[[Sequence[str]], Mapping[int, history_pb2.NameMatch]]
"""Matching recorded names, by key."""

HoldsOn = Callable[[Connection, Sequence[LogRow]], list[str]]
"""Ids of holds on a record, by its items."""


log = logging.getLogger(__name__)


class HistorySearch:
    """Searches records. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        substances: SubstanceCodes,
        names: MatchNames,
        holds_on: HoldsOn = lambda _, __: [],
        links: Callable[[], NextCriteria] = lambda: lambda _, __: (),
        reads: Reads | None = None,
        lost_before_ms: int = 0,
    ) -> None:
        """
        Args:
            lost_before_ms: up to when this node may have lost records, in milliseconds since 1970; 0 for none.
            links: makes what says, for one search with `follow`, what to look for next.
            reads: a standby of the database for searches; None for the database itself.
        """
        self._lost_before_ms = lost_before_ms
        self._links = links
        self._names = names
        self._holds_on = holds_on
        self._database = database
        self._reads: Reads = database if reads is None else reads
        self._node = node
        self._substances = substances

    def lost_before_ms(
        self, criteria: history_pb2.SearchCriteria, alternatives: Sequence[history_pb2.SearchCriteria] = ()
    ) -> int:
        """Up to when records that a search asks for may be lost, in milliseconds since 1970; 0 where none may be."""
        return self._lost_before_ms if concerns(self._lost_before_ms, [criteria, *alternatives]) else 0

    def chunks(
        self,
        criteria: history_pb2.SearchCriteria,
        *,
        alternatives: Sequence[history_pb2.SearchCriteria] = (),
        classes: Collection[FieldClass] = _ALL_CLASSES,
        asker: str = "",
        before: int = 0,
        span: tuple[int, int] = (0, 0),
        as_of: int = 0,
        recorded: int = 0,
        limit: int = 0,
        whole: bool = False,
        follow: MayFollow | None = None,
    ) -> Iterator[Chunk]:
        """A page in chunks, at least one, each read on demand.

        Records made meanwhile are left out, records that get further items aren't.

        Args:
            criteria, alternatives: valid by the contract; a record matches by any of them.
            classes: disclosure classes that the searcher may have. What is in other fields finds no record and stands
                in none.
            asker: the partner that searches, to which records that name others are as if they weren't there; empty: our
                node.
            span: only records whose last match was declared from and until (exclusive), milliseconds since 1970; 0: no
                bound.
            as_of: only items up to this position; 0: all indexed ones.
            recorded: of a further page, `Chunk.recorded` of the page before.
            whole: no record if more than `limit` items match.
            follow: also what the found records are linked with, by criteria that it allows, if all that was asked for
                is found; None: not.

        Raises:
            InvalidRequestError: the criteria match everything.
        """
        require_all_narrow(criteria, alternatives)
        left, position, size = min(limit or DEFAULT_LIMIT, MAX_LIMIT), before or NEWEST, FIRST_CHUNK
        most, found = left, list[history_pb2.HistoryRecord]()
        plan, last, backlog = self._plan([criteria, *alternatives], classes, asker, span), False, None
        newest = self._newest()
        while not last:
            with self._reads.searching() as conn:  # yield outside: a caller that leaves would roll it back
                state = cells.state(conn)
                if backlog is None:
                    recorded = max(as_of, recorded) if as_of else max(newest, state.newest)
                    as_of = min(as_of or state.indexed, state.indexed)
                    backlog = Backlog.read(conn, plan, as_of, recorded, newest=state.newest)
                    position = min(position, as_of + 1)
                    last = whole and len(matching_positions(conn, plan, position, left + 1, state)) > left
                if last:
                    part = _PagePart((), 0, 0, 0, position)
                else:
                    part = self._part(conn, plan, state, before=position, as_of=as_of, limit=min(size, left))
                records = records_in(part.messages)
                backlog.shown(record.shipment.record_id for record in records)
                left, position = left - part.records, part.more_before
                last = last or not position or left <= 0
                lag, links = backlog.lag, FollowedLinks()
                found += () if follow is None else records
                if follow is not None and last and found and not position and not lag.records:
                    page = FollowedPage(state, frozenset(classes), asker, as_of, recorded, most)
                    find = partial(self._found, conn, page)
                    links = follow_links(found, [criteria, *alternatives], self._links(), find, may=follow, limit=most)
            messages, removed = [*part.messages, *links.messages], part.removed + links.removed
            yield Chunk(messages, position, as_of, recorded, lag, removed, last, links.criteria)
            size = _next_size(part)

    def count(self, alternatives: Sequence[history_pb2.SearchCriteria], *, most: int) -> int:
        """Records that meet any of these criteria, among the newest `most` items that do."""
        plan = self._plan(alternatives, _ALL_CLASSES)
        with self._reads.searching() as conn:
            positions = matching_positions(conn, plan, NEWEST, most, cells.state(conn))
            return len({row.record_id for row in shipments.revisions(conn, positions).values()})

    def _found(
        self, conn: Connection, page: FollowedPage, criteria: Sequence[history_pb2.SearchCriteria]
    ) -> FoundRecords:
        """What any of these criteria finds in the same state."""
        plan = self._plan(criteria, page.classes, page.asker)
        backlog = Backlog.read(conn, plan, page.as_of, page.recorded, newest=page.state.newest)
        messages: list[history_service_pb2.SearchShipmentsResponse] = []
        position, left, size, removed = page.as_of + 1, page.limit, FIRST_CHUNK, 0
        while position and left > 0:
            limit = min(size, left)
            part = self._part(conn, plan, page.state, before=position, as_of=page.as_of, limit=limit)
            backlog.shown(record.shipment.record_id for record in records_in(part.messages))
            messages += part.messages
            removed += part.removed
            position, left, size = part.more_before, left - part.records, _next_size(part)
        return FoundRecords(messages, removed, not position and not backlog.lag.records)

    def _newest(self) -> int:
        """Last recorded position, where a standby is read that may not have it yet; else 0."""
        if self._reads is self._database:
            return 0
        with self._database.look() as conn:
            return shipments.last_position(conn)

    def get(self, record_id: str) -> RecordReading:
        """A record as it is indexed, and what waits of it."""
        with self._database.read() as conn:
            unindexed, last = shipments.pending(conn, record_id, record_progress.indexed(conn))
            row = shipments.find(conn, [record_id]).get(record_id)
            if row is None:
                return RecordReading(None, last)
            positions = sorted(positions_of(conn, [record_id])[record_id])
            of_positions = shipments.revisions(conn, positions)
            log = shipments.log_rows(conn, positions)
            newest = log.get(row.position)
            current = [RecordRow.of_newest(row, newest)] if newest is not None else []
            messages = record_messages(conn, self._node, current, {record_id: positions}).messages
            held = self._holds_on(conn, list(log.values()))
        record = next(iter(records_in(messages)), None)
        response = history_service_pb2.GetShipmentResponse(record=record, hold_ids=held, unindexed=unindexed)
        if row.delete_at and not held:
            response.delete_after.CopyFrom(to_timestamp(row.delete_at))
        for position in positions:
            logged = log[position]
            revision = response.revisions.add(
                position=position,
                revision=of_positions[position].revision,
                recorded_at=to_timestamp(logged.recorded_at),
                recorded_by=logged.recorded_by,
            )
            if logged.content:
                item = wire.readable(logged.kind, logged.content)
                if isinstance(item, shipment_pb2.Shipment):
                    revision.item.shipment.CopyFrom(item)
                elif item is not None:
                    revision.item.addition.CopyFrom(item)
                revision.digest = wire.salted_digest(logged.salt, logged.content)
        return RecordReading(response, last)

    def _plan(
        self,
        criteria: Sequence[history_pb2.SearchCriteria],
        classes: Collection[FieldClass],
        asker: str = "",
        span: tuple[int, int] = (0, 0),
    ) -> SearchPlan:
        names: dict[int, history_pb2.NameMatch] = {}
        return SearchPlan(
            [self._key_criteria(alternative, names, classes, asker, span) for alternative in criteria],
            names,
            frozenset(classes),
            asker,
        )

    def _key_criteria(
        self,
        criteria: history_pb2.SearchCriteria,
        names: dict[int, history_pb2.NameMatch],
        classes: Collection[FieldClass],
        asker: str,
        span: tuple[int, int],
    ) -> KeyCriteria:
        codes = [self._substances.codes(substance) for substance in criteria.substances]
        exact = sets = keys_wire.key_sets(criteria, classes=classes, substance_codes=codes)
        if criteria.party_names:
            may_be_named = keys_wire.finds_names(classes)
            matches = self._names(list(criteria.party_names)) if may_be_named else {}
            names.update(matches)
            sets = [list(matches), *sets]
            exact = exact if may_be_named else [[]]
        of_all = filter_of(criteria, asker)
        has_names, of_span = bool(criteria.party_names), of_all.within(*span)
        return KeyCriteria(sets if all(sets) else [], of_all, exact, has_names, of_span)

    def _part(
        self, conn: Connection, plan: SearchPlan, state: CellsState, *, before: int, as_of: int, limit: int
    ) -> _PagePart:
        hits, matched = newest_hits(conn, plan, before, limit + 1, state)
        more_before = hits[limit - 1].hit if len(hits) > limit else 0
        del hits[limit:]
        positions = positions_of(conn, [row.record_id for row in hits if row.has_history], state)
        last_of = last_matches(conn, plan, positions, as_of)
        rows: list[RecordRow] = []
        of_rows: list[Sequence[int]] = []
        for row in hits:
            last, of_record = last_of.get(row.record_id) or (row.hit, matched[row.hit])
            if row.position and row.hit == last:  # a record is shown at its last match only
                rows.append(row)
                of_rows.append(of_record)
        several = len(plan.alternatives) > 1
        messages, removed = record_messages(
            conn,
            self._node,
            rows,
            positions,
            classes=plan.classes,
            matched=of_rows if several else (),
            names=plan.names,
            declared=declared_at(conn, rows),
            to_partner=bool(plan.asker),
        )
        count = sum(len(message.records.records) for message in messages)
        if plan.classes >= _ALL_CLASSES:
            size = sum(len(row.content) for row in rows)
        else:  # what was removed must not show in how an answer is cut
            size = sum(message.ByteSize() for message in messages)
        return _PagePart(messages, count, size // max(1, count), removed, more_before)


def _next_size(part: _PagePart) -> int:
    """Records of the next chunk."""
    return min(CHUNK, max(LEAST_CHUNK, CHUNK_BYTES // max(1, part.bytes_each)))


def positions_of(conn: Connection, record_ids: Iterable[str], state: CellsState | None = None) -> dict[str, list[int]]:
    """Positions of all indexed items by record, newest first."""
    positions: dict[str, list[int]] = {record_id: [] for record_id in record_ids}
    keys = [key for record_id in positions for key in keys_wire.record_keys(record_id)]
    before = NEWEST if positions else 0
    while before:
        page = list(
            shipment_search.search(conn, [keys], RecordFilter(), before=before, limit=POSITIONS_AT_ONCE, state=state)
        )
        of_page = shipments.revisions(conn, page)
        for position, row in sorted(of_page.items(), reverse=True):
            if row.record_id in positions:  # keys are hashes and may collide
                positions[row.record_id].append(position)
        before = page[-1] if len(page) == POSITIONS_AT_ONCE else 0
    return positions
