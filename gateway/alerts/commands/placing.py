"""Appends prepared alerts, each once: each entry's feed by priority, and what the entry depends on in other feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.alerts.commands.onward_transfer import require_onward_transfer
from gateway.alerts.commands.publishing import PreparedAlert
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.ids import ALERT_CHANNELS, URGENT_ALERTS, Channel, FeedOrigin
from gateway.db.database import savepoint
from gateway.errors import GatewayError
from gateway.feed.codec import CausalDependency
from gateway.feed.service.writing.command_queue import Urgency, urgency_of
from gateway.feed.service.writing.commands import repeated
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, requests
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.requests import AnsweredRequest
from gateway.persons.service.pseudonyms import keep_pseudonyms
from gateway.v1 import alert_service_pb2


def accepted_feed(tx: Transaction, origin: FeedOrigin) -> FeedOrigin:
    """The feed, or that of all alerts where the recipient hasn't opened it: its gateway may not know the channel."""
    if origin.channel not in URGENT_ALERTS or tx.is_accepted(origin):
        return origin
    return replace(origin, channel=Channel.ALERTS)


@dataclass(frozen=True, slots=True)
class StepPlace:
    """Where a step goes, and what it comes after.

    Attributes:
        follows, after: as in the contract's EntryHeader.
    """

    origin: FeedOrigin
    follows: int
    after: tuple[CausalDependency, ...]


def place_step(tx: Transaction, own: FeedOrigin, row: AlertRow, priority: str) -> StepPlace:
    """Places a step on a projected alert, in a feed of the more urgent of its priorities before and after the step.

    While an own entry of the alert has no receipt, the step goes into that entry's feed: in a more urgent one it would
    arrive first, wait there for that entry, and keep urgent alerts behind it waiting.

    Args:
        own: an own feed of alerts to the partner.
        priority: the alert's after the step.
    """
    wanted = replace(own, channel=Channel.ALERTS_A if "A" in (priority, row.priority) else Channel.ALERTS)
    # What the closed feeds of an earlier epoch have, both sides have applied, or one of them never gets.
    newest = {feed.origin: (feed, index) for feed, index in _newest_entries(tx, row) if feed.origin.epoch == own.epoch}
    mine = [(feed, index) for feed, index in newest.values() if feed.direction == "out"]
    unreceipted = [feed.origin for feed, index in mine if index >= feed.receipted_size]
    origin = accepted_feed(tx, wanted)
    if unreceipted and origin not in unreceipted:
        origin = unreceipted[-1]
    after = tuple(
        CausalDependency(reverse=feed.direction == "in", channel=feed.origin.channel, size=index + 1)
        for feed, index in newest.values()
        if feed.origin not in (origin, origin.reverse)
    )
    return StepPlace(origin, feeds.journaled_size_of(tx.conn, origin.reverse), after)


def require_extensible_feeds(tx: Transaction, own: FeedOrigin) -> None:
    """Requires that no own feed to the partner misses entries: a step would be evaluated without them.

    Raises:
        FeedBehindError, FeedForkedError: one does.
    """
    for channel in ALERT_CHANNELS:
        origin = replace(own, channel=channel)
        if channel not in URGENT_ALERTS or tx.is_accepted(origin):
            tx.require_extensible(origin)


def _newest_entries(tx: Transaction, row: AlertRow) -> list[tuple[Feed, int]]:
    """Each feed with steps of this copy, and the index of the newest; ordered by that step's position."""
    return [(feeds.get_by_id(tx.conn, feed_id), index) for feed_id, index in events.newest_entries(tx.conn, row.key)]


_Response = alert_service_pb2.PublishAlertResponse
PublishResult: TypeAlias = alert_service_pb2.PublishAlertResponse | GatewayError
"""An alert's response, or the error that refused it."""


class PublishCommand:
    """Step 4 for one caller's new alerts: a refused alert doesn't stop the others.

    The result lists one PublishAlertResponse or GatewayError per alert, in order.
    """

    def __init__(self, prepared: Sequence[PreparedAlert | GatewayError], *, principal: str) -> None:
        self._prepared = prepared
        self._principal = principal

    @property
    def weight(self) -> int:
        return len(self._prepared)

    @property
    def urgency(self) -> Urgency:
        """That of the most urgent alert."""
        alerts = [prepared for prepared in self._prepared if isinstance(prepared, PreparedAlert)]
        urgencies = [urgency_of(origin.channel) for prepared in alerts for origin, _ in prepared.entries]
        return min(urgencies, default=Urgency.ORDINARY)

    def execute(self, tx: Transaction) -> list[PublishResult]:
        checked = self._unless_answered(tx, [self._checked(tx, prepared) for prepared in self._prepared])
        fresh = [prepared for prepared in checked if isinstance(prepared, PreparedAlert)]
        responses = _responses(tx, fresh)
        if self._remember_all(tx, fresh, responses):
            for prepared in fresh:
                _append(tx, prepared)
            following = iter(responses)
            return [next(following) if isinstance(prepared, PreparedAlert) else prepared for prepared in checked]
        return self._execute_one_by_one(tx, checked)

    def _unless_answered(
        self, tx: Transaction, checked: Sequence[PreparedAlert | GatewayError]
    ) -> list[PreparedAlert | PublishResult]:
        """Replaces refusals by answers given before."""
        refused = {
            at: prepared
            for at, (prepared, result) in enumerate(zip(self._prepared, checked, strict=True))
            if isinstance(prepared, PreparedAlert) and isinstance(result, GatewayError)
        }
        results: list[PreparedAlert | PublishResult] = list(checked)
        if refused:
            known = requests.find(tx.conn, self._principal, [prepared.request_id for prepared in refused.values()])
            for at, prepared in refused.items():
                if prepared.request_id in known:
                    results[at] = _answered_before(known[prepared.request_id], prepared)
        return results

    def _remember_all(self, tx: Transaction, fresh: Sequence[PreparedAlert], responses: Sequence[_Response]) -> bool:
        """Stores all answers in one statement; False when an id isn't new."""
        if len({prepared.request_id for prepared in fresh}) < len(fresh):
            return False
        if not fresh:
            return True
        answered = list(map(self._answered, fresh, responses))
        if len(answered) == 1:
            return requests.remember(tx.conn, answered, now_ms=tx.now_ms)
        try:
            with savepoint(tx.conn):
                if not requests.remember(tx.conn, answered, now_ms=tx.now_ms):
                    raise _SeenBeforeError
        except _SeenBeforeError:
            return False
        return True

    def _execute_one_by_one(
        self, tx: Transaction, checked: Sequence[PreparedAlert | PublishResult]
    ) -> list[PublishResult]:
        ids = [prepared.request_id for prepared in checked if isinstance(prepared, PreparedAlert)]
        known = requests.find(tx.conn, self._principal, ids)
        results: list[PublishResult] = []
        for prepared in checked:
            if not isinstance(prepared, PreparedAlert):
                results.append(prepared)
            elif prepared.request_id in known:
                results.append(_answered_before(known[prepared.request_id], prepared))
            else:
                (response,) = _responses(tx, [prepared])
                known[prepared.request_id] = self._answered(prepared, response)
                requests.remember(tx.conn, [known[prepared.request_id]], now_ms=tx.now_ms)
                _append(tx, prepared)
                results.append(response)
        return results

    def _answered(self, prepared: PreparedAlert, response: _Response) -> AnsweredRequest:
        return AnsweredRequest(prepared.request_id, self._principal, prepared.digest, response.SerializeToString())

    def _checked(self, tx: Transaction, prepared: PreparedAlert | GatewayError) -> PreparedAlert | GatewayError:
        if isinstance(prepared, GatewayError):
            return prepared
        if prepared.refusal is not None:
            return prepared.refusal
        try:
            prepared = _placed(tx, prepared)
            for origin, _ in prepared.entries:
                tx.require_extensible(origin)
            evidence = prepared.evidence
            if prepared.derived_from or (evidence and (tx.is_behind or evidence.foreign(tx))):
                tx.catch_up()  # so that the publisher's newest rule counts
            recipients = [origin.recipient for origin, _ in prepared.entries]
            for publisher, alert_id in prepared.derived_from:
                require_onward_transfer(
                    tx, publisher, alert_id, recipients, handling=prepared.handling, releases=prepared.releases
                )
            if evidence:
                evidence.require_may_go(tx, recipients, now_ms=tx.now_ms)
        except GatewayError as error:
            return error
        return prepared


def _placed(tx: Transaction, prepared: PreparedAlert) -> PreparedAlert:
    """The alert with the feeds that its recipients take."""
    entries = tuple((accepted_feed(tx, origin), entry) for origin, entry in prepared.entries)
    return prepared if entries == prepared.entries else replace(prepared, entries=entries)


class _SeenBeforeError(Exception):
    """Rolls back a savepoint: an id isn't new."""


def _answered_before(before: AnsweredRequest, prepared: PreparedAlert) -> PublishResult:
    """The first answer, marked as one, or an error when the request differs."""
    answer = repeated(before, prepared.digest, _Response)
    if isinstance(answer, _Response):
        answer.published_before = True
    return answer


def _responses(tx: Transaction, fresh: Sequence[PreparedAlert]) -> list[_Response]:
    """Responses, if these entries are appended next and in this order."""
    following: dict[FeedOrigin, int] = {}
    responses = []
    for prepared in fresh:
        response = _Response(alert_id=prepared.alert_id, revision=1, notices=prepared.notices)
        for origin, _ in prepared.entries:
            index = following[origin] if origin in following else tx.next_index(origin)
            response.entries.add(origin=origin.line, index=index)
            following[origin] = index + 1
        responses.append(response)
    return responses


def _append(tx: Transaction, prepared: PreparedAlert) -> None:
    keep_pseudonyms(tx.conn, prepared.pseudonyms, now_ms=tx.now_ms)
    for origin, entry in prepared.entries:
        tx.append(origin, entry, trace=prepared.traces.get(origin.recipient, ""), own_trace=prepared.trace)
