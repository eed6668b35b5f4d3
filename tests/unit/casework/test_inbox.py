"""The inbox: what wants action, in order of urgency, page by page, and the same after a rebuild."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.casework.projection.index import CaseworkProjection, casework_is_complete
from gateway.casework.projection.rebuild import rebuild_casework
from gateway.casework.rules.urgency import UrgencyGroup, urgency_of
from gateway.casework.tables import inbox
from gateway.casework.tables.inbox import InboxCriteria, InboxItem
from gateway.casework.tables.schema import inbox_items
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError
from gateway.evidence.service.projection_verification import Follower, Rebuilding, check_projections
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.tables.schema import entries
from gateway.v1 import alert_pb2, party_pb2
from gateway.v1 import casework_service_pb2 as service
from tests.support.databases import MakeDatabase
from tests.support.desk import Desk, reference
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes

HOUR_MS = 3_600_000
A, B, C = alert_pb2.PRIORITY_A, alert_pb2.PRIORITY_B, alert_pb2.PRIORITY_C
ACKNOWLEDGE, ANSWER = service.WANTED_ACTION_ACKNOWLEDGE, service.WANTED_ACTION_ANSWER
REPLY, DECIDE = service.WANTED_ACTION_REPLY, service.WANTED_ACTION_DECIDE


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def wanted(row: service.InboxRow) -> list[int]:
    return [one.action for one in row.wanted]


def ask(node: PaperNode, publisher: str, alert_id: str, within_ms: int) -> str:
    question_id = str(uuid.uuid4())
    deadline = to_timestamp(node.clock.now + within_ms)
    question = alert_pb2.AlertQuestion(question_id=question_id, text="Which seal?", deadline=deadline)
    node.step(publisher, alert_id, question=question)
    return question_id


@pytest.mark.both_databases
def test_an_alert_wants_its_recipients_reply_and_then_its_publishers_decision(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_cn, at_hk = Desk(cn), Desk(hk)
    alert_id = cn.publish("hk", reply_by=to_timestamp(cn.clock.now + HOUR_MS))
    exchange(cn, hk)
    at_cn.settle()
    at_hk.settle()
    (row,) = at_hk.rows()
    assert wanted(row) == [REPLY, ACKNOWLEDGE]
    assert (row.partner, row.direction) == ("cn", service.ALERT_DIRECTION_IN)
    assert row.due_at == row.wanted[0].deadline == row.summary.alert.content.reply_by
    assert at_cn.rows() == [], "nothing to do for its publisher"
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    at_hk.settle()
    (row,) = at_hk.rows()
    assert wanted(row) == [REPLY]
    hk.step("cn", alert_id, flagged=alert_pb2.AlertFlagged(revision=1, reason=1, explanation="It left."))
    exchange(cn, hk)
    at_cn.settle()
    at_hk.settle()
    assert at_hk.rows() == []
    (row,) = at_cn.rows()
    assert wanted(row) == [DECIDE]
    assert (row.partner, row.direction) == ("hk", service.ALERT_DIRECTION_OUT)
    assert at_cn.ids(actions=[DECIDE]) == [alert_id]
    assert at_cn.ids(actions=[ANSWER]) == []
    assert at_hk.ids(scope=service.INBOX_SCOPE_OPEN) == at_hk.ids(scope=service.INBOX_SCOPE_ALL) == [alert_id]


def test_a_question_wants_an_answer_by_the_earliest_deadline(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_cn = Desk(cn)
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    ask(hk, "cn", alert_id, 3 * HOUR_MS)
    first = ask(hk, "cn", alert_id, HOUR_MS)
    exchange(cn, hk)
    at_cn.settle()
    (row,) = at_cn.rows()
    assert wanted(row) == [ANSWER]
    assert row.wanted[0].questions == 2
    early = row.due_at.seconds
    cn.step("cn", alert_id, recipient="hk", answer=alert_pb2.AlertAnswer(question_id=first, text="S1"))
    at_cn.settle()
    (row,) = at_cn.rows()
    assert row.wanted[0].questions == 1
    assert row.due_at.seconds > early


@pytest.mark.both_databases
def test_priority_a_and_what_is_overdue_come_first_then_deadlines_then_the_newest(
    nodes: list[PaperNode],
) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    now = cn.clock.now
    names = {}

    def publish(name: str, priority: int, reply_in_ms: int = 0) -> None:
        reply = {"reply_by": to_timestamp(now + reply_in_ms)} if reply_in_ms else {}
        names[cn.publish("hk", priority=priority, **reply)] = name

    publish("done", B)
    (done,) = names
    publish("late C", C, 2 * HOUR_MS)
    publish("later A", A, 3 * HOUR_MS)
    publish("due in two days", A, 2 * DAY_MS)
    publish("C without deadline", C)
    publish("B without deadline", B)
    publish("A without deadline", A)
    exchange(cn, hk)
    hk.step("cn", done, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    at_hk.settle()
    cn.clock.forward(4 * HOUR_MS)
    expected = [
        "A without deadline",
        "later A",
        "due in two days",
        "late C",
        "B without deadline",
        "C without deadline",
    ]
    assert [names[one] for one in at_hk.ids()] == expected
    assert [names[one] for one in at_hk.ids(size=1)] == expected, "page by page"
    everything = at_hk.ids(scope=service.INBOX_SCOPE_ALL, size=2)
    assert [names[one] for one in everything] == [*expected, "done"]
    assert [names[one] for one in at_hk.ids(overdue=True)] == ["later A", "late C"]
    assert [names[one] for one in at_hk.ids(due_within_minutes=60 * 47)] == expected[1:4]
    now_section, later = service.INBOX_SECTION_NOW, service.INBOX_SECTION_LATER
    assert [row.section for row in at_hk.rows()] == [now_section] * 4 + [later] * 2
    counts = {facet.field: {one.value: one.count for one in facet.values} for facet in at_hk.page(facets=True).facets}
    assert counts["sections"] == {str(now_section): 4, str(later): 2}
    newest = at_hk.ids(order=service.INBOX_ORDER_NEWEST, scope=service.INBOX_SCOPE_ALL, size=3)
    assert newest == sorted(names, reverse=True)


@pytest.mark.both_databases
def test_an_alert_past_its_validity_by_this_clock_wants_nothing_and_says_so(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    alert_id = cn.publish("hk", valid_until=to_timestamp(cn.clock.now + HOUR_MS))
    exchange(cn, hk)
    at_hk.settle()
    cn.clock.forward(2 * HOUR_MS)  # the link is down: no expiry of the publisher arrives
    assert at_hk.rows() == []
    (row,) = at_hk.rows(scope=service.INBOX_SCOPE_OPEN)
    assert row.summary.alert.id == alert_id
    assert row.summary.deadlines.expired_by_clock
    assert wanted(row) == []


@pytest.mark.both_databases
def test_filters_and_facets(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    first = cn.publish("hk", priority=A, typologies=["concealment"])
    second = cn.publish("hk", priority=C)
    own = hk.publish("cn", priority=B)
    exchange(cn, hk)
    at_hk.settle()
    at_hk.assign("chan", ("cn", first))
    assert at_hk.ids(priorities=[A]) == [first]
    assert at_hk.ids(typologies=["concealment"]) == [first]
    assert set(at_hk.ids(typologies=["concealment", "false_declaration"])) == {first, second}
    assert at_hk.ids(partners=["mo"]) == []
    assert at_hk.ids(direction=service.ALERT_DIRECTION_OUT, scope=service.INBOX_SCOPE_OPEN) == [own]
    assert at_hk.ids(statuses=[alert_pb2.ALERT_STATUS_CLOSED], scope=service.INBOX_SCOPE_ALL) == []
    assert at_hk.ids(assignees=service.ASSIGNEE_SCOPE_NOBODY) == [second]
    assert at_hk.ids(assignees=service.ASSIGNEE_SCOPE_PERSON, assignee="chan") == [first]
    assert at_hk.ids(assignees=service.ASSIGNEE_SCOPE_ME) == []
    for filters in ({}, {"text": "antimony", "scope": service.INBOX_SCOPE_WANTED}):
        page = at_hk.page(facets=True, **filters)
        counts = {facet.field: {one.value: one.count for one in facet.values} for facet in page.facets}
        assert page.total == 2
        assert not page.more_than_total
        assert counts["priorities"] == {str(A): 1, str(C): 1}
        assert counts["typologies"] == {"false_declaration": 2, "concealment": 1}
        assert counts["assignees"] == {"": 1, "chan": 1}
        assert counts["actions"] == {str(ACKNOWLEDGE): 2}
        assert counts["partners"] == {"cn": 2}


def test_a_page_token_is_of_one_list_and_one_person(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    for _ in range(3):
        cn.publish("hk")
    exchange(cn, hk)
    at_hk.settle()
    token = at_hk.page(size=1).next_page_token
    assert len(at_hk.page(size=1, token=token).rows) == 1
    for other in (lambda: at_hk.page(token=token, overdue=True), lambda: Desk(hk, "chan").page(token=token)):
        with pytest.raises(InvalidRequestError, match="filter changed"):
            other()
    with pytest.raises(InvalidRequestError):
        at_hk.page(token=token[:-4])


@pytest.mark.both_databases
def test_both_ways_to_a_page_agree_with_the_rule(make_database: MakeDatabase) -> None:
    """Walks along indexes, and sorting in Python, against the pure rule over random items."""
    database, dice, now = make_database(), random.Random(5), 100 * HOUR_MS
    moments = [now + offset for offset in range(-90, 90)] + [now + HOUR_MS + offset for offset in range(-9, 90)]
    items = []
    for number in range(400):
        action = dice.choice((0, 1, 2, 4, 8))
        due = dice.choice((0, dice.choice(moments))) if action else 0
        act = due or (dice.choice(moments) if action else 0)
        until = dice.choice((0 if not action else now + 1, now - 5, now, now + 5, now + 500))
        key = (f"{number:036}", dice.choice(("cn", "mo")), "hk")
        status = dice.choice(("published", "flagged"))
        items.append(InboxItem(*key, key[1], "in", status, dice.choice("ABC"), ",other,", action, due, act, until))
    with database.write() as conn:
        inbox.put(conn, items)
    for criteria in (
        InboxCriteria(now),
        InboxCriteria(now, wanted_only=True),
        InboxCriteria(now, open_only=True, partners=("cn",)),
        InboxCriteria(now, wanted_only=True, overdue=True),
        InboxCriteria(now, wanted_only=True, due_until=now + 30, priorities=("A", "B")),
        InboxCriteria(now, wanted_only=True, due_until=now + HOUR_MS + 30, priorities=("B", "C")),
        InboxCriteria(now, actions=6, statuses=("flagged",)),
    ):
        expected = sorted(
            (item for item in items if criteria.matches(item)),
            key=lambda item: (
                (urgency_of(item.times, now), item.key)
                if urgency_of(item.times, now).group is not UrgencyGroup.REST
                else ((UrgencyGroup.REST, "", 0, ""), ("",))
            ),
        )
        rest = [item for item in expected if urgency_of(item.times, now).group is UrgencyGroup.REST]
        expected = [item for item in expected if item not in rest] + sorted(rest, key=lambda item: item.key)[::-1]
        walked: list[InboxItem] = []
        with database.read() as conn:
            while True:
                after = inbox.place_of(walked[-1], now) if walked else None
                page = list(inbox.by_urgency(conn, criteria, after=after, limit=17))
                walked += page
                if not page:
                    break
        assert walked == expected
        assert expected == sorted(expected, key=lambda item: inbox.sort_key(inbox.place_of(item, now)))


@pytest.mark.both_databases
def test_a_rebuild_gives_the_same(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    party = party_pb2.Party(names=[party_pb2.Name(text="陳大文")])
    subject = alert_pb2.Subject(parties=[party])
    ids = [cn.publish("hk", priority=priority, subject=subject) for priority in (A, B, C)]
    exchange(cn, hk)
    at_hk.settle()
    hk.step("cn", ids[0], acknowledged=alert_pb2.AlertAcknowledged(revision=1, case_reference="HK-1"))
    exchange(cn, hk)
    at_hk.settle()

    def state() -> list[list[tuple[object, ...]]]:
        with hk.database.read() as conn:
            tables = CaseworkProjection.tables
            return [
                [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))] for table in tables
            ]

    before = state()
    assert all(before)
    assert at_hk.found("HK-1") == [ids[0]]
    rebuild(hk.writer, report_progress=lambda _: None)
    assert state()[0] == []
    assert at_hk.page().unprojected > 0, "the backlog is told"
    assert at_hk.page(text="HK-1").unindexed > 0
    at_hk.settle()
    assert state() == before
    assert at_hk.found("HK-1") == [ids[0]]
    assert at_hk.page(text="HK-1").unindexed == 0


@pytest.mark.both_databases
def test_verification_finds_a_row_that_was_changed_by_hand(nodes: list[PaperNode], tmp_path: Path) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    cn.publish("hk")
    exchange(cn, hk)

    def problems() -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        follower = Follower(
            CaseworkProjection.tables, casework_is_complete, lambda database, run: rebuild_casework(run, database)
        )
        retention = lambda given, since: ("standard", since)  # noqa: E731
        rebuilding = Rebuilding(hk.projector, retention, tmp_path, followers=[follower])
        add = lambda table, problem: found.append((table, problem))  # noqa: E731
        check_projections(hk.database, rebuilding, node="hk", add=add, unchecked=lambda sentence: None)
        return found

    assert problems() == [], "not complete: not compared"
    at_hk.settle()
    assert problems() == []
    with hk.database.write() as conn:
        conn.execute(update(inbox_items).values(wanted=0))
    ((table, problem),) = problems()
    assert table == "inbox_items"
    assert "isn't what a rebuild gives: wanted" in problem


def test_nothing_of_casework_is_in_a_feed(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    at_hk.settle()
    before = {node.name: feeds_of(node) for node in nodes}
    at_hk.assign("chan", ("cn", alert_id))
    at_hk.note("Ask the driver again.", ("cn", alert_id))
    exchange(cn, hk)
    assert {node.name: feeds_of(node) for node in nodes} == before
    assert Desk(cn).cases.case(reference("cn", alert_id), person="li").notes == []


def feeds_of(node: PaperNode) -> list[tuple[object, ...]]:
    with node.database.read() as conn:
        return [tuple(row) for row in conn.execute(select(entries.c.feed_id, entries.c.idx))]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_first_page_is_chosen_along_an_index(make_database: MakeDatabase) -> None:
    criteria = InboxCriteria(1, wanted_only=True, partners=("cn",))
    with make_database().read() as conn:
        for segment in inbox.SEGMENTS[:-1]:
            walk = inbox.walk_of(segment, criteria, None, 50)
            assert walk is not None
            compiled = walk.compile(conn.engine, compile_kwargs={"render_postcompile": True})
            values = tuple(compiled.params[name] for name in compiled.positiontup or ())
            plan = [row[-1] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)]
            assert "INDEX ix_inbox_items_" in plan[0]
            assert plan[1:] in ([], ["USE TEMP B-TREE FOR LAST 3 TERMS OF ORDER BY"])
