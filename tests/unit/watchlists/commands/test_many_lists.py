"""A partner's lists are bounded: each is looked at by every screening, and the index numbers them in 16 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import dispositions, feeds
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import watchlist_pb2
from gateway.watchlists import projection
from gateway.watchlists.codec.events import EVENT_TYPE
from gateway.watchlists.commands import proposals
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.tables import lists as watchlists
from tests.support.databases import MakeDatabase
from tests.support.machine_node import Raw
from tests.support.nodes import PaperNode, exchange, listed_content, paper_nodes
from tests.unit.watchlists.commands.test_proposals import propose

TO_HK = FeedOrigin(FEDERATION, "cn", "hk", Channel.WATCHLIST)


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        made[0].policies |= dict.fromkeys("abc", ListPolicy(four_eyes=False))
        yield made


def test_own_lists_are_bounded_alike(nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "MAX_LISTS", 2)
    cn = nodes[0]
    for name in ("a", "b"):
        propose(cn, listed_content(), list_name=name)
        cn.settle()
    with pytest.raises(InvalidRequestError, match="at most"):
        propose(cn, listed_content(), list_name="c")
    propose(cn, listed_content(), list_name="b")


def send(cn: PaperNode, names: Sequence[str], *, entry_id: str = "A") -> int:
    """An update for hk with an entry in each list; returns its index."""

    def stage(tx: Transaction) -> int:
        at = to_timestamp(tx.now_ms)
        event = watchlist_pb2.WatchlistEvent(occurred_at=at)
        for name in names:
            entry = watchlist_pb2.WatchlistEntry(
                list=name, id=entry_id, revision=1, published_at=at, content=listed_content()
            )
            event.update.changes.add(entered=entry)
        return tx.append(TO_HK, new_entry(EVENT_TYPE, event, now_ms=tx.now_ms)).index

    index: int = cn.writer.run(Raw(stage))
    return index


def lists(hk: PaperNode) -> set[str]:
    with hk.database.read() as conn:
        return {name for publisher, name in watchlists.entries_by_list(conn) if publisher == "cn"}


def outcomes(cn: PaperNode, indexes: Sequence[int]) -> list[str]:
    with cn.database.read() as conn:
        feed_id = feeds.get(conn, TO_HK).id
        found = [dispositions.find(conn, feed_id, index) for index in indexes]
    return ["applied" if disposition is None else disposition.outcome for disposition in found]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_partner_has_so_many_lists_and_no_more(
    nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    monkeypatch.setattr(projection, "MAX_LISTS", 3)
    cn, hk = nodes
    sent = []
    for names in (["a", "b"], ["c"], ["d", "e"], ["a", "c"]):
        sent.append(send(cn, names, entry_id=names[0]))
        if not at_once:
            exchange(cn, hk)
    exchange(cn, hk)
    assert lists(hk) == {"a", "b", "c"}
    if not at_once:
        assert outcomes(cn, sent) == ["applied", "applied", "rejected", "applied"]
