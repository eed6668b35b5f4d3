"""The publisher's side of replication: compares positions, reads batches and stores receipts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gateway.contract import limits
from gateway.contract.ids import EARLIER, FeedOrigin
from gateway.db.database import Database
from gateway.errors import (
    FeedBehindError,
    FeedForkedError,
    GatewayError,
    LinkSuspendedError,
    MalformedError,
    SignatureInvalidError,
)
from gateway.feed.rules import Standing, compare_position
from gateway.feed.service import batches
from gateway.feed.service.batches import DivideCommand
from gateway.feed.service.claims import Claims, require_time
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.soundness import sound_root_at
from gateway.feed.service.states import StateCommand
from gateway.feed.service.writing.transaction import Clock, Transaction, require_extensible
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables import feeds, heads, journal, restores
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.feed.tables.heads import StoredTiles
from gateway.plurals import counted
from gateway.tlog.checkpoint import VerifiedCosignature, verify_checkpoint, verify_cosignature_lines
from gateway.tlog.merkle import EMPTY_ROOT, MAX_TREE_SIZE, consistency_proof
from gateway.tlog.note import first_verified, parse_note
from gateway.trust.rules.directory import receipts_key_name
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2

log = logging.getLogger(__name__)


class Outgoing:
    """Serves feeds to partners and stores their receipts. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        writer: Writer,
        trust: Callable[[], TrustedDirectory],
        clock: Clock,
        marks: Marks | None = None,
        claims: Claims | None = None,
    ) -> None:
        """`marks`: of what was signed here, and of how far it left this node; None where nothing leaves the process.

        `claims`: signs and judges claims; None as in earlier releases, which have none.
        """
        self._marks = marks
        self._claims = claims
        self._database = database
        self._writer = writer
        self._trust = trust
        self._clock = clock

    def feed(self, origin: FeedOrigin) -> Feed | None:
        with self._database.read() as conn:
            return feeds.find(conn, origin)

    def size(self, origin: FeedOrigin) -> int:
        with self._database.read() as conn:
            return feeds.size_of(conn, origin)

    def with_backlog(self, origins: Iterable[FeedOrigin]) -> set[FeedOrigin]:
        """Those own feeds whose recipients could have more of them: accepted, not stopped, and without some receipt."""
        with self._database.read() as conn:
            found = [feeds.find(conn, origin) for origin in origins]
        return {feed.origin for feed in found if feed is not None and _has_backlog(feed)}

    def left_over(self) -> set[FeedOrigin]:
        """Feeds of channels that nobody begins any more, which hold entries or wait for a comparison."""
        with self._database.read() as conn:
            stored = feeds.list_all(conn)
        kept = (feed for feed in stored if feed.origin.channel in EARLIER)
        return {feed.origin for feed in kept if feed.size or feed.state is not FeedState.ACTIVE}

    def unprojected(self) -> int:
        """Entries of the local log that aren't projected yet."""
        with self._database.read() as conn:
            return journal.head_position(conn) - journal.projected_position(conn)

    def made(self, origin: FeedOrigin) -> Feed:
        """The feed, created if necessary."""
        return self.feed(origin) or self._made(origin)

    def position(self, origin: FeedOrigin) -> feed_pb2.FeedPosition:
        """This node's position in a feed; size 0 without entries."""
        read_at = self._clock()
        with self._database.read() as conn:
            feed = feeds.find(conn, origin)
            has_entries = feed is not None and feed.size > 0
            checkpoint = heads.checkpoint_at(conn, feed.id, feed.size) if feed is not None and has_entries else None
            restored_at = restores.newest_at(conn)
        if feed is None or not has_entries:
            position = feed_pb2.FeedPosition(origin=origin.line, size=0, root=EMPTY_ROOT)
        else:
            feed.require_sound()
            self._require_marked()
            self.note_release(origin, feed.size)
            note = checkpoint.cosigned_note if checkpoint is not None else feed.checkpoint
            position = feed_pb2.FeedPosition(
                origin=origin.line, size=feed.size, root=feed.tree.root, cosigned_checkpoint=note
            )
        if self._claims is not None:
            position.claim = self._claims.signed(origin, position, read_at_ms=read_at, restored_at_ms=restored_at)
        return position

    def consistency(self, origin: FeedOrigin, old_size: int, new_size: int) -> list[bytes]:
        """RFC 9162 consistency proof between two sizes."""
        with self._database.read() as conn:
            feed = feeds.find(conn, origin)
            if feed is None or new_size > feed.size:
                size = feed.size if feed is not None else 0
                raise MalformedError(f"{origin} has {counted(size, 'entry')} here, not {new_size}")
            proof = consistency_proof(old_size, new_size, StoredTiles(conn, feed.id))
        self._require_marked()
        return proof

    def root_at(self, origin: FeedOrigin, size: int) -> bytes:
        """The root here of the first `size` entries, at most those that there are."""
        with self._database.read() as conn:
            root = _root_at(conn, feeds.find(conn, origin), size)
        if root is None:
            raise MalformedError(f"{origin} has fewer than {counted(size, 'entry')} here")
        return root

    def block_as_forked(self, origin: FeedOrigin, reason: str) -> None:
        """Stops a feed of which there are two histories, until it is given up for a new epoch."""
        self._writer.run(StateCommand(origin, FeedState.FORKED, reason))
        log.critical("feed %s: %s", origin, reason)

    def agree_on_position(self, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> Feed:
        """Compares a recipient's position with our feed, before any batch is sent; its claim first.

        Raises:
            FeedBehindError, FeedForkedError: the feed is now blocked.
            FeedDamagedError: what is stored here can't be compared.
            MalformedError, SignatureInvalidError: the position isn't proven, or its claim isn't right.
        """
        if self._claims is not None and position.claim:
            with self._database.read() as conn:
                self._claims.judge(conn, origin, position)
        with self._database.read() as conn:
            feed = feeds.find(conn, origin)
            own_root = _root_at(conn, feed, position.size)  # never a damaged one, which would look like a fork
        if own_root != position.root:
            self._require_own_signature(origin, position)
        if feed is None or not feed.accepted_at:
            feed = self._writer.run(_AcceptCommand(origin))
        standing = compare_position(
            own_size=feed.size,
            own_root_at_theirs=own_root,
            their_size=position.size,
            their_root=position.root,
        )
        if standing is Standing.CONTINUES:
            self._take_receipt_of(origin, position)
            if feed.size > position.size:
                self._writer.run(_SignAgainCommand(origin, position.size))
            return self._unblocked(feed)
        if feed.state is FeedState.FORKED:
            raise FeedForkedError(f"feed {origin}: {feed.state_reason}")
        own_size = feed.size
        if standing is Standing.BEHIND:
            error: GatewayError = FeedBehindError(
                f"{origin.recipient} holds {counted(position.size, 'entry')} of {origin}, this database {own_size}"
            )
            self._writer.run(StateCommand(origin, FeedState.BEHIND, error.message))
        else:
            error = FeedForkedError(f"{origin.recipient} holds other entries of {origin} at size {position.size}")
            self._writer.run(StateCommand(origin, FeedState.FORKED, error.message))
        log.critical("%s", error.message)
        raise error

    def _require_own_signature(self, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> None:
        """Requires this node's signature on entries that it lacks: otherwise a recipient could stop the feed.

        Raises:
            MalformedError: no such signature; the state stays.
        """
        claimed = counted(position.size, "entry")
        for verifier in self._trust().every_log_verifier(origin):
            try:
                signed = verify_checkpoint(position.cosigned_checkpoint, verifier, origin.line).checkpoint
            except GatewayError:
                continue
            if (signed.size, signed.root) != (position.size, position.root):
                raise MalformedError(
                    f"the position of {origin.recipient} in {origin} claims {claimed} that this node hasn't, but shows "
                    "this node's checkpoint of another size or root"
                )
            return
        raise MalformedError(
            f"the position of {origin.recipient} in {origin} claims {claimed} that this node hasn't, and shows no "
            "checkpoint of them with this node's signature"
        )

    def _take_receipt_of(self, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> None:
        """Stores the receipt in a position: a crash may have lost the stream's.

        Raises:
            SignatureInvalidError, MalformedError: the cosignature is wrong.
        """
        if not position.size:
            return
        with self._database.read() as conn:
            feed = feeds.get(conn, origin)
            checkpoint = heads.checkpoint_at(conn, feed.id, position.size)
        if checkpoint is None or checkpoint.receipted_at:
            return
        shown, sent = parse_note(position.cosigned_checkpoint), parse_note(checkpoint.note)
        if shown.unverified_text != sent.unverified_text:
            raise MalformedError(f"the position of {origin.recipient} isn't on the checkpoint that was sent")
        name = receipts_key_name(origin.federation, origin.recipient)
        lines = b"".join(one.line() for one in shown.signatures if one.name == name)
        self._writer.run(
            self.verify_receipt(origin, feed_pb2.Receipt(origin=origin.line, size=position.size, cosignature=lines))
        )

    def _made(self, origin: FeedOrigin) -> Feed:
        return self._writer.run(_EnsureCommand(origin))

    def _unblocked(self, feed: Feed) -> Feed:
        if not feed.extensible:
            feed = self._writer.run(StateCommand(feed.origin, FeedState.ACTIVE, ""))
        require_extensible(feed)
        if self._marks is not None:  # the head is the marked one
            self._marks.releases.settle(feed.origin, lambda: self.size(feed.origin))
        return feed

    def read_batch(self, feed: Feed, first: int, *, most_bytes: int = limits.MAX_BATCH_BYTES) -> feed_pb2.Batch | None:
        """The batch from `first` to a checkpoint, or None at the end.

        A checkpoint adds at most BATCH_ENTRIES and BATCH_BYTES: fewer always fit.

        Args:
            most_bytes: of entries; one entry may have more. An own feed gets a further checkpoint where it must.

        Raises:
            LinkSuspendedError: it is an own feed, and suspended, perhaps since a stream of it was opened.
            FeedDamagedError: the recipient would refuse what is stored, and blame the publisher.
        """
        batch = self._read_batch(feed, first, most_bytes)
        self._require_marked()
        if batch is not None:
            self.note_release(feed.origin, first + len(batch.entries))
        return batch

    def note_release(self, origin: FeedOrigin, size: int) -> None:
        """Notes that so many entries of an own feed are about to leave; raises StoreUnavailableError: they must not."""
        if self._marks is not None and origin.publisher == self._writer.own_node:
            self._marks.releases.release(origin, size)

    def release_heads(self) -> None:
        """Returns when the heads of own feeds that were read may leave in evidence; raises StoreUnavailableError."""
        self._require_marked()
        with self._database.read() as conn:
            sizes = feeds.own_sizes(conn)
        for origin, size in sizes.items():
            self.note_release(origin, size)

    def _require_marked(self) -> None:
        """Returns when the heads that were read are marked; raises StoreUnavailableError."""
        if self._marks is not None:
            self._marks.require_settled()

    def _read_batch(self, feed: Feed, first: int, most_bytes: int) -> feed_pb2.Batch | None:
        if first > MAX_TREE_SIZE - limits.BATCH_ENTRIES:  # a partner's number, beyond the database's range
            return None
        with self._database.read() as conn:
            if feed.direction == "out" and feeds.is_suspended(conn, feed.id):
                raise LinkSuspendedError(f"{feed.origin} is suspended by its publisher's operator")
            end = batches.fitting_end(conn, feed, first, most_bytes)
            if feed.direction != "out" or not batches.must_divide(conn, feed, first, end):
                return batches.stored(conn, feed, first, end, self._trust().every_log_verifier(feed.origin))
        self._writer.run(DivideCommand(feed.origin, end))
        with self._database.read() as conn:
            return batches.stored(conn, feed, first, end, self._trust().every_log_verifier(feed.origin))

    def verify_receipt(self, origin: FeedOrigin, receipt: feed_pb2.Receipt) -> ReceiptCommand:
        """Step 9: a key of the recipient that is valid now cosigned the checkpoint that was sent.

        Raises:
            SignatureInvalidError, MalformedError: it didn't.
        """
        with self._database.read() as conn:
            feed = feeds.find(conn, origin)
            checkpoint = None
            if feed is not None and receipt.size <= feed.size:
                checkpoint = heads.checkpoint_at(conn, feed.id, receipt.size)
        if feed is None or checkpoint is None:
            raise MalformedError(f"a receipt speaks of {receipt.origin} at {receipt.size}, which wasn't sent")
        return self.verified_receipt(origin, receipt, feed.id, checkpoint.note)

    def verified_receipt(
        self, origin: FeedOrigin, receipt: feed_pb2.Receipt, feed_id: int, checkpoint: bytes
    ) -> ReceiptCommand:
        """Step 9 for a checkpoint that was sent, without the database; raises as `verify_receipt`."""
        if receipt.origin != origin.line:
            raise MalformedError(f"a receipt of {origin} speaks of {receipt.origin} at {receipt.size}")
        lines = receipt.cosignature + receipt.second_cosignature
        cosignature = self._verified(origin, checkpoint, lines)
        require_time(cosignature.timestamp, "receipt")
        return ReceiptCommand(feed_id, receipt.size, lines, cosignature.timestamp * 1000)

    def _verified(self, origin: FeedOrigin, checkpoint: bytes, lines: bytes) -> VerifiedCosignature:
        at = datetime.fromtimestamp(self._clock() / 1000, UTC)
        return first_verified(
            self._trust().cosign_verifiers(origin.recipient, at),
            lambda verifier: verify_cosignature_lines(checkpoint, lines, verifier),
            lambda: SignatureInvalidError(
                f"the directory names no receipts key of {origin.recipient} that is valid now", step="receipts key"
            ),
        )


def _has_backlog(feed: Feed) -> bool:
    moving = feed.accepted_at > 0 and not feed.suspended and feed.state is FeedState.ACTIVE
    return moving and feed.receipted_size < feed.size


def _root_at(conn: Connection, feed: Feed | None, size: int) -> bytes | None:
    if size == 0:
        return EMPTY_ROOT
    if feed is None or size > feed.size:
        return None
    return sound_root_at(conn, feed, size)


class _EnsureCommand:
    weight = 1

    def __init__(self, origin: FeedOrigin) -> None:
        self._origin = origin

    def execute(self, tx: Transaction) -> Feed:
        return feeds.ensure(tx.conn, self._origin, tx.own_node)


class _AcceptCommand:
    """Notes that the recipient takes an own feed; the result is the feed, made if necessary."""

    weight = 1

    def __init__(self, origin: FeedOrigin) -> None:
        self._origin = origin

    def execute(self, tx: Transaction) -> Feed:
        feed = feeds.ensure(tx.conn, self._origin, tx.own_node)
        if not feed.accepted_at:
            feeds.set_accepted(tx.conn, feed.id, tx.now_ms)
        return feeds.get(tx.conn, self._origin)


class _SignAgainCommand:
    """Adds the second key's signature to what was signed before it counted; nearly always there is nothing to do."""

    weight = 1

    def __init__(self, origin: FeedOrigin, above: int) -> None:
        self._origin = origin
        self._above = above

    def execute(self, tx: Transaction) -> None:
        tx.sign_again(self._origin, self._above)


@dataclass(frozen=True, slots=True)
class ReceiptCommand:
    """Stores a verified receipt."""

    feed_id: int
    size: int
    cosignature: bytes
    receipted_at: int

    @property
    def weight(self) -> int:
        return 1

    def execute(self, tx: Transaction) -> int:
        heads.record_receipt(tx.conn, self.feed_id, self.size, self.cosignature, self.receipted_at)
        return self.size
