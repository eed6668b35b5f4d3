"""How far each step of an alert has come: what is told is what the other node has signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alerts.commands.steps import ExpireCommand
from gateway.alerts.service import AlertQueries
from gateway.contract.messages import to_timestamp
from gateway.evidence.service.check import verify
from gateway.evidence.service.export import export
from gateway.v1 import alert_pb2, alert_service_pb2, feed_pb2
from gateway.v1.alert_service_pb2 import DeliveryState, StepDelivery
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, deliver, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        yield made


def state(step: StepDelivery) -> tuple[str, str, bool]:
    """Event, state and whether there is a receipt."""
    name = DeliveryState.Name(step.state).removeprefix("DELIVERY_STATE_").lower()
    return step.event, name, step.HasField("receipted_at")


def last_steps(node: PaperNode, alert_id: str) -> dict[str, tuple[str, str, bool]]:
    """By recipient, as GetAlert and the list have it: they must say the same."""
    node.settle()
    found = {copy.recipient: state(copy.last_step) for copy in node.queries.get("cn", alert_id).deliveries}
    listed = node.queries.list(alert_service_pb2.ListAlertsRequest()).alerts
    assert found == {row.alert.recipient: state(row.last_step) for row in listed if row.alert.id == alert_id}
    return found


def history(node: PaperNode, alert_id: str, recipient: str = "hk") -> list[tuple[str, str, bool]]:
    changes = node.queries.get("cn", alert_id).history
    return [state(change.delivery) for change in changes if change.recipient == recipient]


def withdraw(node: PaperNode, alert_id: str) -> None:
    node.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="Wrong container"))


def test_a_withdrawal_that_the_partner_doesnt_have_isnt_told_as_received(nodes: list[PaperNode]) -> None:
    cn, hk, mo = nodes
    alert_id = cn.publish("hk", "mo")
    assert last_steps(cn, alert_id) == dict.fromkeys(("hk", "mo"), ("published", "waiting", False))
    exchange(cn, hk, mo)
    assert last_steps(cn, alert_id) == dict.fromkeys(("hk", "mo"), ("published", "applied", True))

    withdraw(cn, alert_id)  # hk is down
    exchange(cn, mo)
    waiting, there = ("withdrawn", "waiting", False), ("withdrawn", "applied", True)
    assert last_steps(cn, alert_id) == {"hk": waiting, "mo": there}
    assert history(cn, alert_id) == [("published", "applied", True), waiting]
    assert history(cn, alert_id, "mo") == [("published", "applied", True), there]
    (copy,) = [one for one in cn.queries.get("cn", alert_id).deliveries if one.recipient == "hk"]
    assert copy.status == alert_pb2.ALERT_STATUS_WITHDRAWN, "what our node has signed stays its status"
    assert copy.HasField("receipted_at"), "the first entry's receipt, as before"

    deliver(cn, hk, receipts=False)
    assert last_steps(cn, alert_id)["hk"] == waiting, "stored there, and no receipt here"
    exchange(cn, hk)
    assert last_steps(cn, alert_id)["hk"] == there


def test_each_step_is_stored_then_applied(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    cn.amend(alert_id, 2)
    cn.step("cn", alert_id, closed=alert_pb2.AlertClosed(revision=2, outcome=1))
    deliver(cn, hk)
    assert history(cn, alert_id)[1:] == [("amended", "stored", True), ("closed", "stored", True)]
    exchange(cn, hk)
    assert history(cn, alert_id) == [(step, "applied", True) for step in ("published", "amended", "closed")]
    decided = [change.delivery.decided_at.seconds for change in cn.queries.get("cn", alert_id).history]
    assert all(decided)
    assert decided == sorted(decided)


def test_an_expiry_is_told_as_every_other_step(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    cn.clock.forward(31 * DAY_MS)
    assert cn.writer.run(ExpireCommand(publisher=cn.publisher)) == 1
    assert last_steps(cn, alert_id) == {"hk": ("expired", "waiting", False)}
    exchange(cn, hk)
    assert last_steps(cn, alert_id) == {"hk": ("expired", "applied", True)}
    assert last_steps(hk, alert_id) == {"hk": ("expired", "applied", True)}


def test_the_recipients_steps_are_told_too(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    hk.settle()
    assert history(hk, alert_id) == [("published", "applied", True), ("acknowledged", "waiting", False)]
    deliver(hk, cn)
    assert history(hk, alert_id)[-1] == ("acknowledged", "stored", True)
    exchange(cn, hk)
    assert history(hk, alert_id)[-1] == ("acknowledged", "applied", True)
    assert history(cn, alert_id)[-1] == ("acknowledged", "applied", True)


def test_what_the_partner_rejects_or_holds_is_told_with_its_reason(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    author, ids = Author(hk, "cn"), [cn.publish("hk") for _ in range(2)]
    cn.settle()
    for index, outcome, reason in ((0, 2, "AGREEMENT_FORBIDS"), (1, 3, "UNKNOWN_TYPE")):
        said = feed_pb2.Disposition(
            origin=cn.origin("hk").line,
            index=index,
            count=1,
            outcome=outcome,
            reason=reason,
            decided_at=to_timestamp(hk.clock.now),
        )
        cn.writer.run(cn.receiver.open_batch("hk", author.batch(author.event(disposition=said))))
    for alert_id, expected, reason in zip(
        ids, ("rejected", "held"), ("AGREEMENT_FORBIDS", "UNKNOWN_TYPE"), strict=True
    ):
        assert last_steps(cn, alert_id) == {"hk": ("published", expected, False)}
        (copy,) = cn.queries.get("cn", alert_id).deliveries
        assert copy.last_step.reason == reason


def test_sent_is_what_the_open_stream_has_carried(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    withdraw(cn, alert_id)
    cn.settle()
    size = cn.outgoing.size(cn.origin("hk"))
    for sent, expected in ((size - 1, "waiting"), (size, "sent")):
        queries = AlertQueries(cn.database, clock=cn.clock, sent_size=lambda origin, sent=sent: sent)  # type: ignore[misc]
        (copy,) = queries.get("cn", alert_id).deliveries
        assert state(copy.last_step) == ("withdrawn", expected, False)


def test_a_watch_tells_what_happened_and_no_delivery(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    cn.publish("hk")
    exchange(cn, hk)
    (change,) = cn.queries.changes(0)[0].changes
    assert not change.HasField("delivery")


def test_steps_in_the_feed_of_another_priority_are_told_alike(nodes: list[PaperNode]) -> None:
    cn, hk, _ = nodes
    alert_id = cn.publish("hk", priority=alert_pb2.PRIORITY_C)
    exchange(cn, hk)
    cn.amend(alert_id, 2, priority=alert_pb2.PRIORITY_A)
    cn.settle()
    assert last_steps(cn, alert_id) == {"hk": ("amended", "waiting", False)}
    exchange(cn, hk)
    assert history(cn, alert_id) == [("published", "applied", True), ("amended", "applied", True)]
    bundle = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
    proved = verify(bundle, directory_note=cn.trust.note).steps
    assert [(step.event, step.outcome) for step in proved] == [("published", "applied"), ("amended", "applied")]
