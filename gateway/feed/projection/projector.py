"""The projector: reads feeds in this node's order from a cursor and builds alerts, lists and dispositions.

An entry at which this software itself fails holds up nothing else: it is marked as not applied. Runs in the writer's
transactions: cursor, projections and dispositions move together or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from google.protobuf.message import Message

from gateway.alerts import codec as wire
from gateway.alerts import tables as alerts
from gateway.alerts.codec import EVENT_TYPE, AlertKey, AlertStep
from gateway.alerts.rules import AlertLife, advance
from gateway.alerts.tables import AlertEventRow, AlertRow, DispositionRow
from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.timestamps import to_ms, to_timestamp
from gateway.contract.validation import validate
from gateway.db.database import savepoint
from gateway.errors import GatewayError, InvalidRequestError, MalformedError, StoreUnavailableError, Violation
from gateway.feed.codec import FORMAT, EncodedEntry, parse_header
from gateway.feed.service.new_entries import new_entry
from gateway.feed.service.writer import Transaction
from gateway.feed.tables import feeds, journal
from gateway.feed.tables.feeds import Feed, StoredEntry
from gateway.feed.tables.journal import HeadMovedError, JournalRun
from gateway.history.codec import shipments as records_wire
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import alert_pb2, feed_pb2, record_log_pb2, watchlist_pb2
from gateway.watchlists.codec import events as lists_wire
from gateway.watchlists.commands.distribution import ListRelease, Told
from gateway.watchlists.projection import ListProjection
from gateway.watchlists.tables import lists as watchlists

log = logging.getLogger(__name__)

APPLIED = "applied"
REJECTED = "rejected"
HELD = "held"

_OUTCOMES = {
    APPLIED: feed_pb2.DISPOSITION_OUTCOME_APPLIED,
    REJECTED: feed_pb2.DISPOSITION_OUTCOME_REJECTED,
    HELD: feed_pb2.DISPOSITION_OUTCOME_HELD,
}
_OUTCOME_NAMES = {value: name for name, value in _OUTCOMES.items()}


class _HeldError(GatewayError):
    """The entry is of a type or format that this version doesn't know."""

    reason = "UNKNOWN_TYPE"


class _DefectError(GatewayError):
    """This software failed at the entry. The message may be shown to a partner; `problem` is for the own operator."""

    def __init__(self, problem: str) -> None:
        super().__init__("the recipient's gateway has a defect; its operator has been told")
        self.problem = problem


@dataclass(slots=True)
class _Page:
    """What one run of the projector gathers before it writes, so that writes are few and sorted."""

    known: dict[AlertKey, AlertRow]
    new: dict[AlertKey, AlertRow] = field(default_factory=dict)
    changed: dict[AlertKey, AlertRow] = field(default_factory=dict)
    events: list[AlertEventRow] = field(default_factory=list)
    received: list[DispositionRow] = field(default_factory=list)
    sent: _Answers = field(default_factory=list)

    def row(self, key: AlertKey) -> AlertRow | None:
        return self.changed.get(key) or self.new.get(key) or self.known.get(key)

    def put(self, row: AlertRow, *, is_new: bool) -> None:
        if is_new or row.key in self.new:
            self.new[row.key] = row
        else:
            self.changed[row.key] = row


@dataclass(slots=True)
class _Run:
    """Consecutive entries of one feed with the same outcome."""

    first: int
    count: int
    outcome: str
    error: GatewayError | None


_Answers: TypeAlias = list[tuple[Feed, _Run]]
_Event: TypeAlias = (
    alert_pb2.AlertEvent | watchlist_pb2.WatchlistEvent | watchlist_pb2.ListDecision | record_log_pb2.RecordLogEvent
)


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry on its way into the projection, with its parsed event or the reason why there is none."""

    position: int
    committed_at: int
    feed: Feed
    index: int
    event: _Event | None
    step: AlertStep | None
    error: GatewayError | None


class AlertProjector:
    """Projects alerts feeds; implements the writer's Projector. Used by the writer thread alone."""

    def __init__(self, *, federation: str, node: str, directory: Callable[[], Directory]) -> None:
        self._directory = directory
        self._agreements = Agreements(directory)
        # The lists' progress, as the database has it, when nothing was left to do: memory outlives a failed commit.
        self._rested: tuple[int, tuple[tuple[str, int], ...], Directory] | None = None
        self._lists = ListProjection(self._agreements)
        self._release = ListRelease(federation=federation, node=node, directory=directory)

    def advance(self, tx: Transaction, limit: int) -> bool:
        """Projects up to about `limit` entries after the cursor; when there are none, lets one update of a list take
        effect, or tells one partner of one. True when more may be left."""
        cursor = alerts.cursor(tx.conn)
        items = self._read(tx, cursor, limit)
        if not items:
            return self._advance_lists(tx)
        self._send_dispositions(tx, items, self._projected(tx, items))
        alerts.move_cursor(tx.conn, items[-1].position)
        return journal.head_position(tx.conn) > items[-1].position or any(item.step is None for item in items)

    def _advance_lists(self, tx: Transaction) -> bool:
        last = watchlists.last_seq(tx.conn)
        if not last:
            return False
        now = (last, watchlists.progress(tx.conn), self._directory())
        if now == self._rested:
            return False
        if self._lists.advance(tx):
            return True
        told = self._release.advance(tx)
        self._rested = None if told is not Told.EVERYTHING else now
        return told is Told.MORE

    def _read(self, tx: Transaction, cursor: int, limit: int) -> list[_Item]:
        """Entries after the cursor, fewer where each of them says much."""
        items: list[_Item] = []
        for run in _runs(tx, cursor, limit):
            read = self._items(tx, run, cursor, limit)
            items.extend(read)
            if len(read) < run.first_position + run.count - 1 - max(cursor, run.first_position - 1):
                break
        return items

    def _projected(self, tx: Transaction, items: Sequence[_Item]) -> _Answers:
        """Applies entries and writes what follows; returns what is to be answered.

        When something unforeseen is raised, the entries are applied one by one, so that it hits only its cause.
        """
        try:
            with savepoint(tx.conn):
                return self._apply_all(tx, items)
        except (StoreUnavailableError, HeadMovedError):
            raise
        except Exception as defect:
            if len(items) == 1:
                return _give_up(tx, items[0], defect)
            log.warning("entries are applied one by one: %r", defect)
        sent: _Answers = []
        for item in items:
            for feed, run in self._projected(tx, [item]):
                _extend_runs(sent, feed, run.first, run.outcome, run.error)
        return sent

    def _apply_all(self, tx: Transaction, items: Sequence[_Item]) -> _Answers:
        page = _Page(known=alerts.find(tx.conn, {item.step.key for item in items if item.step is not None}))
        for item in items:
            self._apply(tx, item, page)
        _write(tx, page)
        return page.sent

    def catch_up(self, tx: Transaction) -> None:
        """Projects everything committed or sealed so far, so that a step is judged by the present state."""
        tx.seal()
        while self.advance(tx, 1_000):
            tx.seal()

    def _items(self, tx: Transaction, run: JournalRun, cursor: int, limit: int) -> list[_Item]:
        feed = feeds.get_by_id(tx.conn, run.feed_id)
        skip = max(0, cursor + 1 - run.first_position)
        end = run.first_index + run.count
        if feed.origin.channel is not Channel.ALERTS:
            end = min(end, run.first_index + skip + max(1, limit // MAX_STREAM_ITEMS))
        stored = feeds.read_entries(tx.conn, feed.id, run.first_index + skip, end)
        return [self._item(run, feed, entry) for entry in stored]

    def _item(self, run: JournalRun, feed: Feed, entry: StoredEntry) -> _Item:
        event: _Event | None = None
        step: AlertStep | None = None
        error: GatewayError | None = None
        try:
            event = _event(feed, entry)
            if event is not None and feed.direction == "in":
                validate(event)
            if isinstance(event, alert_pb2.AlertEvent) and wire.disposition_of(event) is None:
                step = wire.step_of(event, feed.origin)
        except GatewayError as refused:
            error = refused
        except Exception as defect:
            error = _defect(feed, entry.index, defect)
        position = run.first_position + entry.index - run.first_index
        return _Item(position, run.committed_at, feed, entry.index, event, step, error)

    def _apply(self, tx: Transaction, item: _Item, page: _Page) -> None:
        error = item.error
        if error is None and item.event is not None:
            error = self._refusal(tx, item, item.event, page)
        if isinstance(error, _DefectError):
            alerts.add_defect(tx.conn, item.feed.id, item.index, error.problem, noted_at=tx.now_ms)
        elif error is not None:
            log.warning("entry %s of %s isn't applied: %s", item.index, item.feed.origin, error)
        if item.feed.direction == "in" and _is_answered(item.event, error):
            outcome = HELD if isinstance(error, _HeldError) else REJECTED if error else APPLIED
            _extend_runs(page.sent, item.feed, item.index, outcome, error)

    def _refusal(self, tx: Transaction, item: _Item, event: _Event, page: _Page) -> GatewayError | None:
        """Applies an event; returns why it couldn't be."""
        try:
            match event:
                case alert_pb2.AlertEvent() if item.step is not None:
                    self._apply_step(item, event, item.step, page)
                case watchlist_pb2.ListDecision():
                    self._lists.take_decision(tx, item.feed, item.index, event, committed_at=item.committed_at)
                case watchlist_pb2.WatchlistEvent() if event.WhichOneof("event") == "update":
                    self._lists.take_update(tx, item.feed, item.index, event.update, committed_at=item.committed_at)
                case watchlist_pb2.WatchlistEvent() if event.WhichOneof("event") == "hit":
                    self._lists.take_hit(tx, item.feed, item.index, event.hit, at_ms=item.committed_at)
                case watchlist_pb2.WatchlistEvent() if event.WhichOneof("event") == "outcome":
                    self._lists.take_outcome(tx, item.feed, event.outcome)
                case record_log_pb2.RecordLogEvent():
                    pass  # the records themselves are projected by history.projection.index
                case _:
                    _note_disposition(tx, item, event.disposition, page)
        except GatewayError as error:
            return error
        return None

    def _apply_step(self, item: _Item, event: alert_pb2.AlertEvent, read: AlertStep, page: _Page) -> None:
        row = page.row(read.key)
        life = advance(row.life if row else None, read.step, recorded=True)
        if item.feed.direction == "in":
            origin = item.feed.origin
            self._agreements.require(
                event,
                sender=origin.publisher,
                recipient=origin.recipient,
                purpose=wire.purpose_of(event) or (row.purpose if row else ""),
                at_ms=item.committed_at,
            )
        alert = wire.alert_of(event)
        if row is None and alert is not None:
            page.put(_new_row(read.key, item, alert, life), is_new=True)
        elif row is not None:
            page.put(_changed_row(row, item, alert, life), is_new=False)
        page.events.append(
            AlertEventRow(item.position, read.key, item.feed.id, item.index, life.status, item.committed_at)
        )

    def _send_dispositions(self, tx: Transaction, items: Sequence[_Item], sent: _Answers) -> None:
        """Answers what was received, each entry once and in order: what can't be answered now leaves a gap, and nothing
        after it is answered before `StateCommand` has the gap projected again."""
        received: dict[int, list[_Item]] = {}
        for item in items:
            if item.feed.direction == "in":
                received.setdefault(item.feed.id, []).append(item)
        answered = {
            feed_id
            for feed_id, of_feed in received.items()
            if of_feed[0].index <= of_feed[0].feed.disposed_size and _can_answer(tx, of_feed[0].feed)
        }
        for feed, run in sent:
            fresh = _fresh(run, feed)
            if fresh is not None and feed.id in answered:
                tx.append(feed.origin.counter, _disposition_entry(feed, fresh, tx.now_ms), urgent=False)
        for feed_id in answered:
            end = received[feed_id][-1].index + 1
            if end > received[feed_id][0].feed.disposed_size:
                feeds.set_disposed_size(tx.conn, feed_id, end)


def _give_up(tx: Transaction, item: _Item, defect: Exception) -> _Answers:
    """Marks an entry as not applied; returns what is to be answered."""
    error = _defect(item.feed, item.index, defect)
    alerts.add_defect(tx.conn, item.feed.id, item.index, error.problem, noted_at=tx.now_ms)
    answered = item.feed.direction == "in" and _is_answered(item.event, error)
    return [(item.feed, _Run(item.index, 1, REJECTED, error))] if answered else []


def _defect(feed: Feed, index: int, defect: Exception) -> _DefectError:
    log.error("entry %s of %s isn't applied: this gateway has a defect", index, feed.origin, exc_info=defect)
    return _DefectError(f"this gateway has a defect ({type(defect).__name__}; its log has the details)")


def _runs(tx: Transaction, cursor: int, limit: int) -> list[JournalRun]:
    runs: list[JournalRun] = []
    total = 0
    for run in journal.runs_after(tx.conn, cursor, limit):
        if runs and total + run.count > limit:
            break
        runs.append(run)
        total += run.count
    return runs


@dataclass(frozen=True, slots=True)
class _Carried:
    """What a channel carries: one type of message with one oneof, and which kinds of it are known here."""

    type_name: str
    parse: Callable[[bytes], _Event]
    oneof: str
    kinds: frozenset[str]


_CARRIED = {
    Channel.ALERTS: _Carried(EVENT_TYPE, wire.parse_event, "event", frozenset(wire.KINDS)),
    Channel.WATCHLIST: _Carried(
        lists_wire.EVENT_TYPE,
        lists_wire.parse_event,
        "event",
        frozenset({"update", "disposition", "hit", "outcome"}),
    ),
    Channel.LISTS: _Carried(
        lists_wire.DECISION_TYPE,
        lists_wire.parse_decision,
        "decision",
        frozenset({"proposed", "approved", "rejected", "published", "hit", "outcome"}),
    ),
    Channel.RECORDS: _Carried(
        records_wire.LOG_TYPE,
        records_wire.parse_log_event,
        "event",
        frozenset({"added", "erased", "hold_placed", "hold_released"}),
    ),
}


def _event(feed: Feed, entry: StoredEntry) -> _Event | None:
    header = parse_header(entry.header)
    if header.format != FORMAT:
        raise _HeldError(f"entry format {header.format} is newer than {FORMAT}")
    carried = _CARRIED[feed.origin.channel]
    if header.type != carried.type_name:
        raise _HeldError(f"entry type {header.type!r} isn't known here")
    if not entry.payload:
        return None
    event: Message = carried.parse(entry.payload)
    if event.WhichOneof(carried.oneof) not in carried.kinds:
        raise _HeldError(f"a {carried.type_name} of a kind that isn't known here")
    return cast("_Event", event)


def _is_answered(event: _Event | None, error: GatewayError | None) -> bool:
    """Alerts and updates of lists are always answered, other steps when they couldn't be applied, dispositions never:
    no endless talk."""
    match event:
        case None:  # unreadable, or erased at the end of its retention
            return error is not None
        case alert_pb2.AlertEvent() | watchlist_pb2.WatchlistEvent() if event.WhichOneof("event") == "disposition":
            return False
        case alert_pb2.AlertEvent():
            return error is not None or wire.alert_of(event) is not None
        case _:
            return True


def _new_row(key: AlertKey, item: _Item, alert: alert_pb2.Alert, life: AlertLife) -> AlertRow:
    content = alert.content
    return AlertRow(
        key=key,
        direction=item.feed.direction,
        life=life,
        priority=wire.PRIORITIES[content.priority],
        purpose=content.purpose,
        case_reference=content.case_reference,
        published_at=to_ms(alert.published_at),
        feed_id=item.feed.id,
        first_idx=item.index,
        current_idx=item.index,
    )


def _changed_row(row: AlertRow, item: _Item, alert: alert_pb2.Alert | None, life: AlertLife) -> AlertRow:
    if alert is None:
        return replace(row, life=life)
    content = alert.content
    return replace(
        row,
        life=life,
        priority=wire.PRIORITIES[content.priority],
        purpose=content.purpose,
        case_reference=content.case_reference,
        current_idx=item.index,
    )


def _note_disposition(tx: Transaction, item: _Item, disposition: feed_pb2.Disposition, page: _Page) -> None:
    origin = item.feed.origin
    about = FeedOrigin.parse(disposition.origin)
    if about != origin.counter:
        raise MalformedError(f"a disposition in {origin} can't speak of {about}")
    spoken_of = feeds.find(tx.conn, about)
    end = disposition.index + disposition.count
    if spoken_of is None or end > journal.size_at(tx.conn, spoken_of.id, item.position):
        raise MalformedError(f"a disposition speaks of entries that {about} doesn't have")
    page.received.append(
        DispositionRow(
            feed_id=spoken_of.id,
            first_idx=disposition.index,
            count=disposition.count,
            outcome=_OUTCOME_NAMES.get(disposition.outcome, HELD),
            reason=disposition.reason,
            message=disposition.SerializeToString(deterministic=True),
            position=item.position,
        )
    )


def _write(tx: Transaction, page: _Page) -> None:
    alerts.add(tx.conn, sorted(page.new.values(), key=lambda row: (row.key.alert_id, row.key.publisher)))
    for row in page.changed.values():
        alerts.replace(tx.conn, row)
    alerts.add_events(tx.conn, page.events)
    alerts.add_dispositions(tx.conn, page.received)


def _extend_runs(sent: _Answers, feed: Feed, index: int, outcome: str, error: GatewayError | None) -> None:
    if sent and error is None:
        last_feed, last = sent[-1]
        if last_feed.id == feed.id and last.outcome == outcome and last.first + last.count == index:
            last.count += 1
            return
    sent.append((feed, _Run(index, 1, outcome, error)))


def _fresh(run: _Run, feed: Feed) -> _Run | None:
    """The part of a run that hasn't been answered before, e.g. before a rebuild."""
    end = run.first + run.count
    first = max(run.first, feed.disposed_size)
    return _Run(first, end - first, run.outcome, run.error) if first < end else None


def _can_answer(tx: Transaction, feed: Feed) -> bool:
    """Whether the own feed to that partner may be extended; if not, the gap is answered when it may be again."""
    answering = feeds.find(tx.conn, feed.origin.counter)
    return answering is None or answering.extensible


def _disposition_entry(feed: Feed, run: _Run, now_ms: int) -> EncodedEntry:
    disposition = feed_pb2.Disposition(
        origin=feed.origin.line,
        index=run.first,
        count=run.count,
        outcome=_OUTCOMES[run.outcome],
        decided_at=to_timestamp(now_ms),
    )
    if run.error is not None:
        disposition.reason = run.error.reason
        disposition.violations.extend(
            feed_pb2.FieldViolation(field=v.field[:512], rule=v.rule[:256], message=v.message[:1024])
            for v in _violations(run.error)[:200]
        )
    event: _Event
    if feed.origin.channel is Channel.WATCHLIST:
        event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(now_ms), disposition=disposition)
    else:
        event = alert_pb2.AlertEvent(occurred_at=to_timestamp(now_ms), actor="gateway", disposition=disposition)
    return new_entry(_CARRIED[feed.origin.channel].type_name, event, now_ms=now_ms, follows=feed.journaled_size)


def knowledge() -> str:
    """What kinds of entries this software knows: what is of another kind is held."""
    return f"{FORMAT} " + " ".join(f"{one.type_name} {sorted(one.kinds)}" for one in _CARRIED.values())


def can_answer(tx: Transaction, origin: str) -> bool:
    """Whether entries of a partner's feed can be answered now."""
    return _can_answer(tx, feeds.get(tx.conn, FeedOrigin.parse(origin)))


def answer_applied(tx: Transaction, origin: str, index: int) -> None:
    """Says in the own feed that a partner's entry which was held is applied now; raises as `tx.append`."""
    feed = feeds.get(tx.conn, FeedOrigin.parse(origin))
    tx.append(feed.origin.counter, _disposition_entry(feed, _Run(index, 1, APPLIED, None), tx.now_ms))


def _violations(error: GatewayError) -> Sequence[Violation]:
    if isinstance(error, InvalidRequestError):
        return error.violations
    return (Violation("", error.reason, error.message),)
