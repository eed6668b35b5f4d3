"""Recovers own entries from partners after a restore from an old backup.

Restored feeds stay blocked until compared with recipients: growth would fork them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.contract.ids import BETWEEN_NODES, FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError, SequenceError, SignatureInvalidError, VerificationError
from gateway.feed.codec import EncodedEntry, EntryFormat, check_entry
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, identity
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.tlog.checkpoint import Checkpoint, verify_checkpoint
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.tlog.note import first_verified
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2

log = logging.getLogger(__name__)

STALE_MS = 5 * 60_000
"""Milliseconds without a sign of life after which a node's folder may be an old copy. Nothing in an old copy shows that
it is one; a restart or an upgrade takes less.
"""


class RecoverCommand:
    """Appends own entries from a recipient; the result is the new size.

    1. The entries continue the feed.
    2. Entries are canonical and match digests.
    3. This node's log key for the feed signed the checkpoint.
    4. Its size and root are those computed.
    """

    def __init__(self, origin: FeedOrigin, batch: feed_pb2.Batch, trust: Callable[[], TrustedDirectory]) -> None:
        self._origin = origin
        self._batch = batch
        self._trust = trust
        self._entries = [check_entry(entry) for entry in batch.entries]  # 2

    @property
    def weight(self) -> int:
        return len(self._entries)

    def execute(self, tx: Transaction) -> int:
        tx.seal()  # step 1 fails if this feed is being extended
        feed = feeds.ensure(tx.conn, self._origin, tx.own_node)
        feed.require_sound()
        if self._batch.origin != self._origin.line or self._batch.first_index != feed.size:  # 1
            raise SequenceError(f"{self._origin} ends at {feed.size}; entries from {self._batch.first_index} came back")
        checkpoint = self._own_checkpoint(tx.now_ms)  # 3
        growth = feed.tree.append([entry.leaf for entry in self._entries])
        if (checkpoint.size, checkpoint.root) != (growth.tree.size, growth.tree.root):  # 4
            raise VerificationError("what came back doesn't lead to the root that this node signed", step="4 root")
        stored = StoredCheckpoint(growth.tree.size, growth.tree.root, self._batch.checkpoint, b"", 0)
        tx.store(feed, self._entries, growth, stored)
        self._note_answers(tx)
        return growth.tree.size

    def _note_answers(self, tx: Transaction) -> None:
        """Counts earlier dispositions as sent, even for missing entries."""
        entry_format = tx.formats[self._origin.channel]
        answered = max((_answered_by(entry, self._origin, entry_format) for entry in self._entries), default=0)
        if answered:
            about = feeds.ensure(tx.conn, self._origin.reverse, tx.own_node)
            if answered > about.disposed_size:
                feeds.set_disposed_size(tx.conn, about.id, answered)
                if about.applied_size > answered:
                    feeds.set_applied_size(tx.conn, about.id, about.applied_size)

    def _own_checkpoint(self, now_ms: int) -> Checkpoint:
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        return first_verified(
            self._trust().log_verifiers(self._origin, at),
            lambda verifier: verify_checkpoint(self._batch.checkpoint, verifier, self._origin.line).checkpoint,
            lambda: SignatureInvalidError("the directory names no own log key that is valid now"),
        )


def _answered_by(entry: EncodedEntry, origin: FeedOrigin, entry_format: EntryFormat) -> int:
    """End of the entries that an own entry answers; 0 for none."""
    try:
        event = entry_format.parse(entry.header, entry.payload)
    except GatewayError:
        return 0
    disposition = None if event is None else entry_format.disposition_of(event)
    if disposition is None or disposition.origin != origin.reverse.line:
        return 0
    end = disposition.index + disposition.count
    return end if end <= MAX_TREE_SIZE else 0


def own_feeds(directory: Directory, node: str) -> list[FeedOrigin]:
    """All feeds that a node may publish."""
    partners = sorted(set(directory.nodes) - {node})
    return [
        directory.feed(node, partner, channel)
        for partner in partners
        for channel in BETWEEN_NODES
        if directory.carries(channel, node, partner)
    ]


@dataclass(frozen=True, slots=True)
class Start:
    """What a node knows at its start.

    Attributes:
        own: feeds that it may publish.
        keys_known_since: since when the directory lists a log key of it, in milliseconds since 1970.
        now_ms: milliseconds since 1970.
        starts: file of earlier releases, which had no marks.
        others_run: whether other replicas are running on this database: then it is no old one.
    """

    own: Sequence[FeedOrigin]
    keys_known_since: int
    now_ms: int
    starts: Path
    others_run: bool = False


def detect_restore(database: Database, history: OwnHistory, start: Start) -> str:
    """Compares database and marks at a start; returns why the recipients must be asked first, or nothing.

    Then every own feed, even if missing here, is blocked until its recipient has said what it holds.
    """
    with database.read() as conn:
        before, entries = identity.tokens(conn), feeds.total_size(conn)
    doubt = _doubt(history.marks, start, before, entries)
    if start.others_run:
        history.marks.releases.share()
        history.marks.trust(start.now_ms)
    if doubt:
        history.distrust(start.own, start.now_ms)
        log.warning("%s: own feeds wait until their recipients were asked", doubt)
    with database.write() as conn:
        history.compare(conn, start.now_ms)
    history.marks.keep_up(start.now_ms)
    start.starts.unlink(missing_ok=True)
    return doubt


def _doubt(marks: Marks, start: Start, before: Sequence[int], entries: int) -> str:
    """Why more may have been signed than the marks say; empty when not."""
    state = marks.state
    if start.others_run:
        return ""
    if not marks.found:
        if _continues(start.starts, before, entries):
            return ""
        return "there is no mark of what this node has signed before"
    if not state.feeds and (state.lost_at or state.made_at > start.keys_known_since):
        younger = "the directory has known this node's log key for longer than its folder exists"
        return "this node has lost its data" if state.lost_at else younger
    if 0 < state.alive_at < start.now_ms - STALE_MS and not marks.confirmed:
        return f"this node wrote its marks last {(start.now_ms - state.alive_at) // 60_000} minutes ago"
    return ""


def _continues(marker: Path, before: Sequence[int], entries: int) -> bool:
    """Whether a database is the one that an earlier release used here last."""
    try:
        start, known = marker.read_text(encoding="ascii").split()
        return int(start) in before and entries >= int(known)
    except (OSError, ValueError):
        return False
