"""Migrates a database to this version's schema, once at each start of a node.

Steps in migrations/versions are independent of the packages' current tables. `make migration` adds one. Alembic runs
them, and is imported only where there is one to run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    String,
    Table,
    create_engine,
    func,
    inspect,
    select,
    text,
)

from gateway import __version__
from gateway.db import fingerprint
from gateway.db.database import Database
from gateway.db.schema import INTEGRITY_PREFIX, integrity_index, metadata
from gateway.db.statements import insert_rows
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory


schema_revisions = Table(
    "schema_revisions",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("version", String(32), nullable=False),  # of the gateway that brought it
    Column("compatible", Boolean, nullable=False),  # software of the revision before works on it
    Column("applied_at", BigInteger, nullable=False),
    integrity_index("schema_revisions", "revision", "version", "compatible", "applied_at"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of the schema.

    Attributes:
        version: of the gateway that brought it.
        compatible: software that knows only the revision before works on it.
    """

    revision: str
    version: str
    compatible: bool


def applied_revisions(conn: Connection) -> list[Revision]:
    """All revisions that a database has, oldest first; empty before the first one that stored them."""
    if not inspect(conn).has_table(schema_revisions.name):
        return []
    c = schema_revisions.c
    rows = conn.execute(select(c.revision, c.version, c.compatible).order_by(c.revision))
    return [Revision(row.revision, row.version, row.compatible) for row in rows]


def note_revisions(conn: Connection, revisions: Iterable[Revision], *, now_ms: int) -> None:
    """Stores revisions that aren't stored; `now_ms` is in milliseconds since 1970."""
    insert_rows(
        conn,
        schema_revisions,
        ("revision", "version", "compatible", "applied_at"),
        [(one.revision, one.version, one.compatible, now_ms) for one in revisions],
        or_ignore=True,
    )


log = logging.getLogger(__name__)
logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each look at the version, and each of its plugins

_VERSIONS = "alembic_version"
"""Alembic's table of the revision that a database has."""

_REVISION_DIGITS = 4

_FIRST_VERSION = "0.1.0"
"""Version that brought the revisions without markers."""

_SHOWN = 6
"""Most differences of tables in an error."""

PAUSE_S = 300
"""Longest pause between two statements of a migration on PostgreSQL, in seconds; elsewhere it is shorter."""

_MIGRATION_LOCK = 0x736368656D61
"""Key of the PostgreSQL advisory lock for migrations (`schema` in ASCII)."""


def take_turn_to_migrate(conn: Connection) -> None:
    """Waits until no other process migrates; the server then bears with pauses in which rows are computed."""
    if conn.dialect.name == "postgresql":
        conn.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        conn.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{PAUSE_S}s'"))


def upgrade(database: Database) -> None:
    """Migrates the database to this version's schema.

    1. Refuse a PostgreSQL database that can't hold every script. One at the newest revision is left alone; nothing is
       locked or written.
    2. So is one of a newer version, if all its further revisions are compatible with the ones before.
    3. Otherwise take the migration lock: SQLite's write lock, or an advisory one on PostgreSQL.
    4. Read the revision again, since another process may have migrated; refuse an unknown one.
    5. The tables are those of the revision; a database of a changed migration would fail somewhere later.
    6. Run all missing migrations; they, the new revision and the lock end with one transaction.
    7. In every case the tables are those that the code expects.

    Raises:
        ConfigurationError: the database is newer than this software, foreign, or has other tables than its revision;
            nothing was changed.
        StoreUnavailableError: the database can't be reached or written, or the lock isn't released in time.
    """
    with database.read() as conn:
        _require_utf8(conn)  # 1
        version = schema_version(conn)
        if version == newest_revision():
            _require_tables(conn, version)  # 7
            return
    _run_missing(database)


def _run_missing(database: Database) -> None:
    """Steps 2 to 7 of `upgrade`."""
    from alembic import command  # noqa: PLC0415  # takes a tenth of a second, at every start
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory.from_config(_config())
    newest = newest_revision()
    with database.read() as conn:
        version = schema_version(conn)
        if _is_compatible(conn, script, version):  # 2
            _require_tables(conn, version)  # 7
            return
    with database.write() as conn:
        take_turn_to_migrate(conn)  # 3
        _require_known(conn, script)  # 4
        version = schema_version(conn)
        if version is not None and version != newest:
            _require_tables_of(conn, version)  # 5
        command.upgrade(_config(connection=conn, target_metadata=metadata), "head")  # 6
        note_revisions(conn, _revisions(script), now_ms=time.time_ns() // 1_000_000)
        _require_tables(conn, newest)  # 7
    if version != newest:
        log.info("database: schema version %s, was %s", newest, version or "none")


def schema_version(conn: Connection) -> str | None:
    """The database's version; None without one."""
    if not inspect(conn).has_table(_VERSIONS):
        return None
    version: str | None = conn.scalar(text(f"SELECT version_num FROM {_VERSIONS}"))
    return version


def require_current(conn: Connection) -> None:
    """Raises ConfigurationError for a schema that this software migrates at a start, or doesn't know."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script, version = ScriptDirectory.from_config(_config()), schema_version(conn)
    if version is None or _is_compatible(conn, script, version):
        return
    _require_known(conn, script)
    newest = script.get_current_head()
    if version != newest:
        raise ConfigurationError(
            f"database_url: the database has schema version {version}, and this command needs {newest}",
            way_out=(
                "Start the node once with this release, which brings the database to its schema; or use the release "
                "that wrote it last."
            ),
        )


def newest_revision() -> str:
    """This software's newest revision: its module's name begins with it."""
    modules = (resources.files("gateway.db") / "migrations" / "versions").iterdir()
    return max(module.name[:_REVISION_DIGITS] for module in modules if module.name[:_REVISION_DIGITS].isdigit())


def _require_utf8(conn: Connection) -> None:
    if conn.dialect.name != "postgresql":
        return
    encoding = conn.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigurationError(
            f"database_url: the database has the encoding {encoding}, and names in every script need UTF8; make it "
            "with `createdb --encoding=UTF8 --template=template0`"
        )


def _revisions(script: ScriptDirectory) -> list[Revision]:
    """This software's revisions, oldest first; markers are attributes of their modules."""
    found = []
    for revision in reversed(list(script.walk_revisions())):
        version = getattr(revision.module, "version", _FIRST_VERSION)
        found.append(Revision(revision.revision, version, bool(getattr(revision.module, "compatible", False))))
    return found


def _is_compatible(conn: Connection, script: ScriptDirectory, version: str | None) -> bool:
    """Whether a newer version of the gateway left a schema on which this one works."""
    known = {revision.revision for revision in script.walk_revisions()}
    if version is None or version in known:
        return False
    stored = applied_revisions(conn)
    further = [revision for revision in stored if revision.revision not in known]
    if not known <= {revision.revision for revision in stored} or version not in {one.revision for one in further}:
        return False
    if not all(revision.compatible for revision in further):
        return False
    log.warning(
        "database: schema version %s is of gateway %s; this is %s, which works on it",
        version,
        further[-1].version,
        __version__,
    )
    return True


def _require_known(conn: Connection, script: ScriptDirectory) -> None:
    version = schema_version(conn)
    known = {revision.revision for revision in script.walk_revisions()}
    if version is None and any(inspect(conn).has_table(name) for name in metadata.tables):
        raise ConfigurationError(
            "database_url: the database has tables of the gateway's names but no schema version; name an empty database"
        )
    if version is not None and version not in known:
        by = {revision.revision: revision.version for revision in applied_revisions(conn)}.get(version)
        maker, needed = (f"gateway {by}", f"gateway {by} or newer") if by else ("a newer gateway", "the newest gateway")
        raise ConfigurationError(
            f"database_url: the database has schema version {version} of {maker}; this is gateway {__version__}, which "
            f"knows up to {script.get_current_head()}; start {needed}, or restore the backup made before"
        )


def _require_tables(conn: Connection, version: str | None) -> None:
    """The tables are those that the code expects, or have more than these."""
    needed = fingerprint.expected(metadata, conn.dialect)
    _refuse(fingerprint.differences(needed, fingerprint.described(conn)), version)


def _require_tables_of(conn: Connection, version: str) -> None:
    """The tables are those of an earlier revision."""
    of_sqlite, of_others = _tables_of(version)
    same = conn.dialect.name == "sqlite"
    needed = of_sqlite if same else of_others
    _refuse(fingerprint.differences(needed, fingerprint.described(conn), same_dialect=same), version)


@cache
def _tables_of(version: str) -> tuple[fingerprint.Schema, fingerprint.Schema]:
    """The tables of an earlier revision, made in memory: on SQLite, and without the indexes that only SQLite has."""
    from alembic import command  # noqa: PLC0415

    engine = create_engine("sqlite://")
    try:
        with engine.begin() as scratch:
            command.upgrade(_config(connection=scratch, target_metadata=metadata), version)
            of_sqlite = fingerprint.described(scratch)
            _drop_integrity_indexes(scratch)
            return of_sqlite, fingerprint.described(scratch)
    finally:
        engine.dispose()


def _drop_integrity_indexes(scratch: Connection) -> None:
    """Drops the indexes that only SQLite has (db.schema.integrity_index)."""
    names = scratch.scalars(text("SELECT name FROM sqlite_master WHERE type = 'index'")).all()
    for name in names:
        if name.startswith(INTEGRITY_PREFIX):
            scratch.exec_driver_sql(f"DROP INDEX {name}")


def _refuse(differences: Sequence[str], version: str | None) -> None:
    if not differences:
        return
    more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
    raise ConfigurationError(
        f"database_url: the database says that it has schema version {version}, but its tables are others: "
        f"{'; '.join(differences[:_SHOWN])}{more}",
        way_out="Unreleased software made this database, or somebody changed its tables. Restore a backup that a "
        "released version made; docs/runbook/upgrade.md has the other ways.",
    )


def _config(**attributes: Any) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "gateway.db:migrations")
    config.attributes.update(attributes)
    return config
