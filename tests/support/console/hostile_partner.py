"""What a hostile partner's gateway sends: steps of alerts and list entries, with markup wherever texts may be."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.contract.messages import to_timestamp
from gateway.node.assembly.node import system_clock_ms
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2, feed_pb2, watchlist_pb2
from tests.support.console.payloads import PAYLOADS, hostile
from tests.support.contract_fields import fill
from tests.support.federation import Federation, new_id
from tests.support.partner import Partner, entry

_DAY_MS = 24 * 3600 * 1000


@dataclass
class HostileAlerts:
    """Steps that `publisher` sends to `recipient`, all valid by the contract.

    Attributes:
        events: in their order.
        alert_ids: alerts that they publish, by the payload.
        paths: fields that have a payload, `published.content.legal_basis`.
    """

    publisher: str
    recipient: str
    events: list[alert_pb2.AlertEvent] = field(default_factory=list)
    alert_ids: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, publisher: str, recipient: str) -> HostileAlerts:
        """An alert for each payload, with an amendment and a question; one more each that is withdrawn and closed."""
        made = cls(publisher, recipient)
        for name, payload in PAYLOADS.items():
            made.alert_ids[name] = made._publish(payload)
            made._amend(payload, made.alert_ids[name])
            made._ask(payload, made.alert_ids[name])
            withdrawn = alert_pb2.AlertWithdrawn(alert=made._reference(made._publish(payload)), revision=1, reason="-")
            made._add(payload, "withdrawn", withdrawn)
            closed = alert_pb2.AlertClosed(alert=made._reference(made._publish(payload)), revision=1, remarks="-")
            closed.outcome = alert_pb2.CLOSE_OUTCOME_CONFIRMED
            made._add(payload, "closed", closed)
        return made

    @property
    def entries(self) -> list[feed_pb2.Entry]:
        """As they stand in the feed."""
        return [entry(event.SerializeToString()) for event in self.events]

    def _publish(self, payload: str) -> str:
        alert_id = new_id()
        self._add(payload, "published", self._alert(alert_id, 1))
        return alert_id

    def _amend(self, payload: str, alert_id: str) -> None:
        self._add(payload, "amended", self._alert(alert_id, 2))

    def _ask(self, payload: str, alert_id: str) -> None:
        question = alert_pb2.AlertQuestion(alert=self._reference(alert_id), question_id=new_id(), text="?")
        question.deadline.CopyFrom(to_timestamp(system_clock_ms() + _DAY_MS))
        self._add(payload, "question", question)

    def _alert(self, alert_id: str, revision: int) -> alert_pb2.Alert:
        now_ms = system_clock_ms()
        alert = fill(alert_pb2.Alert())
        assert isinstance(alert, alert_pb2.Alert)
        alert.id, alert.publisher, alert.recipient, alert.revision = alert_id, self.publisher, self.recipient, revision
        alert.published_at.CopyFrom(to_timestamp(now_ms))
        content = alert.content
        content.purpose = "export_control"
        content.typologies[:] = ["false_declaration"]
        content.handling.onward_recipients[:] = ["cn"]
        del content.derived_from[:], content.derived_from_answers[:]
        content.valid_until.CopyFrom(to_timestamp(now_ms + 30 * _DAY_MS))
        content.reply_by.CopyFrom(to_timestamp(now_ms + _DAY_MS))
        return alert

    def _reference(self, alert_id: str) -> alert_pb2.AlertReference:
        return alert_pb2.AlertReference(publisher=self.publisher, alert_id=alert_id)

    def _add(self, payload: str, kind: str, step: object) -> None:
        event = alert_pb2.AlertEvent(occurred_at=to_timestamp(system_clock_ms()), actor="risk-engine")
        getattr(event, kind).CopyFrom(step)
        below, paths = hostile(getattr(event, kind), payload)
        getattr(event, kind).CopyFrom(below)
        event.actor = payload[:128]
        self.events.append(event)
        self.paths |= {f"{kind}.{path}" for path in paths} | {"actor"}


def hostile_list(list_name: str, recipient: str) -> feed_pb2.Entry:
    """An update of a partner's list with an entry for each payload."""
    event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(system_clock_ms()))
    for number, payload in enumerate(PAYLOADS.values()):
        content = fill(watchlist_pb2.WatchlistContent())
        assert isinstance(content, watchlist_pb2.WatchlistContent)
        content.purpose, content.releasable_to[:] = "export_control", [recipient]
        content.handling.onward_recipients[:] = ["cn"]
        del content.derived_from[:]
        content.valid_until.CopyFrom(to_timestamp(system_clock_ms() + 30 * _DAY_MS))
        made, _ = hostile(content, payload)
        listed = event.update.changes.add().entered
        listed.CopyFrom(watchlist_pb2.WatchlistEntry(list=list_name, id=f"X-{number}", revision=1, content=made))
        listed.published_at.CopyFrom(to_timestamp(system_clock_ms()))
    return entry(event.SerializeToString(), type_name="WatchlistEvent")


async def send_all(federation: Federation, publisher: str, recipient: str) -> HostileAlerts:
    """Sends hostile alerts and a hostile list to a node, whose partner mustn't run."""
    sent = HostileAlerts.of(publisher, recipient)
    partner = Partner(federation, publisher, recipient)
    try:
        await partner.send(partner.batch(sent.entries))
        partner.entries, partner.feed = [], f"{FEDERATION}/{publisher}/{recipient}/watchlist"
        folder = federation.folder.node(publisher)
        partner.log_key = load_signing_key(folder.log_key, name=partner.feed)
        await partner.send(partner.batch([hostile_list("minerals", recipient)]))
    finally:
        await partner.close()
    return sent
