"""Dumps a PostgreSQL database with PostgreSQL's own pg_dump, and loads it with pg_restore."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, text

from gateway.db.database import Database
from gateway.errors import ConfigurationError

MAX_ERROR_CHARS = 1_000
"""Longest message of a tool that is shown, in characters."""

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""Environment of libpq for each part of a URL: a password on a command line is seen by everybody."""


class PostgresToolError(ConfigurationError):
    """pg_dump or pg_restore is missing, or failed."""

    reason = "POSTGRESQL_TOOL"
    way_out = (
        "Install PostgreSQL's client programs of the server's version or newer; or take a base backup, with "
        "`gateway backup --manifest-only` beside it."
    )


@contextmanager
def exported_snapshot(database: Database) -> Iterator[tuple[Connection, str]]:
    """A reading transaction and the name under which pg_dump sees the same state, while the block runs."""
    with database.read() as conn:
        yield conn, str(conn.execute(text("SELECT pg_export_snapshot()")).scalar_one())


def dump(url: str, target: Path, *, snapshot: str) -> None:
    """Writes the database as of a snapshot into a file; raises PostgresToolError."""
    _run(
        "pg_dump",
        url,
        ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"],
    )


def load(url: str, source: Path) -> None:
    """Loads a dump into an empty database, whole or not at all; raises PostgresToolError."""
    arguments = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    database = str(conninfo_to_dict(url).get("dbname", ""))
    _run("pg_restore", url, [*arguments, f"--dbname={database}", str(source)])


def _run(tool: str, url: str, arguments: list[str]) -> None:
    program = shutil.which(tool)
    if program is None:
        raise PostgresToolError(f"{tool} isn't installed, or not in PATH")
    parts = conninfo_to_dict(url)
    environment = {_VARIABLES[name]: str(value) for name, value in parts.items() if name in _VARIABLES}
    done = subprocess.run(  # noqa: S603  # a fixed program without a shell
        [program, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip()[-MAX_ERROR_CHARS:] or f"it ended with code {done.returncode}"
        raise PostgresToolError(f"{tool}: {said}")
