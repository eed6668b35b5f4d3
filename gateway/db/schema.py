"""Holds the metadata of all tables, and progress as one row of named columns.

Keys on the hot path grow in order: random ones make SQLite ten times slower. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table, insert, select

from gateway.db.statements import Prepared, upsert

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


ValuesT = TypeVar("ValuesT", bound=tuple[Any, ...])

_ROW = 1


def progress_table(name: str, *columns: Column[Any]) -> Table:
    """A table for one row."""
    index = integrity_index(name, "id", *(column.name for column in columns))
    return Table(name, metadata, Column("id", Integer, primary_key=True, autoincrement=False), *columns, index)


class Progress(Generic[ValuesT]):
    """The row as a named tuple; its defaults before the first write."""

    def __init__(self, table: Table, values: Callable[..., ValuesT]) -> None:
        self._table = table
        self._values = values
        columns = [column for column in table.columns if column.name != "id"]
        self._names = tuple(column.name for column in columns)
        self._read = Prepared(select(*columns).where(table.c.id == _ROW))
        self._lock = Prepared(select(*columns).where(table.c.id == _ROW).with_for_update())
        self._add = Prepared(insert(table))
        self._puts: dict[tuple[str, ...], Prepared] = {}

    def read(self, conn: Connection) -> ValuesT:
        row = self._read(conn).one_or_none()
        return self._values() if row is None else self._values(*row)

    def lock(self, conn: Connection) -> ValuesT:
        """The row, locked until the transaction ends (PostgreSQL).

        Raises:
            IntegrityError: another writer has just made the row.
        """
        row = self._lock(conn).one_or_none()
        if row is None:
            self._add(conn, id=_ROW, **self._row({})).wait()  # or the error would come later
            return self._values()
        return self._values(*row)

    def write(self, conn: Connection, **changed: int | bytes | None) -> None:
        """Changes some columns; nothing without any."""
        if not changed:
            return
        names = tuple(changed)
        if (put := self._puts.get(names)) is None:
            put = self._puts[names] = upsert(self._table, names)
        put(conn, id=_ROW, **self._row(changed))

    def _row(self, given: Mapping[str, int | bytes | None]) -> dict[str, Any]:
        """The values of a new row."""
        return {**dict(zip(self._names, self._values(), strict=True)), **given}
