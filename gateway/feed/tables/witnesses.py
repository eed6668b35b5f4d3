"""What this node has cosigned as a witness, contradictions that it was shown, and cosignatures on own feeds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    LargeBinary,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from gateway.db.schema import integrity_index, metadata
from gateway.db.statements import Prepared

witnessed_logs = Table(
    "witnessed_logs",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),  # the largest cosigned checkpoint, as its log signed it
    integrity_index("witnessed_logs", "origin", "size", "note"),
    sqlite_with_rowid=False,
)

witness_conflicts = Table(
    "witness_conflicts",
    metadata,
    Column("origin", String(255), primary_key=True),  # the first one: more of them prove nothing more
    Column("held", LargeBinary, nullable=False),  # the checkpoint that was cosigned
    Column("shown", LargeBinary, nullable=False),  # add-checkpoint's body, whose checkpoint the log has signed
    Column("seen_at", BigInteger, nullable=False),  # milliseconds since 1970
    integrity_index("witness_conflicts", "origin", "held", "shown", "seen_at"),
    sqlite_with_rowid=False,
)

witness_cosignatures = Table(
    "witness_cosignatures",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),  # of the checkpoint
    Column("witness", String(255), primary_key=True),  # key name
    Column("cosigned_at", BigInteger, nullable=False),  # milliseconds since 1970, by the witness's clock
    Column("lines", LargeBinary, nullable=False),
    integrity_index("witness_cosignatures", "feed_id", "size", "witness", "cosigned_at", "lines"),
    sqlite_with_rowid=False,
)

_ORIGIN = witnessed_logs.c.origin == bindparam("of_log")
_HELD = Prepared(select(witnessed_logs.c.size, witnessed_logs.c.note).where(_ORIGIN))
_ADD_HELD = Prepared(insert(witnessed_logs))
_MOVE_HELD = Prepared(
    update(witnessed_logs).where(_ORIGIN).values(size=bindparam("new_size"), note=bindparam("new_note"))
)
_CONFLICTS = Prepared(
    select(witness_conflicts.c.origin, witness_conflicts.c.held, witness_conflicts.c.shown).order_by(
        witness_conflicts.c.origin
    )
)
_ADD_CONFLICT = Prepared(insert(witness_conflicts))
_OF_FEED = witness_cosignatures.c.feed_id == bindparam("feed")
_ADD_COSIGNATURE = Prepared(insert(witness_cosignatures))
_COSIGNATURES_AT = Prepared(
    select(witness_cosignatures.c.witness, witness_cosignatures.c.lines)
    .where(_OF_FEED, witness_cosignatures.c.size == bindparam("at_size"))
    .order_by(witness_cosignatures.c.witness)
)
_SIZES_OVER = Prepared(
    select(witness_cosignatures.c.size)
    .where(_OF_FEED, witness_cosignatures.c.size >= bindparam("least"))
    .distinct()
    .order_by(witness_cosignatures.c.size)
    .limit(bindparam("most"))
)
_NEWEST = Prepared(
    select(witness_cosignatures.c.size, witness_cosignatures.c.cosigned_at)
    .where(_OF_FEED, witness_cosignatures.c.witness == bindparam("by_witness"))
    .order_by(witness_cosignatures.c.size.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """The largest checkpoint of a log that this node has cosigned, with the log's signature."""

    size: int
    note: bytes


@dataclass(frozen=True, slots=True)
class WitnessConflict:
    """Two checkpoints of a log that aren't shown to be one history; `shown` is add-checkpoint's body."""

    origin: str
    held: bytes
    shown: bytes


@dataclass(frozen=True, slots=True)
class StoredCosignature:
    """A witness's lines on an own feed's checkpoint; `cosigned_at`: milliseconds since 1970, the witness's."""

    feed_id: int
    size: int
    witness: str
    cosigned_at: int
    lines: bytes


def held(conn: Connection, origin: str) -> WitnessedLog | None:
    """What was cosigned last of a log; None for nothing."""
    row = _HELD(conn, of_log=origin).one_or_none()
    return None if row is None else WitnessedLog(row[0], bytes(row[1]))


def move(conn: Connection, origin: str, log: WitnessedLog) -> None:
    """Writes what is cosigned now, in the transaction that has read `held`."""
    if held(conn, origin) is None:
        _ADD_HELD(conn, origin=origin, size=log.size, note=log.note)
    else:
        _MOVE_HELD(conn, of_log=origin, new_size=log.size, new_note=log.note)


def conflicts(conn: Connection) -> list[WitnessConflict]:
    """All contradictions, one for each log."""
    return [WitnessConflict(row[0], bytes(row[1]), bytes(row[2])) for row in _CONFLICTS(conn)]


def add_conflict(conn: Connection, conflict: WitnessConflict, seen_at: int) -> None:
    """Keeps the first contradiction of a log."""
    if all(known.origin != conflict.origin for known in conflicts(conn)):
        _ADD_CONFLICT(conn, origin=conflict.origin, held=conflict.held, shown=conflict.shown, seen_at=seen_at)


def add_cosignature(conn: Connection, cosignature: StoredCosignature) -> None:
    """Writes a cosignature unless the checkpoint has one of this witness."""
    if all(witness != cosignature.witness for witness, _ in _at(conn, cosignature.feed_id, cosignature.size)):
        _ADD_COSIGNATURE(
            conn,
            feed_id=cosignature.feed_id,
            size=cosignature.size,
            witness=cosignature.witness,
            cosigned_at=cosignature.cosigned_at,
            lines=cosignature.lines,
        )


def lines_at(conn: Connection, feed_id: int, size: int) -> bytes:
    """All witnesses' lines on a checkpoint."""
    return b"".join(lines for _, lines in _at(conn, feed_id, size))


def sizes_over(conn: Connection, feed_id: int, least: int, most: int) -> list[int]:
    """Sizes of cosigned checkpoints from a size on, the smallest first."""
    return [row[0] for row in _SIZES_OVER(conn, feed=feed_id, least=least, most=most)]


def newest(conn: Connection, feed_id: int, witness: str) -> tuple[int, int]:
    """Up to which size a witness has cosigned a feed, and when; both 0 for never."""
    row = _NEWEST(conn, feed=feed_id, by_witness=witness).one_or_none()
    return (0, 0) if row is None else (row[0], row[1])


def _at(conn: Connection, feed_id: int, size: int) -> list[tuple[str, bytes]]:
    return [(row[0], bytes(row[1])) for row in _COSIGNATURES_AT(conn, feed=feed_id, at_size=size)]
