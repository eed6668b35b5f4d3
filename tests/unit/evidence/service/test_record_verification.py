"""Everything that may happen to what was recorded is found against our log of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from gateway.evidence.service.verification import verify_database
from gateway.history.tables.schema import record_log
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, paper_nodes
from tests.support.recording import KEPT_MS, index, purge_command, record
from tests.support.shipments import shipment


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        record(made[0], shipment("A"), shipment("B", retention_class="short"))
        record(made[0], shipment("C"))
        index(made[0])
        yield made[0]


def findings(node: PaperNode) -> list[tuple[str, int | None, str]]:
    report = verify_database(node.database, node.trust, node=node.name, progress=lambda _: None)
    assert report.records == 3
    return [(one.place, one.index, one.problem) for one in report.findings]


def purge(node: PaperNode) -> None:
    node.clock.forward(KEPT_MS["short"] + DAY_MS)
    node.writer.run(purge_command(node))


def test_what_is_whole_is_found_whole_also_after_a_purge(node: PaperNode) -> None:
    assert findings(node) == []
    purge(node)
    assert findings(node) == []


def change(position: int, **values: bytes) -> Callable[[Connection], object]:
    return lambda conn: conn.execute(update(record_log).where(record_log.c.position == position).values(**values))


@pytest.mark.parametrize(
    ("harm", "place", "problem"),
    [
        (change(1, content=b"\x0a\x01Z"), 1, "the content isn't the one that the log committed to"),
        (change(3, salt=bytes(32)), 3, "the content isn't the one that the log committed to"),
        (change(1, salt=b"", content=b""), 1, "the content is gone, and the log doesn't say that it was erased"),
        (change(2, salt=b"s", content=b"c"), 2, "the log says that the content was erased, and it is there"),
        (
            lambda conn: conn.execute(delete(record_log).where(record_log.c.position == 2)),
            2,
            "the item is missing",
        ),
        (
            lambda conn: conn.execute(delete(record_log).where(record_log.c.position == 3)),
            3,
            "the item is missing",
        ),
    ],
)
def test_whatever_is_changed_is_found_and_named(
    node: PaperNode, harm: Callable[[Connection], object], place: int, problem: str
) -> None:
    purge(node)
    with node.database.write() as conn:
        harm(conn)

    assert findings(node) == [("records", place, problem)]
