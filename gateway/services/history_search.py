"""Searches the own records: from criteria to records as they stand, page by page, the newest recorded first.

Owns what a search means: all criteria hold, in one revision or addition of a record each; a record is shown as its
newest revision, once, wherever in its past the match stands. Doesn't own the index (store.shipments), what a partner
may see of a record (services.history_answer) or the own systems' streams (transport.history_service).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import DecodeError
from sqlalchemy import Connection

from gateway.errors import InvalidRequestError, Violation
from gateway.store import shipments
from gateway.store.database import Database
from gateway.store.shipments import INDEXED, Narrowing, RevisionRow, ShipmentRow
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2
from gateway.wire import shipment_keys as keys_wire
from gateway.wire import shipments as wire
from gateway.wire.alerts import to_ms, to_timestamp
from gateway.wire.shipment_keys import KeySets

DEFAULT_LIMIT = 1_000
"""Records in one page when the asker doesn't say."""

MAX_LIMIT = 10_000
"""Most records in one page, as the contract has it."""

CHUNK = 100
"""Records that are read and handed on together; the first chunk is smaller, so that it is there sooner."""

FIRST_CHUNK = 10

NEWEST = 1 << 62
"""Position after every record."""


@dataclass(frozen=True, slots=True)
class Search:
    """Criteria, ready to be searched for: sets of keys (none: nothing can be found), other conditions, and the recorded
    names that may be meant by those asked for, by their key."""

    key_sets: KeySets
    narrowing: Narrowing
    names: Mapping[int, history_pb2.NameMatch]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of a page in order, and the position below which the search goes on; 0 when nothing is left."""

    records: list[history_pb2.HistoryRecord]
    more_before: int


class SubstanceCodes(Protocol):
    """The controlled goods list, as far as a search needs it."""

    def codes(self, substance: str) -> Sequence[str]:
        """Commodity codes under which a substance, by name or chemical symbol, is controlled; none if it isn't."""


NamesMeant = Callable[[Sequence[str]], Mapping[int, history_pb2.NameMatch]]
"""Gives the recorded names that may be meant by some names, by their keys (services.history_names)."""

HoldsOn = Callable[[Connection, ShipmentRow], list[str]]


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

    def as_of(self) -> int:
        """Position up to which records are found now."""
        with self._database.read() as conn:
            return shipments.cursor(conn, INDEXED)

    def chunks(self, criteria: history_pb2.SearchCriteria, *, before: int = 0, limit: int = 0) -> Iterator[Chunk]:
        """One page in chunks, each read when it is asked for; the last one says whether there is more.

        Args:
            criteria: checked against the contract.
            before: only positions below; 0: from the newest.
            limit: most records; 0: DEFAULT_LIMIT.

        Raises:
            InvalidRequestError: the criteria would find everything.
        """
        require_narrow(criteria)
        left, position, size = min(limit or DEFAULT_LIMIT, MAX_LIMIT), before or NEWEST, FIRST_CHUNK
        search: Search | None = None
        while left > 0 and position > 0:
            with self._database.read() as conn:
                search = search or self._prepare(conn, criteria)
                if not search.key_sets:
                    return
                position = min(position, shipments.cursor(conn, INDEXED) + 1)
                chunk = self._chunk(conn, search, position, min(size, left))
            yield chunk
            position = chunk.more_before
            left -= len(chunk.records)
            size = CHUNK

    def as_they_stand(self, conn: Connection, record_ids: Iterable[str]) -> list[history_pb2.HistoryRecord]:
        """Records by id, each in its newest revision with what was added; those that are unknown are left out."""
        rows = shipments.find(conn, list(dict.fromkeys(record_ids)))
        return self._records(conn, [row for row in rows.values() if row.position], {})

    def get(self, record_id: str) -> history_service_pb2.GetShipmentResponse | None:
        """A record with everything that was recorded of it; None when there is none."""
        with self._database.read() as conn:
            row = shipments.find(conn, [record_id]).get(record_id)
            if row is None:
                return None
            positions = sorted(positions_of(conn, record_id))
            of_positions = shipments.revisions(conn, positions)
            log = shipments.log_rows(conn, positions)
            records = self._records(conn, [row], {})
            held = self._holds_on(conn, row)
        response = history_service_pb2.GetShipmentResponse(record=next(iter(records), None), hold_ids=held)
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

    def _prepare(self, conn: Connection, criteria: history_pb2.SearchCriteria) -> Search:
        codes = [self._substances.codes(one) for one in criteria.substances]
        sets = keys_wire.key_sets(criteria, substance_codes=codes)
        narrowing = Narrowing(
            to_ms(criteria.declared_from) if criteria.HasField("declared_from") else 0,
            to_ms(criteria.declared_until) if criteria.HasField("declared_until") else 0,
            tuple(criteria.procedures),
        )
        if not criteria.party_names:
            return Search(sets, narrowing, {})
        names = self._names(list(criteria.party_names))
        return Search([list(names), *sets], narrowing, names) if names else Search([], narrowing, {})

    def _chunk(self, conn: Connection, search: Search, before: int, limit: int) -> Chunk:
        hits = list(shipments.search(conn, search.key_sets, search.narrowing, before=before, limit=limit + 1))
        more_before = hits[limit - 1] if len(hits) > limit else 0
        matched = shipments.revisions(conn, hits[:limit])
        rows = shipments.find(conn, list({row.record_id for row in matched.values()}))
        shown: dict[str, RevisionRow] = {}
        for position in hits[:limit]:
            row = rows[matched[position].record_id]
            if row.position and row.record_id not in shown and _is_last(conn, search, row, position):
                shown[row.record_id] = matched[position]
        records = self._records(conn, [rows[record_id] for record_id in shown], shown)
        for record in records:
            _name_matches(record, search.names)
        return Chunk(records, more_before)

    def _records(
        self, conn: Connection, rows: Sequence[ShipmentRow], matched: Mapping[str, RevisionRow]
    ) -> list[history_pb2.HistoryRecord]:
        of_rows = shipments.log_rows(conn, [row.position for row in rows])
        records = []
        for row in rows:
            logged = of_rows.get(row.position)
            if logged is None or not logged.content:
                continue  # erased meanwhile
            record = history_pb2.HistoryRecord(node=self._node, revision=row.revision, position=row.position)
            record.recorded_at.CopyFrom(to_timestamp(logged.recorded_at))
            try:
                record.shipment.MergeFromString(logged.content)
            except DecodeError:
                log.error("record %s can't be read and isn't shown; see `gateway verify`", row.record_id)
                continue
            if row.additions:
                wire.merged(record.shipment, self._additions(conn, row.record_id))
            revision = matched.get(row.record_id)
            if revision is not None and revision.revision != row.revision:
                record.matched_revision = revision.revision
            records.append(record)
        return records

    def _additions(self, conn: Connection, record_id: str) -> Iterable[shipment_pb2.ShipmentAddition]:
        for logged in sorted(
            shipments.log_rows(conn, positions_of(conn, record_id)).values(), key=lambda row: row.position
        ):
            if logged.kind == wire.ADDITION and logged.content:
                item = wire.readable(logged.kind, logged.content)
                if isinstance(item, shipment_pb2.ShipmentAddition):
                    yield item


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


def positions_of(conn: Connection, record_id: str) -> list[int]:
    """Positions of everything that was recorded of a record and is findable, newest first."""
    key = [[keys_wire.record_key(record_id)]]
    return list(shipments.search(conn, key, Narrowing(), before=NEWEST, limit=MAX_LIMIT))


def _is_last(conn: Connection, search: Search, row: ShipmentRow, position: int) -> bool:
    """Whether nothing that was recorded of the record later matches too: a record is shown where it matches last."""
    if row.revision + row.additions == 1:
        return True
    later = [one for one in positions_of(conn, row.record_id) if one > position]
    if not later:
        return True
    matching = shipments.matching(conn, later, search.key_sets)
    return not any(search.narrowing.admits(one) for one in shipments.revisions(conn, list(matching)).values())


def _name_matches(record: history_pb2.HistoryRecord, names: Mapping[int, history_pb2.NameMatch]) -> None:
    if names:
        keys = {keys_wire.name_key(text) for text in keys_wire.names_of(record.shipment)}
        record.name_matches.extend(names[key] for key in sorted(keys & names.keys()))
