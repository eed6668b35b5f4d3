"""Opens the writer's transactions: own feeds are compared with their marks before it, and marked with its commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.errors import MarksBehindError
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.writing.transaction import Transaction


@contextmanager
def marked_transaction(
    database: Database, history: OwnHistory | None, begun: Callable[[Connection], Transaction]
) -> Iterator[Transaction]:
    """A transaction, which is durable with its marks after the block.

    On SQLite both are synced at once, since this process alone reads the database, and releases nothing before both are
    durable (feed.service.continuity.marks). On PostgreSQL other replicas read what is committed: the mark goes first.

    Raises:
        StoreUnavailableError: nothing was written.
        MarksBehindError: it is committed, and its marks aren't durable.
    """
    if history is None:
        with database.write(ahead=True) as conn:
            yield begun(conn)
        return
    marking = False
    try:
        with database.write(ahead=True) as conn:
            tx = begun(conn)
            history.compare(conn, tx.now_ms)
            yield tx
            if conn.dialect.name == "sqlite":
                marking = history.begin(tx.trees, tx.now_ms)
            else:
                history.sign(tx.trees, tx.now_ms)
    except BaseException:
        if marking:
            with suppress(MarksBehindError):  # that one says that the group is committed
                history.finish()
        raise
    # A crash before this leaves a head that was signed and not committed, or committed and not marked; neither was
    # released.
    if marking:
        history.finish()
    history.commit(tx.trees)
