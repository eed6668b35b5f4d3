"""Databases of every earlier revision, with rows in every table, become those of the newest one and keep their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.dialects.postgresql import TSVECTOR

from gateway.db import fingerprint, migrate
from gateway.db.database import Database
from gateway.db.fingerprint import ColumnDescription, Schema, TableDescription
from gateway.node.projections import metadata
from tests.support.databases import Databases

VERSIONS = Path(migrate.__file__).parent / "migrations/versions"
DIGESTS = Path(__file__).with_name("migrations.sha256")
ROWS = 3

NAMES = {
    "cursors": ["alerts", "lists", "released:hk"],
    "match_cursors": ["alert", "shipment", "changes"],
}
"""What stood in the column `name` of tables whose rows 0002 moved."""

EMPTIED_BY = {
    **dict.fromkeys(
        (
            "shipments",
            "shipment_revisions",
            "shipment_keys",
            "shipment_segments",
            "shipment_times",
            "party_names",
            "party_name_keys",
        ),
        "0025",
    ),
    "link_terms": "0029",
    "figure_counts": "0032",
    "figure_progress": "0032",
}
"""Tables of indexes and counts, and the last revision that emptied each: the node builds them again."""

MOVED = {
    "record_progress": {"indexed_position": "0025", "evaluated_position": "0034"},
    "link_progress": {"alert_position": "0029", "record_position": "0029"},
}
"""Columns, and the last revision that set each."""


def config(**attributes: Any) -> Config:
    made = Config()
    made.set_main_option("script_location", "gateway.db:migrations")
    made.attributes.update(target_metadata=metadata, **attributes)
    return made


SCRIPT = ScriptDirectory.from_config(config())
REVISIONS = sorted(revision.revision for revision in SCRIPT.walk_revisions())


def to_revision(database: Database, revision: str) -> None:
    with database.write() as conn:
        migrate.take_turn_to_migrate(conn)
        command.upgrade(config(connection=conn), revision)


def fill(conn: Connection) -> dict[str, list[dict[str, Any]]]:
    """Puts rows into every table, by what its columns allow; returns them by table."""
    present = MetaData()
    present.reflect(conn)
    filled = {}
    for table in present.sorted_tables:
        if table.name in ("alembic_version", "schema_revisions"):
            continue
        rows = [] if "progress" in table.name or table.name == "node_starts" else list(_rows(table, ROWS))
        rows = rows or list(_rows(table, 1))
        conn.execute(insert(table), rows)
        filled[table.name] = rows
    return filled


def _rows(table: Table, count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {column.name: _value(table, column, number) for column in table.columns}


def _value(table: Table, column: Any, number: int) -> Any:
    if column.foreign_keys:
        return number
    if table.name in NAMES and column.name == "name":
        return NAMES[table.name][number - 1]
    match column.type:
        case Boolean():
            return number % 2 == 0
        case Integer() | BigInteger():
            return number
        case LargeBinary():
            return b"" if column.name == "payload" else bytes([number]) * 32
        case TSVECTOR():
            return f"'v{number}'"
        case _:  # 0005 reads questions as JSON
            return "[]" if column.name == "questions" else f"v{number}"[-(column.type.length or 2) :]


def stored(conn: Connection, name: str, columns: list[str]) -> list[tuple[Any, ...]]:
    table = metadata.tables[name]
    rows = conn.execute(select(*(table.c[column] for column in columns)))
    return sorted(tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in rows)


@pytest.mark.both_databases
def test_each_becomes_the_newest_one_and_keeps_its_rows(databases: Databases) -> None:
    migrated = databases.empty()
    migrate.upgrade(migrated)
    with migrated.read() as conn:
        newest = fingerprint.described(conn)
    earlier = databases.empty()
    for revision in REVISIONS[:-1]:
        to_revision(earlier, revision)
        database = databases.copy(earlier)
        assert_kept(database, revision, newest)
        database.close()


def assert_kept(database: Database, revision: str, newest: Schema) -> None:
    with database.write() as conn:
        migrate.take_turn_to_migrate(conn)  # on a slow machine it takes longer than a transaction may pause elsewhere
        filled = fill(conn)
    migrate.upgrade(database)
    with database.read() as conn:
        assert fingerprint.described(conn) == newest, revision
        assert [one.revision for one in migrate.applied_revisions(conn)] == REVISIONS
        for name, rows in filled.items():
            if name not in metadata.tables:
                assert name in NAMES, f"{revision}: {name} is gone"
            elif revision < EMPTIED_BY.get(name, ""):
                assert stored(conn, name, list(metadata.tables[name].c.keys())) == []
            else:
                set_again = {column for column, moved_by in MOVED.get(name, {}).items() if revision < moved_by}
                columns = [one for one in rows[0] if one in metadata.tables[name].c and one not in set_again]
                kept = sorted(tuple(row[one] for one in columns) for row in rows)
                assert stored(conn, name, columns) == kept, f"{revision}: {name}"


@pytest.mark.drift
def test_no_migration_was_changed_since_it_was_published() -> None:
    listed = dict(reversed(line.split()) for line in DIGESTS.read_text(encoding="ascii").splitlines())
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VERSIONS.glob("[0-9]*.py")}
    changed = [name for name, digest in listed.items() if present.get(name) != digest]
    assert not changed, "databases have run them: add another migration"
    assert present.keys() == listed.keys(), "append the new one: (cd versions; sha256sum FILE) >> migrations.sha256"


@pytest.mark.drift
def test_the_newest_revision_is_known_without_alembic() -> None:
    """A node that has nothing to migrate doesn't import it."""
    assert migrate.newest_revision() == SCRIPT.get_current_head()


@pytest.mark.drift
def test_a_migration_that_says_so_only_adds(tmp_path: Path) -> None:
    """Software of the revision before finds all that it needs, apart from what it had given up."""
    database = Database(f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    before: Schema = {}
    for revision in REVISIONS:
        to_revision(database, revision)
        with database.read() as conn:
            after = fingerprint.described(conn)
            assert after == fingerprint.reflected(conn)
        module = SCRIPT.get_revision(revision).module
        if getattr(module, "compatible", False):
            retired = getattr(module, "retires", ())
            assert [one for one in fingerprint.differences(before, after) if not _is_of(one, retired)] == []
        if revision > "0008":
            assert isinstance(module.version, str)
            assert isinstance(module.compatible, bool)
        before = after
    database.close()


def _is_of(difference: str, retired: tuple[str, ...]) -> bool:
    tables = [name for name in retired if "." not in name]
    columns = [name.split(".") for name in retired if "." in name]
    return difference in [f"table {name} is missing" for name in tables] + [
        f"table {table}: column {column} is missing" for table, column in columns
    ]


def _table(*, retired: bool = False, **columns: ColumnDescription) -> TableDescription:
    return TableDescription(columns, ("id",), frozenset(), frozenset(), frozenset(), retired)


def test_sqlite_itself_describes_tables_as_sqlalchemy_does(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    with database.write() as conn:
        for statement in (
            "CREATE TABLE a (x INTEGER NOT NULL, y varchar(36), z TEXT DEFAULT 'z', PRIMARY KEY (y, x), UNIQUE (z, x))",
            "CREATE TABLE b (id INTEGER PRIMARY KEY, p INTEGER, q VARCHAR(36), r INTEGER REFERENCES b (id), FOREIGN KEY"
            " (q, p) REFERENCES a (y, x))",
            "CREATE UNIQUE INDEX b1 ON b (q, p)",
            "CREATE INDEX b2 ON b (p) WHERE q = 'a'",
            "CREATE TABLE no_key (blob BLOB)",
            "CREATE TABLE sqlitelike (id INTEGER)",
            "CREATE VIRTUAL TABLE words USING fts5 (text)",
        ):
            conn.exec_driver_sql(statement)
        schema = fingerprint.described(conn)
        assert schema == fingerprint.reflected(conn)
    database.close()
    assert (schema["a"].key, schema["a"].unique) == (("y", "x"), {("z", "x")})
    assert schema["b"].references == {(("q", "p"), "a"), (("r",), "b")}
    assert {"no_key", "sqlitelike", "words"} <= schema.keys()


def test_what_is_added_is_no_difference_and_what_is_missing_is() -> None:
    number, optional = ColumnDescription("INTEGER", False, False), ColumnDescription("INTEGER", True, False)
    given_up = ColumnDescription("INTEGER", True, False, retired=True)
    needed = {"a": _table(id=number), "b": _table(id=number, old=given_up), "c": _table(retired=True, id=number)}
    assert fingerprint.differences(needed, needed) == []
    more = {"a": _table(id=number, new=optional), "b": _table(id=number), "d": _table(id=number)}
    assert fingerprint.differences(needed, more) == []
    assert fingerprint.differences({"a": _table(id=number)}, {"a": _table(id=number, new=number)}) == [
        "table a: column new is unknown, and no row can be added without it"
    ]
    assert fingerprint.differences({"a": _table(id=number), "b": _table(id=number)}, {"a": _table(id=optional)}) == [
        "table a: column id may be NULL",
        "table b is missing",
    ]
