"""What a process knows of an SQLite database from its own last transaction, so that it needn't read it again.

One process writes, and mostly nobody else: what it has just written is what it would read. It remembers until
anything shows that somebody else may have written:

1. `data_version` changes with each commit of another connection or process.
2. `total_changes` counts the rows that this connection has changed: outside of `Database.write`, and also in what was
   rolled back.
3. A transaction or savepoint that fails ends it.

On PostgreSQL other replicas write, and nothing is remembered.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from gateway.db.statements import run

_ACTIVE: Final = "gateway_remembered"
"""Key in the notes on a connection, during a transaction that writes."""

_KEPT: Final = "gateway_remembered_until"
"""The same between transactions, with what shows that nothing has been written since."""

Remembered = dict[str, Any]
"""By what is remembered; whoever writes to a table keeps its part."""


def remembered(conn: Connection) -> Remembered | None:
    """What is known in this transaction, to be read and added to; None where all must be read."""
    known: Remembered | None = conn.info.get(_ACTIVE)
    return known


def recall(conn: Connection, what: str) -> Any:
    """What is known by this name; None where it must be read."""
    known = remembered(conn)
    return None if known is None else known.get(what)


def keep(conn: Connection, what: str, value: object) -> None:
    """Remembers what was just read or written, where anything is remembered."""
    known = remembered(conn)
    if known is not None:
        known[what] = value


def begin(conn: Connection) -> None:
    """For the beginning of a transaction that writes, on SQLite."""
    version = run(conn, "PRAGMA data_version", ()).scalar_one()
    info, driver = conn.info, conn.connection.dbapi_connection
    before, known = info.pop(_KEPT, (None, None))
    unchanged = before == (version, getattr(driver, "total_changes", None))
    info[_ACTIVE] = known if unchanged else {}
    info[_KEPT] = version, info[_ACTIVE]


def committed(conn: Connection) -> None:
    """Keeps for the next transaction what is known, after the commit."""
    info, driver = conn.info, conn.connection.dbapi_connection
    version, known = info[_KEPT]
    del info[_ACTIVE]
    info[_KEPT] = (version, getattr(driver, "total_changes", None)), known


def forget(conn: Connection) -> None:
    """Ends what is known: a transaction has failed."""
    conn.info.pop(_ACTIVE, None)
    conn.info.pop(_KEPT, None)
