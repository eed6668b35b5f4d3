"""Advisory locks of PostgreSQL, by which the replicas of a node take turns and share out their work.

SQLite has one writer and one process, and needs none of them.
"""

from __future__ import annotations

import zlib
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.db.statements import Prepared

TURN: Final = 0x7475726E
"""Key of the lock under which one replica after the other writes (`turn` in ASCII)."""

ROLE_CLASS: Final = 0x726F6C65
"""First key of the locks of roles (`role` in ASCII); the second one is made of the role's name."""

_TAKE_TURN = Prepared(select(func.pg_advisory_xact_lock(TURN)))


def take_turn(conn: Connection) -> None:
    """Waits until no other replica writes; the turn ends with the transaction.

    All writes need the next position of the local log, so they can't go side by side. Without turns all replicas but
    one would do their work in vain and repeat it. That no head moves twice isn't this lock's work but that of the
    compare-and-swap on its row.
    """
    if conn.dialect.name == "postgresql":
        _TAKE_TURN(conn)


def role_key(role: str) -> int:
    """Second key of a role's lock, as `pg_try_advisory_lock` takes it: a signed number of 32 bits."""
    unsigned = zlib.crc32(role.encode())
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned
