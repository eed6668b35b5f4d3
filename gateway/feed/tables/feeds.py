"""Statements on feeds and their entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.contract.ids import FeedOrigin
from gateway.db.statements import Prepared, Row
from gateway.errors import FeedDamagedError, GatewayError, MalformedError
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.restores import GivenUpHead, HeadSigned, given_up_head
from gateway.feed.tables.schema import entries, feeds, given_up_heads, signed_heads
from gateway.plurals import counted
from gateway.tlog.checkpoint import unverified_checkpoint
from gateway.tlog.merkle import Tree

_FEED_COLUMNS = tuple(feeds.c.keys())

_MOST_SOUND = 4_096
"""Most heads remembered as sound, some MB."""

_THIS = feeds.c.id == bindparam("feed")
_BY_ORIGIN = Prepared(select(feeds).where(feeds.c.origin == bindparam("origin")))
_BY_ID = Prepared(select(feeds).where(_THIS))
_SIZE = Prepared(select(feeds.c.size).where(feeds.c.origin == bindparam("origin")))
_JOURNALED_SIZE = Prepared(select(feeds.c.journaled_size).where(feeds.c.origin == bindparam("origin")))
_SET_DISPOSED = Prepared(
    update(feeds).where(_THIS).values(disposed_size=bindparam("disposed"), applied_size=bindparam("applied"))
)
_SET_APPLIED = Prepared(update(feeds).where(_THIS).values(applied_size=bindparam("applied")))
_UNANSWERED = Prepared(
    select(feeds)
    .where(feeds.c.direction == "in", feeds.c.applied_size > feeds.c.disposed_size)
    .order_by(feeds.c.origin)
)
_APPLY_AGAIN = Prepared(
    update(feeds).where(feeds.c.applied_size > feeds.c.disposed_size).values(applied_size=feeds.c.disposed_size)
)
_OWN_SIZES = Prepared(select(feeds.c.origin, feeds.c.size).where(feeds.c.direction == "out"))
_TOTAL_SIZE = Prepared(select(func.coalesce(func.sum(feeds.c.size), 0)))
_ALL = Prepared(select(feeds).order_by(feeds.c.direction.desc(), feeds.c.origin))
_OWN_HEADS = Prepared(
    select(
        *(feeds.c.id, feeds.c.origin, feeds.c.size, feeds.c.edge, feeds.c.state, feeds.c.state_reason),
        *(signed_heads.c.size, signed_heads.c.root),
        *(given_up_heads.c[name] for name in ("given_up_at", "size", "root", "reached")),
    )
    .select_from(
        feeds.outerjoin(given_up_heads, given_up_heads.c.feed_id == feeds.c.id).outerjoin(
            signed_heads, signed_heads.c.feed_id == feeds.c.id
        )
    )
    .where(feeds.c.direction == "out")
)
_RECEIPTED = Prepared(
    select(feeds.c.id, feeds.c.origin, feeds.c.receipted_size).where(
        feeds.c.direction == "out", feeds.c.receipted_size > 0
    )
)
_SET_STATE = Prepared(
    update(feeds)
    .where(_THIS)
    .values(
        state=bindparam("new_state"),
        state_reason=bindparam("reason"),
        state_since=bindparam("since"),
        evidence_path=bindparam("evidence"),
    )
)
_SET_SUSPENSION = Prepared(
    update(feeds).where(_THIS).values(suspended_since=bindparam("since"), suspension=bindparam("reason"))
)
_MOVE_RECEIPTED = Prepared(
    update(feeds)
    .where(_THIS, feeds.c.receipted_size < bindparam("receipted"))
    .values(receipted_size=bindparam("receipted"))
)
_SET_ACCEPTED = Prepared(update(feeds).where(_THIS).values(accepted_at=bindparam("at")))
_SUSPENDED_SINCE = Prepared(select(feeds.c.suspended_since).where(_THIS))


def _of_entries(*columns: ColumnElement[Any]) -> Prepared:
    """Columns of a feed's entries with first ≤ index < end."""
    index = entries.c.idx
    within = (entries.c.feed_id == bindparam("feed"), index >= bindparam("first"), index < bindparam("end"))
    return Prepared(select(*columns).where(*within).order_by(index))


_HEADERS = _of_entries(entries.c.header)
_ENTRY_SIZES = _of_entries(func.length(entries.c.header) + func.length(entries.c.salt) + func.length(entries.c.payload))
_ENTRIES = _of_entries(entries.c.idx, entries.c.header, entries.c.salt, entries.c.payload)


class FeedState(StrEnum):
    """State of a feed, apart from an operator's suspension."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    BEHIND = "behind"
    FORKED = "forked"
    CLOSED = "closed"
    """It goes on in a later epoch, or one of its nodes is no member any more."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as stored.

    Attributes:
        journaled_size: entries in the local log; the others wait for entries of the reverse feed.
        awaited_size: journaled size that the next pending entry of the reverse feed needs; 0 for none.
        receipted_size: `out` only: receipted entries.
        accepted_at: `out` only: when the recipient first agreed on a position, in milliseconds since 1970; 0 for never.
        disposed_size: `in` only: answered entries.
        applied_size: `in` only: those from `disposed_size` to here were applied, and are answered together soon.
        suspended_since: milliseconds since 1970; 0 for not suspended.
    """

    id: int
    origin: FeedOrigin
    direction: str
    partner: str
    tree: Tree
    journaled_size: int
    awaited_size: int
    checkpoint: bytes
    receipted_size: int
    accepted_at: int
    disposed_size: int
    state: FeedState
    state_reason: str
    state_since: int
    evidence_path: str
    suspended_since: int
    suspension: str
    applied_size: int

    @property
    def size(self) -> int:
        return self.tree.size

    @property
    def waiting(self) -> int:
        """Number of pending entries."""
        return self.tree.size - self.journaled_size

    @property
    def suspended(self) -> bool:
        return self.suspended_since > 0

    @property
    def extensible(self) -> bool:
        """Whether an own feed may grow: sound, no partner has another or longer history, no entry is pending."""
        return (
            self.state not in (FeedState.BEHIND, FeedState.FORKED, FeedState.CLOSED)
            and not self.waiting
            and not self.damage
        )

    @property
    def damage(self) -> str:
        """Why the head can't be what was signed; empty if the edge leads to the newest checkpoint's root."""
        if not self.size and not self.checkpoint:
            return ""
        if _SOUND.get(self.origin) == (self.tree, self.checkpoint):
            return ""
        try:
            signed = unverified_checkpoint(self.checkpoint)
        except GatewayError as error:
            return f"its newest checkpoint isn't one: {error.message}"
        if (signed.origin, signed.size) != (self.origin.line, self.size):
            of = counted(signed.size, "entry")
            return f"its size is {self.size}, its newest checkpoint is of {of} of {signed.origin}"
        if signed.root != self.tree.root:
            return f"its edge of {counted(self.size, 'entry')} doesn't lead to the root in its newest checkpoint"
        note_sound(self)
        return ""

    def require_sound(self) -> None:
        """Raises FeedDamagedError: whatever is grown from this head would have a wrong root."""
        if damage := self.damage:
            raise FeedDamagedError(f"feed {self.origin}: {damage}", metadata={"origin": self.origin.line})


_SOUND: dict[FeedOrigin, tuple[Tree, bytes]] = {}
"""Tree and checkpoint that were last found to fit each other: these values do, wherever they come from."""


def note_sound(feed: Feed) -> None:
    """Notes that a head's checkpoint has just been made, or verified, with its very tree."""
    if feed.origin not in _SOUND and len(_SOUND) >= _MOST_SOUND:
        _SOUND.clear()
    _SOUND[feed.origin] = feed.tree, feed.checkpoint


@dataclass(frozen=True, slots=True)
class OwnHead:
    """Head and state of an own feed, what replicas had signed of it, and where it last went on without lost entries."""

    id: int
    origin: FeedOrigin
    size: int
    edge: bytes
    state: FeedState
    state_reason: str
    signed: HeadSigned | None = None
    given_up: GivenUpHead | None = None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry and its index."""

    index: int
    header: bytes
    salt: bytes
    payload: bytes


def ensure(conn: Connection, origin: FeedOrigin, own_node: str) -> Feed:
    """The feed, created if necessary; raises HeadMovedError as `append`."""
    feed = find(conn, origin)
    if feed is not None:
        return feed
    outgoing = origin.publisher == own_node
    try:
        conn.execute(
            insert(feeds).values(
                origin=origin.line,
                direction="out" if outgoing else "in",
                partner=origin.recipient if outgoing else origin.publisher,
                channel=origin.channel.value,
                edge=b"",
                checkpoint=b"",
            )
        )
    except IntegrityError as error:
        raise HeadMovedError(f"another writer has just made feed {origin}") from error
    return get(conn, origin)


def find(conn: Connection, origin: FeedOrigin) -> Feed | None:
    """The feed, or None."""
    row = _BY_ORIGIN(conn, origin=origin.line).one_or_none()
    return None if row is None else _feed(row)


def get(conn: Connection, origin: FeedOrigin) -> Feed:
    """The existing feed."""
    return _feed(_BY_ORIGIN(conn, origin=origin.line).one())


def size_of(conn: Connection, origin: FeedOrigin) -> int:
    """Number of entries; 0 without the feed."""
    return _SIZE(conn, origin=origin.line).scalar_one_or_none() or 0


def journaled_size_of(conn: Connection, origin: FeedOrigin) -> int:
    """Number of entries in the local log; 0 without the feed."""
    return _JOURNALED_SIZE(conn, origin=origin.line).scalar_one_or_none() or 0


def total_size(conn: Connection) -> int:
    """Entries in all feeds; never shrinks."""
    return int(_TOTAL_SIZE(conn).scalar_one())


def get_by_id(conn: Connection, feed_id: int) -> Feed:
    """The existing feed with this id."""
    return _feed(_BY_ID(conn, feed=feed_id).one())


def list_all(conn: Connection) -> list[Feed]:
    """All feeds, outgoing first, by name."""
    return [_feed(row) for row in _ALL(conn)]


def damaged(conn: Connection) -> dict[str, str]:
    """Why a feed's head isn't what was signed, by the feed's name; empty when all are sound."""
    problems = {}
    for row in _ALL(conn):
        try:
            damage = _feed(row).damage
        except GatewayError as error:
            damage = error.message
        if damage:
            problems[str(row[_FEED_COLUMNS.index("origin")])] = damage
    return problems


def own_sizes(conn: Connection) -> dict[FeedOrigin, int]:
    """Number of entries in each own feed."""
    return {FeedOrigin.parse(line): size for line, size in _OWN_SIZES(conn)}


def own_heads(conn: Connection) -> list[OwnHead]:
    """Heads of all own feeds, local ones too, but for damaged rows: `damaged` names those."""
    return [head for row in _OWN_HEADS(conn) if (head := _own_head(row)) is not None]


def receipted(conn: Connection) -> list[tuple[int, FeedOrigin, int]]:
    """Row, name and receipted entries of each own feed that has a receipt."""
    return [(feed_id, _parsed(origin), size) for feed_id, origin, size in _RECEIPTED(conn)]


def read_entries(conn: Connection, feed_id: int, first: int, end: int) -> list[StoredEntry]:
    """Entries with first ≤ index < end."""
    return [StoredEntry(*row) for row in _ENTRIES(conn, feed=feed_id, first=first, end=end)]


def entry_sizes(conn: Connection, feed_id: int, first: int, end: int) -> list[int]:
    """Bytes of the entries with first ≤ index < end, without reading these."""
    return [int(row[0]) for row in _ENTRY_SIZES(conn, feed=feed_id, first=first, end=end)]


def read_headers(conn: Connection, feed_id: int, first: int, end: int) -> list[bytes]:
    """Headers with first ≤ index < end."""
    return [bytes(row[0]) for row in _HEADERS(conn, feed=feed_id, first=first, end=end)]


def set_disposed_size(conn: Connection, feed_id: int, size: int) -> None:
    """Sets the answered size, so that a rebuild answers nothing twice; nothing is left to be answered."""
    _SET_DISPOSED(conn, feed=feed_id, disposed=size, applied=size)


def set_applied_size(conn: Connection, feed_id: int, size: int) -> None:
    """Notes that entries were applied and aren't answered yet."""
    _SET_APPLIED(conn, feed=feed_id, applied=size)


def unanswered(conn: Connection) -> list[Feed]:
    """Feeds with applied entries that aren't answered, by name."""
    return [_feed(row) for row in _UNANSWERED(conn)]


def forget_applied(conn: Connection) -> None:
    """Notes for a rebuild that unanswered entries will be applied again."""
    _APPLY_AGAIN(conn)


def set_state(
    conn: Connection, feed_id: int, state: FeedState, *, reason: str, since: int, evidence_path: str = ""
) -> None:
    """Sets the state; an operator's suspension stays."""
    _SET_STATE(conn, feed=feed_id, new_state=state.value, reason=reason, since=since, evidence=evidence_path)


def set_accepted(conn: Connection, feed_id: int, at: int) -> None:
    """Notes that the recipient has agreed on a position."""
    _SET_ACCEPTED(conn, feed=feed_id, at=at)


def move_receipted(conn: Connection, feed_id: int, size: int) -> None:
    """Raises the number of receipted entries."""
    _MOVE_RECEIPTED(conn, feed=feed_id, receipted=size)


def is_suspended(conn: Connection, feed_id: int) -> bool:
    """Whether an operator has suspended it."""
    ((since,),) = _SUSPENDED_SINCE(conn, feed=feed_id)
    return bool(since)


def set_suspension(conn: Connection, feed_id: int, reason: str, *, since: int) -> None:
    """Suspends a feed, or resumes it with `since` 0; the state stays."""
    _SET_SUSPENSION(conn, feed=feed_id, since=since, reason=reason)


@lru_cache(_MOST_SOUND)  # each transaction reads all own feeds, of which few have changed
def _own_head(row: Row) -> OwnHead | None:
    """A row of `own_heads`; None for a damaged one."""
    feed_id, origin, size, edge, state, reason, known, root, *decision = row
    try:
        signed = None if known is None else HeadSigned(known, bytes(root))
        given_up = None if decision[0] is None else given_up_head(decision)
        return OwnHead(feed_id, _parsed(origin), size, bytes(edge), FeedState(state), reason, signed, given_up)
    except (MalformedError, TypeError, ValueError):
        return None


@cache
def _parsed(line: str) -> FeedOrigin:
    return FeedOrigin.parse(line)


def _feed(row: Iterable[Any]) -> Feed:
    values = dict(zip(_FEED_COLUMNS, row, strict=True))
    try:
        origin = _parsed(values["origin"])
        tree, state = Tree.from_bytes(values["size"], bytes(values["edge"])), FeedState(values["state"])
    except (MalformedError, TypeError, ValueError) as error:
        raise FeedDamagedError(f"feed {values['origin']!r}: its row in the table feeds is damaged: {error}") from error
    del values["size"], values["edge"], values["channel"]
    values |= {"origin": origin, "tree": tree, "checkpoint": bytes(values["checkpoint"]), "state": state}
    return Feed(**values)
