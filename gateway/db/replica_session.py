"""A replica's session with PostgreSQL: its advisory locks are the roles, and LISTEN brings what others have committed.

The locks end with the session: at once when the process is killed, after SILENT_S when it is stopped or cut off.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Error as DriverError
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.membership import ROLE_CLASS, SERVING, Replica, role_key
from gateway.db.statements import run
from gateway.db.url import connection_options, parse_url
from gateway.errors import ConfigurationError, GatewayError, StoreUnavailableError

log = logging.getLogger(__name__)

STARTING: Final = "starting"
"""Held by the replica that is in the block of `joining`."""

POLL_S: Final = 1.0
"""Seconds between two attempts to take roles; each is a sign of life too."""

SILENT_S: Final = 3.5
"""Seconds after which the server ends the session of a replica that gives no sign of life. With POLL_S, another one has
its roles within five seconds."""

RETRY_S: Final = 0.5
"""Seconds before the next attempt to connect."""

RECONNECTED_S: Final = 2.0
"""Seconds after which a replica that lost its session has another one for sure, unless it hangs."""

CATCH_UP_S: Final = 5.0
"""Seconds between two looks at what notifications should have told."""

MOST_NOTICE_BYTES: Final = 7_900
"""PostgreSQL refuses a notification of 8,000 bytes."""

JOINING_S: Final = 60
"""Seconds that a replica waits for another one that is joining."""

_CHANNEL: Final = "gateway_commits"
_MOST_APPLICATION_CHARS: Final = 63

_NOTIFY = f"SELECT pg_notify('{_CHANNEL}', %s)"
_TAKE = f"""
SELECT role, CASE WHEN shared THEN pg_try_advisory_lock_shared({ROLE_CLASS}, key)
                  ELSE pg_try_advisory_lock({ROLE_CLASS}, key) END
FROM unnest(%s::text[], %s::int[], %s::bool[]) AS wanted (role, key, shared)"""
_GIVE = f"""
SELECT CASE WHEN shared THEN pg_advisory_unlock_shared({ROLE_CLASS}, key)
            ELSE pg_advisory_unlock({ROLE_CLASS}, key) END
FROM unnest(%s::int[], %s::bool[]) AS held (key, shared)"""
_SESSIONS = text(f"""
SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'local'),
       (extract(epoch FROM a.backend_start) * 1000)::bigint, array_agg(l.objid::bigint)
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = {ROLE_CLASS}
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY 1, 2, 3, 4 ORDER BY 4, 1""")


class ReplicaSession:
    """Implements Membership for a replica on PostgreSQL."""

    def __init__(self, url: str, *, node: str, name: str) -> None:
        self._engine, self.name = _engine(url, node, name)
        self._mark = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._wanted: dict[str, bool] = {}  # by role: whether shared
        self._held: dict[str, bool] = {}
        self._alive_until_s = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._connection: Connection | None = None
        self._pid = 0  # of the server's process
        self._elsewhere: frozenset[int] = frozenset()  # keys of the locks of other replicas
        self._thread: threading.Thread | None = None
        self._on_notice: Callable[[str], None] = lambda _: None
        self._on_catch_up: Callable[[bool], None] = lambda _: None

    @contextmanager
    def joining(self) -> Iterator[bool]:
        with _unavailable():
            connection = self._connection = self._engine.connect()
            driver = _driver(connection)
            self._pid = driver.info.backend_pid
            driver.execute(f"SET lock_timeout = '{JOINING_S}s'")
            driver.execute("SELECT pg_advisory_lock(%s, %s)", (ROLE_CLASS, role_key(STARTING)))
            (others, alone) = (self._others(connection), not _take(driver, {SERVING: True}))
        try:
            if alone:
                raise ConfigurationError(
                    "database_url: a command such as `gateway rebuild` has this database to itself; start when it has "
                    "ended"
                )
            yield bool(others)
        finally:
            with _unavailable():
                _give(driver, {STARTING: False})

    def start(self, *, on_notice: Callable[[str], None], on_catch_up: Callable[[bool], None]) -> None:
        self._on_notice, self._on_catch_up = on_notice, on_catch_up
        self._thread = threading.Thread(target=self._run, name="replicas", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._disconnect()
        self._engine.dispose()

    def want(self, role: str) -> None:
        with self._lock:
            self._wanted[role] = False

    def share(self, role: str, *, shared: bool) -> None:
        with self._lock:
            if shared:
                self._wanted[role] = True
            else:
                self._wanted.pop(role, None)

    def holds(self, role: str) -> bool:
        with self._lock:
            return role in self._held and time.monotonic() < self._alive_until_s

    def others_share(self, role: str) -> bool:
        return role_key(role) % (1 << 32) in self._elsewhere

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def tell(self, conn: Connection, notice: Callable[[], str]) -> None:
        told = notice()
        if len(told.encode()) > MOST_NOTICE_BYTES:
            told = ""
        run(conn, _NOTIFY, (f"{self._mark} {told}",))

    def replicas(self, conn: Connection, roles: Iterable[str]) -> list[Replica]:
        names = {role_key(role) % (1 << 32): role for role in roles}
        serving = role_key(SERVING) % (1 << 32)
        return [
            Replica(application.split(" ", 2)[-1], address, since, tuple(sorted(names[k] for k in keys if k in names)))
            for _, application, address, since, keys in conn.execute(_SESSIONS)
            if serving in keys
        ]

    def _others(self, connection: Connection) -> list[list[int]]:
        """Keys of the locks of each other replica."""
        serving = role_key(SERVING) % (1 << 32)
        return [keys for pid, *_, keys in connection.execute(_SESSIONS) if pid != self._pid and serving in keys]

    # In the session's thread

    def _run(self) -> None:
        lost = False  # nothing can have been missed before the first time
        while not self._stopping.is_set():
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                self._serve(self._connection, lost=lost)
            except (DriverError, SQLAlchemyError, GatewayError) as error:
                log.warning("this replica's session with the database ended: %s", str(error).partition("\n")[0])
            except Exception:
                log.exception("this replica's session with the database failed; it is opened again")
            lost = True
            self._disconnect()
            self._stopping.wait(RETRY_S)

    def _serve(self, connection: Connection, *, lost: bool) -> None:
        """Takes roles and listens until the session or the process ends."""
        driver = _driver(connection)
        self._pid = driver.info.backend_pid
        if driver.info.server_version >= 140_000:
            driver.execute(f"SET idle_session_timeout = '{int(SILENT_S * 1000)}ms'")
        driver.execute(f"LISTEN {_CHANNEL}")
        caught_up_s = float("-inf")
        while not self._stopping.is_set():
            self._take_roles(driver)
            if time.monotonic() - caught_up_s >= CATCH_UP_S:
                caught_up_s = time.monotonic()
                self._elsewhere = frozenset(key for keys in self._others(connection) for key in keys)
                self._on_catch_up(lost)
                lost = False
            for notice in driver.notifies(timeout=POLL_S):
                mark, _, told = notice.payload.partition(" ")
                if mark != self._mark:
                    self._on_notice(told)

    def _take_roles(self, driver: Any) -> None:
        asked_s = time.monotonic()
        with self._lock:
            wanted = {SERVING: True, **self._wanted}
            missing = {role: shared for role, shared in wanted.items() if role not in self._held}
            surplus = {role: shared for role, shared in self._held.items() if role not in wanted}
        _give(driver, surplus)
        taken = _take(driver, missing)
        with self._lock:
            self._held = {role: wanted[role] for role in (self._held.keys() - surplus.keys()) | taken}
            self._alive_until_s = asked_s + SILENT_S
        if taken or surplus:
            self._changed()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
        with self._lock:
            self._held = {}
        self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()


@contextmanager
def sole_use(url: str, *, node: str, command: str) -> Iterator[None]:
    """Keeps replicas from serving while a command works on the database.

    Raises:
        ConfigurationError: some serve now.
        StoreUnavailableError: the database can't be reached.
    """
    session = ReplicaSession(url, node=node, name=command)
    try:
        with _unavailable(), session._engine.connect() as connection:
            driver = _driver(connection)
            alone = {STARTING: False, SERVING: False}
            for wait_s in (0.0, RECONNECTED_S):  # a busy replica may be opening its session anew
                time.sleep(wait_s)
                taken = _take(driver, alone)
                if taken != alone.keys():
                    break
                if not wait_s:
                    _give(driver, alone)
            if taken != alone.keys():
                names = ", ".join(replica.name for replica in session.replicas(connection, ()))
                raise ConfigurationError(
                    f"database_url: {names or 'a replica'} of {node} serves on this database; stop all replicas, "
                    f"then run `{command}` again"
                )
            yield
    finally:
        session.stop()


def _engine(url: str, node: str, name: str) -> tuple[Engine, str]:
    parsed = parse_url(url).set(drivername="postgresql+psycopg")
    application = f"gateway {node} {name}"[:_MOST_APPLICATION_CHARS]
    options = {**connection_options(parsed), "application_name": application}
    engine = create_engine(parsed, connect_args=options, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    return engine, application.split(" ", 2)[-1]


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


def _take(driver: Any, roles: dict[str, bool]) -> set[str]:
    """Takes those that are free, by role: whether shared."""
    rows = driver.execute(_TAKE, (list(roles), [role_key(role) for role in roles], list(roles.values()))).fetchall()
    return {role for role, taken in rows if taken}


def _give(driver: Any, roles: dict[str, bool]) -> None:
    if roles:
        driver.execute(_GIVE, ([role_key(role) for role in roles], list(roles.values())))


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (DriverError, SQLAlchemyError) as error:
        cause = str(error).partition("\n")[0]
        raise StoreUnavailableError(
            f"the database can't be used: {cause}", retry_after_s=RETRY_S, metadata={"about": "server"}
        ) from error
