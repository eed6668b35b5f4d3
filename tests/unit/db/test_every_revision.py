"""Databases of every earlier revision, with rows in every table, become those of the newest one and keep their rows.

Rows of each revision go on through all later ones, a revision at a time; and from every sixth revision to the newest in
one transaction, as a node's start does it. From each, 32 revisions are five hundred migrations, each on two databases.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, MetaData, Table, func, insert, select
from sqlalchemy.dialects.postgresql import TSVECTOR

from gateway.db import fingerprint, migrate
from gateway.db.database import Database
from gateway.db.fingerprint import ColumnDescription, Schema, TableDescription
from gateway.node.projections import metadata
from tests.support.databases import Databases

VERSIONS = Path(migrate.__file__).parent / "migrations/versions"
DIGESTS = Path(__file__).with_name("migrations.sha256")
ROWS = 3
AT_ONCE = 6
"""Each such revision is migrated to the newest in one go."""

NAMES = {
    "cursors": ["alerts", "lists", "released:hk"],
    "match_cursors": ["alert", "shipment", "changes"],
}
"""What stood in the column `name` of tables whose rows 0002 moved."""

MOVED_TO = "list_distribution"
"""The table with rows of its own that got one of these, `released:hk`."""

DROPPED = {"shipment_segments"}
"""Tables of indexes that went: the node builds what took their place."""

EMPTIED_BY = {
    **dict.fromkeys(
        (
            "shipments",
            "shipment_revisions",
            "shipment_keys",
            "shipment_times",
            "party_names",
            "party_name_keys",
        ),
        "0037",
    ),
    "link_terms": "0029",
    "figure_counts": "0032",
    "figure_progress": "0032",
}
"""Tables of indexes and counts, and the last revision that emptied each: the node builds them again."""

MOVED = {
    "record_progress": {"indexed_position": "0037", "evaluated_position": "0034"},
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


@dataclass(frozen=True)
class Filled:
    """Rows that a database got at a revision, by table."""

    revision: str
    tables: dict[str, list[dict[str, Any]]]


def fill(conn: Connection, revision: str, tables: Collection[str]) -> Filled:
    """Puts rows into tables and those that they refer to, by what columns allow, unlike those of other revisions."""
    present = MetaData()
    present.reflect(conn, only=tables)
    filled = {}
    for table in present.sorted_tables:
        if table.name in ("alembic_version", "schema_revisions"):
            continue
        first = REVISIONS.index(revision) * ROWS + 1
        if _has_one_row(table) or table.name in NAMES:
            if conn.scalar(select(func.count()).select_from(table)):
                continue
            first = 1
        rows = [
            {column.name: _value(table, column, number) for column in table.columns}
            for number in range(first, first + (1 if _has_one_row(table) else ROWS))
        ]
        conn.execute(insert(table), rows)
        filled[table.name] = rows
    return Filled(revision, filled)


def _has_one_row(table: Table) -> bool:
    return "progress" in table.name or table.name == "node_starts"


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
            return "[]" if column.name == "questions" else f"v{number}"[-(column.type.length or 3) :]


def stored(conn: Connection, name: str, columns: list[str]) -> Counter[tuple[Any, ...]]:
    table = metadata.tables[name]
    rows = conn.execute(select(*(table.c[column] for column in columns)))
    return Counter(tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in rows)


@pytest.mark.both_databases
def test_each_becomes_the_newest_one_and_keeps_its_rows(databases: Databases) -> None:
    growing, filled, before = databases.empty(), list[Filled](), Schema()
    for revision in REVISIONS[:-1]:
        to_revision(growing, revision)
        now = described(growing)
        with growing.write() as conn:
            migrate.take_turn_to_migrate(conn)  # on a slow machine it takes longer than a transaction may pause
            # Where the revision changed nothing, rows of the one before are as its own would be.
            filled.append(fill(conn, revision, [name for name in now if now[name] != before.get(name)]))
        before = now
    migrate.upgrade(growing)
    assert_kept(growing, filled, described(databases.migrated()))


@pytest.mark.both_databases
def test_many_revisions_at_once_keep_the_rows(databases: Databases) -> None:
    newest, earlier = described(databases.migrated()), databases.empty()
    for revision in REVISIONS[:-1:AT_ONCE]:
        to_revision(earlier, revision)
        database = databases.copy(earlier)
        tables = described(database)
        with database.write() as conn:
            migrate.take_turn_to_migrate(conn)
            filled = fill(conn, revision, tables)
        migrate.upgrade(database)
        assert_kept(database, [filled], newest)
        database.close()


def described(database: Database) -> Schema:
    with database.read() as conn:
        return fingerprint.described(conn)


def assert_kept(database: Database, filled: list[Filled], newest: Schema) -> None:
    """The database is one of the newest revision, and has these rows alone."""
    assert described(database) == newest
    with database.read() as conn:
        assert [one.revision for one in migrate.applied_revisions(conn)] == REVISIONS
        kept = Counter[str]()
        for at in filled:
            for name, rows in at.tables.items():
                if name not in metadata.tables:
                    assert name in NAMES or name in DROPPED, f"{at.revision}: {name} is gone"
                elif at.revision >= EMPTIED_BY.get(name, ""):
                    kept[name] += len(rows)
                    moved = MOVED.get(name, {})
                    set_again = {column for column, moved_by in moved.items() if at.revision < moved_by}
                    columns = [one for one in rows[0] if one in metadata.tables[name].c and one not in set_again]
                    expected = Counter(tuple(row[one] for one in columns) for row in rows)
                    assert expected <= stored(conn, name, columns), f"{at.revision}: {name}"
        kept[MOVED_TO] += "cursors" in filled[0].tables
        for name in {name for at in filled for name in at.tables} & metadata.tables.keys():
            assert stored(conn, name, list(metadata.tables[name].c.keys())).total() == kept[name], name


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
