"""Tells whether anything was committed to a database since the last look, so that an idle node doesn't look again.

One look a second answers for all who ask. It reads a counter on SQLite, and the present snapshot's name on PostgreSQL:
both change with every commit of any process. On PostgreSQL commits to other databases of the cluster count too.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing

from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from gateway.db.statements import run

STALE_S = 3.0
"""Seconds after which a look no longer counts: then there may be news."""

_SNAPSHOT = "SELECT pg_current_snapshot()::text"
_DATA_VERSION = "PRAGMA data_version"


class CommitWatch:
    """Commits to one database. Thread-safe.

    Args:
        readers: connects to it.
        is_shared: whether this process's connections see each other's commits, as all but those in memory do.
    """

    def __init__(self, readers: Engine, *, is_shared: bool) -> None:
        self._readers = readers
        self._is_shared = is_shared
        self._kept: PoolProxiedConnection | None = None
        self._lock = threading.Lock()
        self._seen: object = None
        self._closed = False
        self.version = 0
        """Rises with news."""
        self.looked_at_s = float("-inf")

    def look(self) -> None:
        """Looks once; not for the event loop. Raises what the driver raises."""
        with self._lock:
            if self._closed:
                return
            now_s = time.monotonic()
            seen = self._read() if self._is_shared else None
            if seen is None or seen != self._seen:
                self._seen = seen
                self.version += 1
            self.looked_at_s = now_s

    def close(self) -> None:
        """Closes what is kept; doesn't wait for a server that doesn't answer."""
        self._closed = True
        if self._readers.dialect.name != "postgresql":
            with self._lock:
                if self._kept is not None:
                    self._kept.close()

    def _read(self) -> object:
        if self._readers.dialect.name == "postgresql":
            with self._readers.connect() as conn:
                return run(conn.execution_options(isolation_level="AUTOCOMMIT"), _SNAPSHOT, ()).scalar_one()
        if self._kept is None:  # the number says what others committed since this very connection read it last
            self._kept = self._readers.raw_connection()
            self._kept.detach()
        with closing(self._kept.cursor()) as cursor:
            cursor.execute(_DATA_VERSION)
            return cursor.fetchone()


class NewsSince:
    """Whether somebody who follows a database has to look again. Used by one task or thread at a time.

    Args:
        most_s: seconds after which to look without news, since time passes too.
    """

    def __init__(self, watch: CommitWatch, *, most_s: float) -> None:
        self._watch = watch
        self._most_s = most_s
        self._version = -1
        self._known = -1
        self._looked_at_s = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether to look now; call `looked` after a look that succeeded."""
        now_s = time.monotonic()
        self._version = self._watch.version  # before the look: what is committed meanwhile is news
        is_stale = now_s - self._watch.looked_at_s > STALE_S
        return is_stale or self._version != self._known or now_s - self._looked_at_s >= self._most_s

    def looked(self) -> None:
        """Notes that all was seen that was committed before `is_due` was asked."""
        self._known = self._version
        self._looked_at_s = time.monotonic()
