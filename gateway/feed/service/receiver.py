"""Checks and stores batches of partners.

Steps as in docs/protocol.md:

5. (a) The caller is the publisher, this node the recipient. (b) The feed isn't suspended or in quarantine.
6. (a) The batch begins where the feed ends; a repeated one is receipted again, or a fork if it differs. (b) Entries are
   within limits, headers canonical, payloads match digests. (c) A valid log key of the publisher signed the checkpoint.
   (d) Its size and root equal those computed. (e) The publisher's quota of the day has room; otherwise it waits.
7. Entries, checkpoint and cosignature are committed together; the receipt follows. Entries with missing dependencies
   stay pending.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from gateway.contract import limits
from gateway.contract.ids import FeedOrigin
from gateway.errors import (
    GatewayError,
    LinkSuspendedError,
    MalformedError,
    MisbehaviourError,
    PermissionDeniedError,
    QuarantinedError,
    SequenceError,
    SignatureInvalidError,
    TooLargeError,
    VerificationError,
)
from gateway.feed.codec import EncodedEntry, check_entry, parse_header
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.continuity.soundness import damaged, sound_root_at
from gateway.feed.service.quarantine_evidence import (
    BATCH,
    HELD,
    RECEIVED,
    held_proof,
    keep_evidence,
)
from gateway.feed.service.quotas import Quotas, stored_as
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.feed.tables.heads import StoredCheckpoint, StoredTiles
from gateway.plurals import counted
from gateway.tlog.checkpoint import VerifiedCheckpoint, cosign, unverified_checkpoint, verify_checkpoint
from gateway.tlog.merkle import Growth
from gateway.tlog.note import Signer, first_verified
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2

log = logging.getLogger(__name__)


MOST_ANSWERS = 10
"""Most entries of a batch that are looked at for being dispositions."""


class Cause(StrEnum):
    """Why a feed is in quarantine, in a word."""

    SIGNATURE = "signature"
    ROOT = "root"
    FORK = "fork"
    """Two roots of one size are signed, or two histories of which neither continues the other."""
    REPEATED = "repeated"
    """Entries that were sent again differ from those before."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refusal of a batch that put its feed into quarantine."""

    error: MisbehaviourError
    cause: Cause


class Receiver:
    """Checks and stores batches. Thread-safe."""

    def __init__(
        self,
        *,
        federation: str,
        node: str,
        trust: Callable[[], TrustedDirectory],
        cosigner: Callable[[], Signer],
        evidence_root: Path,
        alarms: Alarms,
        quotas: Quotas,
        is_answer: Callable[[FeedOrigin, EncodedEntry], bool] = lambda _origin, _entry: False,
    ) -> None:
        """`is_answer`: whether an entry is a disposition, on which nobody waits."""
        self._is_answer = is_answer
        self.federation = federation
        self.node = node
        self._trust = trust
        self._cosigner = cosigner
        self._evidence_root = evidence_root
        self._alarms = alarms
        self.quotas = quotas

    def require_right_peer(self, peer: str, origin_line: str) -> FeedOrigin:
        """Step 5a.

        Raises:
            PermissionDeniedError: the caller doesn't publish this feed here.
        """
        try:
            origin = FeedOrigin.parse(origin_line)
        except MalformedError as error:
            raise PermissionDeniedError(f"the feed's name isn't one: {error.message}") from error
        if (origin.federation, origin.publisher, origin.recipient) != (self.federation, peer, self.node):
            raise PermissionDeniedError(f"{peer} doesn't publish {origin} to {self.node}")
        self.require_present_epoch(origin)
        return origin

    def require_present_epoch(self, origin: FeedOrigin) -> None:
        """Raises PermissionDeniedError unless the directory has the feed's epoch between its nodes."""
        epoch = self._trust().directory.feed_epoch(origin.publisher, origin.recipient)
        if origin.epoch != epoch:
            raise PermissionDeniedError(f"{origin} isn't of the present epoch: the directory here says {epoch}")

    def open_batch(self, peer: str, batch: feed_pb2.Batch) -> ReceiveCommand:
        """Steps 5a and 6b, without database.

        Raises:
            PermissionDeniedError: step 5a.
            TooLargeError, MalformedError, VerificationError: step 6b.
        """
        origin = self.require_right_peer(peer, batch.origin)
        entries = _checked_entries(batch)
        self._alarms.compare_clocks(peer, parse_header(entries[-1].header).recorded_at_unix_ms)
        answers = len(entries) <= MOST_ANSWERS and all(self._is_answer(origin, entry) for entry in entries)
        return ReceiveCommand(self, origin, batch, entries, answers=answers)

    def verify_signature(self, origin: FeedOrigin, note: bytes, now_ms: int) -> VerifiedCheckpoint:
        """Step 6c.

        Raises:
            SignatureInvalidError, MalformedError: no valid key of the publisher signed it.
        """
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        return first_verified(
            self._trust().log_verifiers(origin, at),
            lambda verifier: verify_checkpoint(note, verifier, origin.line),
            lambda: SignatureInvalidError(
                f"the directory names no log key of {origin.publisher} that is valid now", step="log key"
            ),
        )

    def receipt(self, note: bytes, now_ms: int) -> bytes:
        """Cosigns a checkpoint whose entries are in the same transaction: one line, or two with a second key."""
        return cosign(note, self._cosigner(), now_ms // 1000)

    def quarantine(
        self, tx: Transaction, feed: Feed, problem: str, evidence: Mapping[str, bytes], *, cause: Cause
    ) -> Refusal:
        """Stops a feed and stores the evidence files (feed.service.quarantine_evidence)."""
        stamp = datetime.fromtimestamp(tx.now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S.%f")
        folder = self._evidence_root / f"{feed.origin.line.replace('/', '_')}-{stamp}"
        proof = held_proof(tx.conn, feed, evidence[HELD], evidence[RECEIVED])
        keep_evidence(folder, {**evidence, **proof}, directory=self._trust().note, origin=feed.origin, problem=problem)
        feeds.set_state(
            tx.conn, feed.id, FeedState.QUARANTINED, reason=problem, since=tx.now_ms, evidence_path=str(folder)
        )
        log.critical("feed %s is in quarantine: %s; evidence in %s", feed.origin, problem, folder)
        return Refusal(MisbehaviourError(f"{feed.origin}: {problem}", metadata={"origin": feed.origin.line}), cause)


class ReceiveCommand:
    """Steps 5b to 7; the result is Refusal if the batch proves misbehaviour. `answers`: it has dispositions alone."""

    def __init__(
        self,
        receiver: Receiver,
        origin: FeedOrigin,
        batch: feed_pb2.Batch,
        entries: Sequence[EncodedEntry],
        *,
        answers: bool = False,
    ) -> None:
        self.answers = answers
        self.batch = batch
        self.origin = origin
        self._receiver = receiver
        self._entries = entries

    @property
    def weight(self) -> int:
        return len(self._entries)

    def execute(self, tx: Transaction) -> feed_pb2.Receipt | Refusal:
        feed = feeds.ensure(tx.conn, self.origin, tx.own_node)
        require_moving(feed)  # 5b
        feed.require_sound()  # or the publisher would be blamed for what this database lost
        if self.batch.first_index != feed.size:  # 6a
            return self._received_before(tx, feed)
        try:
            growth = self._verified_growth(feed, tx.now_ms)  # 6c, 6d
        except (VerificationError, MalformedError) as error:
            return self._quarantine(tx, feed, feed.checkpoint, error.message, _cause(error))
        self._receiver.quotas.take(  # 6e
            tx.conn,
            self.origin.publisher,
            stored_as(self.origin.channel),
            items=len(self._entries),
            size=sum(entry.size_bytes for entry in self._entries) + len(self.batch.checkpoint),
            now_ms=tx.now_ms,
        )
        return self._commit(tx, feed, growth)  # 7

    def _verified_growth(self, feed: Feed, now_ms: int) -> Growth:
        checkpoint = self._receiver.verify_signature(self.origin, self.batch.checkpoint, now_ms).checkpoint  # 6c
        growth = feed.tree.append([entry.leaf for entry in self._entries])
        if checkpoint.size != growth.tree.size:  # 6d
            raise VerificationError(
                f"the checkpoint is for {counted(checkpoint.size, 'entry')}; with this batch it's {growth.tree.size}",
                step="6d size",
            )
        if checkpoint.root != growth.tree.root:
            raise VerificationError(
                f"the root of {counted(checkpoint.size, 'entry')} isn't the one signed", step="6d root"
            )
        return growth

    def _commit(self, tx: Transaction, feed: Feed, growth: Growth) -> feed_pb2.Receipt:
        note = self.batch.checkpoint
        lines = self._receiver.receipt(note, tx.now_ms)
        seconds = tx.now_ms // 1000
        checkpoint = StoredCheckpoint(growth.tree.size, growth.tree.root, note, lines, seconds * 1000)
        stored = tx.store(feed, self._entries, growth, checkpoint)
        feeds.note_sound(stored)  # 6d
        if stored.waiting and not feed.waiting:
            log.warning(
                "entry %d of %s waits: it depends on entries of other feeds that this node hasn't; if they don't come, "
                "`gateway recover %s`",
                stored.journaled_size,
                self.origin,
                self.origin.reverse,
            )
        return _receipt(self.origin, checkpoint)

    def _received_before(self, tx: Transaction, feed: Feed) -> feed_pb2.Receipt | Refusal:
        """Step 6a for a repetition, a gap or a fork."""
        end = self.batch.first_index + len(self._entries)
        if end > feed.size:
            raise self._out_of_sequence(feed)
        known = heads.checkpoint_at(tx.conn, feed.id, end)
        held = known.note if known is not None else feed.checkpoint
        try:
            claimed = self._receiver.verify_signature(self.origin, self.batch.checkpoint, tx.now_ms).checkpoint
        except (VerificationError, MalformedError) as error:
            return self._quarantine(tx, feed, held, error.message, _cause(error))
        root = sound_root_at(tx.conn, feed, end)
        if known is not None and unverified_checkpoint(known.note).root != root:
            raise damaged(feed.origin, f"the stored checkpoint of {counted(end, 'entry')} isn't what was signed")
        if (claimed.size, claimed.root) != (end, root):
            problem = f"another root than the one held is signed for size {end}"
            return self._quarantine(tx, feed, held, problem, Cause.FORK)
        if known is None:  # no receipted batch ended there
            raise self._out_of_sequence(feed)
        stored = feeds.read_headers(tx.conn, feed.id, self.batch.first_index, end)
        if stored != [entry.header for entry in self._entries]:
            own = StoredTiles(tx.conn, feed.id).hashes(0, self.batch.first_index, len(stored))
            if own == b"".join(entry.leaf for entry in self._entries):
                raise damaged(
                    feed.origin, f"entries {self.batch.first_index} to {end - 1} aren't those received before"
                )
            problem = "entries sent again differ from those received before"
            return self._quarantine(tx, feed, known.note, problem, Cause.REPEATED)
        return _receipt(feed.origin, known)

    def _out_of_sequence(self, feed: Feed) -> SequenceError:
        return SequenceError(
            f"{feed.origin} has {counted(feed.size, 'entry')} here; the batch begins at {self.batch.first_index}",
            metadata={"expected_index": str(feed.size)},
        )

    def _quarantine(self, tx: Transaction, feed: Feed, held: bytes, problem: str, cause: Cause) -> Refusal:
        evidence = {
            HELD: held,
            RECEIVED: self.batch.checkpoint,
            BATCH: self.batch.SerializeToString(deterministic=True),
        }
        return self._receiver.quarantine(tx, feed, problem, evidence, cause=cause)


def _receipt(origin: FeedOrigin, checkpoint: StoredCheckpoint) -> feed_pb2.Receipt:
    line, _newline, second = checkpoint.cosignature.partition(b"\n")
    return feed_pb2.Receipt(
        origin=origin.line, size=checkpoint.size, cosignature=line and line + b"\n", second_cosignature=second
    )


def _cause(error: GatewayError) -> Cause:
    """What was wrong with a checkpoint: steps 6c and 6d."""
    root = isinstance(error, VerificationError) and error.step.startswith("6d")
    return Cause.ROOT if root else Cause.SIGNATURE


def require_moving(feed: Feed) -> None:
    """Step 5b.

    Raises:
        QuarantinedError, LinkSuspendedError: the feed accepts no batch.
    """
    if feed.state is FeedState.QUARANTINED:
        raise QuarantinedError(f"{feed.origin} is in quarantine at its recipient: {feed.state_reason}")
    if feed.state is FeedState.CLOSED:
        raise LinkSuspendedError(f"{feed.origin} is closed: {feed.state_reason}")
    if feed.suspended:
        by = "publisher" if feed.direction == "out" else "recipient"
        raise LinkSuspendedError(f"{feed.origin} is suspended by its {by}'s operator")


def _checked_entries(batch: feed_pb2.Batch) -> list[EncodedEntry]:
    """Step 6b."""
    if not 0 < len(batch.entries) <= limits.MAX_BATCH_ENTRIES:
        raise MalformedError(f"a batch has 1 to {limits.MAX_BATCH_ENTRIES} entries; this one has {len(batch.entries)}")
    entries = [check_entry(entry) for entry in batch.entries]
    size = sum(entry.size_bytes for entry in entries)
    if size > limits.MAX_BATCH_BYTES:
        raise TooLargeError(f"a batch has at most {limits.MAX_BATCH_BYTES} bytes of entries; this one has {size}")
    return entries
