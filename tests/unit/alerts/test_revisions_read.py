"""Steps on a revision: none is taken on a text that wasn't shown."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alerts.commands.onward_transfer import consented_recipients
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, RevisionConflictError
from gateway.v1 import alert_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, feed_of, paper_nodes

GRANTED, REFUSED = alert_pb2.TRANSFER_CONSENT_GRANTED, alert_pb2.TRANSFER_CONSENT_REFUSED


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def asked(hk: PaperNode, alert_id: str, *onward: str, within_ms: int = DAY_MS) -> str:
    question = alert_pb2.AlertQuestion(
        question_id=str(uuid.uuid4()),
        text="May we pass it on?",
        deadline=to_timestamp(hk.clock.now + within_ms),
        onward_recipients=onward,
    )
    hk.step("cn", alert_id, question=question)
    return question.question_id


def test_an_amendment_that_wasnt_shown_isnt_acknowledged(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    cn.amend(alert_id, 2)
    exchange(cn, hk)  # between the officer's reading and the acknowledgement
    with pytest.raises(RevisionConflictError):
        hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    (copy,) = hk.queries.get("cn", alert_id).deliveries
    assert copy.status == alert_pb2.ALERT_STATUS_PUBLISHED
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=2))
    exchange(cn, hk)
    assert cn.queries.get("cn", alert_id).deliveries[0].status == alert_pb2.ALERT_STATUS_ACKNOWLEDGED


def test_an_acknowledgement_that_an_amendment_crosses_counts_for_what_was_read(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    cn.amend(alert_id, 2)
    exchange(cn, hk)
    for node in nodes:
        (copy,) = node.queries.get("cn", alert_id).deliveries
        assert copy.status == alert_pb2.ALERT_STATUS_PUBLISHED
        assert copy.last_step.event == "amended"


def test_consent_lets_go_only_what_was_read(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    first, second, plain = asked(hk, alert_id, "mo"), asked(hk, alert_id, "mo"), asked(hk, alert_id)
    exchange(cn, hk)
    cn.amend(alert_id, 2)

    def answer(question_id: str, consent: alert_pb2.TransferConsent.ValueType, read: int) -> None:
        said = alert_pb2.AlertAnswer(question_id=question_id, text="Noted", consent=consent)
        cn.step("cn", alert_id, recipient="hk", read=read, answer=said)

    for unseen in (0, 1, 3):
        with pytest.raises(RevisionConflictError, match="current revision is 2"):
            answer(first, GRANTED, unseen)
    answer(first, GRANTED, 2)
    answer(second, REFUSED, 0)
    answer(plain, alert_pb2.TRANSFER_CONSENT_UNSPECIFIED, 0)


def test_consent_holds_until_it_is_taken_back_or_the_text_changes() -> None:
    def question(question_id: str) -> tuple[FeedOrigin, alert_pb2.AlertEvent]:
        asked = alert_pb2.AlertQuestion(question_id=question_id, onward_recipients=["mo"])
        return feed_of("hk", "cn"), alert_pb2.AlertEvent(question=asked)

    def answer(
        question_id: str, consent: alert_pb2.TransferConsent.ValueType
    ) -> tuple[FeedOrigin, alert_pb2.AlertEvent]:
        said = alert_pb2.AlertAnswer(question_id=question_id, consent=consent)
        return feed_of("cn", "hk"), alert_pb2.AlertEvent(answer=said)

    def consented(*events: tuple[FeedOrigin, alert_pb2.AlertEvent]) -> frozenset[str]:
        return consented_recipients(events, publisher="cn", recipient="hk")

    given = question("1"), answer("1", GRANTED)
    amended = feed_of("cn", "hk"), alert_pb2.AlertEvent(amended=alert_pb2.Alert(revision=2))
    assert consented(*given) == {"mo"}
    assert consented(*given, question("2")) == {"mo"}
    assert consented(*given, question("2"), answer("2", REFUSED)) == frozenset()
    assert consented(*given, amended) == frozenset()
    assert consented(*given, amended, question("2"), answer("2", GRANTED)) == {"mo"}


def test_a_question_has_a_deadline_that_can_be_kept(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    with pytest.raises(InvalidRequestError, match="deadline"):
        asked(hk, alert_id, within_ms=0)
