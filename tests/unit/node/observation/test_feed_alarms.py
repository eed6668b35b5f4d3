"""The alarm about a link that an operator has suspended: it has reason and time, and ends when the link is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.feed.service.alarms import LINK_SUSPENDED, Alarm, Alarms
from gateway.feed.service.states import StateCommand, SuspensionCommand
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
from gateway.node.observation.feed_alarms import tell_of_feeds
from gateway.node.observation.feeds import view_of
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, feed_of, paper_nodes

TO_HK = feed_of("cn", "hk")


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (made,):
        made.publish("hk")
        yield made


def alarms_of(cn: PaperNode, alarms: Alarms) -> list[Alarm]:
    with cn.database.read() as conn:
        tell_of_feeds(alarms, feeds.list_all(conn), [])
    return [alarm for alarm in alarms.list() if alarm.code == LINK_SUSPENDED]


def test_a_suspended_link_is_an_alarm_until_it_is_resumed(cn: PaperNode) -> None:
    alarms = Alarms(lambda: 9)
    assert alarms_of(cn, alarms) == []

    cn.writer.run(SuspensionCommand(TO_HK, "an inquiry"))
    (alarm,) = alarms_of(cn, alarms)
    assert (alarm.subject, alarm.message) == (TO_HK.line, f"{TO_HK.line} is suspended here: an inquiry")
    assert alarm.since > 9, "since it was suspended"
    assert alarms.counts()[LINK_SUSPENDED] == 1

    cn.writer.run(SuspensionCommand(TO_HK, ""))
    assert alarms_of(cn, alarms) == []


def test_a_feed_that_goes_on_in_another_epoch_is_no_link_any_more(cn: PaperNode) -> None:
    cn.writer.run(SuspensionCommand(TO_HK, "an inquiry"))
    cn.writer.run(StateCommand(TO_HK, FeedState.CLOSED, "it goes on in epoch 2"))
    assert alarms_of(cn, Alarms(lambda: 9)) == []


def test_the_oldest_entry_that_waits_is_known_with_its_time(cn: PaperNode) -> None:
    after_first = cn.clock.now
    cn.clock.forward(60_000)
    cn.publish("hk")
    with cn.database.read() as conn:
        (view,) = [view_of(conn, feed) for feed in feeds.list_all(conn) if feed.origin == TO_HK]
    assert view.lag == 2
    assert after_first - 1_000 < view.oldest_at <= after_first
