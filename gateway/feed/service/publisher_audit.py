"""Compares a publisher's current checkpoint with the stored part of its feed.

The numbers are those of docs/protocol.md, section 7 (GetCheckpoint, GetConsistencyProof). The receiver checks batches;
this finds a publisher that shows another history than it sent, before it sends more.

1. Read the size and root that this node holds first: an honest publisher holds as much or more.
2. Verify that one of the publisher's log keys signed the checkpoint for the claimed size and root.
3. A smaller size alone proves nothing (a restore from a backup); its root must match the entries held here.
4. Equal sizes have equal roots; a larger tree needs a consistency proof from the held size.
5. If 3 or 4 fails, quarantine the feed, with both checkpoints and the proof as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError, MalformedError, ProofInvalidError
from gateway.feed.service.continuity.soundness import sound_root_at
from gateway.feed.service.quarantine_evidence import HELD, RECEIVED, RECEIVED_PROOF, encode_hashes
from gateway.feed.service.receiver import Cause, Receiver, Refusal
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint, VerifiedCheckpoint, verify_checkpoint
from gateway.tlog.proofs import verify_consistency
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2


@dataclass(frozen=True, slots=True)
class HeldHead:
    """The stored head of a partner's feed."""

    head: Checkpoint
    note: bytes


class PublisherAudit:
    """Steps of an audit. Thread-safe."""

    def __init__(self, database: Database, *, receiver: Receiver, trust: Callable[[], TrustedDirectory]) -> None:
        self._database = database
        self._receiver = receiver
        self._trust = trust

    def held(self, origin: FeedOrigin) -> HeldHead | None:
        """Step 1; None when nothing is stored or the feed is already in quarantine.

        Raises:
            FeedDamagedError: what is stored can't be compared.
        """
        with self._database.read() as conn:
            feed = feeds.find(conn, origin)
        if feed is None or not feed.size or feed.state is FeedState.QUARANTINED:
            return None
        feed.require_sound()
        return HeldHead(Checkpoint(origin.line, feed.size, feed.tree.root), feed.checkpoint)

    def verify_shown(self, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> VerifiedCheckpoint:
        """Step 2, with every key in the directory: an old checkpoint outlives its key.

        Raises:
            MalformedError: the publisher didn't sign its claim, so nothing is proved.
        """
        for verifier in self._trust().every_log_verifier(origin):
            try:
                shown = verify_checkpoint(position.cosigned_checkpoint, verifier, origin.line)
            except GatewayError:
                continue
            if (shown.checkpoint.size, shown.checkpoint.root) == (position.size, position.root):
                return shown
        raise MalformedError(
            f"{origin.publisher} shows no checkpoint of {counted(position.size, 'entry')} of {origin} signed by it"
        )

    def compare(
        self, origin: FeedOrigin, held: HeldHead, shown: VerifiedCheckpoint, hashes: Sequence[bytes]
    ) -> QuarantineCommand | None:
        """Steps 3 and 4; the command for step 5 when one fails.

        `hashes` prove consistency from the held size to the shown one; unused when that is smaller.
        """
        old, new = held.head, shown.checkpoint
        try:
            if new.size < old.size:  # 3
                with self._database.read() as conn:
                    old = Checkpoint(origin.line, new.size, sound_root_at(conn, feeds.get(conn, origin), new.size))
                hashes = ()
            verify_consistency(old.size, old.root, new.size, new.root, hashes)  # 3, 4
        except ProofInvalidError as error:
            problem = (
                f"the publisher's checkpoint of {counted(new.size, 'entry')} contradicts the {held.head.size} "
                f"stored here: {error.message}"
            )
            return QuarantineCommand(self._receiver, held, shown, tuple(hashes), problem)
        return None


class QuarantineCommand:
    """Step 5; the result is Refusal, or None when the feed is already in quarantine."""

    weight = 1

    def __init__(
        self,
        receiver: Receiver,
        held: HeldHead,
        shown: VerifiedCheckpoint,
        hashes: tuple[bytes, ...],
        problem: str,
    ) -> None:
        self._receiver = receiver
        self._held = held
        self._shown = shown
        self._hashes = hashes
        self._problem = problem

    def execute(self, tx: Transaction) -> Refusal | None:
        feed = feeds.get(tx.conn, FeedOrigin.parse(self._held.head.origin))
        if feed.state is FeedState.QUARANTINED:
            return None
        evidence = {
            HELD: self._held.note,
            RECEIVED: self._shown.note,
            RECEIVED_PROOF: encode_hashes(self._hashes),
        }
        return self._receiver.quarantine(tx, feed, self._problem, evidence, cause=Cause.FORK)
