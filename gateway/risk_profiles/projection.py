"""Projects acts on risk profiles: a set that only grows. Runs in the writer's transactions."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import Channel
from gateway.contract.messages import to_timestamp
from gateway.errors import MalformedError
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.dues import Due
from gateway.persons.commands.registers import read_proposed
from gateway.persons.rules.four_eyes import ProposalState
from gateway.risk_profiles.codec import events as wire
from gateway.risk_profiles.codec.events import ADOPTED, OFFERED, REPORTED, WITHDRAWN, ProfileActKey, act_of
from gateway.risk_profiles.commands.distribution import ProfileDistribution
from gateway.risk_profiles.commands.register import FORM, ProfileSharing, require_known, require_room
from gateway.risk_profiles.service.profiles import require_profile
from gateway.risk_profiles.service.state import KnownProfile, read_profile
from gateway.risk_profiles.tables import acts
from gateway.risk_profiles.tables.schema import risk_profile_acts, risk_profile_dues, risk_profile_proposals
from gateway.v1 import feed_pb2, risk_profile_pb2


def _make_disposition(disposition: feed_pb2.Disposition, now_ms: int) -> Message:
    return risk_profile_pb2.RiskProfileEvent(occurred_at=to_timestamp(now_ms), disposition=disposition)


PROFILE_ENTRIES = EntryFormat(
    channel=Channel.RISK_PROFILES, message=risk_profile_pb2.RiskProfileEvent, make_disposition=_make_disposition
)
PROFILE_REGISTER_ENTRIES = EntryFormat(channel=Channel.PROFILE_REGISTER, message=risk_profile_pb2.RiskProfileDecision)


class _Place(NamedTuple):
    """When an act took effect, in milliseconds since 1970, and where it stands."""

    acted_at: int
    feed_id: int
    idx: int


class ProfileProjection(Projection):
    """Acts on risk profiles, proposals, and what partners are to get."""

    formats = (PROFILE_ENTRIES, PROFILE_REGISTER_ENTRIES)
    tables = (risk_profile_acts, risk_profile_dues, risk_profile_proposals)

    def __init__(self, sharing: ProfileSharing) -> None:
        self._sharing = sharing
        self._distribution = ProfileDistribution(sharing)
        # As in licences: other entries cost nothing here, and what is left so is sent by `feed.rpc.dues`.
        self._may_be_due = True

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Raises MalformedError, NotFoundError, AgreementForbidsError or InvalidRequestError."""
        event, self._may_be_due = entry.event, True
        if isinstance(event, risk_profile_pb2.RiskProfileDecision):
            self._take_decision(tx, entry, event)
        elif isinstance(event, risk_profile_pb2.RiskProfileEvent):
            self._take_event(tx, entry, event)

    def advance(self, tx: Transaction) -> bool:
        """Sends partners what they are to get."""
        self._may_be_due = self._may_be_due and self._distribution.advance(tx)
        return self._may_be_due

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        """Whether the act in an entry is known."""
        (entry,) = feeds.read_entries(conn, feed_id, index, index + 1)
        publisher = feeds.get_by_id(conn, feed_id).origin.publisher
        return acts.find_act(conn, act_of(wire.event_in(entry.header, entry.payload), publisher)) is not None

    def _take_decision(
        self, tx: Transaction, entry: LoggedEntry, decision: risk_profile_pb2.RiskProfileDecision
    ) -> None:
        feed_id, index = entry.feed.id, entry.index
        match decision.WhichOneof("decision"):
            case "recorded":
                self._take_own(tx, decision.recorded, _Place(entry.committed_at, feed_id, index))
            case "proposed":
                acts.proposals.add(tx.conn, decision.proposed.proposal_id, feed_id, index)
            case "approved":
                row = acts.proposals.decide(tx.conn, decision.approved.proposal_id, ProposalState.APPROVED)
                change = read_proposed(tx.conn, row, FORM).proposed.change
                self._take_own(tx, change, _Place(entry.committed_at, row.feed_id, row.idx))
            case "rejected":
                acts.proposals.decide(tx.conn, decision.rejected.proposal_id, ProposalState.REJECTED)

    def _take_event(self, tx: Transaction, entry: LoggedEntry, event: risk_profile_pb2.RiskProfileEvent) -> None:
        """Takes an act of a partner; of an own feed what its recipient now has."""
        origin = entry.feed.origin
        key = act_of(event, origin.publisher)
        if entry.feed.direction == "out":
            self._take_own(tx, event, _Place(entry.committed_at, entry.feed.id, entry.index))
            acts.dues.drop(tx.conn, origin.recipient, key)
            return
        if acts.find_act(tx.conn, key) is None:
            require_room(tx, key.profile, key.reporter)
        purpose = self._purpose_of_partners(tx, key, event)
        if key.kind != WITHDRAWN:
            self._sharing.require(event, origin.publisher, origin.recipient, purpose, entry.committed_at, recorded=True)
        self._take(tx, key, event, _Place(entry.committed_at, entry.feed.id, entry.index))

    def _purpose_of_partners(
        self, tx: Transaction, key: ProfileActKey, event: risk_profile_pb2.RiskProfileEvent
    ) -> str:
        """The purpose of a partner's act that is possible; raises as `apply`. Nothing of a rule runs before."""
        if key.kind == OFFERED:
            require_profile(event.offered, "offered.")
            if self._sharing.node not in event.offered.recipients:
                raise MalformedError(f"{key.profile_id} isn't offered to this node")
            newest = read_profile(tx.conn, key.profile)
            follows = newest is None or (not newest.withdrawn and key.number > newest.newest.version)
            if not follows and acts.find_act(tx.conn, key) is None:
                raise MalformedError(f"version {key.number} of {key.profile_id} doesn't follow on what is known")
            return event.offered.purpose
        known = require_known(tx, key.profile)
        if key.kind in (ADOPTED, REPORTED):
            offered = {name for _, profile in known.versions for name in profile.recipients}
            if key.offerer != self._sharing.node or key.reporter not in offered:
                raise MalformedError(f"{key.offerer}/{key.profile_id} wasn't offered to {key.reporter} by this node")
        return known.newest.purpose

    def _take_own(self, tx: Transaction, event: risk_profile_pb2.RiskProfileEvent, place: _Place) -> None:
        """Takes an own act, and notes who is to get it."""
        key = act_of(event, self._sharing.node)
        if acts.find_act(tx.conn, key) is not None:
            return
        self._take(tx, key, event, place)
        known = read_profile(tx.conn, key.profile)
        if known is not None:
            for other in sorted(_concerned(key, known) - {self._sharing.node}):
                acts.dues.add(tx.conn, [Due(other, key, known.newest.purpose, place.feed_id, place.idx)])

    def _take(
        self,
        tx: Transaction,
        key: ProfileActKey,
        event: risk_profile_pb2.RiskProfileEvent,
        place: _Place,
    ) -> None:
        """Adds an act; raises MalformedError where it is known otherwise."""
        known_at = acts.find_act(tx.conn, key)
        if known_at is None:
            acts.add_act(tx.conn, key, *place)
            return
        (entry,) = feeds.read_entries(tx.conn, known_at[0], known_at[1], known_at[1] + 1)
        before = wire.event_in(entry.header, entry.payload)
        before.occurred_at.CopyFrom(event.occurred_at)
        if before != event:
            raise MalformedError(f"{key.reporter} told that it {key.kind} {key.profile_id} otherwise before")


def _concerned(key: ProfileActKey, known: KnownProfile) -> frozenset[str]:
    """To whom an own act goes: a withdrawal to all who ever had the profile, a version to its recipients."""
    match key.kind:
        case kind if kind == OFFERED:
            version = known.version(key.number)
            return frozenset(version.recipients) if version is not None else frozenset()
        case kind if kind == WITHDRAWN:
            return frozenset(name for _, profile in known.versions for name in profile.recipients)
        case _:
            return frozenset({key.offerer})
