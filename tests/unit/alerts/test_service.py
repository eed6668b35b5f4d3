"""Reading alerts: one, lists page by page, and changes from any position."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alerts.service import WATCH_PAGE
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, NotFoundError, PositionUnknownError
from gateway.feed.service.writing.commits import ALERT_CHANGES, Commit
from gateway.v1 import alert_pb2, alert_service_pb2
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes

REFUSED = alert_pb2.TRANSFER_CONSENT_REFUSED


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


@pytest.fixture
def cn(nodes: list[PaperNode]) -> PaperNode:
    return nodes[0]


def listed(node: PaperNode, filter_text: str = "", size: int = 0) -> list[str]:
    """Ids over all pages."""
    found, token = [], ""
    while True:
        request = alert_service_pb2.ListAlertsRequest(filter=filter_text, page_size=size, page_token=token)
        page = node.queries.list(request)
        assert len(page.alerts) <= (size or 50)
        found += [summary.alert.id for summary in page.alerts]
        token = page.next_page_token
        if not token:
            return found


def test_pages_cover_everything_once_newest_first(cn: PaperNode) -> None:
    ids = [cn.publish("hk") for _ in range(7)]
    cn.settle()
    for size in (1, 2, 3, 6, 7, 8, 0):
        assert listed(cn, size=size) == ids[::-1]


def test_a_list_says_how_much_isnt_projected_yet(cn: PaperNode) -> None:
    cn.publish("hk")
    cn.settle()
    queries = cn.queries
    assert queries.list(alert_service_pb2.ListAlertsRequest()).unprojected == 0
    with cn.database.write() as conn:
        cn.projector.clear(conn)  # as a rebuild begins
    behind = queries.list(alert_service_pb2.ListAlertsRequest())
    assert (len(behind.alerts), behind.unprojected) == (0, queries.head())
    cn.settle()
    again = queries.list(alert_service_pb2.ListAlertsRequest())
    assert (len(again.alerts), again.unprojected) == (1, 0)


@pytest.mark.both_databases
def test_what_is_published_meanwhile_doesnt_disturb_the_pages(cn: PaperNode) -> None:
    ids = [cn.publish("hk") for _ in range(4)]
    cn.settle()
    queries = cn.queries
    first = queries.list(alert_service_pb2.ListAlertsRequest(page_size=2))
    cn.publish("hk")
    cn.settle()
    second = queries.list(alert_service_pb2.ListAlertsRequest(page_size=2, page_token=first.next_page_token))
    assert [one.alert.id for one in (*first.alerts, *second.alerts)] == ids[::-1]


@pytest.mark.both_databases
def test_filters_choose(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    urgent = cn.publish("hk", case_reference="CASE 1")
    low = cn.publish("hk", priority=alert_pb2.PRIORITY_C, purpose="smuggling")
    theirs = hk.publish("cn")
    exchange(cn, hk)
    hk.step("cn", urgent, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    exchange(cn, hk)
    for text, expected in {
        "status = acknowledged": {urgent},
        "priority = C": {low},
        "purpose = smuggling": {low},
        'case_reference = "CASE 1"': {urgent},
        "publisher = hk": {theirs},
        "recipient = hk": {urgent, low},
        "direction = in": {theirs},
        "direction = out AND priority = A": {urgent},
        "published_at > 2026-01-15T07:59:00+08:00": {urgent, low, theirs},
        "published_at < 2026-01-15T00:00:00Z": set(),
        "status = withdrawn": set(),
    }.items():
        assert set(listed(cn, text)) == expected, text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("status = lost", "status: 'lost' isn't one of"),
        ("priority = D", "priority: 'D' isn't one of A, B, C"),
        ("direction = sideways", "direction"),
        ("published_at > yesterday", "RFC 3339"),
        ("published_at > 2026-01-15T08:00:00", "with its zone"),
        ("id = 1", "there is no field 'id'"),
        ("purpose > a", "purpose takes =, not >"),
        ('case_reference = "\0"', "NUL"),
    ],
)
def test_a_wrong_filter_is_named(cn: PaperNode, text: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as refused:
        listed(cn, text)
    assert [violation.field for violation in refused.value.violations] == ["filter"]


def test_a_token_of_another_filter_is_named(cn: PaperNode) -> None:
    for _ in range(2):
        cn.publish("hk")
    cn.settle()
    queries = cn.queries
    token = queries.list(alert_service_pb2.ListAlertsRequest(page_size=1)).next_page_token
    for request in (
        alert_service_pb2.ListAlertsRequest(page_token=token, filter="priority = A"),
        alert_service_pb2.ListAlertsRequest(page_token="nonsense"),
    ):
        with pytest.raises(InvalidRequestError) as refused:
            queries.list(request)
        assert [violation.field for violation in refused.value.violations] == ["page_token"]


def test_an_alert_comes_with_its_history_and_each_recipients_copy(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk", "mo")
    exchange(cn, hk)
    hk.step("cn", alert_id, flagged=alert_pb2.AlertFlagged(revision=1, reason=1, explanation="gone"))
    exchange(cn, hk)
    cn.amend(alert_id, 2, case_reference="CASE 2")
    exchange(cn, hk)
    found = cn.queries.get("cn", alert_id)
    assert (found.alert.revision, found.alert.content.case_reference) == (2, "CASE 2")
    assert [one.recipient for one in found.deliveries] == ["hk", "mo"]
    assert [one.HasField("receipted_at") for one in found.deliveries] == [True, False]
    assert [change.event.WhichOneof("event") for change in found.history if change.recipient == "hk"] == [
        "published",
        "flagged",
        "amended",
    ]
    for node in (cn, hk):
        history = node.queries.get("cn", alert_id).history
        assert [change.speaker for change in history if change.recipient == "hk"] == ["cn", "hk", "cn"]
    theirs = hk.queries.get("cn", alert_id)
    assert [one.recipient for one in theirs.deliveries] == ["hk"], "none learns of the others"
    assert "mo" not in {change.recipient for change in theirs.history}


def test_an_answer_goes_to_who_asked_whatever_id_the_question_has(tmp_path: Path, make_database: MakeDatabase) -> None:
    """A recipient that repeats the id of the publisher's question to all can't turn an answer to another recipient."""
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as nodes:
        cn, _, mo = nodes
        alert_id = cn.publish("hk", "mo")
        exchange(*nodes)
        question = alert_pb2.AlertQuestion(
            question_id=str(uuid.uuid4()), text="Where?", deadline=to_timestamp(cn.clock.now + DAY_MS)
        )
        cn.step("cn", alert_id, question=question)
        exchange(*nodes)
        question.onward_recipients.append("hk")
        mo.step("cn", alert_id, question=question)
        exchange(*nodes)
        recipient = cn.queries.who_asked("cn", alert_id, question.question_id)
        assert recipient == "mo"
        answer = alert_pb2.AlertAnswer(question_id=question.question_id, text="No", consent=REFUSED)
        cn.step("cn", alert_id, recipient=recipient, answer=answer)
        assert cn.queries.who_asked("cn", alert_id, str(uuid.uuid4())) == ""


def test_an_alert_that_isnt_here_isnt_found(cn: PaperNode) -> None:
    with pytest.raises(NotFoundError):
        cn.queries.get("cn", str(uuid.uuid4()))


def _watched(node: PaperNode, position: int) -> list[int]:
    found: list[int] = []
    while (response := node.queries.changes(position)[0]).changes:
        assert len(response.changes) <= WATCH_PAGE
        found += [change.position for change in response.changes]
        position = response.position
    return found


@pytest.mark.both_databases
def test_from_any_position_each_change_comes_once_in_order_over_pages(nodes: list[PaperNode]) -> None:
    hk, author = nodes[1], Author(nodes[0], "hk")
    odd = [author.entry(b"?", type_name="Weather") for _ in range(5)]  # entries that are no change
    hk.writer.run(hk.receiver.open_batch("cn", author.batch(*odd, *author.alerts(WATCH_PAGE), *odd)))
    hk.writer.run(hk.receiver.open_batch("cn", author.batch(*author.alerts(WATCH_PAGE + 1))))
    hk.settle()
    everything = _watched(hk, 0)
    assert len(everything) == 2 * WATCH_PAGE + 1
    assert everything == sorted(set(everything))
    for start in (1, 5, 6, everything[0], everything[WATCH_PAGE - 1], everything[WATCH_PAGE], everything[-1]):
        assert _watched(hk, start) == [at for at in everything if at > start]


def test_a_watch_goes_past_entries_that_change_nothing(nodes: list[PaperNode]) -> None:
    hk, author = nodes[1], Author(nodes[0], "hk")
    hk.writer.run(hk.receiver.open_batch("cn", author.batch(author.entry(b"?", type_name="Weather"))))
    hk.settle()
    queries = hk.queries
    response = queries.changes(0)[0]
    assert not response.changes
    assert response.position > 0
    assert queries.changes(response.position)[0].position >= response.position


def test_a_watch_doesnt_go_past_what_isnt_projected_yet(cn: PaperNode) -> None:
    cn.publish("hk")
    cn.settle()
    with cn.database.write() as conn:
        cn.projector.clear(conn)  # as a rebuild begins
    behind = cn.queries.changes(0)[0]
    assert (len(behind.changes), behind.position) == (0, 0)
    cn.settle()
    assert len(cn.queries.changes(behind.position)[0].changes) == 1


def test_who_watches_is_woken_by_a_commit_that_shows_an_alert(cn: PaperNode) -> None:
    commits: list[Commit] = []
    cn.writer.on_commit(commits.append)
    cn.publish("hk")
    cn.settle()
    assert any(ALERT_CHANGES in commit.topics for commit in commits)


@pytest.mark.parametrize("beyond", [10_000, 2**63, 2**64 - 1])
def test_a_position_beyond_the_end_is_told(cn: PaperNode, beyond: int) -> None:
    cn.publish("hk")
    cn.settle()
    with pytest.raises(PositionUnknownError) as refused:
        cn.queries.changes(beyond)[0]
    assert refused.value.metadata["position"] == str(beyond)
