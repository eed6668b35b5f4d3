"""A database of an earlier schema opens, keeps its rows, and its projections go on.

rows_of_0001.json holds the rows of two nodes that the software of schema 0001 wrote: alerts with steps and answers, a
list with four eyes that was distributed, recorded shipments, and one alert that neither had projected yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, column, insert, inspect, select, table

from gateway.db import migrate
from gateway.db.database import Database
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.tables import feeds, identity, journal
from gateway.history.projection.records import RecordProjection
from gateway.history.tables import progress as record_progress
from gateway.node.projections import metadata
from gateway.tracing.tables import PROGRESS as FINDING_PROGRESS
from gateway.v1 import alert_pb2
from gateway.watchlists.tables import lists, matches
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables.progress import DistributionRow
from tests.support.databases import MakeDatabase
from tests.support.histories import random_history
from tests.support.nodes import PaperNode, exchange, paper_nodes
from tests.support.recording import index, record, search
from tests.support.shipments import shipment

pytestmark = pytest.mark.both_databases

GONE = {"cursors", "match_cursors", "shipment_segments"}
INDEX = {table.name for table in RecordProjection.tables} - {"risk_hits"}
ROWS = json.loads(Path(__file__).with_name("rows_of_0001.json").read_text(encoding="utf-8"))


def _at_0001(database: Database, node: str) -> None:
    with database.write() as conn:
        config = Config()
        config.set_main_option("script_location", "gateway.db:migrations")
        config.attributes.update(connection=conn, target_metadata=metadata)
        command.upgrade(config, "0001")
        tables = ROWS[node]
        for name in sorted(tables, key=lambda name: name != "feeds"):  # the others refer to it
            made = table(name, *(column(one) for one in tables[name]["columns"]))
            conn.execute(
                insert(made), [dict(zip(tables[name]["columns"], row, strict=True)) for row in _rows(node, name)]
            )


def _rows(node: str, name: str) -> list[tuple[Any, ...]]:
    rows = ROWS[node].get(name, {"rows": []})["rows"]
    return [tuple(bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in row) for row in rows]


def _cursors(node: str, name: str = "cursors") -> dict[str, int]:
    return dict(_rows(node, name))


@pytest.fixture
def nodes(tmp_path: Path, make_empty_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    """Nodes on databases that were migrated from 0001."""
    names = iter(("cn", "hk"))

    def make() -> Database:
        database = make_empty_database()
        _at_0001(database, next(names))
        migrate.upgrade(database)
        return database

    with paper_nodes(tmp_path, make) as opened:
        yield opened


def _stored(conn: Connection, name: str, columns: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """Rows of a table, with all columns or with those of an earlier schema."""
    stored = metadata.tables[name]
    rows = conn.execute(select(*(stored.c[one] for one in columns or stored.c.keys())))
    return sorted(tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in rows)


@pytest.mark.parametrize("name", ["cn", "hk"])
def test_every_row_is_kept_and_every_position_has_its_column(make_empty_database: MakeDatabase, name: str) -> None:
    database = make_empty_database()
    _at_0001(database, name)
    with database.read() as conn:
        assert migrate.schema_version(conn) == "0001"
    migrate.upgrade(database)
    cursors, looked = _cursors(name), _cursors(name, "match_cursors")
    with database.read() as conn:
        assert migrate.schema_version(conn) != "0001"
        assert not GONE & set(inspect(conn).get_table_names())
        for kept in ROWS[name].keys() - GONE - INDEX:
            assert _stored(conn, kept, ROWS[name][kept]["columns"]) == sorted(_rows(name, kept))
        assert not any(_stored(conn, emptied) for emptied in INDEX)
        alerts = metadata.tables["alerts"].c
        places = select(alerts.current_feed_id, alerts.last_feed_id, alerts.feed_id)
        assert all(len(set(row)) == 1 for row in conn.execute(places))
        assert (journal.projected_position(conn), journal.knowledge(conn)) == (cursors["alerts"], b"")
        assert list_progress.applied(conn) == cursors["lists"] == 1
        assert list_progress.warned_at(conn) == cursors.get("warned", 0)
        for partner in {"cn", "hk", "mo"} - {name}:
            row = DistributionRow(partner, cursors[f"released:{partner}"], cursors[f"compared:{partner}"])
            assert list_progress.distribution(conn, partner) == row
        assert list_progress.distribution(conn, "nobody") == DistributionRow("nobody")
        assert matches.positions(conn) == looked
        assert record_progress.indexed(conn) == 0  # built again: keys have other forms since 0003
        assert record_progress.evaluated(conn) == 0  # again: outcomes of inspections are kept since 0034
        names = ("findings", "findings_records", "findings_written")
        assert tuple(FINDING_PROGRESS.read(conn)) == tuple(cursors.get(one, 0) for one in names)
    with database.read() as conn:
        assert identity.tokens(conn) == (cursors["start"], cursors["start before"])


def test_what_wasnt_projected_is_and_all_goes_on_and_is_rebuilt_as_it_was_migrated(nodes: list[PaperNode]) -> None:
    assert_projected(nodes)
    assert_rebuilt_the_same(nodes)
    assert_it_goes_on(*nodes)


def assert_projected(nodes: list[PaperNode]) -> None:
    for node in nodes:
        assert len(_rows(node.name, "alerts")) == 3
        assert len(_rows(node.name, "entries")) == _cursors(node.name)["alerts"] + 1
    exchange(*nodes)
    for node in nodes:
        with node.database.read() as conn:
            assert len(_stored(conn, "alerts")) == 4
            assert journal.projected_position(conn) == journal.head_position(conn)


def assert_it_goes_on(cn: PaperNode, hk: PaperNode) -> None:
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    exchange(cn, hk)
    (delivery,) = cn.queries.get("cn", alert_id).deliveries
    assert delivery.status == alert_pb2.ALERT_STATUS_ACKNOWLEDGED
    with hk.database.read() as conn:
        listed = lists.find(conn, "cn", "minerals", ["E1", "E2"])
    assert sorted(listed) == ["E1", "E2"]
    record(hk, shipment("C"))
    index(hk)
    assert [found.shipment.record_id for found in search(hk, record_ids=["C"])] == ["C"]
    assert [found.shipment.record_id for found in search(hk, record_ids=["B"])] == ["B"]


def assert_rebuilt_the_same(nodes: list[PaperNode]) -> None:
    for node in nodes:
        index(node)
        before, sizes = _projected(node), _sizes(node)
        rebuild(node.writer, report_progress=lambda _: None)
        index(node)
        assert _projected(node) == before
        assert _sizes(node) == sizes, "nothing is answered or distributed twice"


def test_deadlines_of_alerts_are_migrated_as_they_are_projected(
    tmp_path: Path, make_database: MakeDatabase, make_empty_database: MakeDatabase
) -> None:
    statuses, replied, asked, inspected = set(), 0, 0, 0
    with paper_nodes(tmp_path, make_database) as nodes:
        random_history(nodes, seed=9, steps=100)
        for node in nodes:
            with node.database.read() as conn:
                expected = _stored(conn, "alerts")
                rows = {one: _stored(conn, one) for one in ("feeds", "entries", "alerts", "alert_events")}
            earlier = make_empty_database()
            _at_0004(earlier, rows)
            migrate.upgrade(earlier)
            with earlier.read() as conn:
                assert _stored(conn, "alerts") == expected
            named = [dict(zip(metadata.tables["alerts"].c.keys(), row, strict=True)) for row in expected]
            statuses |= {row["status"] for row in named}
            replied += sum(row["replied_revision"] > 0 for row in named)
            asked += sum(row["question_in_due"] > 0 for row in named)
            inspected += sum(row["finding_feed_id"] > 0 for row in named)
    assert statuses >= {"withdrawn", "flagged", "acknowledged", "closed"}
    assert replied
    assert asked
    assert inspected


def _at_0004(database: Database, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """A database before alerts had deadlines."""
    with database.write() as conn:
        config = Config()
        config.set_main_option("script_location", "gateway.db:migrations")
        config.attributes.update(connection=conn, target_metadata=metadata)
        command.upgrade(config, "0004")
        for name, stored in rows.items():
            earlier = [one["name"] for one in inspect(conn).get_columns(name)]
            made = table(name, *(column(one) for one in earlier))
            named = [dict(zip(metadata.tables[name].c.keys(), row, strict=True)) for row in stored]
            conn.execute(insert(made), [{one: row[one] for one in earlier} for row in named])


def _projected(node: PaperNode) -> dict[str, list[tuple[Any, ...]]]:
    with node.database.read() as conn:
        return {one.name: _stored(conn, one.name) for one in node.projector.tables}


def _sizes(node: PaperNode) -> dict[str, int]:
    with node.database.read() as conn:
        return {feed.origin.line: feed.size for feed in feeds.list_all(conn)}
