"""Lists by deadlines: states by the reader's clock, pages by one time, and each condition by its index."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError
from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import AlertDeadlines, AlertSummary, DeadlineState, ListAlertsRequest
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes

pytestmark = pytest.mark.both_databases

HOUR_MS = 3_600_000


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def rows(node: PaperNode, filter_text: str = "", size: int = 0, order_by: str = "") -> list[AlertSummary]:
    """Rows over all pages."""
    found: list[AlertSummary] = []
    token = ""
    while True:
        page = node.queries.list(
            ListAlertsRequest(filter=filter_text, page_size=size, page_token=token, order_by=order_by)
        )
        found += page.alerts
        token = page.next_page_token
        if not token:
            return found


def listed(node: PaperNode, filter_text: str) -> list[str]:
    """Ids, oldest first."""
    return [row.alert.id for row in rows(node, filter_text)][::-1]


def word(state: int) -> str:
    return DeadlineState.Name(state).removeprefix("DEADLINE_STATE_").lower()  # type: ignore[arg-type]


def words(deadlines: AlertDeadlines) -> tuple[str, str, str, bool]:
    states = (deadlines.reply, deadlines.question_in, deadlines.question_out)
    return (*map(word, states), deadlines.expired_by_clock)  # type: ignore[return-value]


def ask(node: PaperNode, alert_id: str, within_ms: int) -> str:
    question_id = str(uuid.uuid4())
    deadline = to_timestamp(node.clock.now + within_ms)
    node.step("cn", alert_id, question=alert_pb2.AlertQuestion(question_id=question_id, text="?", deadline=deadline))
    return question_id


NOTHING = "unspecified"


def test_a_reply_is_due_then_overdue_then_met_at_both_sides(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk", reply_by=to_timestamp(cn.clock.now + HOUR_MS))
    cn.publish("hk")
    exchange(cn, hk)
    for expected, other in (("due", "overdue"), ("overdue", "due")):
        for node in nodes:
            assert listed(node, f"reply = {expected}") == [alert_id]
            assert listed(node, f"reply = {other}") == []
            (copy,) = node.queries.get("cn", alert_id).deliveries
            assert words(copy.deadlines) == (expected, NOTHING, NOTHING, False)
            assert {word(row.deadlines.reply) for row in rows(node)} == {expected, NOTHING}
        cn.clock.forward(HOUR_MS)
    hk.step("cn", alert_id, flagged=alert_pb2.AlertFlagged(revision=1, reason=1, explanation="gone"))
    hk.settle()
    assert listed(hk, "reply = overdue") == []
    assert listed(cn, "reply = overdue") == [alert_id], "each side by what it has"
    exchange(cn, hk)
    assert listed(cn, "reply = overdue") == []
    assert [word(row.deadlines.reply) for row in rows(cn, "reply_by > 2026-01-01T00:00:00Z")] == ["met"]


def test_questions_are_told_to_the_side_that_answers_and_to_the_one_that_waits(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    first = ask(hk, alert_id, HOUR_MS)
    ask(hk, alert_id, 3 * HOUR_MS)
    exchange(cn, hk)
    for state, other in (("due", "overdue"), ("overdue", "due")):
        assert listed(cn, f"question_in = {state}") == listed(hk, f"question_out = {state}") == [alert_id]
        assert listed(cn, f"question_in = {other}") == listed(cn, f"question_out = {state}") == []
        cn.clock.forward(2 * HOUR_MS)
    (copy,) = cn.queries.get("cn", alert_id).deliveries
    assert {one.question_id: (one.asked_by, word(one.state)) for one in copy.open_questions}[first] == ("hk", "overdue")
    assert [one.question_id for one in copy.open_questions] == list(copy.open_question_ids)
    cn.step("cn", alert_id, recipient="hk", answer=alert_pb2.AlertAnswer(question_id=first, text="A1"))
    cn.settle()
    (copy,) = cn.queries.get("cn", alert_id).deliveries
    assert len(copy.open_questions) == 1


def test_an_alert_past_its_validity_is_told_where_the_publishers_expiry_cant_arrive(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    soon = to_timestamp(cn.clock.now + DAY_MS)
    alert_id = cn.publish("hk", valid_until=soon, reply_by=to_timestamp(cn.clock.now + HOUR_MS))
    later = cn.publish("hk")
    exchange(cn, hk)
    assert listed(hk, "expired_by_clock = true") == []
    cn.clock.forward(DAY_MS)  # cn is down
    for node in nodes:
        assert listed(node, "expired_by_clock = true") == [alert_id]
        assert listed(node, "expired_by_clock = false") == [later]
        assert listed(node, "reply = overdue") == []
        (copy,) = node.queries.get("cn", alert_id).deliveries
        assert words(copy.deadlines) == (NOTHING, NOTHING, NOTHING, True)
        assert copy.status == alert_pb2.ALERT_STATUS_PUBLISHED, "nobody has signed that it expired"
    assert listed(hk, "status = expired") == []
    cn.step("cn", alert_id, expired=alert_pb2.AlertExpired(revision=1))
    exchange(cn, hk)
    for node in nodes:
        assert listed(node, "expired_by_clock = true") == []
        assert listed(node, "status = expired") == [alert_id]


def test_one_filter_finds_whatever_is_late_and_one_what_is_due_soon(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    replied_late = cn.publish("hk", reply_by=to_timestamp(cn.clock.now + HOUR_MS))
    asked = cn.publish("hk")
    quiet = cn.publish("hk")
    over = cn.publish(
        "hk",
        reply_by=to_timestamp(cn.clock.now + HOUR_MS),
        valid_until=to_timestamp(cn.clock.now + HOUR_MS + 10_000),
    )
    exchange(cn, hk)
    ask(hk, asked, 2 * HOUR_MS)
    exchange(cn, hk)
    for node in nodes:
        assert listed(node, "due_within = 59m") == listed(node, "overdue = true") == []
        assert listed(node, "due_within = 61m") == [replied_late, over]
        assert listed(node, "due_within = 3h") == [replied_late, asked, over]
        assert listed(node, "overdue = false") == [replied_late, asked, quiet, over]
    cn.clock.forward(HOUR_MS + 5_000)
    for node in nodes:
        assert listed(node, "overdue = true") == [replied_late, over]
        assert listed(node, "overdue = true AND direction = in") == ([replied_late, over] if node is hk else [])
        assert listed(node, "due_within = 1d") == [asked]
    cn.clock.forward(HOUR_MS)
    for node in nodes:
        assert listed(node, "overdue = true") == [replied_late, asked], "what has ended has no deadline"
        assert listed(node, "overdue = false") == [quiet, over]
        assert listed(node, "due_within = 1d") == []


def test_pages_are_by_the_time_of_the_first(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    ids = [cn.publish("hk", reply_by=to_timestamp(cn.clock.now + HOUR_MS)) for _ in range(5)]
    cn.settle()
    queries, where = cn.queries, "reply = due"
    first = queries.list(ListAlertsRequest(filter=where, page_size=2))
    cn.clock.forward(DAY_MS)
    second = queries.list(ListAlertsRequest(filter=where, page_size=9, page_token=first.next_page_token))
    assert [row.alert.id for row in (*first.alerts, *second.alerts)] == ids[::-1]
    assert {word(row.deadlines.reply) for row in second.alerts} == {"due"}
    assert rows(cn, where) == []
    assert [row.alert.id for row in rows(cn, "reply = overdue", size=2)] == ids[::-1]


def test_a_state_that_there_isnt_is_named(nodes: list[PaperNode]) -> None:
    for text in (
        "reply = late",
        "overdue = maybe",
        "due_within = soon",
        "due_within = 123456m",
        "expired_by_clock = yes",
        "reply_by = soon",
        "valid_until > 2026-01-01",
    ):
        with pytest.raises(InvalidRequestError) as refused:
            rows(nodes[0], text)
        assert [violation.field for violation in refused.value.violations] == ["filter"], text


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("reply = overdue", "ix_alerts_reply_due"),
        ("reply = due AND direction = in", "ix_alerts_reply_due"),
        ("question_in = overdue", "ix_alerts_question_in_due"),
        ("question_out = due AND priority = A", "ix_alerts_question_out_due"),
        ("expired_by_clock = true", "ix_alerts_direction_open_until"),
        ("overdue = true", "ix_alerts_reply_due"),
        ("overdue = true AND direction = in", "ix_alerts_question_out_due"),
        ("due_within = 2h", "ix_alerts_question_in_due"),
        ("status = closed AND direction = out", "ix_alerts_ended"),
    ],
)
def test_a_list_of_some_among_many_reads_an_index(tmp_path: Path, where: str, index: str) -> None:
    """On SQLite, whose plan doesn't depend on what is stored."""
    queries: list[tuple[str, tuple[object, ...]]] = []
    with paper_nodes(tmp_path, lambda: new_database(f"sqlite:///{tmp_path}/cn.sqlite3"), ("cn",)) as (cn,):

        @event.listens_for(cn.database.readers, "before_cursor_execute")
        def note(_conn: object, _cursor: object, statement: str, values: tuple[object, ...], *_rest: object) -> None:
            queries.append((statement, values))

        rows(cn, where)
        ((statement, values),) = [query for query in queries if "ORDER BY" in query[0]]
        with cn.database.read() as conn:
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert any(f"INDEX {index} " in str(step) for step in plan), plan


def test_a_list_by_deadline_begins_with_the_most_urgent(nodes: list[PaperNode]) -> None:
    """Overdue, due soonest, then by priority, newest first; what has ended comes last. At both sides, over pages."""
    cn, hk = nodes
    names: dict[str, str] = {}

    def publish(name: str, priority: str = "C", **content: Any) -> str:
        at = {key: to_timestamp(cn.clock.now + ms) for key, ms in content.items()}
        alert_id = cn.publish("hk", priority=alert_pb2.Priority.Value(f"PRIORITY_{priority}"), **at)
        cn.clock.forward(1)
        names[alert_id] = name
        return alert_id

    publish("over, A", "A", valid_until=2 * HOUR_MS, reply_by=HOUR_MS)
    publish("open, C")
    publish("open, A", "A")
    publish("due late", "A", reply_by=9 * HOUR_MS)
    publish("overdue", reply_by=HOUR_MS)
    asked = publish("asked", "B")
    publish("open, newer A", "A")
    withdrawn = publish("withdrawn", "A", reply_by=HOUR_MS)
    exchange(cn, hk)
    ask(hk, asked, 6 * HOUR_MS)
    cn.step("cn", withdrawn, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="void"))
    exchange(cn, hk)
    cn.clock.forward(3 * HOUR_MS)
    expected = ["overdue", "asked", "due late", "open, newer A", "open, A", "open, C", "withdrawn", "over, A"]
    for node in nodes:
        for size in (0, 1, 3):
            found = [names[row.alert.id] for row in rows(node, size=size, order_by="deadline")]
            assert found == expected, (node.name, size)
    assert [row.alert.id for row in rows(cn, order_by=" published_at  desc ")] == [row.alert.id for row in rows(cn)]
    assert [names[row.alert.id] for row in rows(hk, "reply = overdue", order_by="deadline")] == ["overdue"]
    first = cn.queries.list(ListAlertsRequest(page_size=1, order_by="deadline"))
    with pytest.raises(InvalidRequestError, match="start again"):
        cn.queries.list(ListAlertsRequest(page_token=first.next_page_token))
    with pytest.raises(InvalidRequestError, match="did you mean 'deadline'"):
        cn.queries.list(ListAlertsRequest(order_by="dedline"))
