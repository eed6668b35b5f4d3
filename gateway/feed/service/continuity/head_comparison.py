"""Compares a head in the database with a mark: steps 2 to 5 of feed.service.own_history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError, MalformedError, VerificationError
from gateway.feed.service.continuity.mark_files import FeedMark, SignedHead
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState, OwnHead
from gateway.feed.tables.tiles import StoredTiles
from gateway.plurals import counted
from gateway.tlog.merkle import Tree
from gateway.tlog.tiles import tree_root


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


def signed_heads(trees: Mapping[FeedOrigin, Tree]) -> dict[FeedOrigin, SignedHead]:
    """Heads of trees."""
    return {origin: SignedHead(tree.size, tree.root) for origin, tree in trees.items()}


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
