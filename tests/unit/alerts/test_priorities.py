"""Urgent and ordinary feeds: what goes into which, what it comes after, and that both sides agree in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.commands import publishing
from gateway.alerts.tables import copies, events
from gateway.contract.ids import ALERT_CHANNELS, Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.evidence.service.check import examine
from gateway.evidence.service.export import export
from gateway.feed.codec import parse_header
from gateway.feed.service.continuity.own_history import UNCOMPARED
from gateway.feed.service.continuity.recovery import RecoverCommand, own_feeds
from gateway.feed.service.receiver import Refusal
from gateway.feed.service.states import StateCommand
from gateway.feed.tables import feeds, journal
from gateway.feed.tables.feeds import FeedState
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2
from tests.support.author import Author
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import DAY_MS, PaperNode, deliver, exchange, open_urgent, paper_nodes

A, B, C = alert_pb2.PRIORITY_A, alert_pb2.PRIORITY_B, alert_pb2.PRIORITY_C
URGENT, MEDIUM, PLAIN = ALERT_CHANNELS
ACKNOWLEDGED = alert_pb2.AlertAcknowledged(revision=1)


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    """cn, hk, and hk once more on a database that has lost everything."""
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "hk")) as made:
        open_urgent(*made[:2])
        yield made


def feed(publisher: str, recipient: str, channel: Channel) -> FeedOrigin:
    return FeedOrigin(FEDERATION, publisher, recipient, channel)


def publish_as_before(node: PaperNode, recipient: str, priority: alert_pb2.Priority.ValueType) -> str:
    """Publishes as gateways up to 0.2 did: B has a feed of its own."""
    channels = {A: URGENT, B: MEDIUM, C: PLAIN}
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(publishing, "channel_of", channels.__getitem__)
        return node.publish(recipient, priority=priority)


def where(node: PaperNode, alert_id: str) -> list[tuple[str, str]]:
    """Each step of an alert as projected, in order: (kind, feed)."""
    with node.database.read() as conn:
        steps = [(FeedOrigin.parse(line), payload) for _, line, payload in events.of_alert(conn, "cn", alert_id)]
    return [
        (alert_pb2.AlertEvent.FromString(payload).WhichOneof("event") or "", f"{origin.publisher}/{origin.channel}")
        for origin, payload in steps
    ]


def lives(node: PaperNode) -> dict[tuple[str, str, str], tuple[object, str]]:
    with node.database.read() as conn:
        rows = [row for row, _ in copies.list_page(conn, [], before=None, limit=1_000)]
    return {(row.key.publisher, row.key.alert_id, row.key.recipient): (row.life, row.priority) for row in rows}


def headers(node: PaperNode, origin: FeedOrigin) -> list[tuple[int, int, list[tuple[str, bool, int]]]]:
    """Each entry's format, `follows` and `after`."""
    with node.database.read() as conn:
        stored = feeds.get(conn, origin)
        parsed = [parse_header(header) for header in feeds.read_headers(conn, stored.id, 0, stored.size)]
    return [(one.format, one.follows, [(d.channel, d.reverse, d.size) for d in one.after]) for one in parsed]


def recover(node: PaperNode, partner: PaperNode, channel: Channel) -> int:
    """Fetches own entries of a feed back, as `gateway recover` does; returns how many."""
    origin = feed(node.name, partner.name, channel)
    first = start = node.outgoing.size(origin)
    held = partner.outgoing.feed(origin)
    while held is not None and (batch := partner.outgoing.read_batch(held, first)):
        first = node.writer.run(RecoverCommand(origin, batch, lambda: node.trust))
    return first - start


def lose_everything(node: PaperNode) -> None:
    """Blocks our feeds of a node with an empty database, as a start after a restore does."""
    for origin in own_feeds(node.trust.directory, node.name):
        node.writer.run(StateCommand(origin, FeedState.BEHIND, UNCOMPARED))


def waiting(node: PaperNode) -> int:
    with node.database.read() as conn:
        return sum(one.waiting for one in feeds.list_all(conn))


@pytest.mark.parametrize(("priority", "channel"), [(A, URGENT), (B, PLAIN), (C, PLAIN)])
def test_a_new_alert_goes_into_the_feed_of_its_priority(
    nodes: list[PaperNode], priority: alert_pb2.Priority.ValueType, channel: Channel
) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk", priority=priority)
    exchange(cn, hk)
    assert where(hk, alert_id) == where(cn, alert_id) == [("published", f"cn/{channel}")]
    assert headers(hk, feed("cn", "hk", channel)) == [(1, 0, [])]


def test_a_partner_that_has_not_opened_the_urgent_feeds_gets_all_alerts_in_one(nodes: list[PaperNode]) -> None:
    """So gateways of older versions go on; a request that is sent again later is answered as the first time."""
    cn, _, _ = nodes
    request = {"request_id": cn.publisher.new_id(), "priority": A, "valid_until": to_timestamp(cn.clock.now + DAY_MS)}
    alert_id = cn.publish("mo", **request)
    cn.settle()
    assert where(cn, alert_id) == [("published", "cn/alerts")]
    origin = feed("cn", "mo", URGENT)
    assert cn.outgoing.feed(origin) is None
    cn.outgoing.agree_on_position(origin, cn.outgoing.position(origin))
    assert cn.publish("mo", **request) == alert_id
    later = cn.publish("mo", priority=A)
    cn.settle()
    assert where(cn, later) == [("published", "cn/alerts-a")]
    assert len(lives(cn)) == 2


def test_what_was_published_before_stays_and_its_steps_go_on(nodes: list[PaperNode]) -> None:
    """An A alert in the one feed of before: steps change to its urgent feed once that entry has arrived."""
    cn, hk, _ = nodes
    hk_feeds = [feed("cn", "hk", channel) for channel in (URGENT, MEDIUM)]
    with cn.database.write() as conn:
        for origin in hk_feeds:
            feeds.set_accepted(conn, feeds.get(conn, origin).id, 0)
    old = cn.publish("hk", priority=A)
    exchange(cn, hk)
    open_urgent(cn, hk)
    cn.step("cn", old, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="Found to be a mistake."))
    exchange(cn, hk)
    assert where(hk, old) == [("published", "cn/alerts"), ("withdrawn", "cn/alerts-a")]
    assert lives(cn) == lives(hk)


def test_what_an_earlier_release_put_into_a_feed_of_its_own_goes_on_in_the_ordinary_one(
    nodes: list[PaperNode],
) -> None:
    """Once it has arrived; until then its steps stay behind it. Links open for such feeds alone."""
    cn, hk, _ = nodes
    assert cn.outgoing.left_over() == hk.outgoing.left_over() == set()
    arrived = publish_as_before(cn, "hk", B)
    exchange(cn, hk)
    on_its_way = publish_as_before(cn, "hk", B)
    for alert_id in (arrived, on_its_way):
        cn.amend(alert_id, 2, priority=B)
    assert cn.outgoing.left_over() == {feed(a, b, MEDIUM) for a, b in (("cn", "hk"), ("hk", "cn"))}
    exchange(cn, hk)
    assert where(hk, arrived) == [("published", "cn/alerts-b"), ("amended", "cn/alerts")]
    assert where(hk, on_its_way) == [("published", "cn/alerts-b"), ("amended", "cn/alerts-b")]
    assert headers(hk, feed("cn", "hk", PLAIN)) == [(2, 0, [("alerts-b", False, 1)])]
    hk.step("cn", on_its_way, acknowledged=alert_pb2.AlertAcknowledged(revision=2))
    assert headers(hk, feed("hk", "cn", PLAIN))[-1] == (2, 1, [("alerts-b", True, 3)])
    exchange(cn, hk)
    assert lives(cn) == lives(hk)


def test_an_alert_that_becomes_urgent_passes_the_backlog(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk", priority=C)
    exchange(cn, hk)
    backlog = [cn.publish("hk", priority=C) for _ in range(20)]
    cn.amend(alert_id, 2, priority=A)
    new = cn.publish("hk", priority=A)
    assert deliver(cn, hk, channel=URGENT) == 2
    hk.settle()
    assert where(hk, alert_id) == [("published", "cn/alerts"), ("amended", "cn/alerts-a")]
    assert (("cn", new, "hk") in lives(hk), waiting(hk)) == (True, 0)
    assert not {("cn", one, "hk") for one in backlog} & lives(hk).keys()
    assert headers(hk, feed("cn", "hk", URGENT)) == [(2, 0, [("alerts", False, 1)]), (1, 0, [])]
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=2))
    assert headers(hk, feed("hk", "cn", URGENT))[-1] == (2, 2, [("alerts", True, 1)])
    exchange(cn, hk)
    assert lives(cn) == lives(hk)
    for node in (cn, hk):
        shown = node.queries.get("cn", alert_id)
        assert (shown.alert.revision, shown.alert.content.priority) == (2, A)
        assert [step.event.WhichOneof("event") for step in shown.history] == ["published", "amended", "acknowledged"]


def test_a_step_on_an_alert_that_has_not_arrived_stays_behind_it(nodes: list[PaperNode]) -> None:
    """In the urgent feed it would wait at the recipient for the backlog, and urgent alerts behind it too."""
    cn, hk, _ = nodes
    alert_id = cn.publish("hk", priority=C)
    cn.amend(alert_id, 2, priority=A)
    new = cn.publish("hk", priority=A)
    assert deliver(cn, hk, channel=URGENT) == 1
    hk.settle()
    assert lives(hk).keys() == {("cn", new, "hk")}
    exchange(cn, hk)
    assert where(hk, alert_id) == [("published", "cn/alerts"), ("amended", "cn/alerts")]
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=2, reason="Found to be a mistake."))
    exchange(cn, hk)
    assert where(hk, alert_id)[-1] == ("withdrawn", "cn/alerts-a")
    assert lives(cn) == lives(hk)


def test_an_alert_that_becomes_ordinary_leaves_the_urgent_feed_with_that_step(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk", priority=A)
    exchange(cn, hk)
    cn.amend(alert_id, 2, priority=C)
    exchange(cn, hk)
    cn.step("cn", alert_id, closed=alert_pb2.AlertClosed(revision=2, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED))
    exchange(cn, hk)
    assert where(hk, alert_id) == [("published", "cn/alerts-a"), ("amended", "cn/alerts-a"), ("closed", "cn/alerts")]
    assert headers(hk, feed("cn", "hk", PLAIN))[-1] == (2, 0, [("alerts-a", False, 2)])
    assert lives(cn) == lives(hk)


def test_steps_that_come_before_what_they_follow_wait_for_it(nodes: list[PaperNode]) -> None:
    """hk has lost its database, and the feeds come back in the worst order."""
    cn, hk, restored = nodes
    alert_id = cn.publish("hk", priority=C)
    exchange(cn, hk)
    hk.step("cn", alert_id, acknowledged=ACKNOWLEDGED)
    exchange(cn, hk)
    cn.amend(alert_id, 2, priority=A)
    exchange(cn, hk)
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=2, reason="Found to be a mistake."))
    exchange(cn, hk)
    lose_everything(restored)
    assert deliver(cn, restored, receipts=False, channel=URGENT) == 2
    recover(restored, cn, URGENT)
    restored.settle()
    assert lives(restored) == {}
    assert waiting(restored) == 4  # two steps, and hk's answers to them
    recover(restored, cn, PLAIN)
    assert waiting(restored) == 6  # its acknowledgement, and its answer to the publication
    deliver(cn, restored, receipts=False)
    restored.settle()
    assert waiting(restored) == 0
    assert where(restored, alert_id) == where(hk, alert_id)
    assert lives(restored) == lives(hk) == lives(cn)


def test_evidence_proves_each_step_in_its_feed(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk", priority=C)
    exchange(cn, hk)
    cn.amend(alert_id, 2, priority=A)
    exchange(cn, hk)
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=2))
    exchange(cn, hk)
    for node in (cn, hk):
        bundle = export(node.database, node.trust, publisher="cn", alert_id=alert_id).bundle
        examination = examine(bundle, directory_note=node.trust.note)
        assert examination.evidence is not None, examination.steps[-1]
        proved = {(one.kind, one.origin.channel) for one in examination.evidence.events}
        assert examination.evidence.alert.origin.channel is PLAIN
        assert proved >= {("amended", URGENT), ("acknowledged", URGENT), ("disposition", URGENT)}
        assert all(one.received_at for one in examination.evidence.events if one.kind == "amended")


def test_a_fork_stops_the_feed_in_which_it_is_and_no_other(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    author = Author(cn, "hk")
    author.origin = feed("cn", "hk", URGENT)
    author.key = cn.signers.for_feed(author.origin)
    first, other = author.batch(*author.alerts(1), keep=False), author.batch(*author.alerts(1))
    hk.writer.run(hk.receiver.open_batch("cn", first))
    refusal = hk.writer.run(hk.receiver.open_batch("cn", other))
    assert isinstance(refusal, Refusal)
    states = {channel: hk.outgoing.feed(feed("cn", "hk", channel)) for channel in ALERT_CHANNELS}
    assert (one := states[URGENT]) is not None
    assert one.state is FeedState.QUARANTINED
    cn.publish("hk", priority=C)
    assert deliver(cn, hk) == 1


# Whatever is done and however it travels

ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["publish", "publish as before"]), st.sampled_from([A, B, C]), st.integers(0, 9)),
    st.tuples(st.just("amend"), st.sampled_from([A, B, C]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["withdraw", "acknowledge", "ask"]), st.just(C), st.integers(0, 9)),
    st.tuples(st.sampled_from(["to hk", "to cn"]), st.just(C), st.integers(0, 2)),
)
MOVES = st.lists(st.tuples(st.booleans(), st.sampled_from(ALERT_CHANNELS)), max_size=8)


Action = tuple[str, alert_pb2.Priority.ValueType, int]


def act(cn: PaperNode, hk: PaperNode, published: list[str], action: Action) -> None:
    kind, priority, pick = action
    if kind == "publish":
        published.append(cn.publish("hk", priority=priority))
        return
    if kind == "publish as before":
        published.append(publish_as_before(cn, "hk", priority))
        return
    if kind in ("to hk", "to cn"):
        sender, recipient = (cn, hk) if kind == "to hk" else (hk, cn)
        deliver(sender, recipient, channel=ALERT_CHANNELS[pick])
        return
    if not published:
        return
    alert_id = published[pick % len(published)]
    row = lives(cn).get(("cn", alert_id, "hk"))
    revision = row[0].revision if row else 1  # type: ignore[attr-defined]
    try:
        match kind:
            case "amend":
                cn.amend(alert_id, revision + 1, priority=priority)
            case "withdraw":
                cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=revision, reason="A mistake."))
            case "acknowledge":
                hk.step("cn", alert_id, acknowledged=ACKNOWLEDGED)
            case _:
                question = alert_pb2.AlertQuestion(question_id=hk.publisher.new_id(), text="Which seal?")
                question.deadline.FromMilliseconds(hk.clock.now + 60_000)
                (hk if pick % 2 else cn).step("cn", alert_id, question=question)
    except GatewayError:
        return  # not possible now, or not arrived


def assert_causal(node: PaperNode) -> None:
    """Each entry stands in the local log after all that its header names."""
    with node.database.read() as conn:
        names = {one.id: one for one in feeds.list_all(conn)}
        reached: dict[FeedOrigin, int] = {}
        for run in journal.runs_after(conn, 0, 10_000):
            origin = names[run.feed_id].origin
            for header in feeds.read_headers(conn, run.feed_id, run.first_index, run.first_index + run.count):
                parsed = parse_header(header)
                assert reached.get(origin.reverse, 0) >= parsed.follows
                for needed in parsed.after:
                    way = origin.reverse if needed.reverse else origin
                    assert reached.get(replace(way, channel=Channel(needed.channel)), 0) >= needed.size
                reached[origin] = reached.get(origin, 0) + 1


@settings(max_examples=25)
@given(actions=st.lists(ACTIONS, min_size=4, max_size=16), moves=MOVES)
def test_both_sides_and_a_restored_one_agree_in_every_order(
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[Action],
    moves: list[tuple[bool, Channel]],
) -> None:
    folder, numbers = tmp_path_factory.mktemp("nodes"), count()
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{folder}/{next(numbers)}"), ("cn", "hk", "hk")) as (
        cn,
        hk,
        restored,
    ):
        open_urgent(cn, hk)
        published: list[str] = []
        for action in actions:
            act(cn, hk, published, action)
        exchange(cn, hk)
        assert lives(cn) == lives(hk)
        assert (waiting(cn), waiting(hk)) == (0, 0)
        lose_everything(restored)
        for own, channel in [*moves, *((own, channel) for own in (True, False) for channel in ALERT_CHANNELS)]:
            if own:
                recover(restored, cn, channel)
            else:
                deliver(cn, restored, receipts=False, channel=channel)
            restored.settle()
        open_urgent(cn, restored)
        exchange(cn, restored)
        assert waiting(restored) == 0
        assert lives(restored) == lives(hk) == lives(cn)
        for node in (cn, hk, restored):
            assert_causal(node)
