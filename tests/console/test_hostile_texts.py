"""A partner that puts markup into every text that the contract lets it fill."""

from __future__ import annotations

from gateway.contract.validation import violations
from gateway.v1 import alert_pb2
from tests.support.console.hostile_partner import HostileAlerts
from tests.support.contract_fields import leaves

FORMED = frozenset(
    {
        *("id", "publisher", "recipient", "alert_id", "question_id", "onward_recipients", "purpose", "typologies"),
        *("scheme", "territory", "language", "script", "unlocode", "currency_code", "origin_territory", "rule_id"),
        *("expires", "element"),
    }
)
"""Last names of texts to which the contract gives a form without room for markup."""


def test_every_text_of_a_step_has_markup_or_a_form() -> None:
    sent = HostileAlerts.of("mo", "hk")
    assert [violation for event in sent.events for violation in violations(event)] == []
    for kind in ("published", "amended", "question", "withdrawn", "closed"):
        step = alert_pb2.AlertEvent.DESCRIPTOR.fields_by_name[kind].message_type
        texts = {f"{kind}.{leaf.path}" for leaf in leaves(step) if leaf.is_text}
        free = {path for path in texts if path.rpartition(".")[2] not in FORMED and "derived_from" not in path}
        assert free - sent.paths == {path for path in free if path.endswith("codes.code")}
