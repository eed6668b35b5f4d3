"""Searches the own records: from criteria to records as they stand, page by page, the newest recorded first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from gateway.contract import shipment_keys as keys_wire
from gateway.contract.limits import ANSWER_MESSAGE_BYTES
from gateway.contract.shipment_keys import KeySets
from gateway.contract.timestamps import to_ms, to_timestamp
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, Violation
from gateway.history.codec import shipments as wire
from gateway.history.service.record_messages import record_messages
from gateway.history.tables import progress as record_progress
from gateway.history.tables import segments, shipment_search, shipments
from gateway.history.tables.segments import Known
from gateway.history.tables.shipment_search import RecordFilter, RecordRow
from gateway.history.tables.shipments import LogRow
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2

DEFAULT_LIMIT = 1_000
"""Records in one page when the asker doesn't say."""

MAX_LIMIT = 10_000
"""Most records in one page, as the contract has it."""

CHUNK = 250
"""Most records that are read and handed on together: the turns of threads between chunks cost little beside it, and it
is over in some milliseconds when the asker leaves."""

FIRST_CHUNK = 50
"""Most records of the first chunk: few, so that they are there sooner; as many as most answers have in all."""

LEAST_CHUNK = 10
"""Records that are read together however large they are."""

CHUNK_BYTES = ANSWER_MESSAGE_BYTES
"""About how many bytes of records a chunk has at most, going by those before."""

NEWEST = 1 << 62
"""Position after every record."""

POSITIONS_AT_ONCE = 10_000
"""Positions of records that one statement gives."""


@dataclass(frozen=True, slots=True)
class Way:
    """Criteria, ready to be searched for: sets of keys (none: nothing can be found), and other conditions."""

    key_sets: KeySets
    record_filter: RecordFilter


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes:
        ways: by any of which a record may be found.
        names: the recorded names that may be meant by those asked for, by their key.
    """

    ways: Sequence[Way]
    names: Mapping[int, history_pb2.NameMatch]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of a page in order.

    Attributes:
        messages: its records, as many together as one message takes; none of them is empty.
        more_before: position below which the search goes on; 0 when nothing is left.
        as_of: position up to which records were searched, the same in all chunks of a page.
        last: whether the page ends here.
    """

    messages: Sequence[history_service_pb2.SearchShipmentsResponse]
    more_before: int
    as_of: int
    last: bool

    @property
    def records(self) -> Sequence[history_pb2.HistoryRecord]:
        """All of them."""
        return records_in(self.messages)


class _Some(NamedTuple):
    """Some records of a page, and where the search goes on.

    Attributes:
        messages: as in Chunk.
        records: how many there are in them.
        bytes_each: how long one is about; 0 without any.
        more_before: as in Chunk.
    """

    messages: Sequence[history_service_pb2.SearchShipmentsResponse]
    records: int
    bytes_each: int
    more_before: int


class SubstanceCodes(Protocol):
    """The controlled goods list, as far as a search needs it."""

    def codes(self, substance: str) -> Sequence[str]:
        """Commodity codes under which a substance, by name or chemical symbol, is controlled; none if it isn't."""


NamesMeant = Callable[[Sequence[str]], Mapping[int, history_pb2.NameMatch]]
"""Gives the recorded names that may be meant by some names, by their keys (history.service.names)."""


_INEXACT = ("party_names", "commodity_codes", "substances", "places", "vessel", "journey")

HoldsOn = Callable[[Connection, Sequence[LogRow]], list[str]]
"""Gives the ids of holds that keep a record, from everything that was recorded of it."""


log = logging.getLogger(__name__)


class HistorySearch:
    """Reads records. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        substances: SubstanceCodes,
        names: NamesMeant,
        holds_on: HoldsOn = lambda _, __: [],
    ) -> None:
        """Takes what it needs.

        Args:
            database: holds the records.
            node: own name.
            substances: gives the codes under which the controlled goods list has a substance.
            names: gives recorded names that may be meant by those asked for.
            holds_on: gives the ids of holds that keep a record.
        """
        self._names = names
        self._holds_on = holds_on
        self._database = database
        self._node = node
        self._substances = substances

    def chunks(
        self,
        criteria: history_pb2.SearchCriteria,
        *,
        alternatives: Sequence[history_pb2.SearchCriteria] = (),
        before: int = 0,
        as_of: int = 0,
        limit: int = 0,
        whole: bool = False,
    ) -> Iterator[Chunk]:
        """One page in chunks, at least one, each read when it is asked for.

        What is recorded while they are read isn't among them; a record that grows meanwhile is.

        Args:
            criteria, alternatives: checked against the contract; what meets any of them is found.
            before: only positions below; 0: from the newest.
            as_of: what was recorded after this position isn't looked at; 0: everything that can be found now is.
            limit: most records; 0: DEFAULT_LIMIT.
            whole: of more than that none; everything that was recorded of a record counts.

        Raises:
            InvalidRequestError: the criteria would find everything.
        """
        require_all_narrow(criteria, alternatives)
        left, position, size = min(limit or DEFAULT_LIMIT, MAX_LIMIT), before or NEWEST, FIRST_CHUNK
        search, first, last = self._prepare([criteria, *alternatives]), True, False
        while not last:
            with self._database.read() as conn:  # and handed on outside, where who leaves doesn't roll it back
                known = segments.known(conn)
                if first:
                    findable = record_progress.indexed(conn)
                    as_of, first = min(as_of or findable, findable), False
                    position = min(position, as_of + 1)
                    last = whole and _are_more(conn, search, position, left, known)
                if last:
                    some = _Some((), 0, 0, position)
                else:
                    some = self._some(conn, search, known, before=position, as_of=as_of, limit=min(size, left))
            left, position = left - some.records, some.more_before
            last = last or not position or left <= 0
            yield Chunk(some.messages, position, as_of, last)
            size = min(CHUNK, max(LEAST_CHUNK, CHUNK_BYTES // max(1, some.bytes_each)))

    def get(self, record_id: str) -> history_service_pb2.GetShipmentResponse | None:
        """A record with everything that was recorded of it; None when there is none."""
        with self._database.read() as conn:
            row = shipments.find(conn, [record_id]).get(record_id)
            if row is None:
                return None
            positions = sorted(positions_of(conn, [record_id])[record_id])
            of_positions = shipments.revisions(conn, positions)
            log = shipments.log_rows(conn, positions)
            newest = log.get(row.position)
            standing = [RecordRow.of_newest(row, newest)] if newest is not None else []
            found = record_messages(conn, self._node, standing, {record_id: positions})
            held = self._holds_on(conn, list(log.values()))
        record = next(iter(records_in(found)), None)
        response = history_service_pb2.GetShipmentResponse(record=record, hold_ids=held)
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
        return response

    def _prepare(self, asked: Sequence[history_pb2.SearchCriteria]) -> Search:
        names: dict[int, history_pb2.NameMatch] = {}
        return Search([self._way(criteria, names) for criteria in asked], names)

    def _way(self, criteria: history_pb2.SearchCriteria, names: dict[int, history_pb2.NameMatch]) -> Way:
        codes = [self._substances.codes(one) for one in criteria.substances]
        sets = keys_wire.key_sets(criteria, substance_codes=codes)
        if criteria.party_names:
            meant = self._names(list(criteria.party_names))
            names.update(meant)
            sets = [list(meant), *sets] if meant else []
        return Way(sets, filter_of(criteria))

    def _some(self, conn: Connection, search: Search, known: Known, *, before: int, as_of: int, limit: int) -> _Some:
        """Records of at most `limit` positions."""
        hits, met = _hits(conn, search, before, limit + 1, known)
        more_before = hits[limit - 1].hit if len(hits) > limit else 0
        del hits[limit:]
        positions = positions_of(conn, [row.record_id for row in hits if row.grown], known)
        grown = _grown(conn, search, positions, as_of)
        rows: list[RecordRow] = []
        mets: list[Sequence[int]] = []
        for row in hits:
            last, of_record = grown.get(row.record_id) or (row.hit, met[row.hit])
            if row.position and row.hit == last:  # a record is shown where it matches last, and nowhere else
                rows.append(row)
                mets.append(of_record)
        several = len(search.ways) > 1
        found = record_messages(conn, self._node, rows, positions, mets=mets if several else (), names=search.names)
        count = sum(len(message.records.records) for message in found)
        return _Some(found, count, sum(len(row.content) for row in rows) // max(1, count), more_before)


def require_all_narrow(
    criteria: history_pb2.SearchCriteria, alternatives: Sequence[history_pb2.SearchCriteria], prefix: str = ""
) -> None:
    """`require_narrow` of criteria and of each alternative to them; their paths begin with a prefix.

    Raises:
        InvalidRequestError: one of them would find everything.
    """
    require_narrow(criteria, f"{prefix}criteria")
    for number, one in enumerate(alternatives):
        require_narrow(one, f"{prefix}alternatives[{number}]")


def require_narrow(criteria: history_pb2.SearchCriteria, prefix: str = "criteria") -> None:
    """Raises unless something is asked for by which records are indexed.

    Raises:
        InvalidRequestError: only place, time or procedure are given.
    """
    if not keys_wire.is_narrow(criteria):
        raise InvalidRequestError(
            [
                Violation(
                    prefix,
                    "criteria.narrow",
                    "place, time and procedure alone would find everything: give a reference, container, seal, "
                    "registration, vessel, journey, party, commodity code, substance or record id as well",
                )
            ]
        )


def require_exact(criteria: history_pb2.SearchCriteria, rule: str, message: str) -> None:
    """Raises unless all that is asked for names things without doubt, as numbers and record ids do.

    Raises:
        InvalidRequestError: with every criterion that doesn't, as the rule and message say; or they are too wide.
    """
    require_narrow(criteria)
    found = [Violation(f"criteria.{name}", rule, message) for name in _INEXACT if getattr(criteria, name)]
    if found:
        raise InvalidRequestError(found)


def filter_of(criteria: history_pb2.SearchCriteria) -> RecordFilter:
    """Conditions that aren't keys."""
    return RecordFilter(
        to_ms(criteria.declared_from) if criteria.HasField("declared_from") else 0,
        to_ms(criteria.declared_until) if criteria.HasField("declared_until") else 0,
        tuple(criteria.procedures),
    )


def positions_of(conn: Connection, record_ids: Iterable[str], known: Known | None = None) -> dict[str, list[int]]:
    """Positions of everything that was recorded of records and is findable, newest first, by record."""
    found: dict[str, list[int]] = {record_id: [] for record_id in record_ids}
    keys = [keys_wire.record_key(record_id) for record_id in found]
    before = NEWEST if found else 0
    while before:
        page = list(
            shipment_search.search(conn, [keys], RecordFilter(), before=before, limit=POSITIONS_AT_ONCE, known=known)
        )
        of_page = shipments.revisions(conn, page)
        for position, row in sorted(of_page.items(), reverse=True):
            if row.record_id in found:  # keys are hashes: another record may have the same
                found[row.record_id].append(position)
        before = page[-1] if len(page) == POSITIONS_AT_ONCE else 0
    return found


def _are_more(conn: Connection, search: Search, before: int, limit: int, known: Known) -> bool:
    """Whether there are more positions than so many, without reading what is recorded there."""
    found: set[int] = set()
    for way in search.ways:
        if way.key_sets:
            walk = shipment_search.search(
                conn, way.key_sets, way.record_filter, before=before, limit=limit + 1, known=known
            )
            found.update(walk)
    return len(found) > limit


def records_in(
    messages: Iterable[history_service_pb2.SearchShipmentsResponse],
) -> list[history_pb2.HistoryRecord]:
    """The records of some messages, in order."""
    return [record for message in messages for record in message.records.records]


def _hits(
    conn: Connection, search: Search, before: int, limit: int, known: Known
) -> tuple[list[RecordRow], dict[int, tuple[int, ...]]]:
    """The newest positions at which any way leads to a record, the newest first: `limit` of each way at most; and by
    which ways each is reached."""
    found: dict[int, RecordRow] = {}
    met: dict[int, tuple[int, ...]] = {}
    for number, way in enumerate(search.ways):
        if way.key_sets:
            rows = shipment_search.search_records(
                conn, way.key_sets, way.record_filter, before=before, limit=limit, known=known
            )
            for row in rows:
                found[row.hit] = row
                met[row.hit] = (*met.get(row.hit, ()), number)
    return [found[position] for position in sorted(found, reverse=True)], met


def _grown(
    conn: Connection, search: Search, positions: Mapping[str, Sequence[int]], as_of: int
) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Where records of several items match last, and in all what they meet, by record.

    Args:
        conn, search: what is asked.
        positions: of everything that was recorded of these records.
        as_of: what was recorded after this position isn't looked at: the record was shown by what it was then.
    """
    looked_at = [one for of_record in positions.values() for one in of_record if one <= as_of]
    found: dict[str, tuple[int, tuple[int, ...]]] = {}
    for number, way in enumerate(search.ways if looked_at else ()):
        matching = shipment_search.matching(conn, looked_at, way.key_sets) if way.key_sets else ()
        for row in shipments.revisions(conn, list(matching)).values():
            if way.record_filter.admits(row):
                last, met = found.get(row.record_id, (0, ()))
                found[row.record_id] = max(last, row.position), met if number in met else (*met, number)
    return found
