"""Opens transactions on SQLite or PostgreSQL.

SQLite runs with WAL and synchronous=FULL: a commit survives a power cut.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from psycopg import Error as DriverError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError, ProgrammingError

from gateway.db.commit_watch import CommitWatch
from gateway.db.database_file import DatabaseFile, WalCheckpoints
from gateway.db.membership import take_turn
from gateway.db.pipelining import read_results_at_once, sent_ahead, settle
from gateway.db.statements import PIPELINE, PLANS_KEPT, REMEMBERED_BY, run
from gateway.db.url import connection_options, parse_url
from gateway.errors import ConfigurationError, StoreDamagedError, StoreUnavailableError

_BUSY_TIMEOUT_MS = 5000
"""SQLite's wait for another writer, in milliseconds."""

_WAL_PAUSE_S = 0.01
"""Pause between attempts to set WAL, in seconds."""

_RETRY_AFTER_S = 1.0

_PING_AFTER_S = 1.0
"""Idle seconds after which a PostgreSQL connection is tested."""

_WRITER_SESSION = (
    "SET idle_in_transaction_session_timeout = '5s'",  # a stopped process must not keep the others from writing
    "SET lock_timeout = '15s'",
    "SET enable_seqscan = off",  # or a plan that was made while a table was small reads all of it for a minute
)
"""Of the connections that write on PostgreSQL: how long one replica may delay the others, and plans by indexes."""

_SEARCH_SESSION = (
    "SET default_transaction_read_only = on",
    "SET plan_cache_mode = force_generic_plan",  # planning a search took six times as long as searching
    "SET enable_seqscan = off",  # as for writers
)

_NOT_WRITABLE = frozenset({"25006", "25P03", "57P05"})
"""SQLSTATEs of a session that has to be replaced: it is read-only (a standby), or the server ended it as idle."""

_WRITE = "gateway_write"

_DAMAGE_IN_SQLITE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DAMAGE_IN_POSTGRESQL = ("XX001", "XX002")  # data_corrupted, index_corrupted


_ERASED = "erased"


def note_erasure(conn: Connection) -> None:
    """Has SQLite's log cut after the transaction: what was erased in it is in no file then.

    PostgreSQL's vacuum and its log do that in their own time.
    """
    conn.info[_ERASED] = True


class Database:
    """One database: reads in parallel, writes one transaction at a time, whichever process or replica writes.

    Raises:
        ConfigurationError: the URL isn't sqlite:///… or postgresql://…
    """

    def __init__(self, url: str) -> None:
        self._file = DatabaseFile.of(url)
        self.engine = _engine(url, self._file)
        self.readers = _readers(self.engine, self._file)
        self._searchers = _searchers(self.engine, self.readers)
        self._checkpoints = None if self._file is None else WalCheckpoints(self.readers.raw_connection)
        self.commits = CommitWatch(self.readers, is_shared=self._file is not None or self.dialect == "postgresql")
        self._closed = False

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; raises StoreUnavailableError."""
        with self._connection(self.readers) as connection, connection.begin():
            yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """For one reading statement, without BEGIN and COMMIT on PostgreSQL; raises StoreUnavailableError."""
        if self.dialect != "postgresql":
            with self.read() as connection:
                yield connection
            return
        with self._connection(self.readers) as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def searching(self) -> Iterator[Connection]:
        """For the statements of a search; raises StoreUnavailableError.

        On SQLite they have one snapshot. On PostgreSQL each sees what is committed when it begins, so that none waits
        for BEGIN and COMMIT, and the server keeps one plan of each for all values.
        """
        session = self._connection(self._searchers) if self.dialect == "postgresql" else self.read()
        with session as connection:
            yield connection

    @contextmanager
    def write(self, *, ahead: bool = False) -> Iterator[Connection]:
        """A transaction, rolled back if the block raises.

        Args:
            ahead: PostgreSQL gets statements ahead of the results of those before (`db.pipelining`).

        Raises:
            StoreUnavailableError: nothing was written.
        """
        with self._connection(self.engine) as connection:
            connection.execution_options(**{_WRITE: True})
            if self.dialect == "postgresql":
                with (
                    _replaced_unless_writable(connection),
                    sent_ahead(connection) if ahead else connection.begin(),
                ):
                    take_turn(connection)
                    yield connection
                return
            with connection.begin():
                yield connection
                if self._file is not None:
                    self._file.require_in_transaction()  # SQLite would commit into a file that has no name any more
            if self._checkpoints is not None and connection.info.pop(_ERASED, False):
                self._checkpoints.erased()
            if self._checkpoints is not None:
                self._checkpoints.committed(connection.connection.dbapi_connection)

    def look_for_commits(self) -> None:
        """Renews what `commits` knows; raises StoreUnavailableError."""
        with _translated():
            self.commits.look()

    def size_bytes(self) -> int:
        """Bytes of the database, SQLite's WAL included; some milliseconds on PostgreSQL.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        if self._file is not None:
            return self._file.size_bytes()
        if self.dialect != "postgresql":
            return 0  # in memory
        with self.look() as connection:
            return int(run(connection, "SELECT pg_database_size(current_database())", ()).scalar_one())

    def close(self) -> None:
        """Closes connections, after use."""
        self._closed = True
        if self._checkpoints is not None:
            self._checkpoints.close()
        self.commits.close()
        self.engine.dispose()
        self.readers.dispose()
        self._searchers.dispose()

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Connection]:
        """A connection of a pool; what fails on it is told as `_translated` does."""
        try:
            with engine.connect() as connection:
                try:
                    yield connection
                except DBAPIError:
                    if getattr(connection.connection.dbapi_connection, "closed", False):
                        connection.invalidate()  # the pool needn't try to reset it
                    raise
                finally:
                    if self._closed:  # the pool won't close it
                        connection.detach()
        except (DBAPIError, sqlite3.DatabaseError) as error:
            _raise_translated(error)


@contextmanager
def savepoint(conn: Connection) -> Iterator[None]:
    """Undoes the block's writes if it raises, at a quarter of SQLAlchemy's cost; may be nested.

    Raises:
        StoreUnavailableError: the transaction must end.
    """
    with _translated():
        run(conn, "SAVEPOINT block", ())
        try:
            yield
            if PIPELINE in conn.info:
                settle(conn)  # what fails in the block raises in it
        except BaseException:
            with suppress(DBAPIError):
                settle(conn)
            run(conn, "ROLLBACK TO SAVEPOINT block", ())
            run(conn, "RELEASE SAVEPOINT block", ())
            raise
        run(conn, "RELEASE SAVEPOINT block", ())


@contextmanager
def settled(conn: Connection) -> Iterator[None]:
    """Raises in the block what its statements fail with; the transaction must end then.

    Raises:
        StoreUnavailableError: the database can't go on.
    """
    with _translated():
        yield
        if PIPELINE in conn.info:
            settle(conn)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.DatabaseError) as error:
        _raise_translated(error)


def _raise_translated(error: Exception) -> NoReturn:
    """Raises a GatewayError for what an operator can put right, and other errors of the driver as they are."""
    if isinstance(error, ProgrammingError):
        raise error
    cause = getattr(error, "orig", None) or error
    if _is_damage(cause):
        raise StoreDamagedError(f"the database is damaged: {cause}") from error
    unreachable = isinstance(error, (OperationalError, sqlite3.OperationalError))
    if unreachable or getattr(error, "connection_invalidated", False):
        raise _unavailable(error) from error
    raise error


def _is_damage(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_IN_SQLITE
    return getattr(cause, "sqlstate", None) in _DAMAGE_IN_POSTGRESQL


@contextmanager
def _replaced_unless_writable(connection: Connection) -> Iterator[None]:
    """Lets the pool connect anew, with several hosts to another one; raises StoreUnavailableError."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _NOT_WRITABLE:
            raise
        connection.invalidate()
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StoreUnavailableError:
    cause = str(getattr(error, "orig", None) or error).partition("\n")[0]  # then the same of each host
    metadata = {"about": about} if (about := _about(getattr(error, "orig", None) or error)) else None
    return StoreUnavailableError(
        f"the database can't be used: {cause}", retry_after_s=_RETRY_AFTER_S, metadata=metadata
    )


def _about(cause: BaseException) -> str:
    """What has to be put right, as StoreUnavailableError names it; empty where the cause doesn't say."""
    if isinstance(cause, sqlite3.Error):
        return _ABOUT_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "")
    state = getattr(cause, "sqlstate", None)
    if state is None:
        return "server" if isinstance(cause, DriverError) else ""
    return next((about for begin, about in _ABOUT_POSTGRESQL.items() if state.startswith(begin)), "")


_ABOUT_SQLITE: Final = {
    sqlite3.SQLITE_FULL: "disk",
    sqlite3.SQLITE_BUSY: "lock",
    sqlite3.SQLITE_LOCKED: "lock",
    sqlite3.SQLITE_READONLY: "folder",
    sqlite3.SQLITE_CANTOPEN: "folder",
    sqlite3.SQLITE_PERM: "folder",
}
_ABOUT_POSTGRESQL: Final = {
    "08": "server",
    "57P": "server",
    "28": "sign-in",
    "3D": "sign-in",
    "25006": "standby",
    "53100": "disk",
    "55P03": "lock",
}
"""By the code's beginning."""


def _engine(url: str, file: DatabaseFile | None) -> Engine:
    parsed = parse_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _sqlite_engine(parsed, file)
        case "postgresql":
            engine = _postgresql_engine(parsed.set(drivername="postgresql+psycopg"))
            event.listen(engine, "connect", lambda connection, _: _set(connection, _WRITER_SESSION))
            read_results_at_once(engine)
            return engine
        case other:
            raise ConfigurationError(f"database URL: {other!r} isn't supported; use sqlite:///PATH or postgresql://…")


def _sqlite_engine(url: URL, file: DatabaseFile | None) -> Engine:
    # `read` and `write` end every transaction: no reset is needed.
    connect_args = {"timeout": _BUSY_TIMEOUT_MS / 1000}
    # The last connection has warm caches.
    engine = create_engine(url, connect_args=connect_args, pool_reset_on_return=None, pool_use_lifo=True)
    if file is not None:
        event.listen(engine, "do_connect", lambda *_: file.require())  # a connection would make a new file
    event.listen(engine, "connect", _sqlite_connect)
    if file is not None:
        event.listen(engine, "connect", lambda *_: file.opened())
        for end in ("close", "close_detached"):
            event.listen(engine, end, lambda *_: file.closed())
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _readers(engine: Engine, file: DatabaseFile | None) -> Engine:
    """Connections with snapshot reads, which aren't PostgreSQL's default.

    On a file they are apart from the one that writes, whose cache stays valid: nobody else changes a page.
    """
    if engine.dialect.name != "postgresql":
        return engine if file is None else _sqlite_engine(engine.url, file)
    readers = _postgresql_engine(engine.url, isolation_level="REPEATABLE READ")
    event.listen(readers, "connect", lambda connection, _: setattr(connection, "read_only", True))
    return readers


def _searchers(engine: Engine, readers: Engine) -> Engine:
    """PostgreSQL's sessions for searches, whose settings would spoil the plans of lists."""
    if engine.dialect.name != "postgresql":
        return readers

    def set_up(connection: Any, record: Any) -> None:
        record.info.update({PLANS_KEPT: True, REMEMBERED_BY: readers})
        _set(connection, _SEARCH_SESSION)

    searchers = _postgresql_engine(engine.url, isolation_level="AUTOCOMMIT")
    event.listen(searchers, "connect", set_up)
    return searchers


def _postgresql_engine(url: URL, **options: Any) -> Engine:
    engine = create_engine(url, pool_use_lifo=True, connect_args=connection_options(url), **options)

    def used(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def tried(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", 0.0) < _PING_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError(str(error)) from error  # the pool reconnects

    event.listen(engine, "connect", used)
    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", tried)
    return engine


def _set(connection: Any, settings: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        for setting in settings:
            cursor.execute(setting)
    connection.commit()


def _sqlite_connect(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # no implicit BEGIN
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    _begin_wal(connection)
    # Checkpoints are WalCheckpoints'.
    for pragma in (
        "synchronous=full",
        "foreign_keys=on",
        "cache_size=-32768",
        "wal_autocheckpoint=0",
        "secure_delete=on",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_wal(connection: sqlite3.Connection) -> None:
    # SQLite ignores its busy timeout when several processes set WAL on a new file.
    deadline_s = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline_s:
                raise
        time.sleep(_WAL_PAUSE_S)


def _sqlite_begin(connection: Connection) -> None:
    mode = "IMMEDIATE" if connection.get_execution_options().get(_WRITE) else "DEFERRED"
    run(connection, f"BEGIN {mode}", ())
