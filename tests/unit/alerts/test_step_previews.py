"""What the preview of a step says is what the partner gets, or why the step is refused; it takes no step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.codec import NOT_TOLD
from gateway.alerts.commands.preview import Previews
from gateway.alerts.commands.step_requests import StepRequests
from gateway.alerts.commands.steps import StepCommand
from gateway.contract.messages import to_timestamp
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import alert_pb2
from gateway.v1 import alert_service_pb2 as pb
from gateway.v1.options_pb2 import DISCLOSURE_CLASS_INVESTIGATIVE
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, alert_content, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made


def requests_of(node: PaperNode) -> StepRequests:
    return StepRequests(node=node.name, new_id=node.publisher.new_id, who_asked=node.queries.who_asked)


def preview(node: PaperNode, **step: Any) -> pb.PreviewAlertStepResponse:
    made = requests_of(node).previewed(pb.PreviewAlertStepRequest(**step))
    previews = Previews(
        node.database,
        node=node.name,
        publisher=node.publisher,
        directory=lambda: node.trust.directory,
        clock=node.clock,
    )
    return previews.of_step(made, actor="desk")


def take(node: PaperNode, name: str, request: Any) -> None:
    step = getattr(requests_of(node), name)(request)
    command = StepCommand(step, publisher=node.publisher, principal=f"system/{node.name}/desk", actor="desk")
    node.writer.run(command)


def grounds(alert_id: str, **fields: Any) -> dict[str, Any]:
    alert = alert_pb2.AlertReference(publisher="cn", alert_id=alert_id)
    return {"request_id": str(uuid.uuid4()), "alert": alert, **fields}


def narrow(*nodes: PaperNode, classes: frozenset[FieldClass] = frozenset()) -> None:
    for node in nodes:
        narrowed = [replace(one, field_classes=classes) for one in node.trust.directory.agreements]
        node.trust.directory = replace(node.trust.directory, agreements=tuple(narrowed))


def steps_on(node: PaperNode, alert_id: str) -> list[tuple[str, Any]]:
    """Each step of the recipient, then each of the publisher, by name in the preview's request."""
    finding = alert_pb2.AlertFinding(alert=grounds(alert_id)["alert"], result=1, revision=1, remarks="Lead")
    finding.inspected_at.CopyFrom(to_timestamp(node.clock.now))
    first, last = ({"request_id": str(uuid.uuid4()), "alert_id": alert_id} for _ in range(2))
    deadline = to_timestamp(node.clock.now + DAY_MS)
    return [
        ("acknowledge", pb.AcknowledgeAlertRequest(**grounds(alert_id), revision=1, case_reference="HK-1")),
        ("flag", pb.FlagAlertRequest(**grounds(alert_id), revision=1, reason=1, explanation="It has left")),
        ("ask", pb.AskQuestionRequest(**grounds(alert_id), text="Which seals?", deadline=deadline)),
        ("report_finding", pb.ReportFindingRequest(request_id=str(uuid.uuid4()), finding=finding)),
        (
            "amend",
            pb.AmendAlertRequest(**first, revision=1, content=alert_content(node.clock.now, case_reference="CN-2")),
        ),
        ("close", pb.CloseAlertRequest(**last, revision=2, outcome=1, remarks="Nothing found")),
    ]


def comparable(event: alert_pb2.AlertEvent) -> alert_pb2.AlertEvent:
    """Without what only the step itself makes: its time and a question's id."""
    copy = alert_pb2.AlertEvent()
    copy.CopyFrom(event)
    copy.ClearField("occurred_at")
    if copy.HasField("question"):
        copy.question.ClearField("question_id")
    return copy


def test_each_step_arrives_as_it_was_previewed(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    for name, request in steps_on(cn, alert_id):
        own, partner = (cn, hk) if name in ("amend", "close") else (hk, cn)
        shown = preview(own, **{name: request})
        before = len(own.queries.get("cn", alert_id).history)
        (one,) = shown.recipients
        assert (one.recipient, one.allowed, one.refusal) == (partner.name, True, ""), name
        assert len(own.queries.get("cn", alert_id).history) == before, "a preview takes no step"
        take(own, name, request)
        exchange(cn, hk)
        arrived = partner.queries.get("cn", alert_id).history[-1].event
        assert comparable(one.event) == comparable(arrived), name
        assert comparable(shown.event).WhichOneof("event") == arrived.WhichOneof("event")


def test_words_that_may_not_go_are_shown_as_the_partner_gets_them(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    narrow(cn, hk)
    flag = pb.FlagAlertRequest(**grounds(alert_id), revision=1, reason=1, explanation="Two on leave")
    shown = preview(hk, flag=flag)
    (one,) = shown.recipients
    assert one.allowed
    assert shown.event.flagged.explanation == "Two on leave"
    assert one.event.flagged.explanation == NOT_TOLD
    (field,) = one.fields
    assert (field.path, field.disclosure_class, field.allowed) == (
        "flagged.explanation",
        DISCLOSURE_CLASS_INVESTIGATIVE,
        False,
    )


def test_a_step_that_is_refused_says_why_and_at_which_field(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    narrow(cn, hk)
    close = pb.CloseAlertRequest(request_id=str(uuid.uuid4()), alert_id=alert_id, revision=1, outcome=1, remarks="None")
    (one,) = preview(cn, close=close).recipients
    assert not one.allowed
    assert [violation.field for violation in one.violations] == ["closed.remarks"]
    assert one.event.closed.remarks == ""
    (stale,) = preview(cn, withdraw=pb.WithdrawAlertRequest(alert_id=alert_id, revision=7, reason="-")).recipients
    assert "revision" in stale.refusal
