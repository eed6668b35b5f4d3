"""Projects acts on licences: a set that only grows, and the balances that follow from it.

Runs in the writer's transactions.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import Channel
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, MalformedError
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.dues import Due
from gateway.licences.codec import events as wire
from gateway.licences.codec.events import REVISED, WITHDRAWN, ActKey, LicenceKey, act_of
from gateway.licences.commands.distribution import LicenceDistribution
from gateway.licences.commands.register import FORM, LicenceSharing, day_violations
from gateway.licences.rules.balances import balance, concerned, require_room
from gateway.licences.service.facts import KnownLicence, read_licence
from gateway.licences.tables import acts
from gateway.licences.tables.acts import LicenceRow
from gateway.licences.tables.schema import licence_acts, licence_dues, licence_proposals, licences
from gateway.persons.commands.registers import read_proposed
from gateway.persons.rules.four_eyes import ProposalState
from gateway.v1 import feed_pb2, licence_pb2


def _make_disposition(disposition: feed_pb2.Disposition, now_ms: int) -> Message:
    return licence_pb2.LicenceEvent(occurred_at=to_timestamp(now_ms), disposition=disposition)


LICENCE_ENTRIES = EntryFormat(
    channel=Channel.LICENCES, message=licence_pb2.LicenceEvent, make_disposition=_make_disposition
)
REGISTER_ENTRIES = EntryFormat(channel=Channel.LICENCE_REGISTER, message=licence_pb2.LicenceDecision)


class LicenceProjection(Projection):
    """Licences with their balances, proposals, and what partners are to get."""

    formats = (LICENCE_ENTRIES, REGISTER_ENTRIES)
    tables = (licence_acts, licences, licence_dues, licence_proposals)

    def __init__(self, sharing: LicenceSharing) -> None:
        self._sharing = sharing
        self._distribution = LicenceDistribution(sharing)
        self._touched: set[LicenceKey] = set()
        # So that other entries cost nothing here. Memory outlives a failed commit, and other replicas have their own:
        # what is left so is sent by `feed.rpc.dues`.
        self._may_be_due = True

    def begin(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> None:
        self._touched = set()

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Raises MalformedError, AgreementForbidsError or InvalidRequestError."""
        event, self._may_be_due = entry.event, True
        if isinstance(event, licence_pb2.LicenceDecision):
            self._take_decision(tx, entry, event)
        elif isinstance(event, licence_pb2.LicenceEvent):
            self._take_event(tx, entry, event)

    def finish(self, tx: Transaction) -> None:
        """Computes the balances of all licences of which something was applied."""
        for key in sorted(self._touched):
            known = read_licence(tx.conn, key)
            if known is not None:
                acts.put(tx.conn, _row(key, known))
        self._touched = set()

    def advance(self, tx: Transaction) -> bool:
        """Sends partners what they are to get."""
        self._may_be_due = self._may_be_due and self._distribution.advance(tx)
        return self._may_be_due

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        """Whether the act in an entry is known."""
        (entry,) = feeds.read_entries(conn, feed_id, index, index + 1)
        publisher = feeds.get_by_id(conn, feed_id).origin.publisher
        return acts.find_act(conn, act_of(wire.event_in(entry.header, entry.payload), publisher)) is not None

    def _take_decision(self, tx: Transaction, entry: LoggedEntry, decision: licence_pb2.LicenceDecision) -> None:
        feed_id, index = entry.feed.id, entry.index
        match decision.WhichOneof("decision"):
            case "recorded":
                self._take_own(tx, decision.recorded, feed_id, index)
            case "proposed":
                acts.proposals.add(tx.conn, decision.proposed.proposal_id, feed_id, index)
            case "approved":
                row = acts.proposals.decide(tx.conn, decision.approved.proposal_id, ProposalState.APPROVED)
                change = read_proposed(tx.conn, row, FORM).proposed.change
                self._take_own(tx, change, row.feed_id, row.idx)
            case "rejected":
                acts.proposals.decide(tx.conn, decision.rejected.proposal_id, ProposalState.REJECTED)

    def _take_event(self, tx: Transaction, entry: LoggedEntry, event: licence_pb2.LicenceEvent) -> None:
        """Takes an act of a partner; of an own feed what its recipient now has."""
        origin = entry.feed.origin
        key = act_of(event, origin.publisher)
        if entry.feed.direction == "out":
            self._take_own(tx, event, entry.feed.id, entry.index)
            acts.dues.drop(tx.conn, origin.recipient, key)
            return
        problems = list(day_violations(wire.days_of(event)))
        if problems:
            raise InvalidRequestError(problems)
        if key.kind != WITHDRAWN:
            self._sharing.recorded.require(
                event,
                sender=origin.publisher,
                recipient=origin.recipient,
                purpose=wire.purpose_of(event),
                at_ms=entry.committed_at,
                message_type=wire.EVENT_TYPE,
            )
        if acts.find_act(tx.conn, key) is None:
            require_room(acts.count_by(tx.conn, key.licence, key.reporter))
        self._take(tx, key, event, entry.feed.id, entry.index)

    def _take_own(self, tx: Transaction, event: licence_pb2.LicenceEvent, feed_id: int, index: int) -> None:
        """Takes an own act, and notes who is to get it."""
        node = self._sharing.node
        key = act_of(event, node)
        if acts.find_act(tx.conn, key) is not None:
            return
        self._take(tx, key, event, feed_id, index)
        known = read_licence(tx.conn, key.licence)
        if known is not None:
            others = concerned(key.issuer, known.facts.revisions) - {node}
            purpose = _purpose(key, known)
            acts.dues.add(tx.conn, [Due(other, key, purpose, feed_id, index) for other in sorted(others)])

    def _take(self, tx: Transaction, key: ActKey, event: licence_pb2.LicenceEvent, feed_id: int, index: int) -> None:
        """Adds an act; raises MalformedError where it is known otherwise."""
        place = acts.find_act(tx.conn, key)
        if place is not None:
            (entry,) = feeds.read_entries(tx.conn, place[0], place[1], place[1] + 1)
            before = wire.event_in(entry.header, entry.payload)
            before.occurred_at.CopyFrom(event.occurred_at)
            if before != event:
                raise MalformedError(f"{key.reporter} told the {key.kind} of {key.number} otherwise before")
            return
        earlier = read_licence(tx.conn, key.licence) if key.kind == REVISED else None
        acts.add_act(tx.conn, key, feed_id, index)
        self._touched.add(key.licence)
        if key.kind == REVISED:
            had = concerned(key.issuer, earlier.facts.revisions) if earlier is not None else frozenset()
            self._tell_new_parties(tx, key, concerned(key.issuer, [event.revised]) - had)

    def _tell_new_parties(self, tx: Transaction, key: ActKey, parties: frozenset[str]) -> None:
        """Notes that these are to get everything that this node did with the licence before."""
        node = self._sharing.node
        placed = [act for act in acts.acts_on(tx.conn, key.licence) if act.key.reporter == node and act.key != key]
        known = read_licence(tx.conn, key.licence)
        if known is not None:
            for party in sorted(parties - {node}):
                acts.dues.add(
                    tx.conn,
                    [Due(party, act.key, _purpose(act.key, known), act.feed_id, act.idx) for act in placed],
                )


def _purpose(key: ActKey, known: KnownLicence) -> str:
    """The purpose for which an act is sent; empty for a withdrawal, which needs no agreement."""
    return "" if key.kind == WITHDRAWN else known.facts.newest.purpose


def _row(key: LicenceKey, known: KnownLicence) -> LicenceRow:
    left = balance(known.facts)
    return LicenceRow(
        key.issuer,
        key.number,
        int(known.facts.withdrawal is not None),
        known.facts.newest.valid_until,
        len(left.breaches),
        left.SerializeToString(deterministic=True),
    )
