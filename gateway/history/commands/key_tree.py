"""Writes the next head of the tree of keys, and notes erased records for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec import shipments as wire
from gateway.history.commands.record import append_event
from gateway.history.rules.provable_numbers import provable_keys_of
from gateway.history.service.key_tree_builder import KeyTreeBatch
from gateway.history.tables import key_tree
from gateway.history.tables.key_tree import ErasureRow
from gateway.history.tables.shipments import LogRow
from gateway.v1 import record_log_pb2


@dataclass(frozen=True, slots=True)
class KeepKeyTreeCommand:
    """Writes a batch with its head in the log of records; False if it isn't the next.

    Tree and log move in one transaction, so no number gets two roots; a crash leaves both or none. The number is the
    time in milliseconds, so that a restored database goes on beyond those that were told, and it tells no amounts.
    """

    origin: FeedOrigin
    batch: KeyTreeBatch

    @property
    def weight(self) -> int:
        return max(1, len(self.batch.leaves) // 10)

    def execute(self, tx: Transaction) -> bool:
        batch = self.batch
        if key_tree.lock(tx.conn) != batch.before:
            return False
        key_tree.put(tx.conn, batch.leaves, batch.gone, batch.tiles)
        key_tree.remove_erasures(tx.conn, batch.erasures)
        after = batch.after._replace(number=max(batch.before.number + 1, tx.now_ms))
        key_tree.put_state(tx.conn, after)
        moved = record_log_pb2.KeyTreeMoved(number=after.number, root=after.root, position=after.position)
        append_event(tx, self.origin, key_tree_moved=moved)
        return True


@dataclass(frozen=True, slots=True)
class ForgetKeyTreeCommand:
    """Empties the tree of a node that no longer proves: nothing of records that are erased stays in it."""

    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        if key_tree.state(tx.conn).position:
            key_tree.clear(tx.conn)


def note_erasures(conn: Connection, erased: Iterable[LogRow]) -> None:
    """Notes items that are about to be erased, if there is a tree: its next head no longer has their records."""
    if not key_tree.state(conn).position:
        return
    items = ((row.record_id, wire.readable(row.kind, row.content)) for row in erased if row.content)
    key_tree.add_erasures(
        conn,
        [ErasureRow(record_id, key) for record_id, item in items if item is not None for key in provable_keys_of(item)],
    )
