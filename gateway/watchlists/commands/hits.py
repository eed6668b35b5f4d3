"""Reports hits to the owner of a listed entry, and answers them.

A hit on a partner's entry goes into our watchlist feed to that partner, one on an own entry into our `lists`
feed; the answer goes the other way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import ColumnElement, Connection

from gateway.alerts.commands.onward_transfer import require_onward_transfer
from gateway.contract.filters import (
    EQUAL,
    ORDERED,
    Term,
    compared,
    decode_page_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
)
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import page_of, to_timestamp
from gateway.db.database import Database
from gateway.errors import MalformedError, NotFoundError, PermissionDeniedError
from gateway.feed.codec import EncodedEntry, parse_header
from gateway.feed.service.writing.commands import IdempotentCommand, new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.persons.rules.pseudonyms import PSEUDONYM_PREFIX
from gateway.persons.service.pseudonyms import keep_pseudonyms
from gateway.persons.tables.sessions import whose_pseudonym
from gateway.trust.rules.permissions import PERSON_PREFIX
from gateway.trust.service.agreements import Agreements
from gateway.v1 import alert_service_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.proposals import Lists, apply_pending
from gateway.watchlists.rules.matches import MatchStatus
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.queries import visible
from gateway.watchlists.service.updates import read_changes
from gateway.watchlists.tables import hits as hit_rows
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches
from gateway.watchlists.tables.hits import HitRow
from gateway.watchlists.tables.lists import EntryRow
from gateway.watchlists.tables.schema import list_hits

_Pb = watchlist_service_pb2
_OUTCOME = "HIT_OUTCOME_"
_FIELDS = {**dict.fromkeys(("publisher", "list", "id", "reporter", "outcome"), EQUAL), "hit_id": ORDERED}
_COLUMNS = {
    "publisher": list_hits.c.publisher,
    "list": list_hits.c.list,
    "id": list_hits.c.entry_id,
    "reporter": list_hits.c.reporter,
    "hit_id": list_hits.c.hit_id,
}


@dataclass(frozen=True, slots=True)
class ReportHitCommand(IdempotentCommand[_Pb.ReportHitResponse]):
    """Records and reports a hit.

    Raises:
        NotFoundError: there is no such entry.
        AgreementForbidsError, InvalidRequestError: the agreement forbids it.
        PermissionDeniedError: an alert that it derives from may not be passed on.
    """

    lists: Lists
    agreements: Agreements
    request: _Pb.ReportHitRequest
    principal: str
    actor: str
    hidden: Hidden = NOTHING_HIDDEN
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.ReportHitResponse]:
        return _Pb.ReportHitResponse

    def answer(self, tx: Transaction) -> _Pb.ReportHitResponse:
        apply_pending(tx)
        row = listed_entry(tx.conn, self.request.entry, self.hidden)
        return report_hit(tx, self.lists, self.agreements, row, self.request, actor=self.actor)


def report_hit(
    tx: Transaction,
    lists: Lists,
    agreements: Agreements,
    row: EntryRow,
    request: _Pb.ReportHitRequest,
    *,
    actor: str,
    source_field: str = "derived_from",
) -> _Pb.ReportHitResponse:
    """Appends a hit to the feed to the entry's owner, or to our lists feed.

    That the entry was met already tells who an alert names, so a report without the party needs consent as well.

    Args:
        source_field: field of the caller's request that names the alerts it derives from, for messages.

    Raises, before it writes anything:
        AgreementForbidsError, InvalidRequestError: the agreement forbids it.
        NotFoundError, PermissionDeniedError: an alert that it derives from isn't here, or may not be passed on.
        FeedBehindError, FeedForkedError: the feed must not be extended.
    """
    hit = _hit(lists.new_id(), request, tx.now_ms)
    owner = row.publisher
    if owner == tx.own_node:
        origin = lists.origin
        entry = lists.decision(tx.now_ms, actor, hit=hit)
    else:
        for source in request.derived_from:
            require_onward_transfer(tx, source.publisher, source.alert_id, [owner], field=source_field)
        agreements.require_hit_report(hit, owner=owner, reporter=tx.own_node, purpose=hit.purpose, at_ms=tx.now_ms)
        origin = lists.feed_to(owner)
        event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(tx.now_ms), hit=hit)
        entry = _encoded(tx, lists, origin, event, actor=actor, purpose=hit.purpose)
    newest = read_changes(tx.conn, [row])[ListKey(row.list, row.entry_id)].entered
    place = tx.append(origin, entry)
    return _Pb.ReportHitResponse(
        hit_id=hit.hit_id,
        entry=alert_service_pb2.EntryReference(origin=origin.line, index=place.index),
        requested_action=newest.content.requested_action,
    )


def _hit(hit_id: str, request: _Pb.ReportHitRequest, now_ms: int) -> watchlist_pb2.WatchlistHit:
    hit = watchlist_pb2.WatchlistHit(
        hit_id=hit_id,
        entry=request.entry,
        revision=request.revision,
        match_class=request.match_class,
        score=request.score,
        purpose=request.purpose,
        case_reference=request.case_reference,
        met_at=to_timestamp(now_ms),
    )
    if request.HasField("subject"):
        hit.subject.CopyFrom(request.subject)
    return hit


@dataclass(frozen=True, slots=True)
class AnswerHitCommand(IdempotentCommand[_Pb.AnswerHitResponse]):
    """Records the owner's outcome of a hit; the last one counts.

    Raises:
        NotFoundError: there is no such hit.
        PermissionDeniedError: the entry isn't an own one.
        AgreementForbidsError, InvalidRequestError: the agreement forbids the answer.
    """

    lists: Lists
    request: _Pb.AnswerHitRequest
    principal: str
    actor: str
    hidden: Hidden = NOTHING_HIDDEN
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.AnswerHitResponse]:
        return _Pb.AnswerHitResponse

    def answer(self, tx: Transaction) -> _Pb.AnswerHitResponse:
        apply_pending(tx)
        request = self.request
        row = hit_rows.hit(tx.conn, request.reporter, request.hit_id)
        if row is None or (row.publisher, row.list) in self.hidden:
            raise NotFoundError(f"there is no hit {request.reporter}/{request.hit_id} here")
        if row.publisher != tx.own_node:
            raise PermissionDeniedError(f"only {row.publisher}, whose entry it is, says what a hit turned out to be")
        outcome = watchlist_pb2.WatchlistHitOutcome(hit_id=row.hit_id, outcome=request.outcome, remarks=request.remarks)
        if row.reporter == tx.own_node:
            origin = self.lists.origin
            entry = self.lists.decision(tx.now_ms, self.actor, outcome=outcome)
        else:
            purpose = read_hit(tx.conn, row.feed_id, row.idx).purpose
            self.lists.agreements.require(
                outcome,
                sender=tx.own_node,
                recipient=row.reporter,
                purpose=purpose,
                at_ms=tx.now_ms,
                message_type=wire.EVENT_TYPE,
            )
            origin = self.lists.feed_to(row.reporter)
            event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(tx.now_ms), outcome=outcome)
            entry = _encoded(tx, self.lists, origin, event, actor=self.actor, purpose=purpose)
        place = tx.append(origin, entry)
        response = _Pb.AnswerHitResponse(entry=alert_service_pb2.EntryReference(origin=origin.line, index=place.index))
        return response


def _encoded(
    tx: Transaction,
    lists: Lists,
    origin: FeedOrigin,
    event: watchlist_pb2.WatchlistEvent,
    *,
    actor: str,
    purpose: str,
) -> EncodedEntry:
    """An entry for a partner, who sees a person as its agreement says; called when nothing can refuse it any more."""
    shown = lists.pseudonyms.shown(actor, recipient=origin.recipient, purpose=purpose, at_ms=tx.now_ms)
    event.actor = shown.actor
    if shown.person:
        keep_pseudonyms(tx.conn, [shown], now_ms=tx.now_ms)
    return new_entry(
        wire.EVENT_TYPE,
        event,
        now_ms=tx.now_ms,
        follows=feeds.journaled_size_of(tx.conn, origin.reverse),
    )


def listed_entry(conn: Connection, entry: watchlist_pb2.WatchlistReference, hidden: Hidden) -> EntryRow:
    """A listed entry of a visible list; raises NotFoundError."""
    row = watchlists.find(conn, entry.publisher, entry.list, [entry.id]).get(entry.id)
    if row is None or row.ended or (row.publisher, row.list) in hidden:
        raise NotFoundError(f"entry: there is no entry {entry.publisher}/{entry.list}/{entry.id} here")
    return row


class HitQueries:
    """Reads hits from the projections. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, request: _Pb.ListHitsRequest, *, hidden: Hidden = NOTHING_HIDDEN) -> _Pb.ListHitsResponse:
        """A page of hits, newest first; raises InvalidRequestError."""
        conditions = [_condition(term) for term in parse_filter(request.filter, _FIELDS)]
        conditions += visible(hidden, list_hits)
        token = decode_page_token(request.page_token, request.filter, 2)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = hit_rows.hits_page(
                conn, conditions, before=None if token is None else (token[0], token[1]), limit=limit + 1
            )
            page = page_of(rows, partial(_shown, conn), limit=limit)
        response = _Pb.ListHitsResponse(hits=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token((page.last.hit_id, page.last.reporter), request.filter)
        return response

    def statistics(self, *, hidden: Hidden = NOTHING_HIDDEN) -> _Pb.GetListStatisticsResponse:
        """Counts entries, hits and matches of visible lists."""
        with self._database.read() as conn:
            entries, hits = watchlists.entries_by_list(conn), hit_rows.hits_by_list(conn)
            counts = matches.by_list(conn)
        response = _Pb.GetListStatisticsResponse()
        for publisher, name in sorted((entries.keys() | hits.keys() | counts.keys()) - hidden):
            counted, matched = hits.get((publisher, name), {}), counts.get((publisher, name), {})
            response.lists.add(
                publisher=publisher,
                list=name,
                entries=entries.get((publisher, name), 0),
                hits=sum(counted.values()),
                confirmed=counted.get(watchlist_pb2.HIT_OUTCOME_CONFIRMED, 0),
                false_hits=counted.get(watchlist_pb2.HIT_OUTCOME_FALSE, 0),
                open_matches=matched.get(MatchStatus.OPEN, 0),
                dismissed_matches=matched.get(MatchStatus.DISMISSED, 0),
            )
        return response


def _shown(conn: Connection, row: HitRow) -> _Pb.ListedHit:
    origin = feeds.get_by_id(conn, row.feed_id).origin
    carried = _with_hit(conn, row.feed_id, row.idx)
    listed = _Pb.ListedHit(
        reporter=row.reporter,
        hit=carried.hit if carried is not None else None,
        outcome=watchlist_pb2.HitOutcome.ValueType(row.outcome),
        entry=alert_service_pb2.EntryReference(origin=origin.line, index=row.idx),
        actor=carried.actor if carried is not None else "",
    )
    listed.own_actor = _own_person(conn, listed.actor)
    if row.outcome_feed_id is not None and row.outcome_idx is not None:
        answer = _carried(conn, row.outcome_feed_id, row.outcome_idx)
        if answer is not None:
            listed.answer.CopyFrom(answer.outcome)
            listed.answered_at.CopyFrom(_said_at(answer))
            listed.answer_actor = answer.actor
            listed.own_answer_actor = _own_person(conn, answer.actor)
    return listed


def own_reporter(conn: Connection, row: HitRow) -> str:
    """Who of this node reported a hit: an own system, or a person as "person/NAME"; empty where that was erased.

    Raises:
        MalformedError: the hit's entry carries none.
    """
    carried = _with_hit(conn, row.feed_id, row.idx)
    return "" if carried is None else _own_person(conn, carried.actor) or carried.actor


def _own_person(conn: Connection, actor: str) -> str:
    """Our person whom a pseudonym means; empty for what isn't one, and for a partner's."""
    meant = whose_pseudonym(conn, actor) if actor.startswith(PSEUDONYM_PREFIX) else None
    return f"{PERSON_PREFIX}{meant[0]}" if meant is not None else ""


def read_hit(conn: Connection, feed_id: int, index: int) -> watchlist_pb2.WatchlistHit:
    """A feed entry's hit, empty if erased; raises MalformedError."""
    carried = _with_hit(conn, feed_id, index)
    return watchlist_pb2.WatchlistHit() if carried is None else carried.hit


def _with_hit(
    conn: Connection, feed_id: int, index: int
) -> watchlist_pb2.ListDecision | watchlist_pb2.WatchlistEvent | None:
    """The message of an entry that carries a hit; None if erased; raises MalformedError."""
    carried = _carried(conn, feed_id, index)
    if carried is not None and not carried.HasField("hit"):
        raise MalformedError(f"entry {index} carries no hit")
    return carried


def _carried(
    conn: Connection, feed_id: int, index: int
) -> watchlist_pb2.ListDecision | watchlist_pb2.WatchlistEvent | None:
    """What a feed's entry says; None if erased."""
    (entry,) = feeds.read_entries(conn, feed_id, index, index + 1)
    if not entry.payload:
        return None
    own = parse_header(entry.header).type == wire.DECISION_TYPE
    return wire.parse_decision(entry.payload) if own else wire.parse_event(entry.payload)


def _said_at(carried: watchlist_pb2.ListDecision | watchlist_pb2.WatchlistEvent) -> Timestamp:
    return carried.decided_at if isinstance(carried, watchlist_pb2.ListDecision) else carried.occurred_at


def _condition(term: Term) -> ColumnElement[bool]:
    if term.field != "outcome":
        condition: ColumnElement[bool] = compared(_COLUMNS[term.field], term, term.value)
        return condition
    names = {key.removeprefix(_OUTCOME).lower(): value for key, value in watchlist_pb2.HitOutcome.items()}
    names["none"] = names.pop("unspecified")
    if term.value not in names:
        raise invalid_value(term, "one of " + ", ".join(sorted(names)))
    return list_hits.c.outcome == names[term.value]
