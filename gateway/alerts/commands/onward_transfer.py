"""Decides whether content of partners' alerts may be passed on: by their handling, or by consent that was asked for.

1. The sources of an own alert are all that any of its revisions names: an amendment takes nothing back.
2. Partners' alerts keep their publisher's current rule through any number of own alerts.
3. An own alert that passes content on allows its recipient no more onward transfer than that rule does.

A recipient asks with a question that names the nodes (`AlertQuestion.onward_recipients`); the alert's publisher decides
in its answer (`AlertAnswer.consent`). Both are signed entries of the alert's two feeds, so nothing else is kept.

What partners answered to history queries goes on by their agreements. As an alert's sources, the answers of all
revisions count, through any number of own alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.codec import sources_in
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.ids import FeedOrigin
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, Violation
from gateway.trust.rules.directory import Directory, MessageType
from gateway.v1 import alert_pb2

AnswerReleases = Callable[[str], AbstractSet[str]]
"""The nodes to which a node lets its answers be passed on."""


def no_releases(source: str) -> AbstractSet[str]:
    """For callers that know no agreements: unknown means none."""
    return frozenset()


def releases_of(
    directory: Directory,
    holder: str,
    purpose: str,
    at: datetime,
    *,
    message_type: MessageType = MessageType.HISTORY_RECORD,
) -> AnswerReleases:
    """What the agreements in force let a node pass on for a purpose: answers, or another type of message."""

    def released(source: str) -> AbstractSet[str]:
        return {
            node
            for node in directory.nodes
            if directory.may_pass_on(source, holder, node, at, message_type=message_type, purpose=purpose)
        }

    return released


def require_answers_may_go(
    contents: Iterable[alert_pb2.AlertContent],
    recipients: Collection[str],
    releases: AnswerReleases,
    *,
    own: str,
    handling: alert_pb2.Handling | None,
) -> None:
    """Raises unless the answers that these texts name may go to the recipients.

    Args:
        handling: of the alert that passes them on; None if it isn't an alert.

    Raises:
        PermissionDeniedError: a node doesn't allow it.
    """
    sources = {answer.node for content in contents for answer in content.derived_from_answers} - {own}
    for source in sorted(sources):
        third_nodes = [node for node in recipients if node != source]
        allowed = {source, *releases(source)} if third_nodes else frozenset()
        for recipient in third_nodes:
            if recipient not in allowed:
                raise PermissionDeniedError(
                    f"content.derived_from_answers: no agreement lets what {source} answered be passed on to "
                    f"{recipient}; leave it out, or agree on it in the directory",
                    metadata={"field": "content.derived_from_answers", "publisher": source, "recipient": recipient},
                )
        if third_nodes and handling is not None and not is_within(handling, allowed):
            raise PermissionDeniedError(
                f"content.handling.onward_transfer: it allows more than the agreement on what {source} answered; "
                "prohibit onward transfer, or list only nodes that the agreement lists",
                metadata={"field": "content.handling.onward_transfer", "publisher": source},
            )


def is_within(handling: alert_pb2.Handling, allowed: AbstractSet[str]) -> bool:
    """Whether a handling lets content go on to no other nodes."""
    if handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED:
        return allowed >= set(handling.onward_recipients)
    return handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_PROHIBITED


_DERIVED_FROM = "content.derived_from"
HANDLING_FIELD = "content.handling.onward_transfer"
"""Fields that errors name."""


class AlertKnowledge(Protocol):
    """What is projected: a transaction that has caught up, or a moment that is read."""

    @property
    def conn(self) -> Connection:
        """Reads the database."""

    @property
    def own_node(self) -> str:
        """Name of this node."""


@dataclass(frozen=True, slots=True)
class ProjectedMoment:
    """What is projected at one moment, read."""

    conn: Connection
    own_node: str


def require_onward_transfer(
    tx: AlertKnowledge,
    publisher: str,
    alert_id: str,
    recipients: Sequence[str],
    *,
    field: str = _DERIVED_FROM,
    handling: alert_pb2.Handling | None = None,
    releases: AnswerReleases = no_releases,
) -> None:
    """Raises unless content of an alert, which must be projected, may be passed on to these nodes.

    Args:
        field: of the request that names the alert, for the error's message; empty if no field does.
        handling: of the alert that passes it on; None if it isn't an alert.
        releases: for answers that an own alert holds something of.

    Raises:
        NotFoundError: this node doesn't have that alert.
        PermissionDeniedError: its publisher doesn't allow it.
    """
    sources, seen = [(publisher, alert_id)], {(publisher, alert_id)}
    while sources:
        source = sources.pop()
        content = current_content(tx, *source, field)
        if source[0] != tx.own_node:
            _require_passing_on(tx, *source, content.handling, recipients, field=field, passed_on=handling)
            continue
        revisions = _revisions_of(tx, source[1])
        require_answers_may_go(revisions, recipients, releases, own=tx.own_node, handling=handling)
        for named in (named for revision in revisions for named in sources_in(revision)):
            if named not in seen:
                seen.add(named)
                sources.append(named)


def _revisions_of(tx: AlertKnowledge, alert_id: str) -> list[alert_pb2.AlertContent]:
    """The texts of all revisions of an own alert."""
    named = (wire.alert_of(event) for _, event in _events(tx, tx.own_node, alert_id))
    return [alert.content for alert in named if alert is not None]


def current_content(tx: AlertKnowledge, publisher: str, alert_id: str, field: str = "") -> alert_pb2.AlertContent:
    """What an alert says in its newest revision; raises NotFoundError, naming the field, where it isn't here."""
    payload = alerts.current_payload(tx.conn, publisher, alert_id)
    if payload is None:
        raise NotFoundError(f"{_prefix(field)}there is no alert {publisher}/{alert_id} here")
    alert = wire.alert_of(wire.parse_event(payload))
    return alert.content if alert is not None else alert_pb2.AlertContent()


def _require_passing_on(
    tx: AlertKnowledge,
    publisher: str,
    alert_id: str,
    rule: alert_pb2.Handling,
    recipients: Sequence[str],
    *,
    field: str,
    passed_on: alert_pb2.Handling | None,
) -> None:
    """Holds the recipients, and the handling that they get, to the rule of a partner's alert."""
    third_nodes = [node for node in recipients if node != publisher]
    if not third_nodes or rule.onward_transfer == alert_pb2.ONWARD_TRANSFER_FEDERATION:
        return
    allowed = {publisher}
    if rule.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED:
        allowed.update(rule.onward_recipients)
    if not allowed.issuperset(third_nodes):
        events = _events(tx, publisher, alert_id)
        allowed |= consented_recipients(events, publisher=publisher, recipient=tx.own_node)
    for recipient in third_nodes:
        if recipient not in allowed:
            raise _refusal(publisher, alert_id, recipient, field)
    if passed_on is not None and not is_within(passed_on, allowed):
        raise PermissionDeniedError(
            f"content.handling.onward_transfer: it allows more than {publisher} does for alert {alert_id}, which this "
            "one derives from; prohibit onward transfer, or list only nodes that it lists",
            metadata={"about": "onward_transfer", "field": HANDLING_FIELD, "publisher": publisher},
        )


def _refusal(publisher: str, alert_id: str, recipient: str, field: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"{_prefix(field)}{publisher} doesn't allow alert {alert_id} to be passed on to {recipient}; "
        "ask it for consent with a question on that alert",
        metadata={"about": "onward_transfer", "field": field, "publisher": publisher, "recipient": recipient},
    )


def _prefix(field: str) -> str:
    return f"{field}: " if field else ""


def consented_recipients(
    events: Iterable[tuple[FeedOrigin, alert_pb2.AlertEvent]], *, publisher: str, recipient: str
) -> frozenset[str]:
    """Nodes to which a publisher lets a recipient pass an alert on, by its answers to the recipient's questions.

    Args:
        events: of the alert, each with its feed, in the local order.
        publisher, recipient: of the copy; events of other copies don't count.
    """
    asked: dict[str, frozenset[str]] = {}
    consented: frozenset[str] = frozenset()
    for origin, event in events:
        speakers = (origin.publisher, origin.recipient)
        kind = event.WhichOneof("event")
        if speakers == (recipient, publisher) and kind == "question":
            asked[event.question.question_id] = frozenset(event.question.onward_recipients)
        elif speakers == (publisher, recipient) and kind == "amended":
            consented = frozenset()  # it was given for the text before
        elif speakers == (publisher, recipient) and kind == "answer":
            nodes = asked.get(event.answer.question_id, frozenset())
            granted = event.answer.consent == alert_pb2.TRANSFER_CONSENT_GRANTED
            refused = event.answer.consent == alert_pb2.TRANSFER_CONSENT_REFUSED
            consented = consented | nodes if granted else consented - nodes if refused else consented
    return consented


def _events(tx: AlertKnowledge, publisher: str, alert_id: str) -> Iterator[tuple[FeedOrigin, alert_pb2.AlertEvent]]:
    """Without erased ones."""
    for _, origin, payload in events.of_alert(tx.conn, publisher, alert_id):
        if payload:
            yield FeedOrigin.parse(origin), wire.parse_event(payload)


def require_valid_consent_step(
    tx: AlertKnowledge, row: AlertRow, event: alert_pb2.AlertEvent, partners: Mapping[str, object]
) -> None:
    """Checks a question about onward transfer, and the answer to one.

    Args:
        row: the copy that the step is about.
        partners: nodes of the directory, by name.

    Raises:
        InvalidRequestError: the question is about an own alert, or names no third node; the answer doesn't say whether
            it consents, or does so unasked.
    """
    match event.WhichOneof("event"):
        case "question" if event.question.onward_recipients:
            _require_third_nodes(tx, row, event.question.onward_recipients, partners)
        case "answer":
            _require_decision(bool(_nodes_asked_for(tx, row, event.answer.question_id)), event.answer.consent)


def _require_third_nodes(
    tx: AlertKnowledge, row: AlertRow, recipients: Iterable[str], partners: Mapping[str, object]
) -> None:
    if row.direction == "out":
        text = "the alert is an own one: its handling says whether recipients may pass it on"
        raise InvalidRequestError([Violation("onward_recipients", "onward_recipients.partners_alert", text)])
    third = sorted(set(partners) - {tx.own_node, row.key.publisher})
    wrong = [node for node in recipients if node not in third]
    if wrong:
        text = f"{wrong[0]!r} isn't a third authority's node; these are: {', '.join(third)}"
        raise InvalidRequestError([Violation("onward_recipients", "recipient.known", text)])


def nodes_granted(tx: AlertKnowledge, row: AlertRow, event: alert_pb2.AlertEvent) -> tuple[str, ...]:
    """Nodes to which an answer consents that its alert goes on."""
    if event.answer.consent != alert_pb2.TRANSFER_CONSENT_GRANTED:
        return ()
    return _nodes_asked_for(tx, row, event.answer.question_id)


def _nodes_asked_for(tx: AlertKnowledge, row: AlertRow, question_id: str) -> tuple[str, ...]:
    """Nodes that a question of the copy's other side asks consent for; other copies may have one of that id too."""
    asker = row.key.recipient if row.direction == "out" else row.key.publisher
    events = _events(tx, row.key.publisher, row.key.alert_id)
    questions = (event.question for origin, event in events if origin.publisher == asker and event.HasField("question"))
    named = (question.onward_recipients for question in questions if question.question_id == question_id)
    return tuple(next(named, ()))


def _require_decision(asked: bool, consent: alert_pb2.TransferConsent.ValueType) -> None:
    decided = consent != alert_pb2.TRANSFER_CONSENT_UNSPECIFIED
    if asked and not decided:
        text = "the question asks for consent to onward transfer: say granted or refused"
        raise InvalidRequestError([Violation("consent", "consent.required", text)])
    if decided and not asked:
        text = "the question doesn't ask for consent to onward transfer"
        raise InvalidRequestError([Violation("consent", "consent.asked", text)])
