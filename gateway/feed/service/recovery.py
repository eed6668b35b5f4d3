"""Recovers own entries from partners after a restore from an old backup.

Restored feeds stay blocked until compared with recipients: growth would fork them.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.contract.ids import BETWEEN_NODES, FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError, SequenceError, SignatureInvalidError, VerificationError
from gateway.feed.codec import EncodedEntry, EntryFormat, check_entry
from gateway.feed.service.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.checkpoints import StoredCheckpoint
from gateway.feed.tables.feeds import FeedState
from gateway.feed.tables.starts import mark_start
from gateway.files import OWNER_ONLY, replace_file
from gateway.tlog.checkpoint import Checkpoint, verify_checkpoint
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2

log = logging.getLogger(__name__)

UNCOMPARED = "this database was restored and has not yet been compared with the recipient"


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

    def _own_checkpoint(self, now_ms: int) -> Checkpoint:
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        error: GatewayError = SignatureInvalidError("the directory names no own log key that is valid now")
        for verifier in self._trust().log_verifiers(self._origin, at):
            try:
                return verify_checkpoint(self._batch.checkpoint, verifier, self._origin.line).checkpoint
            except GatewayError as refused:
                error = refused
        raise error


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


@dataclass(frozen=True, slots=True)
class _Mark:
    """Marker file: last start's token and number of entries."""

    start: int
    entries: int


def own_feeds(directory: Directory, node: str) -> list[FeedOrigin]:
    """All feeds that a node may publish."""
    partners = sorted(set(directory.nodes) - {node})
    return [
        FeedOrigin(directory.federation, node, partner, channel) for partner in partners for channel in BETWEEN_NODES
    ]


def detect_restore(database: Database, marker: Path, *, own: Iterable[FeedOrigin], now_ms: int) -> bool:
    """Marks this start in the database and in the marker file; True if they didn't match.

    Then the database was restored or the file lost: every own feed, even if missing in the backup, is blocked until its
    recipient has stated its size. A crash between the marks leaves the database one start ahead, which is accepted.
    `now_ms` is in milliseconds since 1970.
    """
    mark = _read(marker)
    with database.write() as conn:
        token = secrets.randbelow(MAX_TREE_SIZE)
        before = mark_start(conn, token)
        entries = feeds.total_size(conn)
        restored = not _continues(mark, before, entries)
        if restored:
            for origin in own:
                feed = feeds.ensure(conn, origin, origin.publisher)
                feeds.set_state(conn, feed.id, FeedState.BEHIND, reason=UNCOMPARED, since=now_ms)
    _write(marker, _Mark(token, entries))
    if restored:
        log.warning("this database was restored or moved: own feeds wait until their recipients were asked")
    return restored


def _continues(mark: _Mark | None, before: Sequence[int], entries: int) -> bool:
    if mark is None:
        return not before
    return mark.start in before and entries >= mark.entries


def note_progress(database: Database, marker: Path) -> None:
    """Updates the marker file; call it every second and at a stop.

    Only a backup newer than the last call is missed at a start; the recipients' positions reveal it.
    """
    mark = _read(marker)
    with database.read() as conn:
        entries = feeds.total_size(conn)
    if mark is not None and entries > mark.entries:
        _write(marker, _Mark(mark.start, entries))


def _read(marker: Path) -> _Mark | None:
    try:
        start, entries = marker.read_text(encoding="ascii").split()
        return _Mark(int(start), int(entries))
    except (OSError, ValueError):
        return None


def _write(marker: Path, mark: _Mark) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(marker, f"{mark.start} {mark.entries}\n".encode(), mode=OWNER_ONLY)
