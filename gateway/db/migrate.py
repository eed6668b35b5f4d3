"""Migrates a database to this version's schema, once at each start of a node.

Steps in migrations/versions are independent of the packages' current tables. `make migration` adds one.
"""

from __future__ import annotations

import logging
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select

from gateway.db.database import Database
from gateway.db.schema import metadata
from gateway.errors import ConfigurationError

log = logging.getLogger(__name__)
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # it logs each look at the version

_MIGRATION_LOCK = 0x736368656D61
"""Key of the PostgreSQL advisory lock for migrations (`schema` in ASCII)."""


def upgrade(database: Database) -> None:
    """Migrates the database to this version's schema.

    1. Refuse a PostgreSQL database that can't hold every script. One at the newest version is left alone; nothing is
       locked or written.
    2. Otherwise take the migration lock: SQLite's write lock, or an advisory one on PostgreSQL.
    3. Read the version again, since another process may have migrated; refuse an unknown one.
    4. Run all missing migrations; they, the new version and the lock end with one transaction.

    Raises:
        ConfigurationError: the database is newer than this software or foreign; nothing was changed.
        StoreUnavailableError: the database can't be reached or written, or the lock isn't released in time.
    """
    script = ScriptDirectory.from_config(_config())
    newest = script.get_current_head()
    with database.read() as conn:
        _require_utf8(conn)
        if schema_version(conn) == newest:
            return
    with database.write() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        _require_known(conn, script)
        version = schema_version(conn)
        command.upgrade(_config(connection=conn, target_metadata=metadata), "head")
    if version != newest:
        log.info("database: schema version %s, was %s", newest, version or "none")


def schema_version(conn: Connection) -> str | None:
    """The database's version; None without one."""
    return MigrationContext.configure(conn).get_current_revision()


def _require_utf8(conn: Connection) -> None:
    if conn.dialect.name != "postgresql":
        return
    encoding = conn.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigurationError(
            f"database_url: the database has the encoding {encoding}, and names in every script need UTF8; make it with "
            "`createdb --encoding=UTF8 --template=template0`"
        )


def _require_known(conn: Connection, script: ScriptDirectory) -> None:
    version = schema_version(conn)
    known = {revision.revision for revision in script.walk_revisions()}
    if version is None and any(inspect(conn).has_table(name) for name in metadata.tables):
        raise ConfigurationError(
            "database_url: the database has tables of the gateway's names but no schema version; name an empty database"
        )
    if version is not None and version not in known:
        raise ConfigurationError(
            f"database_url: the database has schema version {version}, this software knows up to "
            f"{script.get_current_head()}; start the newer software that migrated it, or restore the backup made before"
        )


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.db:migrations")
    config.attributes.update(attributes)
    return config
