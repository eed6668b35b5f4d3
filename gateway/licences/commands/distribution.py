"""Sends own acts on licences to those whom they concern, as soon as the agreements allow.

A withdrawal needs no agreement: a void licence would stay in force at a partner. What a partner is to get stands in
`licence_dues` until its feed has it: nothing is sent twice, also after a rebuild.
"""

from __future__ import annotations

from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.dues import Due
from gateway.licences.codec import events as wire
from gateway.licences.codec.events import ActKey
from gateway.licences.commands.register import LicenceSharing
from gateway.licences.service.facts import read_licence
from gateway.licences.tables import acts
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import licence_pb2

SENT_AT_ONCE = 200
"""Acts that are sent in one step; the projection of the feed comes before the next."""


class LicenceDistribution:
    """For the writer's thread alone."""

    def __init__(self, sharing: LicenceSharing) -> None:
        self._sharing = sharing

    def advance(self, tx: Transaction) -> bool:
        """Takes a step for the first partner that may get something; True if it did."""
        for partner, purpose in acts.dues.pairs(tx.conn):
            if partner not in self._sharing.partners():
                continue
            if purpose and not self._sharing.shares(self._sharing.node, partner, purpose, tx.now_ms):
                continue
            feed = feeds.find(tx.conn, self._sharing.feed_to(partner))
            if feed is not None and not feed.extensible:
                continue
            for due in acts.dues.of(tx.conn, partner, purpose, SENT_AT_ONCE):
                self._send(tx, due)
            return True
        return False

    def _send(self, tx: Transaction, due: Due[ActKey]) -> None:
        (entry,) = feeds.read_entries(tx.conn, due.feed_id, due.idx, due.idx + 1)
        event = wire.event_in(entry.header, entry.payload)
        if event.WhichOneof("event") is None:  # erased
            acts.dues.drop(tx.conn, due.partner, due.key)
            return
        shown = self._shown(tx, event, due)
        tx.append(self._sharing.feed_to(due.partner), new_entry(wire.EVENT_TYPE, shown, now_ms=tx.now_ms))

    def _shown(self, tx: Transaction, event: licence_pb2.LicenceEvent, due: Due[ActKey]) -> licence_pb2.LicenceEvent:
        """The act as the partner may see it: why a licence was withdrawn is investigative."""
        known = read_licence(tx.conn, due.key.licence) if event.HasField("withdrawn") else None
        if known is not None:
            classes = self._sharing.agreements.field_classes(
                sender=self._sharing.node,
                recipient=due.partner,
                purpose=known.facts.newest.purpose,
                at_ms=tx.now_ms,
                message_type=wire.EVENT_TYPE,
            )
            if FieldClass.INVESTIGATIVE not in (classes or ()):
                event.withdrawn.ClearField("reason")
        return event


class SendDuesCommand:
    """Sends what partners are to get and waited for an agreement or for a feed; True when more may be left."""

    weight = 1

    def __init__(self, sharing: LicenceSharing) -> None:
        self._distribution = LicenceDistribution(sharing)

    def execute(self, tx: Transaction) -> bool:
        # Of entries that aren't projected some may be what is due, sent before a rebuild.
        return not tx.is_behind and self._distribution.advance(tx)
