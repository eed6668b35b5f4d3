"""Holds the metadata of all tables.

Keys on the hot path grow in order: random ones make SQLite ten times slower. Times are milliseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")

SQLITE_ONLY = "sqlite_only"
"""Key in the `info` of an index that PostgreSQL doesn't have."""


POSTGRESQL_ONLY = "postgresql_only"
"""Key in the `info` of an index that SQLite doesn't have."""

INTEGRITY_PREFIX = "ck_"
"""Begins the names of integrity indexes."""


def integrity_index(table: str, *columns: str) -> Index:
    """An index over all columns that can't be computed again from others, on SQLite alone.

    SQLite's integrity check compares each row with its indexes, so damage to such a row shows. PostgreSQL has checksums
    of pages.
    """
    index = Index(f"{INTEGRITY_PREFIX}{table}", *columns, info={SQLITE_ONLY: True})
    index.ddl_if(dialect="sqlite")
    return index
