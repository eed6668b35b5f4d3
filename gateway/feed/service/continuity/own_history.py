"""Stops own feeds whose heads in the database aren't those that this node has signed.

Each transaction of the writer begins with `compare`, before any command, signature or release:

1. A feed whose recipient must be asked first (see feed.service.marks) is blocked until `confirm` or `declare_new`.
2. A head at the mark, committed or signed, is whole.
3. A smaller head lacks entries that were released: BEHIND. Recovering them ends that, or `give_up` after it.
4. Another root at the marked size is another history: FORKED.
5. A larger head, of another replica or recovered, must contain the marked one, or it is FORKED too.
6. A mark that is older than a decision to give up entries, of any replica, takes that decision instead of 3 to 5.
7. A head below a receipt that was kept lacks what its recipient has confirmed: BEHIND. With another root there: FORKED.
8. A head below what another replica had signed when it blocked the feed, or below what has left this process for
   certain, lacks entries too: BEHIND.

Entries are given up only where none of them, and no signature on them, may have left this node: otherwise two histories
would be signed. Then the feed goes on in a new epoch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from gateway.contract.ids import KEPT, FeedOrigin
from gateway.db.cluster import read_durability, read_identity
from gateway.errors import (
    EpochNeededError,
    MarksBehindError,
    StoreUnavailableError,
)
from gateway.feed.service.continuity.mark_files import DatabaseIdentity, FeedMark, SignedHead
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.releases import UNKNOWN
from gateway.feed.service.continuity.soundness import (
    Obstacle,
    against_mark,
    is_damaged,
    lacking,
    present_head,
    root_at,
)
from gateway.feed.tables import feeds, restores
from gateway.feed.tables.feeds import Feed, FeedState, OwnHead
from gateway.feed.tables.restores import GivenUpHead, HeadSigned
from gateway.plurals import counted
from gateway.tlog.merkle import Tree

log = logging.getLogger(__name__)

UNCOMPARED = "this database was restored or its folder is new, and the recipient has not yet said what it holds"
"""Step 1."""


_SENT_BEYOND = "another replica went on at {}, and this one had sent more"
"""Step 6, where a decision doesn't know what this process has sent."""

_RECOGNISED = "gateway_recognised"
"""Key in the notes on a connection: its cluster was compared."""


class OwnHistory:
    """The marks of a node against its database; for the writer's thread alone."""

    def __init__(self, marks: Marks, *, node: str) -> None:
        self.marks = marks
        self._node = node
        self.reconnections = 0
        """New connections to the database since the first one: each is a reason to ask the recipients."""
        self._whole: dict[FeedOrigin, tuple[int, bytes]] = {}  # size and edge of heads that were compared
        self._held: set[FeedOrigin] = set()  # blocked here until the recipient was asked
        self._connected = False
        self._others_wrote = False

    def compare(self, conn: Connection, now_ms: int) -> None:
        """Blocks own feeds in the database; steps 1 to 5.

        Raises:
            StoreUnavailableError: it is a standby, or the marks can't be written.
        """
        self.marks.settle(now_ms)
        heads = {head.origin: head for head in feeds.own_heads(conn)}
        if conn.dialect.name == "postgresql" and _RECOGNISED not in conn.info:
            self._recognise(conn, heads, now_ms)
        self._take_confirmations(heads.values(), now_ms)
        for origin in self._missing(heads):
            feed = feeds.ensure(conn, origin, self._node)
            heads[origin] = OwnHead(feed.id, origin, feed.size, b"", feed.state, feed.state_reason)
        for head in heads.values():
            whole = self._whole.get(head.origin) == (head.size, head.edge)  # compared before, after the newest decision
            if whole and head.given_up is not None:
                whole = head.given_up.at <= self._given_up_at(head.origin)
            if whole or head.state is FeedState.CLOSED:
                continue
            obstacle = self._obstacle(conn, head, now_ms)
            if obstacle is None:
                self._whole[head.origin] = (head.size, head.edge)
                continue
            if head.origin in self.marks.state.unasked:
                self._held.add(head.origin)
            if head.state is FeedState.ACTIVE or obstacle.state is FeedState.FORKED is not head.state:
                feeds.set_state(conn, head.id, obstacle.state, reason=obstacle.reason, since=now_ms)
                if obstacle.reason != UNCOMPARED:
                    log.critical("feed %s: %s", head.origin, obstacle.reason)

    def _recognise(self, conn: Connection, heads: Iterable[FeedOrigin], now_ms: int) -> None:
        """Compares the cluster of a new connection with that of the ones before.

        After a failover that may have lost commits, the marks show what this process lost. What other replicas had
        signed they don't: then the recipients are asked. A process that has just started doesn't know whether there
        were others: it always asks.
        """
        cluster, lossless = read_identity(conn), read_durability(conn).lossless
        before = self.marks.state.database
        if before is not None and (before.system, before.timeline) != (cluster.system, cluster.timeline):
            log.critical(
                "the database has moved from cluster %s, timeline %d, to cluster %s, timeline %d; %s",
                before.system,
                before.timeline,
                cluster.system,
                cluster.timeline,
                "a standby had confirmed each commit" if before.lossless else "acknowledged commits may be lost",
            )
            others = self._others_wrote or self.marks.releases.shared
            if not self._connected or (others and not before.lossless):
                self.distrust([origin for origin in heads if origin.channel not in KEPT], now_ms)
        self.marks.set_database(DatabaseIdentity(cluster.system, cluster.timeline, lossless), now_ms)
        conn.info[_RECOGNISED] = True
        self.reconnections += self._connected
        self._connected = True

    def _take_confirmations(self, heads: Iterable[OwnHead], now_ms: int) -> None:
        """Takes the word of another replica that has asked the recipient meanwhile."""
        for head in heads if self._held else ():
            present = present_head(head)
            if head.origin in self._held and head.state is FeedState.ACTIVE and present is not None:
                self._held.discard(head.origin)
                self.marks.confirm(head.origin, present, now_ms)

    def note_durability(self, lossless: bool, now_ms: int) -> None:
        """Notes whether a failover loses no commits from now on; thread-safe. Raises StoreUnavailableError."""
        self.marks.set_lossless(lossless, now_ms)

    def obstacle(self, conn: Connection, feed: Feed) -> Obstacle | None:
        """Steps 2 to 8 for one feed; the marks stay."""
        present, mark = SignedHead(feed.size, feed.tree.root), self.marks.of(feed.origin)
        decision = restores.find_given_up(conn, feed.id)
        if decision is not None and decision.at > self._given_up_at(feed.origin):
            obstacle = against_mark(conn, feed.id, feed.origin, present, _decided(decision))  # 6
        else:
            obstacle = None if mark is None else against_mark(conn, feed.id, feed.origin, present, mark)
            obstacle = obstacle or self._against_released(feed.origin, present)
        return obstacle or self._against_others(
            conn, feed.id, feed.origin, present, restores.largest_signed(conn, feed.id)
        )

    def sign(self, trees: Mapping[FeedOrigin, Tree], now_ms: int) -> None:
        """Makes the marks of signed heads durable, before their commit; raises StoreUnavailableError."""
        if trees:
            self.marks.sign(_signed_heads(trees), now_ms)

    def begin(self, trees: Mapping[FeedOrigin, Tree], now_ms: int) -> bool:
        """As `sign`, beside the commit; if True, `finish` must follow. Raises StoreUnavailableError before it."""
        if trees:
            self.marks.begin(_signed_heads(trees), now_ms)
        return bool(trees)

    def finish(self) -> None:
        """Waits for the marks; raises MarksBehindError: nothing of what was committed may be released yet."""
        try:
            self.marks.finish()
        except StoreUnavailableError as error:
            way_out = (
                "The place of the marks can't be written: see the node's log. "
                "Send the request again with the same request_id."
            )
            raise MarksBehindError(error.message, way_out=way_out, retry_after_s=error.retry_after_s) from error

    def commit(self, trees: Mapping[FeedOrigin, Tree]) -> None:
        """Notes that signed heads are committed."""
        self.marks.commit(_signed_heads(trees))
        self._whole.update({origin: (tree.size, tree.edge_bytes()) for origin, tree in trees.items()})

    def distrust(self, origins: Iterable[FeedOrigin], now_ms: int) -> None:
        """Blocks feeds until their recipients were asked; raises StoreUnavailableError."""
        self.marks.distrust(origins, now_ms)
        self._whole.clear()

    def confirm(self, conn: Connection, feed: Feed, now_ms: int) -> Obstacle | None:
        """Takes the recipient's word that it holds no more than this database; returns what still stands against it."""
        obstacle = self.obstacle(conn, feed)
        if obstacle is None and feed.origin in self.marks.state.unasked:
            self._held.discard(feed.origin)
            self.marks.confirm(feed.origin, SignedHead(feed.size, feed.tree.root), now_ms)
        return obstacle

    def give_up(self, conn: Connection, feed: Feed, now_ms: int) -> int:
        """Decides to go on with the head as it is, and returns the number of entries that are lost.

        Only when the recipient holds no more of the feed, and no other history of it. The decision stands in the
        database; this process's marks take it after the commit, as those of all replicas do.

        Raises:
            EpochNeededError: the recipient may hold some of them. Nothing was written.
        """
        others = restores.largest_signed(conn, feed.id)
        signed = max(self._signed_size(feed.origin), 0 if others is None else others.size)
        self._require_unreleased(feed, signed)
        decision = restores.record_given_up(
            conn,
            feed.id,
            size=feed.size,
            root=feed.tree.root,
            reached=max(signed, feed.size),
            now_ms=now_ms,
            after=self._given_up_at(feed.origin),
        )
        if decision.lost:
            log.critical("feed %s goes on at %d; %s", feed.origin, feed.size, _lost_here(decision.lost))
        return decision.lost

    def _require_unreleased(self, feed: Feed, signed: int) -> None:
        """Raises EpochNeededError where a signature on what is to be given up may have left this node.

        A local feed has no recipient whom it could deceive, and no epochs.
        """
        origin, receipt = feed.origin, self.marks.releases.receipt_of(feed.origin)
        if origin.channel in KEPT:
            return
        if receipt is not None and receipt.size > feed.size:
            raise EpochNeededError(
                f"{origin.recipient} has receipted {counted(receipt.size, 'entry')} of {origin}, this database has "
                f"{feed.size}, and {origin.recipient} gives no more back",
                metadata={"origin": origin.line},
            )
        released = self.marks.releases.size_of(origin)
        released = signed if released == UNKNOWN else released
        if released > feed.size:
            raise EpochNeededError(
                f"this node has signed {counted(released, 'entry')} of {origin} and may have sent them; this database "
                f"has {feed.size}, and {origin.recipient} gives no more back",
                metadata={"origin": origin.line},
            )

    def _against_released(self, origin: FeedOrigin, present: SignedHead) -> Obstacle | None:
        """Step 8 for what this process has sent; a local feed has no recipient."""
        noted = 0 if origin.channel in KEPT else self.marks.releases.noted(origin)
        if noted <= present.size:
            return None
        return lacking(noted, present)

    def _against_others(
        self, conn: Connection, feed_id: int, origin: FeedOrigin, present: SignedHead, signed: HeadSigned | None
    ) -> Obstacle | None:
        """Steps 7 and 8 for what recipients and other replicas know."""
        if signed is not None and signed.size > present.size:
            return lacking(signed.size, present)
        return self._against_receipt(conn, feed_id, origin, present)

    def _against_receipt(
        self, conn: Connection, feed_id: int, origin: FeedOrigin, present: SignedHead
    ) -> Obstacle | None:
        """Step 7."""
        receipt, marked = self.marks.releases.receipt_of(origin), self._signed_size(origin)
        if receipt is None:
            return None
        if receipt.size > present.size:
            receipted = counted(receipt.size, "entry")
            return Obstacle(
                FeedState.BEHIND, f"{origin.recipient} has receipted {receipted}, and the database has {present.size}"
            )
        if receipt.size <= marked or root_at(conn, feed_id, receipt.size) == receipt.root:  # compared with the mark
            return None
        if is_damaged(conn, origin):
            return None
        return Obstacle(
            FeedState.FORKED, f"the database has other entries than those that {origin.recipient} has receipted"
        )

    def _take_decision(self, conn: Connection, head: OwnHead, decision: GivenUpHead, now_ms: int) -> None:
        """Step 6; counts what this process had signed, and the decision didn't know."""
        signed = self._signed_size(head.origin)
        if signed > decision.reached:
            more = signed - decision.reached
            restores.note_reached(conn, head.id, decision, signed)
            log.critical("feed %s went on at %d; %s besides", head.origin, decision.size, _lost_here(more))
        self.marks.releases.lower(head.origin, decision.size)
        self.marks.give_up(head.origin, SignedHead(decision.size, decision.root), decision.at, now_ms)

    def _signed_size(self, origin: FeedOrigin) -> int:
        mark = self.marks.of(origin)
        return 0 if mark is None else mark.committed.size

    def _given_up_at(self, origin: FeedOrigin) -> int:
        mark = self.marks.of(origin)
        return 0 if mark is None else mark.given_up_at

    def _missing(self, heads: Mapping[FeedOrigin, OwnHead]) -> list[FeedOrigin]:
        """Feeds that the marks know and the database doesn't."""
        state = self.marks.state
        signed = [origin for origin, mark in state.feeds.items() if origin not in heads and mark.committed.size]
        return sorted({*signed, *(state.unasked - heads.keys())})

    def _obstacle(self, conn: Connection, head: OwnHead, now_ms: int) -> Obstacle | None:
        differs = self._differs(conn, head, now_ms)
        if differs is None and head.origin in self.marks.state.unasked:  # 1
            return Obstacle(FeedState.BEHIND, UNCOMPARED)
        return differs

    def _differs(self, conn: Connection, head: OwnHead, now_ms: int) -> Obstacle | None:
        """Steps 2 to 8; the marks follow what is whole."""
        present, mark, decision = present_head(head), self.marks.of(head.origin), head.given_up
        if present is None:
            return None
        obstacle = None if mark is None else against_mark(conn, head.id, head.origin, present, mark)
        obstacle = obstacle or self._against_released(head.origin, present)
        if decision is not None and decision.at > self._given_up_at(head.origin):  # 6
            if obstacle is None:
                self.marks.follow(head.origin, decision.at)
            elif head.origin.channel not in KEPT and self.marks.releases.noted(head.origin) > decision.size:
                return Obstacle(FeedState.FORKED, _SENT_BEYOND.format(decision.size))
            else:
                self._take_decision(conn, head, decision, now_ms)
                obstacle = against_mark(conn, head.id, head.origin, present, _decided(decision))
        mark = self.marks.of(head.origin)
        if obstacle is not None and mark is not None and mark.committed.size > present.size:
            restores.note_signed(conn, head.id, HeadSigned(mark.committed.size, mark.committed.root))
        obstacle = obstacle or self._against_others(conn, head.id, head.origin, present, head.signed)
        if obstacle is None and present.size and (mark is None or present != mark.committed):
            self._others_wrote = self._others_wrote or mark is None or present != mark.signed
            self.marks.commit({head.origin: present})
        return obstacle


def _decided(decision: GivenUpHead) -> FeedMark:
    head = SignedHead(decision.size, decision.root)
    return FeedMark(head, head, decision.at)


def _lost_here(count: int) -> str:
    return f"{counted(count, 'entry')} signed here {'is' if count == 1 else 'are'} lost"


def _signed_heads(trees: Mapping[FeedOrigin, Tree]) -> dict[FeedOrigin, SignedHead]:
    """Heads of trees."""
    return {origin: SignedHead(tree.size, tree.root) for origin, tree in trees.items()}
