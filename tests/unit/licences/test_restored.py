"""A node that lost its database has its licences again from the partner's copy of its own feed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import NotFoundError
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.databases import MakeDatabase
from tests.support.licences import PaperLicences
from tests.support.nodes import deliver, exchange, paper_nodes
from tests.unit.alerts.test_priorities import lose_everything, recover

FEED = FeedOrigin(FEDERATION, "cn", "hk", Channel.LICENCES)


def test_licences_come_back_and_are_not_sent_again(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "cn")) as (lost, hk_node, restored):
        cn, hk, again = (PaperLicences(node) for node in (lost, hk_node, restored))
        cn.publish()
        exchange(lost, hk_node)
        cn.use("CN-1", "600")
        hk.use("HK-1", "600")
        exchange(lost, hk_node)
        cn.publish("NOBODY", parties=[])
        lose_everything(restored)
        recover(restored, hk_node, Channel.LICENCES)
        deliver(hk_node, restored, receipts=False, channel=Channel.LICENCES)
        assert again.balance() == hk.balance() == cn.balance()
        before = hk_node.outgoing.size(FEED)
        exchange(restored, hk_node)
        assert hk_node.outgoing.size(FEED) == before, "nothing is sent twice"
        again.amend(1, uses=9)
        exchange(restored, hk_node)
        assert hk.get().licence.newest.revision == 2
        with pytest.raises(NotFoundError):  # what went to nobody is in a backup alone
            again.get("NOBODY")
