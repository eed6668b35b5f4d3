"""Copies a stopped node's tables from SQLite to PostgreSQL: `python -m bench.history_copy SQLITE_URL POSTGRESQL_URL`.

What stands in the tables is what those services have written, so both databases are measured with the same rows. A
database that holds records already is left as it is.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, create_engine, text
from sqlalchemy.engine import Connection, make_url

from gateway.db import migrate
from gateway.db.database import Database
from gateway.db.schema import metadata
from gateway.history.tables import shipments

ROWS_AT_ONCE = 10_000
"""Rows in one piece of a COPY."""


def copy(source: str, target: str) -> None:
    """Copies all tables, then lets PostgreSQL learn what is in them, as its autovacuum would in time."""
    database = Database(target)
    try:
        migrate.upgrade(database)
        with database.read() as conn:
            if shipments.last_position(conn):
                return
    finally:
        database.close()
    engine = create_engine(make_url(target).set(drivername="postgresql+psycopg"))
    path = make_url(source).database
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as rows, engine.begin() as conn:
            conn.execute(text("SET LOCAL synchronous_commit = off"))
            for table in metadata.sorted_tables:
                conn.execute(table.delete())
                _copy_table(rows, conn, table)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM (ANALYZE)"))
            conn.execute(text("CHECKPOINT"))
    finally:
        engine.dispose()


def _copy_table(rows: sqlite3.Connection, conn: Connection, table: Table) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    driver = conn.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as into:
        for piece in _pieces(rows, table):
            into.write(piece)
    for column in table.primary_key:
        if table.autoincrement_column is column:
            value = f"COALESCE((SELECT MAX({column.name}) FROM {table.name}), 0) + 1"
            conn.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), {value}, false)")
            )


def _pieces(rows: sqlite3.Connection, table: Table) -> Iterator[str]:
    """Rows in PostgreSQL's text format, made by SQLite: https://www.postgresql.org/docs/current/sql-copy.html"""
    columns = " || char(9) || ".join(map(_text_of, table.columns))
    order = ", ".join(f'"{column.name}"' for column in table.primary_key)
    found = rows.execute(f"SELECT {columns} FROM {table.name} ORDER BY {order}")
    while lines := found.fetchmany(ROWS_AT_ONCE):
        yield "".join(f"{line[0]}\n" for line in lines)


def _text_of(column: Column[object]) -> str:
    name = f'"{column.name}"'
    if isinstance(column.type, BigInteger | Integer):
        written = f"CAST({name} AS TEXT)"
    elif isinstance(column.type, LargeBinary):
        written = rf"'\\x' || hex({name})"
    else:
        written = rf"replace({name}, '\', '\\')"
        for character, escape in ((9, r"\t"), (10, r"\n"), (13, r"\r")):
            written = f"replace({written}, char({character}), '{escape}')"
    return rf"COALESCE({written}, '\N')"


def main() -> None:
    """Takes its arguments from the command line."""
    source, target = sys.argv[1:]
    os.nice(10)
    copy(source, target)


if __name__ == "__main__":
    main()
