"""A partner that is no member any more: its feeds close, nothing of its alerts is due, and a rebuild keeps them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.alerts.commands.steps import ExpireCommand
from gateway.alerts.tables import copies
from gateway.alerts.tables.due_conditions import count_overdue
from gateway.alerts.tables.schema import alerts
from gateway.casework.projection.rebuild import rebuild_casework
from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import AgreementForbidsError, InvalidRequestError, LinkSuspendedError
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.service.states import StateCommand
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
from gateway.node.upkeep import follow_members
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_drafts import remove_member
from gateway.v1 import alert_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.v1.alert_service_pb2 import ListAlertsRequest
from gateway.v1.casework_service_pb2 import INBOX_SCOPE_ALL, INBOX_SCOPE_OPEN
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from tests.support.databases import MakeDatabase
from tests.support.desk import Desk
from tests.support.nodes import DAY_MS, FEDERATION, PaperNode, deliver, exchange, listed_content, paper_nodes

pytestmark = pytest.mark.both_databases

HOUR_MS = 3_600_000


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("hk", "mo")) as made:
        yield made


def take(node: PaperNode, directory: Directory) -> None:
    """A version comes in force at a node."""
    node.trust.directory = directory
    node.writer.run(follow_members(directory))


def removed(node: PaperNode) -> Directory:
    now = datetime.fromtimestamp(node.clock.now / 1000, UTC)
    return remove_member(node.trust.directory, "mo", issued_at=now, keys_until=now + timedelta(days=14), threshold=2)


def feed_of(node: PaperNode, publisher: str, recipient: str) -> feeds.Feed:
    with node.database.read() as conn:
        return feeds.get(conn, FeedOrigin(FEDERATION, publisher, recipient, Channel.ALERTS))


def listed(node: PaperNode, filter_text: str = "") -> list[str]:
    response = node.queries.list(ListAlertsRequest(filter=filter_text, order_by="deadline"))
    return [row.alert.id for row in response.alerts]


def open_until(node: PaperNode) -> list[Any]:
    with node.database.read() as conn:
        return sorted(conn.execute(select(alerts)).all())


def test_feeds_close_at_both_sides_and_open_again(nodes: list[PaperNode]) -> None:
    hk, mo = nodes
    hk.publish("mo")
    mo.publish("hk")
    exchange(hk, mo)
    before, after = hk.trust.directory, removed(hk)
    take(hk, after)
    late = mo.publish("hk")
    with pytest.raises(LinkSuspendedError, match="mo is no member"):
        deliver(mo, hk)
    for node in nodes:
        take(node, after)
        for publisher, recipient in (("hk", "mo"), ("mo", "hk")):
            feed = feed_of(node, publisher, recipient)
            assert feed.state is FeedState.CLOSED
            assert feed.state_reason.startswith("mo is no member since version 2 of the directory")
    with pytest.raises(InvalidRequestError, match="mo is no member since version 2"):
        hk.publish("mo")
    for node in nodes:
        take(node, before)
    assert feed_of(hk, "hk", "mo").state is feed_of(hk, "mo", "hk").state is FeedState.ACTIVE
    hk.publish("mo")
    mo.publish("hk")
    exchange(hk, mo)
    assert feed_of(mo, "hk", "mo").size == feed_of(hk, "hk", "mo").size > 1
    assert late in listed(hk)


def test_a_feed_that_lacks_entries_closes_too_and_one_with_two_histories_keeps_its_state(
    nodes: list[PaperNode],
) -> None:
    hk, mo = nodes
    hk.publish("mo")
    exchange(hk, mo)
    mine, theirs = feed_of(hk, "hk", "mo").origin, feed_of(hk, "mo", "hk").origin
    hk.writer.run(StateCommand(mine, FeedState.BEHIND, "mo has more"))
    hk.writer.run(StateCommand(theirs, FeedState.QUARANTINED, "two checkpoints"))
    before = hk.trust.directory
    take(hk, removed(hk))
    assert feed_of(hk, "hk", "mo").state is FeedState.CLOSED
    kept = feed_of(hk, "mo", "hk")
    assert (kept.state, kept.state_reason) == (FeedState.QUARANTINED, "two checkpoints")
    take(hk, before)
    assert feed_of(hk, "hk", "mo").state is FeedState.ACTIVE
    assert feed_of(hk, "mo", "hk").state is FeedState.QUARANTINED


def test_nothing_is_due_any_more_at_either_side_until_the_member_is_back(nodes: list[PaperNode]) -> None:
    hk, mo = nodes
    from_mo = mo.publish("hk", reply_by=to_timestamp(mo.clock.now + HOUR_MS))
    to_mo = hk.publish("mo", "cn", reply_by=to_timestamp(hk.clock.now + HOUR_MS))
    exchange(hk, mo)
    desks = [Desk(node) for node in nodes]
    for desk in desks:
        desk.settle()
    hk.clock.forward(2 * HOUR_MS)
    assert listed(hk, "overdue = true") == [from_mo, to_mo, to_mo]
    assert desks[0].ids() == [from_mo]
    before, after = hk.trust.directory, removed(hk)
    for node in nodes:
        take(node, after)
    assert listed(hk, "overdue = true") == [to_mo], "the copy at cn alone"
    assert listed(hk, "reply = overdue AND recipient = mo") == []
    assert set(listed(hk, "overdue = false")) == {from_mo, to_mo}
    assert listed(hk)[0] == to_mo, "what is overdue comes first, what has ended after it"
    with hk.database.read() as conn:
        former = hk.trust.directory.former_partners("hk")
        assert count_overdue(conn, hk.clock.now, former)[("reply", "out")] == 1
        assert ("reply", "in") not in count_overdue(conn, hk.clock.now, former)
    deadlines = {copy.recipient: copy.deadlines for copy in hk.queries.get("hk", to_mo).deliveries}
    assert (deadlines["mo"].partner_left, deadlines["mo"].reply) == (True, 0)
    assert (deadlines["cn"].partner_left, deadlines["cn"].reply) == (False, 2)
    for desk, own in zip(desks, (from_mo, to_mo), strict=True):
        assert desk.ids() == desk.ids(overdue=True) == []
        assert own not in desk.ids(scope=INBOX_SCOPE_OPEN)
        assert own in desk.ids(scope=INBOX_SCOPE_ALL)
        (row,) = [one for one in desk.rows(scope=INBOX_SCOPE_ALL) if own == one.summary.alert.id]
        assert (list(row.wanted), row.section, row.summary.deadlines.partner_left) == ([], 0, True)
        counts = {facet.field: facet for facet in desk.page(scope=INBOX_SCOPE_ALL, facets=True).facets}
        assert "overdue" not in counts, "whole lists and named alerts count alike"
    for node in nodes:
        take(node, before)
    assert desks[0].ids(overdue=True) == [from_mo]
    assert not hk.queries.get("mo", from_mo).deliveries[0].deadlines.partner_left


def test_no_step_is_possible_and_an_own_alert_past_its_validity_waits_for_the_members_return(
    nodes: list[PaperNode],
) -> None:
    hk, mo = nodes
    from_mo = mo.publish("hk")
    to_mo = hk.publish("mo", valid_until=to_timestamp(hk.clock.now + DAY_MS))
    exchange(hk, mo)
    before = hk.trust.directory
    take(hk, removed(hk))
    with pytest.raises(AgreementForbidsError, match="mo is no member since version 2"):
        hk.step("mo", from_mo, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    hk.clock.forward(2 * DAY_MS)
    with hk.database.read() as conn:
        assert copies.next_end(conn, hk.clock.now) is not None
        assert copies.next_end(conn, hk.clock.now, except_to=hk.trust.directory.former_partners("hk")) is None
    assert hk.writer.run(ExpireCommand(publisher=hk.publisher)) == 0
    take(hk, before)
    assert hk.writer.run(ExpireCommand(publisher=hk.publisher)) == 1
    exchange(hk, mo)
    assert listed(mo, "status = expired") == [to_mo]


def test_a_rebuild_keeps_what_the_former_member_sent(nodes: list[PaperNode]) -> None:
    hk, mo = nodes
    mo.publish("hk")
    hk.publish("mo")
    mo.policies["minerals"] = ListPolicy(four_eyes=False)
    entries = [watchlist_service_pb2.ProposedEntry(id="A", content=listed_content(releasable_to=["hk"]))]
    proposal = watchlist_service_pb2.ProposeEntriesRequest(
        request_id=str(uuid.uuid4()), list="minerals", entries=entries
    )
    mo.writer.run(ProposeCommand(mo.lists, proposal, "system/mo/risk", "risk"))
    exchange(hk, mo)
    after = removed(hk)
    for node in nodes:
        take(node, after)
        rows = open_until(node)
        rebuild(node.writer, report_progress=lambda _: None)
        node.settle()
        rebuild_casework(node.writer.run, node.database)
        assert open_until(node) == rows
    (listed,) = hk.list_queries.list(watchlist_service_pb2.ListEntriesRequest(filter='publisher = "mo"')).entries
    reference = watchlist_pb2.WatchlistReference(publisher="mo", list="minerals", id="A")
    assert listed.entry.content.reason == hk.list_queries.get(reference).entry.content.reason
    assert hk.list_queries.get(reference).publisher_left
