"""The engine's own check, the tables, and rows that carry a checksum."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from gateway.db.database import Database
from gateway.db.schema import SQLITE_ONLY
from gateway.evidence.service.database_check import check_database
from gateway.feed.projection.projector import Projector
from gateway.feed.tables import requests
from gateway.feed.tables.requests import AnsweredRequest
from gateway.feed.tables.schema import requests as requests_table
from gateway.node.projections import metadata, registry
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.databases import MakeDatabase
from tests.support.nodes import trusted

VERIFIED = {
    "entries",
    "tiles",
    "checkpoints",
    "audit_events",
    "history_answer_records",
    "key_tree_leaves",
    "key_tree_tiles",
}
"""Tables that digests and signatures cover."""


def checked(database: Database) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    unchecked: list[str] = []
    check_database(database, problems.append, unchecked.append)
    return problems, unchecked


@pytest.mark.drift
def test_no_table_could_change_unseen() -> None:
    """A new table is a projection, or verified, or has an index of all its columns that SQLite compares."""
    directory = trusted().directory
    projected = {
        table.name
        for table in Projector(registry(federation=FEDERATION, node="cn", directory=lambda: directory)).tables
    } - {"risk_hits"}
    indexed = {
        name for name, table in metadata.tables.items() if any(one.info.get(SQLITE_ONLY) for one in table.indexes)
    }
    summed = {name for name, table in metadata.tables.items() if "checksum" in table.c}
    assert metadata.tables.keys() - projected - indexed - summed - VERIFIED == set()
    for name in indexed:
        table = metadata.tables[name]
        covered = {column.name for index in table.indexes if index.info.get(SQLITE_ONLY) for column in index.columns}
        others = {"feeds": {"origin", "size", "journaled_size", "edge", "checkpoint", "receipted_size"}}
        others["record_log"] = {"salt", "content"}
        assert covered | others.get(name, set()) == set(table.c.keys()), name


@pytest.mark.both_databases
def test_a_changed_answer_to_a_request_is_found(make_database: MakeDatabase) -> None:
    database = make_database()
    answered = [AnsweredRequest(bytes([number]) * 16, "system/cn/x", b"d" * 32, b"answer") for number in range(3)]
    with database.write() as conn:
        requests.remember(conn, answered, now_ms=1)
    assert checked(database)[0] == []
    with database.write() as conn:
        conn.execute(update(requests_table).where(requests_table.c.request_id == b"\1" * 16).values(response=b"other"))
    (problem,) = checked(database)[0]
    assert problem == f"the answer to request {(bytes([1]) * 16).hex()} of system/cn/x was changed"
    with database.write() as conn:  # of an earlier version
        conn.execute(update(requests_table).values(checksum=0))
    assert checked(database)[0] == []


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_amcheck_runs_where_it_is_installed(make_empty_database: MakeDatabase, make_database: MakeDatabase) -> None:
    database = make_database()
    problems, unchecked = checked(database)
    assert problems == []
    assert any("CREATE EXTENSION amcheck" in sentence for sentence in unchecked)
    with database.write() as conn:
        conn.execute(text("CREATE EXTENSION amcheck"))
    assert checked(database) == ([], [])
    with database.write() as conn:  # a row that its index doesn't have
        ready = "UPDATE pg_index SET indisready = {} WHERE indexrelid = 'pk_party_names'::regclass"
        conn.execute(text(ready.format("false")))
        conn.execute(text("INSERT INTO party_names VALUES (1, 'Placeholder')"))
        conn.execute(text(ready.format("true")))
    (problem,) = checked(database)[0]
    assert problem.startswith("amcheck: index pk_party_names: ")
