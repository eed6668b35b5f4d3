"""Sends own acts on risk profiles to those whom they concern, as soon as the agreements allow.

A withdrawal needs no agreement: it takes something back. What a partner is to get stands in `risk_profile_dues` until
its feed has it: nothing is sent twice, also after a rebuild.
"""

from __future__ import annotations

from gateway.errors import AgreementForbidsError, InvalidRequestError
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.dues import Due
from gateway.risk_profiles.codec import events as wire
from gateway.risk_profiles.codec.events import ProfileActKey
from gateway.risk_profiles.commands.register import ProfileSharing
from gateway.risk_profiles.tables import acts
from gateway.v1 import risk_profile_pb2

SENT_AT_ONCE = 100
"""Acts that are sent in one step; the projection of the feed comes before the next."""


class ProfileDistribution:
    """For the writer's thread alone."""

    def __init__(self, sharing: ProfileSharing) -> None:
        self._sharing = sharing

    def advance(self, tx: Transaction) -> bool:
        """Takes a step for the first partner that may get something; True if it did."""
        for partner, purpose in acts.dues.pairs(tx.conn):
            feed = feeds.find(tx.conn, self._sharing.feed_to(partner))
            if feed is not None and not feed.extensible:
                continue
            sent = [self._send(tx, due) for due in acts.dues.of(tx.conn, partner, purpose, SENT_AT_ONCE)]
            if any(sent):
                return True
        return False

    def _send(self, tx: Transaction, due: Due[ProfileActKey]) -> bool:
        """Whether something was done; an act that may not be sent yet waits."""
        (entry,) = feeds.read_entries(tx.conn, due.feed_id, due.idx, due.idx + 1)
        event = wire.event_in(entry.header, entry.payload)
        if event.WhichOneof("event") is None:  # erased
            acts.dues.drop(tx.conn, due.partner, due.key)
            return True
        shown = self._shown(tx, event, due)
        if shown is None:
            return False
        tx.append(self._sharing.feed_to(due.partner), new_entry(wire.EVENT_TYPE, shown, now_ms=tx.now_ms))
        return True

    def _shown(
        self, tx: Transaction, event: risk_profile_pb2.RiskProfileEvent, due: Due[ProfileActKey]
    ) -> risk_profile_pb2.RiskProfileEvent | None:
        """The act as the partner may see it: own values stay here, and so does a reason that it may not have."""
        if event.HasField("adopted"):
            event.adopted.ClearField("values")
        try:
            self._sharing.require(event, self._sharing.node, due.partner, due.purpose, tx.now_ms)
        except (AgreementForbidsError, InvalidRequestError):
            if not event.HasField("withdrawn"):
                return None
            event.withdrawn.reason = "–"
        return event


class SendProfileDuesCommand:
    """Sends what partners are to get and waited for an agreement or for a feed; True when more may be left."""

    weight = 1

    def __init__(self, sharing: ProfileSharing) -> None:
        self._distribution = ProfileDistribution(sharing)

    def execute(self, tx: Transaction) -> bool:
        # Of entries that aren't projected some may be what is due, sent before a rebuild.
        return not tx.is_behind and self._distribution.advance(tx)
