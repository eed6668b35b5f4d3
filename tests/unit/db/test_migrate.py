import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from hatchling.builders.wheel import WheelBuilder
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from gateway import __version__
from gateway.db import migrate
from gateway.db.database import Database
from gateway.db.migrate import Revision
from gateway.db.schema import POSTGRESQL_ONLY, SQLITE_ONLY
from gateway.errors import ConfigurationError, StoreUnavailableError
from gateway.feed.tables import journal
from gateway.node.projections import metadata
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import exchange, paper_nodes
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parents[3]


def tables(database: Database) -> set[str]:
    with database.read() as conn:
        return set(inspect(conn).get_table_names())


def sqlite_statements(conn: Connection) -> dict[str, list[str]]:
    """Columns and constraints of each table in no order: an added column stands at the end."""
    rows = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL"))
    return {name: sorted(re.split(r",(?![^(]*\))", " ".join(sql.split()).replace(" )", ")"))) for name, sql in rows}


def included(database: Database) -> Callable[..., bool]:
    """What is compared on this database."""
    elsewhere = POSTGRESQL_ONLY if database.dialect == "sqlite" else SQLITE_ONLY
    return lambda thing, *_: not thing.info.get(elsewhere)


@pytest.mark.drift
def test_the_migrations_lead_to_the_schema(make_empty_database: MakeDatabase) -> None:
    database = make_empty_database()
    migrate.upgrade(database)
    assert tables(database) == {*metadata.tables, "alembic_version"}
    with database.read() as conn:
        # Alembic misreads SQLite's default '' as another one; the next test compares SQLite's own words.
        opts: dict[str, Any] = {"compare_type": True, "compare_server_default": database.dialect == "postgresql"}
        opts["include_object"] = included(database)
        context = MigrationContext.configure(conn, opts=opts)
        assert compare_metadata(context, metadata) == [], "run `make migration`"


@pytest.mark.drift
def test_on_sqlite_they_do_so_to_the_letter(tmp_path: Path) -> None:
    """Also what no comparison of types sees: WITHOUT ROWID, autoincrement, collations."""
    migrated, created = (Database(f"sqlite:///{tmp_path / name}") for name in ("migrated", "created"))
    migrate.upgrade(migrated)
    with created.write() as conn:
        metadata.create_all(conn)
    with migrated.read() as ours, created.read() as theirs:
        assert sqlite_statements(ours) == sqlite_statements(theirs), "run `make migration`"
    migrated.close()
    created.close()


@pytest.mark.drift
def test_a_missing_column_and_a_column_too_many_would_be_seen(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("ALTER TABLE defects RENAME COLUMN problem TO fault"))
    with database.read() as conn:
        context = MigrationContext.configure(conn, opts={"include_object": included(database)})
        assert len(compare_metadata(context, metadata)) == 2


def test_a_second_start_changes_nothing_and_keeps_what_is_stored(database: Database) -> None:
    with database.write() as conn:
        journal.move_projected(conn, 7)
    migrate.upgrade(database)
    with database.read() as conn:
        assert journal.projected_position(conn) == 7
        assert migrate.schema_version(conn) is not None


def test_a_database_at_the_newest_version_is_not_written(tmp_path: Path) -> None:
    database = new_database(f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    with database.write():  # whoever wants to write now waits for five seconds and fails
        other = Database(str(database.engine.url))
        migrate.upgrade(other)
        other.close()
    database.close()


def test_processes_that_start_at_once_migrate_once(make_empty_database: MakeDatabase) -> None:
    database = make_empty_database()
    url = database.engine.url.render_as_string(hide_password=False)
    together, errors = threading.Barrier(4), list[BaseException]()

    def start() -> None:
        own = Database(url)
        together.wait()
        try:
            migrate.upgrade(own)
        except BaseException as error:
            errors.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert tables(database) == {*metadata.tables, "alembic_version"}


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"schema version 9999 of a newer gateway; .* knows up to 00\d\d"):
        migrate.upgrade(database)
    with database.read() as conn:
        assert migrate.schema_version(conn) == "9999"


def test_tables_without_a_version_are_refused(make_database: MakeDatabase) -> None:
    database = make_database()
    with database.write() as conn:
        conn.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(ConfigurationError, match="no schema version"):
        migrate.upgrade(database)
    assert "alembic_version" not in tables(database)


def test_a_postgresql_database_that_is_not_in_utf8_is_refused(postgres_server: PostgresServer) -> None:
    name = postgres_server.create("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    database = Database(postgres_server.url_of(name))
    try:
        with pytest.raises(ConfigurationError, match="the encoding SQL_ASCII, and names in every script need UTF8"):
            migrate.upgrade(database)
    finally:
        database.close()
        postgres_server.drop(name)


def test_a_migration_that_fails_leaves_nothing_behind(
    make_empty_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_empty_database()
    with database.write() as conn:  # the name of an index of the last tables is taken
        conn.execute(text("CREATE TABLE taken (a INTEGER)"))
        conn.execute(text("CREATE INDEX ix_alerts_direction_valid_until ON taken (a)"))
    with pytest.raises((StoreUnavailableError, DBAPIError), match="already exists"):
        migrate.upgrade(database)
    assert tables(database) == {"taken"}


@pytest.mark.drift
def test_the_wheel_has_the_migrations() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    folder = ROOT / "gateway/db/migrations"
    needed = {str(path.relative_to(ROOT)) for kind in ("*.py", "*.mako") for path in folder.rglob(kind)}
    assert len(needed) >= 3
    assert needed <= packed


def newer_version(database: Database, *statements: str, compatible: bool) -> None:
    """What a newer gateway's migration leaves."""
    with database.write() as conn:
        for statement in statements:
            conn.execute(text(statement))
        conn.execute(text("UPDATE alembic_version SET version_num = '0999'"))
        migrate.note_revisions(conn, [Revision("0999", "9.9.0", compatible)], now_ms=1)


ADDED = (
    "ALTER TABLE feeds ADD COLUMN colour VARCHAR(16) DEFAULT '' NOT NULL",
    "CREATE TABLE colours (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE INDEX ix_feeds_colour ON feeds (colour)",
)


def test_a_replica_works_on_while_a_newer_one_adds_to_the_schema(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        newer_version(cn.database, *ADDED, compatible=True)
        cn.publish("hk")  # it runs on
        migrate.upgrade(cn.database)  # and starts again
        cn.publish("hk")
        exchange(cn, hk)
        with cn.database.read() as conn:
            assert migrate.schema_version(conn) == "0999"
            assert set(conn.execute(text("SELECT colour FROM feeds")).scalars()) == {""}
        assert hk.outgoing.size(cn.origin("hk")) == 3


def test_older_software_says_which_version_it_meets(make_database: MakeDatabase) -> None:
    database = make_database()
    newer_version(database, *ADDED, compatible=False)
    said = rf"schema version 0999 of gateway 9\.9\.0; this is gateway {__version__}, .* start gateway 9\.9\.0 or newer"
    with pytest.raises(ConfigurationError, match=said):
        migrate.upgrade(database)


CHANGES = {
    "table feeds: column accepted_at is missing": "ALTER TABLE feeds RENAME COLUMN accepted_at TO agreed_at",
    "table defects is missing": "ALTER TABLE defects RENAME TO faults",
    r"table matches: there is no index on \(publisher, list, entry_id\)": (
        "DROP INDEX ix_matches_publisher_list_entry_id"
    ),
    r"table defects: \(problem\) shouldn't be unique": "CREATE UNIQUE INDEX ux_problem ON defects (problem)",
}


@pytest.mark.parametrize("compatible", [None, True], ids=["own version", "compatible version"])
@pytest.mark.parametrize("difference", CHANGES)
def test_other_tables_than_the_revision_has_are_refused_by_name(
    make_database: MakeDatabase, difference: str, compatible: bool | None
) -> None:
    database = make_database()
    with database.write() as conn:
        conn.execute(text(CHANGES[difference]))
    if compatible is not None:
        newer_version(database, compatible=compatible)
    with pytest.raises(ConfigurationError, match=difference) as refused:
        migrate.upgrade(database)
    assert "docs/runbook/upgrade.md" in refused.value.way_out


def test_a_changed_migration_is_found_before_the_next_one_runs(make_empty_database: MakeDatabase) -> None:
    """As databases of commits before the first release, whose one migration was rewritten in place."""
    database = make_empty_database()
    with database.write() as conn:
        config = Config()
        config.set_main_option("script_location", "gateway.db:migrations")
        config.attributes.update(connection=conn, target_metadata=metadata)
        command.upgrade(config, "0001")
        conn.execute(text("ALTER TABLE cursors RENAME COLUMN position TO place"))
    with pytest.raises(ConfigurationError, match="table cursors: column position is missing"):
        migrate.upgrade(database)
    with database.read() as conn:
        assert migrate.schema_version(conn) == "0001"
