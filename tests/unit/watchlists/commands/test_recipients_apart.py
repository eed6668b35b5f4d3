"""Recipients of an entry don't learn of each other: not from the feed, and not from copies that say more."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import feed_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.codec.events import EVENT_TYPE
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, listed_content, paper_nodes

LIST = "minerals"
TO_HK = FeedOrigin(FEDERATION, "cn", "hk", Channel.WATCHLIST)


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


def enter(cn: PaperNode, revision: int = 0) -> None:
    content = listed_content(releasable_to=["mo", "hk"])
    entry = pb.ProposedEntry(id="A", revision=revision, content=content)
    request = pb.ProposeEntriesRequest(request_id=str(uuid.uuid4()), list=LIST, entries=[entry])
    cn.writer.run(ProposeCommand(cn.lists, request, "system/cn/x", "x"))


def shown(node: PaperNode) -> dict[str, list[str]]:
    """What each way of reading says of the entry's recipients."""
    queries, reference = node.list_queries, watchlist_pb2.WatchlistReference(publisher="cn", list=LIST, id="A")
    node.settle()
    entries = {
        "get": queries.get(reference).entry,
        "list": queries.list(pb.ListEntriesRequest()).entries[0].entry,
        "full state": queries.full_state(None).changes[0].change.entered,
        "changes": queries.changes(0)[0].changes[0].change.entered,
    }
    return {way: list(entry.content.releasable_to) for way, entry in entries.items()}


def test_a_copy_names_its_own_recipient_alone(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    enter(cn)
    enter(cn, revision=1)
    exchange(*nodes)
    for node, recipients in ((cn, ["mo", "hk"]), (hk, ["hk"]), (mo, ["mo"])):
        assert set(map(tuple, shown(node).values())) == {tuple(recipients)}, node.name
    with hk.database.read() as conn:
        feed = feeds.find(conn, TO_HK)
        assert feed is not None
        stored = feeds.read_entries(conn, feed.id, 0, feed.size)
    assert len(stored) == 2
    assert [b"\x02mo" in entry.payload for entry in stored] == [False, False], "length and name, as protobuf writes it"


@dataclass
class DistributeWhole:
    """Distributes an entry as gateways once did."""

    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        content = listed_content(releasable_to=["mo", "hk"])
        at = to_timestamp(tx.now_ms)
        entry = watchlist_pb2.WatchlistEntry(list=LIST, id="A", revision=1, published_at=at, content=content)
        event = watchlist_pb2.WatchlistEvent(occurred_at=at)
        event.update.changes.add(entered=entry)
        tx.append(TO_HK, new_entry(EVENT_TYPE, event, now_ms=tx.now_ms))


def test_a_copy_that_names_others_is_shown_without_them(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    cn.writer.run(DistributeWhole())
    exchange(*nodes)
    assert set(map(tuple, shown(hk).values())) == {("hk",)}
    nothing = cn.list_queries.compare("hk", feed_pb2.FeedPosition())
    assert [list(change.entered.content.releasable_to) for change in nothing.missing] == [["hk"]]
