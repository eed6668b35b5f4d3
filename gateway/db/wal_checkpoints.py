"""Copies SQLite's write-ahead log into the database beside the commits, not within them.

SQLite would do it within every commit that ends a thousand pages: with a million list entries on a busy disk such a
commit took up to a second, and every caller of its group waited.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayError

log = logging.getLogger(__name__)

EVERY_S = 2.0
"""Seconds between two copies while there are commits: pages that change often are copied once."""

MOST_FRAMES = 16_384
"""Pages in the log, 64 MB, beyond which the next commit copies the rest itself.

The log begins anew only after a moment in which all of it is copied, and beside continuous commits none may come.
"""

_COPY = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for nobody, and nobody waits for it


class WalCheckpoints:
    """Checkpoints of one database; thread-safe. A crash at any point loses nothing: the log is replayed."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        """
        Args:
            connect: opens a DB-API connection, or takes one of a pool.
        """
        self._connect = connect
        self._due = threading.Event()
        self._closed = threading.Event()
        self._long = False
        self._changes = (0, 0)  # of the last connection: which, and rows that it has changed
        self._thread: threading.Thread | None = None

    def committed(self, connection: Any) -> None:
        """Has the log copied soon if rows were written, and copies it now where it has become long.

        Args:
            connection: of the writer, without a transaction.
        """
        changes = (id(connection), connection.total_changes)
        if self._closed.is_set() or changes == self._changes:
            return
        self._changes = changes
        self._due.set()
        if self._thread is None and not self._started():
            self._long = True
        if self._long:
            self._copy(connection)

    def close(self) -> None:
        """Ends the thread. SQLite copies what is left when the last connection is closed."""
        self._closed.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _started(self) -> bool:
        thread = threading.Thread(target=self._keep_up, name="checkpoints", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads; the commit stands all the same
            log.warning("the write-ahead log is copied within commits: %s", error)
            return False
        self._thread = thread
        return True

    def _keep_up(self) -> None:
        while True:
            self._due.wait()
            if self._closed.wait(EVERY_S):
                return
            self._due.clear()
            if self._closed.is_set():  # perhaps what was cleared
                return
            try:
                with closing(self._connect()) as connection:
                    self._copy(connection)
            except (GatewayError, sqlite3.Error, SQLAlchemyError) as error:  # also a pool without a free connection
                log.debug("the write-ahead log waits: %s", error)
                self._due.set()

    def _copy(self, connection: Any) -> None:
        try:
            busy, frames, _copied = connection.execute(_COPY).fetchone()
        except sqlite3.Error as error:  # a full disk, or a file that is gone: commits tell of it
            log.debug("the write-ahead log isn't copied: %s", error)
            return
        if not busy:
            self._long = frames > MOST_FRAMES
