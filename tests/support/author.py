"""Writes a feed by hand: soundly signed batches with whatever content a test wants, as a defective partner might send.

What recipients make of it is the product's.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.feed.codec import EncodedEntry, make_entry
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.merkle import Tree
from gateway.trust.pki.keys import Ed25519Signer
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.nodes import PaperNode, alert_content


class Author:
    """Holds the log key of a node and writes its feed to one recipient."""

    def __init__(self, node: PaperNode, recipient: str) -> None:
        self.node = node
        self.origin: FeedOrigin = node.origin(recipient)
        self.key: Ed25519Signer = node.signers.for_feed(self.origin)
        self.tree = Tree.empty()

    @property
    def now_ms(self) -> int:
        return self.node.clock.now

    def batch(self, *entries: feed_pb2.Entry, keep: bool = True) -> feed_pb2.Batch:
        """The next batch; with `keep=False` the author forgets it again, and can sign another one of its size."""
        growth = self.tree.append([_leaf(entry) for entry in entries])
        note = sign_checkpoint(Checkpoint(self.origin.line, growth.tree.size, growth.tree.root), self.key)
        batch = feed_pb2.Batch(origin=self.origin.line, first_index=self.tree.size, entries=entries, checkpoint=note)
        if keep:
            self.tree = growth.tree
        return batch

    def entry(self, payload: bytes, *, type_name: str = "AlertEvent") -> feed_pb2.Entry:
        """An entry with this payload."""
        return wire_entry(
            make_entry(type_name, payload, salt=secrets.token_bytes(32), recorded_at_ms=self.node.clock())
        )

    def event(self, **event: Any) -> feed_pb2.Entry:
        """An entry with a step or a disposition, e.g. `event(withdrawn=AlertWithdrawn(…))`."""
        message = alert_pb2.AlertEvent(occurred_at=to_timestamp(self.node.clock()), actor="author", **event)
        return self.entry(message.SerializeToString(deterministic=True))

    def alert(self, alert_id: str = "", **content: Any) -> alert_pb2.Alert:
        """A whole valid alert."""
        return alert_pb2.Alert(
            id=alert_id or str(uuid.uuid4()),
            revision=1,
            publisher=self.origin.publisher,
            recipient=self.origin.recipient,
            published_at=to_timestamp(self.now_ms),
            content=alert_content(self.now_ms, **content),
        )

    def alerts(self, count: int) -> Sequence[feed_pb2.Entry]:
        """Entries with so many new alerts."""
        return [self.event(published=self.alert()) for _ in range(count)]


def wire_entry(entry: EncodedEntry) -> feed_pb2.Entry:
    """As it travels."""
    return feed_pb2.Entry(header=entry.header, salt=entry.salt, payload=entry.payload)


def _leaf(entry: feed_pb2.Entry) -> bytes:
    return sha256(b"\x00" + entry.header).digest()
