"""The files of an embedded database while they are open: watched, and its write-ahead log copied beside the commits.

A process that holds a removed file open reads and writes on, and all of it is lost when the process ends. So is what a
removed write-ahead log (`-wal`) holds, once another process opens the database; without the shared memory (`-shm`) two
processes don't see each other's locks.

SQLite would copy the log within every commit that ends a thousand pages: with a million list entries on a busy disk
such a commit took up to a second, and every caller of its group waited.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from gateway.db.url import parse_url
from gateway.errors import GatewayError

_Identity = tuple[int, int]

_SUFFIXES = ("-wal", "-shm")
"""SQLite makes these with the first connection and removes them with the last one, not before."""


class DatabaseFile:
    """The file of an embedded database with its `-wal` and `-shm`, as they were when they were opened. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = {suffix: f"{path}{suffix}" for suffix in ("", *_SUFFIXES)}
        self._opened: _Identity | None = None
        self._lock = threading.Lock()
        self._connections = 0
        self._beside: dict[str, _Identity] = {}

    @classmethod
    def of(cls, url: str) -> DatabaseFile | None:
        """None for a server's database, or one in memory."""
        parsed = parse_url(url)
        if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            return None
        return cls(Path(parsed.database or ""))

    def require(self) -> None:
        """Raises sqlite3.OperationalError unless the files that were opened are there and the first may be written."""
        if self._opened is None:
            return
        present = _identity(self._names[""])
        if present is None:
            raise sqlite3.OperationalError(f"{self._path} is gone; put it back, or restore a backup and restart")
        if present != self._opened:
            raise sqlite3.OperationalError(f"{self._path} isn't the file that was opened; restart the node")
        if not os.access(self._path, os.W_OK, effective_ids=True):
            raise sqlite3.OperationalError(f"{self._path} may not be written")
        with self._lock:
            for suffix, identity in self._beside.items():
                if _identity(self._names[suffix]) != identity:
                    raise sqlite3.OperationalError(
                        f"{self._with(suffix)} was removed or replaced while it was open; stop the node, which saves "
                        "what it has, and start it again; let no other program open the database before"
                    )

    def size_bytes(self) -> int:
        """Bytes of the file and of its WAL, as far as they are there."""
        files = (self._path, self._with("-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def require_in_transaction(self) -> None:
        """As `require`, in a transaction that writes: the files beside it exist, and the first one remembers them."""
        self.require()
        with self._lock:
            if not self._beside:
                found = {suffix: _identity(self._names[suffix]) for suffix in _SUFFIXES}
                self._beside = {suffix: identity for suffix, identity in found.items() if identity is not None}

    def opened(self) -> None:
        """Counts a connection, and remembers the file at the first."""
        with self._lock:
            if self._opened is None:
                self._opened = _identity(self._names[""])
            self._connections += 1

    def closed(self) -> None:
        """Forgets the files beside it with the last connection: SQLite removes them then."""
        with self._lock:
            self._connections -= 1
            if not self._connections:
                self._beside = {}

    def _with(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}{suffix}")


def _identity(path: str) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


log = logging.getLogger(__name__)

EVERY_S = 2.0
"""Seconds between two copies while there are commits: pages that change often are copied once."""

MOST_FRAMES = 16_384
"""Pages in the log, 64 MB, beyond which the next commit copies the rest itself.

The log begins anew only after a moment in which all of it is copied, and beside continuous commits none may come.
"""

_COPY = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for nobody, and nobody waits for it
_CUT = "PRAGMA wal_checkpoint(TRUNCATE)"  # commits wait meanwhile
_CUT_WAIT = "PRAGMA busy_timeout=50"


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
        self._erased = False
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

    def erased(self) -> None:
        """Has the log cut to nothing soon, since frames of it still have what was erased."""
        self._erased = True
        self._due.set()

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
                    if self._erased:
                        self._cut(connection)
            except (GatewayError, sqlite3.Error, SQLAlchemyError) as error:  # also a pool without a free connection
                log.debug("the write-ahead log waits: %s", error)
                self._due.set()

    def _cut(self, connection: Any) -> None:
        """Cuts the log unless a reader is in the way for longer than 50 ms: then it is tried again."""
        (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(_CUT_WAIT)
        try:
            busy, _frames, _copied = connection.execute(_CUT).fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout={before}")
        self._erased = bool(busy)
        if busy:
            self._due.set()

    def _copy(self, connection: Any) -> None:
        try:
            busy, frames, _copied = connection.execute(_COPY).fetchone()
        except sqlite3.Error as error:  # a full disk, or a file that is gone: commits tell of it
            log.debug("the write-ahead log isn't copied: %s", error)
            return
        if not busy:
            self._long = frames > MOST_FRAMES
