"""Audits a publisher: whether the checkpoint that it shows now agrees with what this node has stored of its feed.

The numbers are those of docs/protocol.md, section 7 (GetCheckpoint, GetConsistencyProof). The receiver checks batches;
this finds a publisher that shows another history than it sent, before it sends more.

1. The size and root that this node holds, read first: an honest publisher holds as much or more.
2. The publisher's checkpoint, signed by one of its log keys, of the size and root that it claims.
3. A smaller size alone proves nothing (a restore from a backup); its root must be that of the entries held here.
4. Equal sizes have equal roots; a larger tree comes with a consistency proof from the held size.
5. What fails 3 or 4 puts the feed into quarantine, with both checkpoints and the proof as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError, MalformedError, ProofInvalidError
from gateway.feed.service.receiver import Receiver, Refused
from gateway.feed.service.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
from gateway.feed.tables.tiles import StoredTiles
from gateway.tlog.checkpoint import Checkpoint, VerifiedCheckpoint, verify_checkpoint
from gateway.tlog.encoding import encode_base64
from gateway.tlog.proofs import verify_consistency
from gateway.tlog.tiles import tree_root
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2


@dataclass(frozen=True, slots=True)
class HeldHead:
    """What this node has stored of a partner's feed."""

    head: Checkpoint
    note: bytes


class PublisherAudit:
    """Reads what is held, verifies what the publisher shows, and makes the command that quarantines. Thread-safe."""

    def __init__(self, database: Database, *, receiver: Receiver, trust: Callable[[], TrustedDirectory]) -> None:
        self._database = database
        self._receiver = receiver
        self._trust = trust

    def held(self, origin: FeedOrigin) -> HeldHead | None:
        """Step 1; None when nothing is stored or the feed is in quarantine already."""
        with self._database.read() as conn:
            feed = feeds.find(conn, origin)
        if feed is None or not feed.size or feed.state is FeedState.QUARANTINED:
            return None
        return HeldHead(Checkpoint(origin.line, feed.size, feed.tree.root), feed.checkpoint)

    def verify_shown(self, origin: FeedOrigin, position: feed_pb2.FeedPosition) -> VerifiedCheckpoint:
        """Step 2, with every key that the directory lists: an old checkpoint stands after its key has expired.

        Raises:
            MalformedError: the publisher's signature isn't on what it claims, so that nothing is proved.
        """
        for verifier in self._trust().every_log_verifier(origin):
            try:
                shown = verify_checkpoint(position.cosigned_checkpoint, verifier, origin.line)
            except GatewayError:
                continue
            if (shown.checkpoint.size, shown.checkpoint.root) == (position.size, position.root):
                return shown
        raise MalformedError(
            f"{origin.publisher} shows no checkpoint of {position.size} entries of {origin} signed by it"
        )

    def compare(
        self, origin: FeedOrigin, held: HeldHead, shown: VerifiedCheckpoint, hashes: Sequence[bytes]
    ) -> QuarantineCommand | None:
        """Steps 3 and 4; the command for step 5 when one fails.

        Args:
            origin: the feed.
            held: of step 1.
            shown: of step 2.
            hashes: consistency proof from the held size to the shown one; unused when that is smaller.
        """
        old, new = held.head, shown.checkpoint
        try:
            if new.size < old.size:  # 3
                with self._database.read() as conn:
                    tiles = StoredTiles(conn, feeds.get(conn, origin).id)
                    old = Checkpoint(origin.line, new.size, tree_root(new.size, tiles))
                hashes = ()
            verify_consistency(old.size, old.root, new.size, new.root, hashes)  # 3, 4
        except ProofInvalidError as error:
            problem = (
                f"the publisher's checkpoint of {new.size} entries contradicts the {held.head.size} stored here: "
                f"{error.message}"
            )
            return QuarantineCommand(self._receiver, held, shown, tuple(hashes), problem)
        return None


class QuarantineCommand:
    """Step 5. The result is Refused; None when the feed is in quarantine already."""

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

    def execute(self, tx: Transaction) -> Refused | None:
        feed = feeds.get(tx.conn, FeedOrigin.parse(self._held.head.origin))
        if feed.state is FeedState.QUARANTINED:
            return None
        evidence = {
            "held.checkpoint": self._held.note,
            "received.checkpoint": self._shown.note,
            "received.proof": b"".join(encode_base64(node) + b"\n" for node in self._hashes),
        }
        return self._receiver.quarantine(tx, feed, self._problem, evidence)
