"""Lets PostgreSQL work on a transaction's statements while the next ones are made, and waits for results that are read.

A node and its server take turns otherwise: each statement costs two changes of process, and the interpreter besides. A
statement whose result nobody reads fails at the next one that is read, at the latest before COMMIT: a transaction in
which any statement has failed is never committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from psycopg import Error as DriverError
from psycopg import InternalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait
from sqlalchemy import Connection, Engine, event

from gateway.db.statements import PIPELINE, driver_errors, driver_of, run

_COMMITTED: Final = "COMMIT"
"""What the server answers to COMMIT; ROLLBACK in a transaction in which a statement has failed."""


class StatementPipeline:
    """Statements of one connection that were sent and whose results may not have come. Not thread-safe."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._waiting = False
        self._open()

    def sent(self) -> None:
        """Notes that a statement was sent."""
        self._waiting = True

    def settle(self, cursor: Any = None) -> None:
        """Waits for the results of all statements sent, unless that of the cursor has come.

        Raises:
            psycopg.Error: of the first statement that has failed.
        """
        if cursor is not None and cursor.pgresult is not None:
            return
        if self._waiting:
            self._waiting = False
            self._hand_over()
            self._pipeline.sync()
        if cursor is not None and cursor.pgresult is None:
            raise InternalError("this statement wasn't executed, since one before it had failed")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For what can't be sent ahead, such as COPY; raises as `settle`."""
        try:
            self.close()
            yield
        finally:
            if not self._driver.closed:
                self._open()

    def close(self) -> None:
        """Ends it; raises as `settle`."""
        self._waiting = False
        try:
            self._hand_over()
        finally:
            self._context.__exit__(None, None, None)

    def commit(self) -> None:
        """Commits and ends it; raises as `settle`, and then nothing was committed, or nobody knows."""
        ended = self._driver.cursor()
        ended.execute("COMMIT")
        self.close()
        if ended.statusmessage != _COMMITTED:
            raise InternalError("a transaction in which a statement has failed can't be committed; it was rolled back")

    def _hand_over(self) -> None:
        """Sends what the driver still holds: else it waits for results, and the server for the rest of a statement."""
        self._driver.wait(_flushed(self._driver.pgconn))

    def _open(self) -> None:
        self._context = self._driver.pipeline()
        self._pipeline = self._context.__enter__()


def _flushed(driver: PGconn) -> PQGen[None]:
    """Ends when everything is sent; takes results meanwhile, or the server could wait for that."""
    while driver.flush():
        if (yield Wait.RW) & Ready.R:
            driver.consume_input()


@contextmanager
def sent_ahead(conn: Connection) -> Iterator[None]:
    """A transaction on PostgreSQL, which is begun along with its first statement and committed along with its last.

    It is rolled back if the block raises.

    Raises:
        DBAPIError: a statement or the commit has failed.
    """
    with _own_transactions(conn), conn.begin():
        driver = driver_of(conn)
        pipeline = conn.info[PIPELINE] = StatementPipeline(driver)
        try:
            run(conn, "BEGIN", ())
            yield
            with driver_errors(conn, "COMMIT"):
                pipeline.commit()
        except BaseException:
            with suppress(DriverError):  # the block's error counts
                pipeline.close()
            raise
        finally:
            conn.info.pop(PIPELINE, None)


@contextmanager
def _own_transactions(conn: Connection) -> Iterator[None]:
    """Keeps the driver from beginning transactions, which costs it a wait of its own, until the block's has ended."""
    driver = driver_of(conn)
    driver.autocommit = True
    try:
        yield
    finally:
        if driver.closed or driver.info.transaction_status is not TransactionStatus.IDLE:
            conn.invalidate()
        else:
            driver.autocommit = False


def read_results_at_once(engine: Engine) -> None:
    """Makes Core's statements wait for their results, as Core expects; raises as `StatementPipeline.settle`."""
    event.listen(engine, "before_cursor_execute", lambda conn, *_: _sent(conn))
    event.listen(engine, "after_cursor_execute", lambda conn, *_: _settle(conn))


def _sent(conn: Connection) -> None:
    if (pipeline := conn.info.get(PIPELINE)) is not None:
        pipeline.sent()


def _settle(conn: Connection) -> None:
    if (pipeline := conn.info.get(PIPELINE)) is not None:
        pipeline.settle()


def settle(conn: Connection) -> None:
    """Waits for the results of all statements sent ahead, if any.

    Raises:
        DBAPIError: one has failed; the transaction, or the savepoint, must be rolled back.
    """
    if (pipeline := conn.info.get(PIPELINE)) is not None:
        with driver_errors(conn, "statements sent ahead"):
            pipeline.settle()
