"""Watches the files of an embedded database while they are open.

A process that holds a removed file open reads and writes on, and all of it is lost when the process ends. So is what a
removed write-ahead log (`-wal`) holds, once another process opens the database; without the shared memory (`-shm`) two
processes don't see each other's locks.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from gateway.db.url import parse_url

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
