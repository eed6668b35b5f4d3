"""Counts of what partners have had stored, by day, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.ids import ALERT_CHANNELS, Channel
from gateway.db.database import Database
from gateway.errors import OverloadedError
from gateway.feed.service.quotas import (
    DAY_MS,
    DEFAULT_BOUNDS,
    KEPT_DAYS,
    Bound,
    Quotas,
    Stored,
    Usage,
    count,
    stored_as,
)
from gateway.feed.service.receiver import Refusal
from gateway.feed.tables import usage
from gateway.v1 import feed_pb2
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

NOON = 20_000 * DAY_MS + DAY_MS // 2
FEW = Quotas({**DEFAULT_BOUNDS, Stored.ALERTS: Bound(items=5, bytes=1_000_000)})


def take(database: Database, items: int, size: int = 10, *, at: int = NOON, partner: str = "hk") -> None:
    with database.write() as conn:
        FEW.take(conn, partner, Stored.ALERTS, items=items, size=size, now_ms=at)


def test_what_does_not_fit_waits_until_the_next_day(database: Database) -> None:
    take(database, 3)
    take(database, 2)
    with pytest.raises(OverloadedError) as caught:
        take(database, 1)
    assert caught.value.retry_after_s == DAY_MS / 2 / 1000
    assert caught.value.metadata == {"quota": "alerts"}
    take(database, 5, at=NOON + DAY_MS // 2)
    with database.read() as conn:
        assert FEW.today(conn, NOON) == [Usage("hk", Stored.ALERTS, 5, 20, Bound(5, 1_000_000))]


@pytest.mark.both_databases
def test_bytes_have_a_bound_of_their_own_and_a_refusal_counts_nothing(database: Database) -> None:
    take(database, 1, 999_990)
    with pytest.raises(OverloadedError):
        take(database, 1, 11)
    take(database, 1, 10)
    with database.read() as conn:
        (used,) = FEW.today(conn, NOON)
    assert (used.items, used.bytes, used.share) == (2, 1_000_000, 1.0)


def test_all_feeds_of_alerts_share_one_quota() -> None:
    assert {stored_as(channel) for channel in ALERT_CHANNELS} == {Stored.ALERTS}
    assert stored_as(Channel.WATCHLIST) is Stored.WATCHLIST


def test_partners_and_kinds_count_apart(database: Database) -> None:
    take(database, 5)
    take(database, 5, partner="mo")
    with database.write() as conn:
        FEW.take(conn, "hk", Stored.WATCHLIST, items=1_000, size=10, now_ms=NOON)


def test_counts_are_kept_for_a_season(database: Database) -> None:
    take(database, 1)
    take(database, 1, at=NOON + KEPT_DAYS * DAY_MS)
    with database.read() as conn:
        assert usage.of_day(conn, NOON // DAY_MS)
    take(database, 1, at=NOON + (KEPT_DAYS + 1) * DAY_MS)
    with database.read() as conn:
        assert not usage.of_day(conn, NOON // DAY_MS)


def test_a_count_goes_beyond_a_bound(database: Database) -> None:
    with database.write() as conn:
        count(conn, "hk", Stored.ALERTS, items=7, size=1, now_ms=NOON)
    with pytest.raises(OverloadedError):
        take(database, 1)


@pytest.mark.both_databases
def test_replicas_count_together_also_when_both_begin_a_day(make_database: MakeDatabase) -> None:
    database = make_database()
    failed: list[Exception] = []

    def store() -> None:
        try:
            for _ in range(10):
                with database.write() as conn:
                    count(conn, "hk", Stored.ALERTS, items=1, size=1, now_ms=NOON)
        except Exception as error:
            failed.append(error)

    replicas = [threading.Thread(target=store) for _ in range(3)]
    for replica in replicas:
        replica.start()
    for replica in replicas:
        replica.join()
    assert failed == []
    with database.read() as conn:
        assert usage.read(conn, NOON // DAY_MS, "hk", "alerts") == (30, 30)


# At a recipient


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        made[1].receiver.quotas = FEW
        yield made


def receive(node: PaperNode, batch: feed_pb2.Batch) -> feed_pb2.Receipt | Refusal:
    result: feed_pb2.Receipt | Refusal = node.writer.run(node.receiver.open_batch("cn", batch))
    return result


def test_a_feed_at_its_bound_waits_and_loses_nothing(nodes: list[PaperNode]) -> None:
    _, hk = nodes
    cn = Author(nodes[0], "hk")
    first, second = cn.batch(*cn.alerts(3)), cn.batch(*cn.alerts(3))
    assert isinstance(receive(hk, first), feed_pb2.Receipt)
    for _ in range(3):
        with pytest.raises(OverloadedError) as caught:
            receive(hk, second)
        assert 0 < (caught.value.retry_after_s or 0) <= DAY_MS / 1000
    assert isinstance(receive(hk, first), feed_pb2.Receipt)  # a repetition stores nothing
    assert hk.outgoing.size(cn.origin) == 3
    hk.clock.forward(DAY_MS)
    assert isinstance(receive(hk, second), feed_pb2.Receipt)
    assert hk.outgoing.size(cn.origin) == 6


def test_misbehaviour_is_found_at_the_bound_too(nodes: list[PaperNode]) -> None:
    _, hk = nodes
    cn = Author(nodes[0], "hk")
    receive(hk, cn.batch(*cn.alerts(5)))
    forged = cn.batch(*cn.alerts(2))
    forged.checkpoint = cn.batch(*cn.alerts(1)).checkpoint
    assert isinstance(receive(hk, forged), Refusal)


def test_refusals_count_with_what_they_refuse(nodes: list[PaperNode]) -> None:
    """A small entry can break hundreds of rules; its disposition is bounded, and counts."""
    _, hk = nodes
    cn = Author(nodes[0], "hk")
    bad = cn.alert()
    for number in range(2_000):
        bad.content.subject.equipment.add(id=f"? {number}")
        bad.content.typologies.append(f"? {number}")
    batch = cn.batch(cn.event(published=bad))
    receive(hk, batch)
    hk.settle()
    with hk.database.read() as conn:
        (used,) = FEW.today(conn, hk.clock.now)
    assert used.items == 1
    assert 10 * 1024 < used.bytes - batch.ByteSize() < 17 * 1024
