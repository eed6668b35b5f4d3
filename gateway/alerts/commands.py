"""Publishing: what an own system does with alerts becomes entries in feeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from google.protobuf.message import Message

from gateway.alerts import codec as wire
from gateway.alerts import tables as alerts
from gateway.alerts.rules import advance
from gateway.alerts.tables import AlertRow
from gateway.contract.ids import UUID7_RANDOM_BYTES, Channel, FeedOrigin, uuid7, uuid_bytes
from gateway.contract.timestamps import to_ms, to_timestamp
from gateway.contract.validation import violations
from gateway.db.database import savepoint
from gateway.errors import (
    AgreementForbidsError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    Violation,
)
from gateway.feed.codec import EncodedEntry
from gateway.feed.service.idempotency import IdempotentCommand, digest_of, repeated
from gateway.feed.service.new_entries import new_entry
from gateway.feed.service.randomness import random_bytes
from gateway.feed.service.transaction import Clock, Transaction
from gateway.feed.tables import feeds, requests
from gateway.feed.tables.requests import AnsweredRequest
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import alert_pb2, alert_service_pb2

MAX_VALIDITY_MS = 366 * 24 * 3600 * 1000
"""Longest validity of an alert in milliseconds: what is older than a year deserves a fresh look and a new alert."""

VALID_UNTIL_RANGE = Violation(
    "content.valid_until", "valid_until.range", "must lie in the future, at most 366 days ahead"
)

_Response = alert_service_pb2.PublishAlertResponse
PublishResult: TypeAlias = alert_service_pb2.PublishAlertResponse | GatewayError
"""What became of one alert: its response, or why it was refused."""


@dataclass(frozen=True, slots=True)
class PreparedAlert:
    """An alert that was judged by everything that needs no database.

    Attributes:
        request_id: 16 bytes.
        digest: SHA-256 of the request, to tell a resent request from a reused id.
        entries: one per recipient, ready to append; none when it is refused.
        derived_from: alerts whose onward-transfer rule must be checked.
        refusal: why it may not be published now. Time and agreements change: the same request may have been accepted
            before, and then it is answered as it was then.
    """

    request_id: bytes
    digest: bytes
    alert_id: str
    entries: tuple[tuple[FeedOrigin, EncodedEntry], ...]
    notices: tuple[alert_pb2.DataQualityNotice, ...]
    derived_from: tuple[tuple[str, str], ...]
    refusal: GatewayError | None = None


class Publisher:
    """Prepares what own systems publish. Thread-safe: holds no state but the directory's current version."""

    def __init__(self, *, federation: str, node: str, directory: Callable[[], Directory], clock: Clock) -> None:
        self._federation = federation
        self._node = node
        self._directory = directory
        self._agreements = Agreements(directory)
        self._clock = clock
        self._origins: dict[str, FeedOrigin] = {}  # of partners in the directory: a handful

    def prepare(self, request: alert_service_pb2.PublishAlertRequest, actor: str) -> PreparedAlert:
        """Steps 2 and 3 for a new alert.

        Raises:
            InvalidRequestError: with every violation of the contract. What breaks the rules of today alone is a
                `refusal` in the result: `PublishCommand` answers it, unless the request was accepted before.
        """
        now = self._clock()
        content = request.content
        late = self._time_violations(content, now)
        found = violations(request)
        if found:
            raise InvalidRequestError([*found, *late])
        refusal = self._refusal(request, late, now)
        alert_id = self.new_id()
        notices = tuple(wire.quality_notices(content))
        return PreparedAlert(
            request_id=uuid_bytes(request.request_id),
            digest=digest_of(request),
            alert_id=alert_id,
            entries=tuple(
                (
                    self.origin(recipient),
                    self._new_alert(
                        alert_id=alert_id, recipient=recipient, content=content, notices=notices, actor=actor, now=now
                    ),
                )
                for recipient in (request.recipients if refusal is None else ())
            ),
            notices=notices,
            derived_from=tuple((r.publisher, r.alert_id) for r in content.derived_from),
            refusal=refusal,
        )

    def _refusal(
        self, request: alert_service_pb2.PublishAlertRequest, late: Sequence[Violation], now: int
    ) -> GatewayError | None:
        """Everything that speaks against it, for all recipients at once."""
        found, forbidden = list(late), list[AgreementForbidsError]()
        for recipient in request.recipients:
            try:
                self._require_agreement(recipient, request.content, now)
            except InvalidRequestError as error:
                found += (
                    one if one.field == "recipients" else replace(one, message=f"{recipient}: {one.message}")
                    for one in error.violations
                )
            except AgreementForbidsError as error:
                forbidden.append(error)
        if found:
            found += (Violation("recipients", "agreement", error.message) for error in forbidden)
            return InvalidRequestError(found)
        if forbidden:
            return AgreementForbidsError("; ".join(e.message for e in forbidden), metadata=forbidden[0].metadata)
        return None

    def origin(self, recipient: str) -> FeedOrigin:
        """The own alerts feed to a partner."""
        known = self._origins.get(recipient)
        if known is None:
            known = self._origins[recipient] = FeedOrigin(self._federation, self._node, recipient, Channel.ALERTS)
        return known

    def require_agreement(self, event: alert_pb2.AlertEvent, recipient: str, purpose: str, now: int) -> None:
        """Step 2 for a step on an existing alert; raises as `Agreements.require` does."""
        self._agreements.require(
            event,
            sender=self._node,
            recipient=recipient,
            purpose=purpose,
            at_ms=now,
            message_type=wire.EVENT_TYPE,
        )

    def new_id(self) -> str:
        """A new UUIDv7."""
        return uuid7(self._clock(), random_bytes(UUID7_RANDOM_BYTES))

    def entry(self, event: alert_pb2.AlertEvent, now: int, *, follows: int = 0) -> EncodedEntry:
        """An event as an entry with a fresh salt; `follows` as in the contract's EntryHeader."""
        return new_entry(wire.EVENT_TYPE, event, now_ms=now, follows=follows)

    def _new_alert(
        self,
        *,
        alert_id: str,
        recipient: str,
        content: alert_pb2.AlertContent,
        notices: Sequence[alert_pb2.DataQualityNotice],
        actor: str,
        now: int,
    ) -> EncodedEntry:
        at = to_timestamp(now)
        event = alert_pb2.AlertEvent(occurred_at=at, actor=actor)
        alert = event.published
        alert.id, alert.revision, alert.publisher, alert.recipient = alert_id, 1, self._node, recipient
        alert.published_at.CopyFrom(at)
        alert.content.CopyFrom(content)
        if notices:
            alert.notices.extend(notices)
        return self.entry(event, now)

    def _require_agreement(self, recipient: str, content: alert_pb2.AlertContent, now: int) -> None:
        directory = self._directory()
        if recipient == self._node or recipient not in directory.nodes:
            known = ", ".join(sorted(set(directory.nodes) - {self._node}))
            raise InvalidRequestError(
                [Violation("recipients", "recipient.known", f"{recipient!r} isn't a partner; partners are: {known}")]
            )
        self._agreements.require(
            content,
            sender=self._node,
            recipient=recipient,
            purpose=content.purpose,
            at_ms=now,
            message_type=wire.EVENT_TYPE,
            prefix="content.",
        )

    def _time_violations(self, content: alert_pb2.AlertContent, now: int) -> list[Violation]:
        found = []
        valid_until = to_ms(content.valid_until)
        if content.HasField("valid_until") and not now < valid_until <= now + MAX_VALIDITY_MS:
            found.append(VALID_UNTIL_RANGE)
        if content.HasField("reply_by") and to_ms(content.reply_by) <= now:
            found.append(Violation("content.reply_by", "reply_by.future", "must lie in the future"))
        return found


class PublishCommand:
    """Step 4 for new alerts of one caller: one refused alert doesn't stop the others.

    The result is a list with one PublishAlertResponse or GatewayError per alert, in order.
    """

    def __init__(self, prepared: Sequence[PreparedAlert | GatewayError], *, principal: str) -> None:
        self._prepared = prepared
        self._principal = principal

    @property
    def weight(self) -> int:
        return len(self._prepared)

    def execute(self, tx: Transaction) -> list[PublishResult]:
        checked = self._unless_answered(tx, [self._checked(tx, one) for one in self._prepared])
        fresh = [one for one in checked if isinstance(one, PreparedAlert)]
        responses = _responses(tx, fresh)
        if self._remember_all(tx, fresh, responses):
            for one in fresh:
                _append(tx, one)
            following = iter(responses)
            return [next(following) if isinstance(one, PreparedAlert) else one for one in checked]
        return self._execute_one_by_one(tx, checked)

    def _unless_answered(
        self, tx: Transaction, checked: Sequence[PreparedAlert | GatewayError]
    ) -> list[PreparedAlert | PublishResult]:
        """What is refused today may have been accepted before: then the answer is the one given then."""
        refused = {
            at: one
            for at, (one, result) in enumerate(zip(self._prepared, checked, strict=True))
            if isinstance(one, PreparedAlert) and isinstance(result, GatewayError)
        }
        results: list[PreparedAlert | PublishResult] = list(checked)
        if refused:
            known = requests.find(tx.conn, self._principal, [one.request_id for one in refused.values()])
            for at, one in refused.items():
                if one.request_id in known:
                    results[at] = repeated(known[one.request_id], one.digest, _Response)
        return results

    def _remember_all(self, tx: Transaction, fresh: Sequence[PreparedAlert], responses: Sequence[_Response]) -> bool:
        """The usual case: no id was ever seen before. One statement instead of a look-up per alert."""
        if len({one.request_id for one in fresh}) < len(fresh):
            return False
        if not fresh:
            return True
        try:
            with savepoint(tx.conn):
                if not requests.remember(tx.conn, list(map(self._answered, fresh, responses))):
                    raise _SeenBeforeError
        except _SeenBeforeError:
            return False
        return True

    def _execute_one_by_one(
        self, tx: Transaction, checked: Sequence[PreparedAlert | PublishResult]
    ) -> list[PublishResult]:
        ids = [one.request_id for one in checked if isinstance(one, PreparedAlert)]
        known = requests.find(tx.conn, self._principal, ids)
        results: list[PublishResult] = []
        for one in checked:
            if not isinstance(one, PreparedAlert):
                results.append(one)
            elif one.request_id in known:
                results.append(repeated(known[one.request_id], one.digest, _Response))
            else:
                (response,) = _responses(tx, [one])
                known[one.request_id] = self._answered(one, response)
                requests.remember(tx.conn, [known[one.request_id]])
                _append(tx, one)
                results.append(response)
        return results

    def _answered(self, one: PreparedAlert, response: _Response) -> AnsweredRequest:
        return AnsweredRequest(one.request_id, self._principal, one.digest, response.SerializeToString())

    def _checked(self, tx: Transaction, one: PreparedAlert | GatewayError) -> PreparedAlert | GatewayError:
        if isinstance(one, GatewayError):
            return one
        if one.refusal is not None:
            return one.refusal
        try:
            for origin, _ in one.entries:
                tx.require_extensible(origin)
            for publisher, alert_id in one.derived_from:
                require_onward_transfer(tx, publisher, alert_id, [origin.recipient for origin, _ in one.entries])
        except GatewayError as error:
            return error
        return one


class _SeenBeforeError(Exception):
    """Takes a savepoint back: one of the ids isn't new."""


def _responses(tx: Transaction, fresh: Sequence[PreparedAlert]) -> list[_Response]:
    """The answers, given that these are appended in this order and nothing comes between."""
    following: dict[FeedOrigin, int] = {}
    responses = []
    for one in fresh:
        response = _Response(alert_id=one.alert_id, revision=1, notices=one.notices)
        for origin, _ in one.entries:
            index = following[origin] if origin in following else tx.next_index(origin)
            response.entries.add(origin=origin.line, index=index)
            following[origin] = index + 1
        responses.append(response)
    return responses


def _append(tx: Transaction, one: PreparedAlert) -> None:
    for origin, entry in one.entries:
        tx.append(origin, entry)


@dataclass(frozen=True, slots=True)
class StepRequest:
    """A step on an existing alert, as an own system asks for it.

    Attributes:
        request_id: UUID as text.
        message: the whole request, for its digest.
        publisher, alert_id: the alert.
        recipient: limits the step to one recipient's copy of an own alert; empty for all copies.
        event: the event without time and actor; for an amendment a template whose recipient is filled in per copy.
        response: the response's type; its `entries` are filled in.
    """

    request_id: str
    message: Message
    publisher: str
    alert_id: str
    recipient: str
    event: alert_pb2.AlertEvent
    response: Message


class StepCommand(IdempotentCommand[Message]):
    """Steps 2 to 4 for a step on an existing alert: judged by the state at commit, so two callers can't both win."""

    weight = 1

    def __init__(
        self,
        step: StepRequest,
        *,
        publisher: Publisher,
        principal: str,
        actor: str,
    ) -> None:
        self.request = step.message
        self.principal = principal
        self._step = step
        self._publisher = publisher
        self._actor = actor

    @property
    def request_id(self) -> str:
        return self._step.request_id

    @property
    def response_type(self) -> type[Message]:
        return type(self._step.response)

    def answer(self, tx: Transaction) -> Message:
        step = self._step
        tx.catch_up()
        entries = [self._checked(tx, row) for row in self._copies(tx)]
        response = type(step.response)()
        response.CopyFrom(step.response)
        for origin, entry in entries:
            position = tx.append(origin, entry)
            response.entries.add(origin=origin.line, index=position.index)  # type: ignore[attr-defined]
        return response

    def _copies(self, tx: Transaction) -> list[AlertRow]:
        step = self._step
        rows = alerts.copies(tx.conn, step.publisher, step.alert_id)
        if step.recipient:
            rows = [row for row in rows if row.key.recipient == step.recipient]
        if not rows:
            raise NotFoundError(f"there is no alert {step.publisher}/{step.alert_id} here")
        return rows

    def _checked(self, tx: Transaction, row: AlertRow) -> tuple[FeedOrigin, EncodedEntry]:
        partner = row.key.recipient if row.direction == "out" else row.key.publisher
        origin = self._publisher.origin(partner)
        event = alert_pb2.AlertEvent()
        event.CopyFrom(self._step.event)
        event.occurred_at.CopyFrom(to_timestamp(tx.now_ms))
        event.actor = self._actor
        alert = wire.alert_of(event)
        if alert is not None:
            alert.recipient = partner
            alert.published_at.CopyFrom(to_timestamp(row.published_at))
            _require_amendable(tx, alert.content, partner)
        if event.WhichOneof("event") in ("withdrawn", "closed", "expired"):
            purpose = row.purpose
        else:
            purpose = wire.purpose_of(event) or row.purpose
        advance(row.life, wire.step_of(event, origin).step)
        self._publisher.require_agreement(event, partner, purpose, tx.now_ms)
        tx.require_extensible(origin)
        seen = feeds.journaled_size_of(tx.conn, origin.counter)  # all of it is projected: `row` says what is known
        return origin, self._publisher.entry(event, tx.now_ms, follows=seen)


def _require_amendable(tx: Transaction, content: alert_pb2.AlertContent, recipient: str) -> None:
    """New content isn't held to less than that of a new alert; a reply-by that has passed since may stay."""
    if not tx.now_ms < to_ms(content.valid_until) <= tx.now_ms + MAX_VALIDITY_MS:
        raise InvalidRequestError([VALID_UNTIL_RANGE])
    for source in content.derived_from:
        require_onward_transfer(tx, source.publisher, source.alert_id, [recipient])


class ExpireCommand:
    """Lets own alerts expire whose valid-until time has passed; where a feed is blocked they wait until it isn't."""

    weight = 1

    def __init__(self, *, publisher: Publisher, limit: int = 200) -> None:
        self._publisher = publisher
        self._limit = limit

    def execute(self, tx: Transaction) -> int:
        """Appends the expiries; returns how many.

        Looks first at what is projected: usually nothing is due, and catching up on a backlog every second would undo
        the projector's share.
        """
        blocked = [feed.partner for feed in feeds.list_all(tx.conn) if feed.direction == "out" and not feed.extensible]
        if not alerts.due_to_expire(tx.conn, tx.now_ms, 1, except_to=blocked):
            return 0
        tx.catch_up()
        keys = alerts.due_to_expire(tx.conn, tx.now_ms, self._limit, except_to=blocked)
        rows = alerts.find(tx.conn, keys)
        origins = {key.recipient: self._publisher.origin(key.recipient) for key in rows}
        seen = {one: feeds.journaled_size_of(tx.conn, origin.counter) for one, origin in origins.items()}
        for key, row in rows.items():
            event = alert_pb2.AlertEvent(occurred_at=to_timestamp(tx.now_ms), actor="gateway")
            event.expired.revision = row.life.revision
            event.expired.alert.publisher, event.expired.alert.alert_id = key.publisher, key.alert_id
            origin = origins[key.recipient]
            advance(row.life, wire.step_of(event, origin).step)
            tx.append(origin, self._publisher.entry(event, tx.now_ms, follows=seen[key.recipient]))
        return len(rows)


def require_onward_transfer(tx: Transaction, publisher: str, alert_id: str, recipients: Sequence[str]) -> None:
    """Raises unless the alert that a new one is derived from may be passed on to these nodes.

    An own alert may hold what partners told: then it is theirs to allow, however many own alerts lie between.

    Raises:
        NotFoundError: this node doesn't have that alert.
        PermissionDeniedError: its publisher doesn't allow it.
    """
    sources, seen = [(publisher, alert_id)], {(publisher, alert_id)}
    while sources:
        name, one = sources.pop()
        content = _current_content(tx, name, one)
        if name != tx.own_node:
            _require_passing_on(name, one, content.handling, recipients)
            continue
        for source in content.derived_from:
            if (source.publisher, source.alert_id) not in seen:
                seen.add((source.publisher, source.alert_id))
                sources.append((source.publisher, source.alert_id))


def _current_content(tx: Transaction, publisher: str, alert_id: str) -> alert_pb2.AlertContent:
    payload = alerts.current_payload(tx.conn, publisher, alert_id)
    if payload is None:
        raise NotFoundError(f"content.derived_from: there is no alert {publisher}/{alert_id} here")
    alert = wire.alert_of(wire.parse_event(payload))
    return alert.content if alert is not None else alert_pb2.AlertContent()


def _require_passing_on(publisher: str, alert_id: str, handling: alert_pb2.Handling, recipients: Sequence[str]) -> None:
    for recipient in recipients:
        if recipient == publisher or handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_FEDERATION:
            continue
        listed = handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED
        if not (listed and recipient in handling.onward_recipients):
            raise PermissionDeniedError(
                f"content.derived_from: {publisher} doesn't allow alert {alert_id} to be passed on to {recipient}; "
                "ask it with a question on that alert",
                metadata={"field": "content.derived_from", "recipient": recipient},
            )
