"""What the recipient makes of entries: applied, rejected with every violation, or held, and said so once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.alerts.codec import parse_event
from gateway.alerts.tables import copies as alerts
from gateway.contract.messages import to_timestamp
from gateway.feed.codec import make_entry
from gateway.feed.projection import registry
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.projection.registry import MOST_WAITING
from gateway.feed.service.writing import writer
from gateway.feed.tables import feeds
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.author import Author, wire_entry
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, paper_nodes

APPLIED = feed_pb2.DISPOSITION_OUTCOME_APPLIED
REJECTED = feed_pb2.DISPOSITION_OUTCOME_REJECTED
HELD = feed_pb2.DISPOSITION_OUTCOME_HELD


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


@pytest.fixture
def hk(nodes: list[PaperNode]) -> PaperNode:
    return nodes[1]


@pytest.fixture
def cn(nodes: list[PaperNode]) -> Author:
    return Author(nodes[0], "hk")


def tell(node: PaperNode, author: Author, *entries: feed_pb2.Entry) -> None:
    """Entries arrive in one batch and are projected."""
    node.writer.run(node.receiver.open_batch(author.origin.publisher, author.batch(*entries)))
    node.settle()


def said(node: PaperNode, partner: str) -> list[feed_pb2.Disposition]:
    """Dispositions in a node's own feed."""
    with node.database.read() as conn:
        feed = feeds.find(conn, node.origin(partner))
        stored = feeds.read_entries(conn, feed.id, 0, feed.size) if feed is not None else []
    events = [parse_event(entry.payload) for entry in stored]
    return [event.disposition for event in events if event.HasField("disposition")]


def summary(dispositions: Sequence[feed_pb2.Disposition]) -> list[tuple[int, int, int]]:
    return [(one.index, one.count, one.outcome) for one in dispositions]


def arrive(node: PaperNode, author: Author, *entries: feed_pb2.Entry) -> None:
    """Entries arrive in one batch."""
    node.writer.run(node.receiver.open_batch(author.origin.publisher, author.batch(*entries)))


def shown(node: PaperNode) -> set[str]:
    with node.database.read() as conn:
        return {row.key.alert_id for row, _ in alerts.list_page(conn, [], before=None, limit=1000)}


def fields(disposition: feed_pb2.Disposition) -> set[str]:
    return {violation.field for violation in disposition.violations}


def test_consecutive_alerts_are_answered_as_one_run(hk: PaperNode, cn: Author) -> None:
    tell(hk, cn, *cn.alerts(50))
    assert summary(said(hk, "cn")) == [(0, 50, APPLIED)]
    tell(hk, cn, *cn.alerts(1))
    assert summary(said(hk, "cn")) == [(0, 50, APPLIED), (50, 1, APPLIED)]
    assert said(hk, "cn")[0].origin == cn.origin.line


def test_a_bad_entry_splits_the_run_and_stops_nothing(hk: PaperNode, cn: Author) -> None:
    tell(
        hk, cn, *cn.alerts(2), cn.entry(b"\xff\xff"), *cn.alerts(1), cn.entry(b"x", type_name="Weather"), *cn.alerts(2)
    )
    assert summary(said(hk, "cn")) == [
        (0, 2, APPLIED),
        (2, 1, REJECTED),
        (3, 1, APPLIED),
        (4, 1, HELD),
        (5, 2, APPLIED),
    ]
    assert len(shown(hk)) == 5


def test_the_publisher_learns_what_became_of_each_alert(nodes: list[PaperNode]) -> None:
    sender, hk = nodes
    ids = [sender.publish("hk") for _ in range(3)]
    exchange(sender, hk)
    queries = sender.queries
    assert [queries.get("cn", one).deliveries[0].disposition for one in ids] == [APPLIED] * 3


def test_steps_are_answered_and_dispositions_are_not(nodes: list[PaperNode]) -> None:
    sender, hk = nodes
    alert_id = sender.publish("hk")
    exchange(sender, hk)
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    exchange(sender, hk)
    assert summary(said(sender, "hk")) == [(1, 1, APPLIED)]
    assert summary(said(hk, "cn")) == [(0, 1, APPLIED)]


def test_every_violation_of_a_payload_is_told_with_its_path(hk: PaperNode, cn: Author) -> None:
    alert = cn.alert()
    alert.content.priority = alert_pb2.PRIORITY_UNSPECIFIED
    alert.content.legal_basis = ""
    alert.content.narratives.add(language="tlh", text="nuqneH")
    alert.content.subject.parties.add(role=1)
    tell(hk, cn, cn.event(published=alert))
    (answer,) = said(hk, "cn")
    assert (answer.outcome, answer.reason) == (REJECTED, "INVALID_REQUEST")
    assert fields(answer) == {
        "published.content.priority",
        "published.content.legal_basis",
        "published.content.narratives[1].language",
        "published.content.subject.parties[0]",
    }
    assert shown(hk) == set()


def _withdraws(cn: Author, alert_id: str) -> feed_pb2.Entry:
    reference = alert_pb2.AlertReference(publisher="hk", alert_id=alert_id)
    return cn.event(withdrawn=alert_pb2.AlertWithdrawn(alert=reference, revision=1, reason="not ours"))


def _amends(cn: Author, alert_id: str) -> feed_pb2.Entry:
    alert = cn.alert(alert_id)
    alert.publisher, alert.recipient, alert.revision = "hk", "cn", 2
    return cn.event(amended=alert)


def _closes(cn: Author, alert_id: str) -> feed_pb2.Entry:
    reference = alert_pb2.AlertReference(publisher="hk", alert_id=alert_id)
    return cn.event(closed=alert_pb2.AlertClosed(alert=reference, revision=1, outcome=1))


def _expires(cn: Author, alert_id: str) -> feed_pb2.Entry:
    reference = alert_pb2.AlertReference(publisher="hk", alert_id=alert_id)
    return cn.event(expired=alert_pb2.AlertExpired(alert=reference, revision=1))


@pytest.mark.parametrize("misdeed", [_withdraws, _amends, _closes, _expires])
def test_only_the_publisher_changes_an_alert(nodes: list[PaperNode], cn: Author, misdeed: Any) -> None:
    """Rule 5, at the node whose alert it is: the recipient's feed can't do it, however soundly it is signed."""
    hk = nodes[1]
    alert_id = hk.publish("cn")
    hk.settle()
    before = _dump(hk)
    tell(hk, cn, misdeed(cn, alert_id))
    (answer,) = said(hk, "cn")
    assert answer.outcome == REJECTED
    assert answer.reason in ("ILLEGAL_TRANSITION", "MALFORMED")
    assert _dump(hk)["alerts"] == before["alerts"]
    assert _dump(hk)["alert_events"] == before["alert_events"]


@pytest.mark.parametrize(
    "names",
    [{"publisher": "mo"}, {"recipient": "mo"}, {"publisher": "hk", "recipient": "cn"}],
)
def test_an_alert_in_anothers_name_is_rejected(hk: PaperNode, cn: Author, names: dict[str, str]) -> None:
    alert = cn.alert()
    for name, value in names.items():
        setattr(alert, name, value)
    tell(hk, cn, cn.event(published=alert))
    assert [one.outcome for one in said(hk, "cn")] == [REJECTED]
    assert shown(hk) == set()


def test_a_second_publication_under_one_id_is_rejected(hk: PaperNode, cn: Author) -> None:
    alert = cn.alert()
    tell(hk, cn, cn.event(published=alert), cn.event(published=alert))
    assert summary(said(hk, "cn")) == [(0, 1, APPLIED), (1, 1, REJECTED)]


def test_steps_on_an_alert_that_never_came_are_rejected(hk: PaperNode, cn: Author) -> None:
    reference = alert_pb2.AlertReference(publisher="cn", alert_id=str(uuid.uuid4()))
    tell(hk, cn, cn.event(withdrawn=alert_pb2.AlertWithdrawn(alert=reference, revision=1, reason="gone")))
    assert [one.outcome for one in said(hk, "cn")] == [REJECTED]


@pytest.mark.parametrize("seconds", [1 << 61, -(1 << 61), 253_402_300_800, -62_135_596_801])
@pytest.mark.parametrize("path", ["content.valid_until", "content.reply_by", "published_at"])
def test_a_time_that_no_database_can_hold_is_rejected(hk: PaperNode, cn: Author, path: str, seconds: int) -> None:
    alert = cn.alert()
    target: Any = alert
    for name in path.split("."):
        target = getattr(target, name)
    target.seconds = seconds
    tell(hk, cn, cn.event(published=alert), *cn.alerts(1))
    assert summary(said(hk, "cn")) == [(0, 1, REJECTED), (1, 1, APPLIED)]


@pytest.mark.both_databases
def test_the_longest_and_strangest_texts_are_kept(hk: PaperNode, cn: Author) -> None:
    tell(
        hk,
        cn,
        cn.event(published=cn.alert(case_reference="\0" * 128)),
        cn.event(published=cn.alert(case_reference="案" * 128)),
    )
    assert summary(said(hk, "cn")) == [(0, 2, APPLIED)]
    assert len(shown(hk)) == 2


def test_an_alert_valid_until_the_beginning_of_time_survives_a_rebuild(hk: PaperNode, cn: Author) -> None:
    alert = cn.alert()
    alert.content.valid_until.CopyFrom(to_timestamp(0))
    reference = alert_pb2.AlertReference(publisher="cn", alert_id=alert.id)
    tell(hk, cn, cn.event(published=alert))
    tell(hk, cn, cn.event(expired=alert_pb2.AlertExpired(alert=reference, revision=1)))
    live = _dump(hk)
    rebuild(hk.writer, report_progress=lambda _: None)
    assert _dump(hk) == live


# Dispositions of the partner


def _speaks(cn: Author, **changes: Any) -> feed_pb2.Entry:
    fields = {"origin": "gba.customs.example/hk/cn/alerts", "index": 0, "count": 1, "outcome": APPLIED}
    return cn.event(disposition=feed_pb2.Disposition(**(fields | changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "gba.customs.example/cn/hk/alerts"},  # of its own entries
        {"origin": "gba.customs.example/hk/mo/alerts"},  # of somebody else's
        {"origin": "other.example/hk/cn/alerts"},
        {"origin": "nonsense"},
        {"origin": ""},
        {"index": 1},
        {"index": 2**64 - 1},
        {"count": 2},
        {"count": 2**64 - 1},
        {"count": 0},
        {"outcome": 0},
        {"outcome": 17},
        {"reason": "R" * 65},
    ],
)
def test_a_disposition_that_cant_be_true_says_nothing(
    nodes: list[PaperNode], cn: Author, changes: dict[str, Any]
) -> None:
    hk = nodes[1]
    alert_id = hk.publish("cn")
    hk.settle()
    tell(hk, cn, _speaks(cn, **changes), *cn.alerts(1))
    assert hk.queries.get("hk", alert_id).deliveries[0].disposition == 0
    assert summary(said(hk, "cn")) == [(1, 1, APPLIED)], "dispositions are never answered, and the feed goes on"


def test_a_disposition_with_a_text_that_databases_refuse_doesnt_stop_the_feed(
    nodes: list[PaperNode], cn: Author
) -> None:
    hk = nodes[1]
    hk.publish("cn")
    hk.settle()
    tell(hk, cn, _speaks(cn, reason="A\0B"), *cn.alerts(1))
    assert summary(said(hk, "cn")) == [(1, 1, APPLIED)]


def test_of_two_dispositions_the_later_counts(nodes: list[PaperNode], cn: Author) -> None:
    hk = nodes[1]
    alert_id = hk.publish("cn")
    hk.settle()
    tell(hk, cn, _speaks(cn, outcome=HELD), _speaks(cn, outcome=APPLIED))
    assert hk.queries.get("hk", alert_id).deliveries[0].disposition == APPLIED


# Formats


def test_a_newer_format_is_held(hk: PaperNode, cn: Author) -> None:
    header = feed_pb2.EntryHeader(format=3, type="AlertEvent", payload_digest=bytes(32), recorded_at_unix_ms=cn.now_ms)
    tell(hk, cn, feed_pb2.Entry(header=header.SerializeToString(deterministic=True)), *cn.alerts(1))
    assert summary(said(hk, "cn")) == [(0, 1, HELD), (1, 1, APPLIED)]


def test_a_kind_of_event_from_a_newer_contract_is_held(hk: PaperNode, cn: Author) -> None:
    payload = alert_pb2.AlertEvent(occurred_at=to_timestamp(cn.now_ms)).SerializeToString() + b"\xfa\x01\x00"
    tell(hk, cn, cn.entry(payload))
    assert summary(said(hk, "cn")) == [(0, 1, HELD)]


def test_an_erased_entry_is_passed_over(hk: PaperNode, cn: Author) -> None:
    erased = cn.event(published=cn.alert())
    erased.salt = erased.payload = b""
    tell(hk, cn, erased, *cn.alerts(1))
    assert summary(said(hk, "cn")) == [(1, 1, APPLIED)]


def test_a_rebuild_is_equal_and_answers_nothing_twice(nodes: list[PaperNode], cn: Author) -> None:
    hk = nodes[1]
    hk.publish("cn")
    withdrawn = cn.alert()
    reference = alert_pb2.AlertReference(publisher="cn", alert_id=withdrawn.id)
    tell(hk, cn, *cn.alerts(3), cn.entry(b"\xff"), cn.entry(b"?", type_name="Weather"), cn.event(published=withdrawn))
    tell(hk, cn, cn.event(withdrawn=alert_pb2.AlertWithdrawn(alert=reference, revision=1, reason="void")), _speaks(cn))
    live, answers = _dump(hk), said(hk, "cn")
    report = rebuild(hk.writer, report_progress=lambda _: None)
    assert _dump(hk) == live
    assert said(hk, "cn") == answers
    assert report.answers == 0


@pytest.mark.both_databases
def test_entries_written_by_a_later_clock_are_in_the_order_of_the_feed(hk: PaperNode, cn: Author) -> None:
    alert = cn.alert()
    late = alert_pb2.AlertEvent(occurred_at=to_timestamp(cn.now_ms + 86_400_000), published=alert)
    reference = alert_pb2.AlertReference(publisher="cn", alert_id=alert.id)
    early = alert_pb2.AlertEvent(
        occurred_at=to_timestamp(1), withdrawn=alert_pb2.AlertWithdrawn(alert=reference, revision=1, reason="void")
    )
    entries = [
        wire_entry(make_entry("AlertEvent", event.SerializeToString(), salt=bytes(32), recorded_at_ms=at))
        for event, at in ((late, cn.now_ms + 86_400_000), (early, 1))
    ]
    tell(hk, cn, *entries)
    (delivery,) = hk.queries.get("cn", alert.id).deliveries
    assert delivery.status == alert_pb2.ALERT_STATUS_WITHDRAWN


def _dump(node: PaperNode) -> dict[str, list[tuple[Any, ...]]]:
    with node.database.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))]
            for table in node.projector.tables
        }


# Answers that wait for others


def answered(node: PaperNode) -> None:
    """Returns when nothing waits for its answer."""
    ends_at = time.monotonic() + 30
    while waiting(node):
        assert time.monotonic() < ends_at
        time.sleep(0.005)


def waiting(node: PaperNode) -> int:
    """Applied entries of cn's feed without an answer."""
    with node.database.read() as conn:
        return sum(feed.applied_size - feed.disposed_size for feed in feeds.unanswered(conn))


def test_a_few_applied_entries_are_answered_together_soon(hk: PaperNode, cn: Author) -> None:
    for _ in range(3):
        arrive(hk, cn, *cn.alerts(1))
    answered(hk)
    sent = said(hk, "cn")
    assert [index for one in sent for index in range(one.index, one.index + one.count)] == [0, 1, 2]
    assert {one.outcome for one in sent} == {APPLIED}


@pytest.mark.both_databases
def test_a_refusal_is_answered_at_once_after_what_waits(
    hk: PaperNode, cn: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ANSWER_S", 3600.0)
    arrive(hk, cn, *cn.alerts(2))
    assert (waiting(hk), said(hk, "cn")) == (2, [])
    arrive(hk, cn, wire_entry(make_entry("AlertEvent", b"nonsense", salt=bytes(32), recorded_at_ms=hk.clock())))
    assert summary(said(hk, "cn")) == [(0, 2, APPLIED), (2, 1, REJECTED)]
    assert waiting(hk) == 0


def test_many_entries_are_answered_with_their_projection(
    hk: PaperNode, cn: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ANSWER_S", 3600.0)
    arrive(hk, cn, *cn.alerts(1))
    arrive(hk, cn, *cn.alerts(MOST_WAITING + 1))
    assert summary(said(hk, "cn")) == [(0, 1, APPLIED), (1, MOST_WAITING + 1, APPLIED)]


def test_after_a_kill_the_next_start_answers_what_waited(
    hk: PaperNode, cn: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row says what waits; nothing of it is in memory."""
    monkeypatch.setattr(writer, "ANSWER_S", 3600.0)
    arrive(hk, cn, *cn.alerts(2))
    hk.writer._answer_at = float("inf")  # as killed: the stop answers nothing
    hk.writer.stop()
    assert said(hk, "cn") == []
    hk.__post_init__()
    hk.writer.start()
    answered(hk)
    assert summary(said(hk, "cn")) == [(0, 2, APPLIED)]


def test_a_stop_answers_what_waits(hk: PaperNode, cn: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ANSWER_S", 3600.0)
    arrive(hk, cn, *cn.alerts(2))
    hk.writer.stop()
    assert summary(said(hk, "cn")) == [(0, 2, APPLIED)]


def test_a_rebuild_answers_what_waits_once(hk: PaperNode, cn: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ANSWER_S", 3600.0)
    arrive(hk, cn, *cn.alerts(2))
    rebuild(hk.writer, report_progress=lambda _: None)
    hk.settle()
    assert summary(said(hk, "cn")) == [(0, 2, APPLIED)]


def test_very_many_that_wait_are_answered_in_several_transactions(
    hk: PaperNode, cn: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after days in which this node couldn't answer."""
    monkeypatch.setattr(registry, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(registry, "_READ_AT_ONCE", 2)
    arrive(hk, cn, *cn.alerts(8))
    answered(hk)
    assert summary(said(hk, "cn")) == [(0, 3, APPLIED), (3, 3, APPLIED), (6, 2, APPLIED)]
