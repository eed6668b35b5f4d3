"""Runs migrations in the transaction of gateway.db.migrate or scripts/migration.py."""

from __future__ import annotations

from typing import Any

from alembic import context

from gateway.db.schema import POSTGRESQL_ONLY, SQLITE_ONLY

attributes = context.config.attributes


def _is_for_this_database(item: Any, _name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """Whether a table or index is one that this kind of database has: what only the other has isn't missing here."""
    other = POSTGRESQL_ONLY if attributes["connection"].dialect.name == "sqlite" else SQLITE_ONLY
    return kind != "index" or not item.info.get(other)


context.configure(
    connection=attributes["connection"],
    target_metadata=attributes["target_metadata"],
    include_object=_is_for_this_database,
    render_as_batch=True,  # SQLite changes columns by copying the table
)
with context.begin_transaction():
    context.run_migrations()
