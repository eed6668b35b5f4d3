"""What was added to a record is found under the record's time and procedure, in whatever order all that came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.contract.messages import to_timestamp
from gateway.history.codec.batches import KeyColumns
from gateway.history.projection.index import IndexCommand
from gateway.history.service.current_records import current_records, current_shipments
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.tables import shipments
from gateway.history.tables.cells import CELL_BITS
from gateway.history.tables.schema import shipment_keys
from gateway.v1 import history_pb2, shipment_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import history_tables, ids, index, record, retention, search
from tests.support.shipments import DECLARED, shipment

EXPORT, IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_IMPORT


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn",)) as made:
        yield made[0]


def days_later(days: float) -> Any:
    return to_timestamp(int((DECLARED + timedelta(days=days)).timestamp() * 1000))


def sealed(record_id: str, seal: str) -> shipment_pb2.ShipmentAddition:
    event = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_APPLIED, occurred_at=days_later(0), seal=seal
    )
    return shipment_pb2.ShipmentAddition(record_id=record_id, events=[event])


@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_added_before_the_shipment_is_found_by_its_time_and_procedure(node: PaperNode, at_once: bool) -> None:
    record(node, sealed("A", "EARLY-1"))
    if not at_once:
        index(node)
    record(node, shipment("A"))
    index(node)

    assert ids(search(node, seals=["EARLY1"], declared_from=days_later(0))) == ["A"]
    assert ids(search(node, seals=["EARLY1"], procedures=[EXPORT])) == ["A"]
    assert search(node, seals=["EARLY1"], declared_until=days_later(0)) == []
    assert search(node, seals=["EARLY1"], procedures=[IMPORT]) == []


@pytest.mark.both_databases
@pytest.mark.parametrize("at_once", [True, False])
def test_another_time_of_the_shipment_is_that_of_what_was_added_too(node: PaperNode, at_once: bool) -> None:
    record(node, sealed("OTHER", "EARLY-1"), shipment("OTHER"), shipment("A"), sealed("A", "EARLY-1"))
    if not at_once:
        index(node)
    record(node, shipment("A", declared_at=days_later(3), procedure=IMPORT))
    index(node)

    assert ids(search(node, seals=["EARLY1"], declared_from=days_later(2))) == ["A"]
    assert ids(search(node, seals=["EARLY1"], procedures=[IMPORT])) == ["A"]
    assert ids(search(node, seals=["EARLY1"], declared_until=days_later(2))) == ["OTHER"]


def test_additions_alone_have_no_time(node: PaperNode) -> None:
    record(node, sealed("A", "EARLY-1"))
    index(node)

    with node.database.read() as conn:
        assert shipments.revisions(conn, [1])[1].declared_at == 0


RECORDED = st.lists(
    st.one_of(
        st.builds(sealed, st.sampled_from("AB"), st.sampled_from(["S-11111", "S-22222"])),
        st.builds(
            lambda name, days, done: shipment(name, declared_at=days_later(days), procedure=done),
            st.sampled_from("AB"),
            st.integers(0, 3),
            st.sampled_from([EXPORT, IMPORT]),
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=RECORDED, batch=st.integers(1, 12))
def test_in_whatever_parts_it_is_made_findable_the_tables_are_the_same(
    node: PaperNode, items: list[Any], batch: int
) -> None:
    record(node, *items)
    indexer = HistoryIndexer(node.database, batch=batch)
    while (prepared := indexer.next()) is not None:
        assert node.writer.run(IndexCommand(prepared, retention))
    in_parts = history_tables(node)
    _assert_dated_as_their_records(node)
    _assert_current_as_read_again(node)

    with node.database.write() as conn:
        node.projector.clear(conn)
    index(node)

    assert history_tables(node) == in_parts


def _assert_current_as_read_again(node: PaperNode) -> None:
    """Records whose only item is there already are the same as when everything of them is read."""
    with node.database.read() as conn:
        logged = shipments.log_after(conn, 0, 100)
        records = {record.record_id: record for record in current_records(conn, {row.record_id for row in logged})}
        current = list(current_shipments(conn, logged))
    assert len(current) == len(records)
    for shown in current:
        assert (shown.position, shown.shipment) == (
            records[shown.record_id].position,
            records[shown.record_id].shipment,
        )


def test_keys_of_a_batch_over_two_cells_stand_in_the_cell_of_their_position(node: PaperNode) -> None:
    border = 1 << CELL_BITS
    pairs = [(key << 40, position) for key in range(150) for position in (border - 1, border, border + 1)]
    columns = KeyColumns.of([key for key, _ in reversed(pairs)], [position for _, position in reversed(pairs)])
    with node.database.write() as conn:
        shipments.add_keys(conn, *columns.columns())
        rows = conn.execute(select(shipment_keys)).all()
    assert sorted(map(tuple, rows)) == sorted((position >> CELL_BITS, key, position) for key, position in pairs)


KEYS = st.lists(st.tuples(st.integers(0, (1 << 62) - 1), st.integers(1, 1 << 40)), unique=True, max_size=30)


@given(pairs=KEYS)
def test_keys_are_passed_in_rough_order_and_none_is_lost(pairs: list[tuple[int, int]]) -> None:
    keys, positions = KeyColumns.of([key for key, _ in pairs], [position for _, position in pairs]).columns()
    assert sorted(zip(keys, positions, strict=True)) == sorted(pairs)
    assert [key >> 32 for key in keys] == sorted(key >> 32 for key in keys)


def _assert_dated_as_their_records(node: PaperNode) -> None:
    """What a search for one time and one procedure gives follows from the records alone."""
    for seal in ("S-11111", "S-22222"):
        found = search(node, seals=[seal])
        for days in range(4):
            bounds = {"declared_from": days_later(days), "declared_until": days_later(days + 1)}
            for done in (EXPORT, IMPORT):
                expected = {one.shipment.record_id for one in found if _is(one, days, done)}
                assert set(ids(search(node, seals=[seal], procedures=[done], **bounds))) == expected


def _is(found: history_pb2.HistoryRecord, days: int, done: int) -> bool:
    return (found.shipment.declared_at, found.shipment.procedure) == (days_later(days), done)
