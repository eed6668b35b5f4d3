"""A damaged head of a feed is never grown: nothing wrong is signed, and no partner is blamed."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement, Table, select, update

from gateway.contract.ids import FeedOrigin
from gateway.errors import FeedDamagedError
from gateway.feed.service.alarms import FEED_DAMAGED, Alarms
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
from gateway.feed.tables.schema import checkpoints, entries, tiles
from gateway.feed.tables.schema import feeds as feeds_table
from gateway.node.feed_heads import FeedHeadMonitor
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, deliver, exchange, paper_nodes

pytestmark = pytest.mark.both_databases


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    """Two nodes that have exchanged five alerts, and their dispositions."""
    with paper_nodes(tmp_path, make_database) as opened:
        for _ in range(5):
            opened[0].publish("hk")
        exchange(*opened)
        yield opened


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def change(node: PaperNode, origin: FeedOrigin, column: str, damage: Callable[[bytes], bytes]) -> bytes:
    """Damages a feed's row; returns what was there."""
    with node.database.write() as conn:
        where = feeds_table.c.origin == origin.line
        before = bytes(conn.execute(select(feeds_table.c[column]).where(where)).scalar_one())
        conn.execute(update(feeds_table).where(where).values({column: damage(before)}))
    return before


def states(node: PaperNode) -> set[FeedState]:
    with node.database.read() as conn:
        return {feed.state for feed in feeds.list_all(conn)}


@pytest.mark.parametrize(("column", "bit"), [("edge", 0), ("edge", 300), ("checkpoint", 8 * 60)])
def test_a_flipped_bit_stops_the_own_feed_and_nothing_is_signed(nodes: list[PaperNode], column: str, bit: int) -> None:
    cn, hk = nodes
    origin = cn.origin("hk")
    before = change(cn, origin, column, lambda data: flip(data, bit))
    with pytest.raises(FeedDamagedError, match=origin.line):
        cn.publish("hk")
    cn.publish("mo")  # the others go on
    with cn.database.read() as conn:
        assert not conn.execute(select(checkpoints).where(checkpoints.c.size > 5, checkpoints.c.feed_id == 1)).all()
    alarms = Alarms(cn.clock)
    monitor = FeedHeadMonitor(cn.database, alarms)
    monitor.check()
    (alarm,) = alarms.list()
    assert (alarm.code, alarm.subject) == (FEED_DAMAGED, origin.line)
    change(cn, origin, column, lambda _: before)
    monitor.check()
    assert not alarms.list()
    cn.publish("hk")
    exchange(cn, hk)
    assert states(hk) == {FeedState.ACTIVE}


def test_a_row_that_cannot_be_read_names_its_feed(nodes: list[PaperNode]) -> None:
    cn, _ = nodes
    origin = cn.origin("hk")
    change(cn, origin, "edge", lambda data: data[:40])
    with pytest.raises(FeedDamagedError, match=origin.line):
        cn.publish("hk")
    with cn.database.read() as conn:
        assert feeds.damaged(conn).keys() == {origin.line}


def test_a_recipient_with_a_damaged_copy_blames_nobody(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    origin = cn.origin("hk")
    before = change(hk, origin, "edge", lambda data: flip(data, 1))
    cn.publish("hk")
    with pytest.raises(FeedDamagedError, match=origin.line):
        deliver(cn, hk)
    assert states(hk) == {FeedState.ACTIVE}
    assert not any(hk.evidence_root.glob("*"))
    change(hk, origin, "edge", lambda _: before)
    exchange(cn, hk)
    assert hk.outgoing.size(origin) == 6


DAMAGES = [
    (entries, "header", entries.c.idx == 4),
    (entries, "salt", entries.c.idx == 4),
    (entries, "payload", entries.c.idx == 4),
    (checkpoints, "root", checkpoints.c.size == 5),
    (checkpoints, "note", checkpoints.c.size == 5),
    (tiles, "hashes", tiles.c.level == 0),
]
"""A bit of the fifth alert, its checkpoint, or its hash."""


@pytest.mark.parametrize(("table", "column", "place"), DAMAGES, ids=[column for _, column, _ in DAMAGES])
def test_damaged_rows_are_neither_sent_nor_held_against_the_partner(
    nodes: list[PaperNode], table: Table, column: str, place: ColumnElement[bool]
) -> None:
    cn, hk = nodes
    origin = cn.origin("hk")
    feed = cn.outgoing.feed(origin)
    assert feed is not None
    repeated = cn.outgoing.read_batch(feed, 4)
    assert repeated is not None
    damage_row(cn, origin, table, column, place)
    with pytest.raises(FeedDamagedError, match=origin.line):
        cn.outgoing.read_batch(feed, 4)
    damage_row(hk, origin, table, column, place)
    with suppress(FeedDamagedError):
        hk.writer.run(hk.receiver.open_batch("cn", repeated))
    assert states(cn) == states(hk) == {FeedState.ACTIVE}
    assert not any(hk.evidence_root.glob("*"))


def damage_row(node: PaperNode, origin: FeedOrigin, table: Table, column: str, place: ColumnElement[bool]) -> None:
    with node.database.write() as conn:
        row = (table.c.feed_id == feeds.get(conn, origin).id, place)
        stored = bytes(conn.execute(select(table.c[column]).where(*row)).scalar_one())
        at = 8 * 32 * 4 + 9 if column == "hashes" else 8 * (len(stored) // 2)
        conn.execute(update(table).where(*row).values({column: flip(stored, at)}))


def test_a_damaged_tree_is_no_fork(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    origin = cn.origin("hk")
    position = hk.outgoing.position(origin)
    cn.publish("hk")
    damage_row(cn, origin, tiles, "hashes", tiles.c.level == 0)
    with pytest.raises(FeedDamagedError, match=origin.line):
        cn.outgoing.agree_on_position(origin, position)
    assert states(cn) == {FeedState.ACTIVE}
