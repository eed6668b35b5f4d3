"""Decides whether content of partners' alerts may be passed on: by their handling, or by consent that was asked for.

A recipient asks with a question that names the nodes (`AlertQuestion.onward_recipients`); the alert's publisher decides
in its answer (`AlertAnswer.consent`). Both are signed entries of the alert's two feeds, so nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gateway.alerts import codec as wire
from gateway.alerts import tables as alerts
from gateway.alerts.tables import AlertRow
from gateway.contract.ids import FeedOrigin
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, Violation
from gateway.feed.service.transaction import Transaction
from gateway.v1 import alert_pb2

_DERIVED_FROM = "content.derived_from"


def require_onward_transfer(
    tx: Transaction, publisher: str, alert_id: str, recipients: Sequence[str], *, field: str = _DERIVED_FROM
) -> None:
    """Raises unless content of an alert may be passed on to these nodes.

    Content of partners keeps its owner's rule through any number of own alerts.

    Args:
        field: of the request that names the alert, for the error's message; empty if no field does.

    Raises:
        NotFoundError: this node doesn't have that alert.
        PermissionDeniedError: its publisher doesn't allow it.
    """
    sources, seen = [(publisher, alert_id)], {(publisher, alert_id)}
    while sources:
        source = sources.pop()
        content = _current_content(tx, *source, field)
        if source[0] != tx.own_node:
            refused = _refused_recipients(tx, *source, content.handling, recipients)
            if refused:
                raise _refusal(*source, refused[0], field)
            continue
        for reference in content.derived_from:
            if (reference.publisher, reference.alert_id) not in seen:
                seen.add((reference.publisher, reference.alert_id))
                sources.append((reference.publisher, reference.alert_id))


def _current_content(tx: Transaction, publisher: str, alert_id: str, field: str) -> alert_pb2.AlertContent:
    payload = alerts.current_payload(tx.conn, publisher, alert_id)
    if payload is None:
        raise NotFoundError(f"{_prefix(field)}there is no alert {publisher}/{alert_id} here")
    alert = wire.alert_of(wire.parse_event(payload))
    return alert.content if alert is not None else alert_pb2.AlertContent()


def _refused_recipients(
    tx: Transaction, publisher: str, alert_id: str, handling: alert_pb2.Handling, recipients: Sequence[str]
) -> list[str]:
    """Nodes to which a partner's alert may be passed on neither by its handling nor by consent."""
    unlisted = [node for node in recipients if not _handling_allows(handling, publisher, node)]
    if not unlisted:
        return []
    consented = consented_recipients(_events(tx, publisher, alert_id), publisher=publisher, recipient=tx.own_node)
    return [node for node in unlisted if node not in consented]


def _refusal(publisher: str, alert_id: str, recipient: str, field: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"{_prefix(field)}{publisher} doesn't allow alert {alert_id} to be passed on to {recipient}; "
        "ask it for consent with a question on that alert",
        metadata={"about": "onward_transfer", "field": field, "publisher": publisher, "recipient": recipient},
    )


def _prefix(field: str) -> str:
    return f"{field}: " if field else ""


def _handling_allows(handling: alert_pb2.Handling, publisher: str, recipient: str) -> bool:
    if recipient == publisher or handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_FEDERATION:
        return True
    listed = handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED
    return listed and recipient in handling.onward_recipients


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


def _events(tx: Transaction, publisher: str, alert_id: str) -> list[tuple[FeedOrigin, alert_pb2.AlertEvent]]:
    """Without erased ones."""
    stored = alerts.events_of(tx.conn, publisher, alert_id)
    return [(FeedOrigin.parse(origin), wire.parse_event(payload)) for _, origin, payload in stored if payload]


def require_valid_consent_step(
    tx: Transaction, row: AlertRow, event: alert_pb2.AlertEvent, partners: Mapping[str, object]
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
            _require_decision(_asked_for_consent(tx, row, event.answer.question_id), event.answer.consent)


def _require_third_nodes(
    tx: Transaction, row: AlertRow, recipients: Iterable[str], partners: Mapping[str, object]
) -> None:
    if row.direction == "out":
        text = "the alert is an own one: its handling says whether recipients may pass it on"
        raise InvalidRequestError([Violation("onward_recipients", "onward_recipients.partners_alert", text)])
    third = sorted(set(partners) - {tx.own_node, row.key.publisher})
    wrong = [node for node in recipients if node not in third]
    if wrong:
        text = f"{wrong[0]!r} isn't a third authority's node; these are: {', '.join(third)}"
        raise InvalidRequestError([Violation("onward_recipients", "recipient.known", text)])


def _asked_for_consent(tx: Transaction, row: AlertRow, question_id: str) -> bool:
    events = _events(tx, row.key.publisher, row.key.alert_id)
    questions = (event.question for _, event in events if event.WhichOneof("event") == "question")
    return any(question.question_id == question_id and question.onward_recipients for question in questions)


def _require_decision(asked: bool, consent: alert_pb2.TransferConsent.ValueType) -> None:
    decided = consent != alert_pb2.TRANSFER_CONSENT_UNSPECIFIED
    if asked and not decided:
        text = "the question asks for consent to onward transfer: say granted or refused"
        raise InvalidRequestError([Violation("consent", "consent.required", text)])
    if decided and not asked:
        text = "the question doesn't ask for consent to onward transfer"
        raise InvalidRequestError([Violation("consent", "consent.asked", text)])
