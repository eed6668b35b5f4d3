"""Checks stored parts of a feed: before they leave the node, so that damage here isn't taken for misbehaviour there,
and against the marks of what was signed (steps 2 to 5 of feed.service.continuity.own_history).

A batch to send must be what its recipient will require (gateway.feed.service.receiver, steps 6b to 6d):

1. Each entry is canonical and has the payload that its header commits to.
2. The entries are those whose hashes are stored in the tree.
3. The tree's root at the batch's end is that of the stored checkpoint.
4. The feed's publisher signed that checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.errors import FeedDamagedError, GatewayError, MalformedError, VerificationError
from gateway.feed.codec import check_entry
from gateway.feed.service.continuity.mark_files import FeedMark, SignedHead
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.feeds import Feed, FeedState, OwnHead
from gateway.feed.tables.heads import StoredCheckpoint, StoredTiles
from gateway.plurals import counted
from gateway.tlog.checkpoint import verify_checkpoint
from gateway.tlog.merkle import EMPTY_ROOT, Tree, consistency_proof, tree_root
from gateway.tlog.note import Verifier
from gateway.tlog.proofs import verify_consistency
from gateway.v1 import feed_pb2


def damaged(origin: FeedOrigin, what: str) -> FeedDamagedError:
    """The error about a part of a feed that isn't what was signed."""
    return FeedDamagedError(f"feed {origin}: {what}", metadata={"origin": origin.line})


def require_sound_batch(
    conn: Connection, feed: Feed, batch: feed_pb2.Batch, checkpoint: StoredCheckpoint, verifiers: Iterable[Verifier]
) -> None:
    """Raises FeedDamagedError for a batch that a recipient would refuse."""
    leaves = []
    for index, entry in enumerate(batch.entries, batch.first_index):
        try:
            leaves.append(check_entry(entry).leaf)  # 1
        except GatewayError as error:
            raise damaged(feed.origin, f"entry {index}: {error.message}") from error
    if batch.first_index + len(leaves) != checkpoint.size:
        raise damaged(feed.origin, f"an entry from {batch.first_index} to {checkpoint.size - 1} is missing")
    tiles = StoredTiles(conn, feed.id)
    try:
        known = tiles.hashes(0, batch.first_index, len(leaves))
        root = tree_root(checkpoint.size, tiles)
    except GatewayError as error:
        raise damaged(feed.origin, error.message) from error
    for at, leaf in enumerate(leaves):  # 2
        if leaf != known[at * len(leaf) : (at + 1) * len(leaf)]:
            raise damaged(feed.origin, f"entry {batch.first_index + at} isn't the one under the tree")
    if root != checkpoint.root:  # 3
        raise damaged(
            feed.origin, f"the tree of {counted(checkpoint.size, 'entry')} doesn't lead to the root that was signed"
        )
    _require_signed(feed.origin, checkpoint, verifiers)  # 4


def provable_root_at(conn: Connection, feed: Feed, size: int) -> bytes:
    """Root of a feed's first `size` entries, from which its head provably grew.

    Raises:
        FeedDamagedError: the stored tree doesn't prove it.
    """
    root = sound_root_at(conn, feed, size)
    try:
        proof = consistency_proof(size, feed.size, StoredTiles(conn, feed.id))
        verify_consistency(size, root, feed.size, feed.tree.root, proof)
    except GatewayError as error:
        raise damaged(feed.origin, error.message) from error
    return root


def _require_signed(origin: FeedOrigin, checkpoint: StoredCheckpoint, verifiers: Iterable[Verifier]) -> None:
    problem = "its publisher has no log key in the directory"
    for verifier in verifiers:
        try:
            signed = verify_checkpoint(checkpoint.note, verifier, origin.line).checkpoint
        except GatewayError as error:
            problem = error.message
            continue
        if (signed.size, signed.root) == (checkpoint.size, checkpoint.root):
            return
        problem = "it is for another size or root"
    raise damaged(
        origin, f"the stored checkpoint of {counted(checkpoint.size, 'entry')} isn't what was signed: {problem}"
    )


def sound_root_at(conn: Connection, feed: Feed, size: int) -> bytes:
    """Root of a feed's first `size` entries; raises FeedDamagedError where it isn't the one that was signed."""
    if not size:
        return EMPTY_ROOT
    feed.require_sound()
    if size == feed.size:
        return feed.tree.root
    try:
        root = tree_root(size, StoredTiles(conn, feed.id))
    except GatewayError as error:
        raise damaged(feed.origin, error.message) from error
    signed = heads.checkpoint_at(conn, feed.id, size)
    if signed is not None and signed.root != root:
        raise damaged(feed.origin, f"the tree of {counted(size, 'entry')} doesn't lead to the root that was signed")
    return root


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a feed must not grow."""

    state: FeedState
    reason: str


def against_mark(
    conn: Connection, feed_id: int, origin: FeedOrigin, present: SignedHead, mark: FeedMark
) -> Obstacle | None:
    """Steps 2 to 5."""
    signed = mark.committed
    if present in (signed, mark.signed):  # 2
        return None
    if present.size < signed.size:  # 3
        return lacking(signed.size, present)
    same = present.size > signed.size and root_at(conn, feed_id, signed.size) == signed.root  # 4, 5
    if same or is_damaged(conn, origin):
        return None
    return Obstacle(
        FeedState.FORKED, f"the database has other entries than those that this node signed up to {signed.size}"
    )


def lacking(signed: int, present: SignedHead) -> Obstacle:
    """A head below what was signed."""
    had = counted(signed, "entry")
    return Obstacle(
        FeedState.BEHIND, f"this node has signed {had}, and the database has {present.size}: the others were lost"
    )


def present_head(head: OwnHead) -> SignedHead | None:
    """The head; None when it is damaged, which blocks the feed by itself (`Feed.damage`)."""
    try:
        return SignedHead(head.size, Tree.from_bytes(head.size, head.edge).root)
    except MalformedError:
        return None


def is_damaged(conn: Connection, origin: FeedOrigin) -> bool:
    """Whether a feed's row is damaged: then it can't be compared."""
    try:
        return bool(feeds.get(conn, origin).damage)
    except GatewayError:
        return True


def root_at(conn: Connection, feed_id: int, size: int) -> bytes | None:
    """The root of the first entries; None where the stored tiles don't say."""
    try:
        return tree_root(size, StoredTiles(conn, feed_id))
    except VerificationError:
        return None
