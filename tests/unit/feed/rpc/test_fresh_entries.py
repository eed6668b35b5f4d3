"""What open streams send without reading: only what the database has, in order, and no more than the link carries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.ids import FeedOrigin
from gateway.feed.rpc import committed_entries
from gateway.feed.rpc.committed_entries import FreshEntries
from gateway.feed.service.states import SuspensionCommand
from gateway.feed.service.writing.commits import Commit, decode_notice, encode_notice
from gateway.v1 import feed_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, feed_of, paper_nodes

ALL = 1 << 20


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (made,):
        yield made


@pytest.fixture
def fresh(cn: PaperNode) -> FreshEntries:
    """Of the feed to hk, which has an entry already."""
    cn.publish("hk")
    made = FreshEntries()
    made.follow(feed_of("cn", "hk"))
    cn.writer.on_commit(made.committed)
    return made


def stored(cn: PaperNode, first: int) -> feed_pb2.Batch | None:
    """The batch as it is read from the database."""
    feed = cn.outgoing.feed(feed_of("cn", "hk"))
    assert feed is not None
    return cn.outgoing.read_batch(feed, first)


def test_new_entries_make_the_same_batch_as_those_read(cn: PaperNode, fresh: FreshEntries) -> None:
    for _ in range(3):
        cn.publish("hk")
    cn.settle()
    assert fresh.batch(feed_of("cn", "hk"), 1, ALL) == stored(cn, 1)
    assert fresh.batch(feed_of("cn", "hk"), 3, ALL) == stored(cn, 3)
    assert fresh.batch(feed_of("cn", "hk"), 4, ALL) is None, "there are no more"


def test_what_came_before_the_stream_is_read(cn: PaperNode, fresh: FreshEntries) -> None:
    cn.publish("hk")
    assert fresh.batch(feed_of("cn", "hk"), 0, ALL) is None


@pytest.mark.both_databases
def test_a_batch_is_no_larger_than_the_link_carries(cn: PaperNode, fresh: FreshEntries) -> None:
    for _ in range(3):
        cn.publish("hk")
    first = fresh.batch(feed_of("cn", "hk"), 1, ALL)
    assert first is not None
    one = sum(len(part) for entry in first.entries[:1] for part in (entry.header, entry.salt, entry.payload))
    for most, count in ((one * 2 + 50, 2), (one + 50, 1)):
        batch = fresh.batch(feed_of("cn", "hk"), 1, most)
        assert batch is not None
        assert len(batch.entries) == count
    assert fresh.batch(feed_of("cn", "hk"), 1, one - 1) is None, "a checkpoint within has to be made"


def test_a_suspended_feed_and_one_that_moved_otherwise_are_read(cn: PaperNode, fresh: FreshEntries) -> None:
    cn.publish("hk")
    cn.writer.run(SuspensionCommand(feed_of("cn", "hk"), "a test"))
    assert fresh.batch(feed_of("cn", "hk"), 1, ALL) is None
    cn.publish("hk")
    assert fresh.batch(feed_of("cn", "hk"), 2, ALL) is None, "it is still suspended"


@pytest.mark.both_databases
def test_after_another_replicas_commit_streams_read(cn: PaperNode, fresh: FreshEntries) -> None:
    commits: list[Commit] = []
    cn.writer.on_commit(commits.append)
    cn.publish("hk")
    fresh.committed(decode_notice(encode_notice(commits[-1])))
    assert fresh.batch(feed_of("cn", "hk"), 1, ALL) is None


def test_a_stream_far_behind_keeps_little(cn: PaperNode, fresh: FreshEntries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committed_entries, "MOST_KEPT_BYTES", 1_000)
    for _ in range(3):
        cn.publish("hk")
    assert fresh.batch(feed_of("cn", "hk"), 1, ALL) is None


def test_nothing_is_kept_of_feeds_without_a_stream(cn: PaperNode, fresh: FreshEntries) -> None:
    origin: FeedOrigin = feed_of("cn", "hk")
    fresh.leave(origin)
    cn.publish("hk")
    assert fresh.batch(origin, 1, ALL) is None
    fresh.follow(origin)
    cn.publish("hk")
    fresh.forget()
    assert fresh.batch(origin, 2, ALL) is None
