"""Random histories of two nodes: alerts with all kinds of steps, exchanged now and then, crossing on the way."""

from __future__ import annotations

import random

from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.v1 import alert_pb2, alert_service_pb2
from tests.support.nodes import PaperNode, deliver, exchange


def random_history(nodes: list[PaperNode], seed: int, steps: int) -> list[tuple[str, str]]:
    """Lets the nodes act at random, then exchange everything; returns the alerts as (publisher, id)."""
    chance = random.Random(seed)
    alerts: list[tuple[str, str]] = []
    for _ in range(steps):
        actor, other = chance.sample(nodes, 2)
        if not alerts or chance.random() < 0.3:
            recipients = [node.name for node in nodes if node is not actor]
            asked = {"reply_by": to_timestamp(actor.clock.now + 7_200_000)} if chance.random() < 0.5 else {}
            to = chance.sample(recipients, chance.randint(1, len(recipients)))
            alerts.append((actor.name, actor.publish(*to, requested_action=chance.randint(1, 3), **asked)))
        elif chance.random() < 0.25:
            deliver(actor, other, receipts=chance.random() < 0.8)
        else:
            try_step(actor, *chance.choice(alerts), chance)
        if chance.random() < 0.1:
            actor.clock.forward(chance.randint(1, 3_600_000))
    exchange(*nodes)
    return alerts


def try_step(actor: PaperNode, publisher: str, alert_id: str, chance: random.Random) -> None:
    """One step that the actor may or may not be allowed to take; a refusal leaves no trace."""
    revision = chance.randint(1, 2)
    now = actor.clock.now
    question = alert_pb2.AlertQuestion(
        question_id=actor.publisher.new_id(), text="?", deadline=to_timestamp(now + 3_600_000)
    )
    event = chance.choice(
        [
            {"acknowledged": alert_pb2.AlertAcknowledged(revision=revision)},
            {"flagged": alert_pb2.AlertFlagged(revision=revision, reason=1, explanation="gone")},
            {"question": question},
            {"finding": alert_pb2.AlertFinding(result=1, inspected_at=to_timestamp(now), revision=revision - 1)},
            {"withdrawn": alert_pb2.AlertWithdrawn(revision=revision, reason="error")},
            {"closed": alert_pb2.AlertClosed(revision=revision, outcome=1)},
            {"amended": None},
            {"answer": None},
        ]
    )
    try:
        if "amended" in event:
            if publisher == actor.name:
                actor.amend(alert_id, revision + 1, case_reference=f"CASE-{revision}")
        elif "answer" in event:
            answer_first_question(actor, publisher, alert_id)
        else:
            actor.step(publisher, alert_id, **event)  # type: ignore[arg-type]
    except GatewayError:
        pass


def answer_first_question(actor: PaperNode, publisher: str, alert_id: str) -> None:
    """Answers an open question of the other side, if there is one."""
    found: alert_service_pb2.GetAlertResponse = actor.queries.get(publisher, alert_id)
    for delivery in found.deliveries:
        for question_id in delivery.open_question_ids:
            answer = alert_pb2.AlertAnswer(question_id=question_id, text="in container 2")
            actor.step(publisher, alert_id, recipient=delivery.recipient, answer=answer)
            return
