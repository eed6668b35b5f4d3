"""Prepares the alerts of one message, in the node or in another process.

Another process knows no secrets and holds no state: it gets the directory with the call, and leaves to the node what it
can't do so: alerts that are refused, that come from others' alerts or answers, and those of persons.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.alerts.commands.answer_sources import no_releases
from gateway.alerts.commands.publishing import PreparedAlert, Publisher
from gateway.contract.ids import Channel
from gateway.errors import GatewayError
from gateway.feed.codec import EncodedEntry
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.permissions import PERSON_PREFIX
from gateway.v1 import alert_pb2, alert_service_pb2

FEWEST_ALERTS = 20
"""Fewest alerts in a message that are worth the way to another process."""


class CompactAlert(NamedTuple):
    """A prepared alert in plain values, which pass between processes at a tenth of the cost.

    Attributes:
        entries: recipient, channel, header, salt, payload and leaf of each; a new alert depends on no entry.
        notices: serialised.
        handling: serialised.
    """

    request_id: bytes
    digest: bytes
    alert_id: str
    entries: tuple[tuple[str, str, bytes, bytes, bytes, bytes], ...]
    notices: tuple[bytes, ...]
    handling: bytes


class BulkPublisher:
    """Prepares messages in another process, which keeps the directory of the last call."""

    def __init__(self, federation: str, node: str) -> None:
        self._federation = federation
        self._node = node
        self._packed = b""
        self._directory: Directory | None = None

    def __call__(self, directory: bytes, request: bytes, actor: str, now_ms: int) -> list[CompactAlert | None]:
        """Prepares a serialised PublishAlertsRequest; None for an alert that is left to the node."""
        if directory != self._packed:
            self._packed, self._directory = directory, pickle.loads(directory)  # noqa: S301  from the node
        known = self._directory
        assert known is not None  # noqa: S101  set above
        publisher = Publisher(
            federation=self._federation, node=self._node, directory=lambda: known, clock=lambda: now_ms
        )
        alerts = alert_service_pb2.PublishAlertsRequest.FromString(request).alerts
        return [_compact(publisher, alert, actor) for alert in alerts]


def _compact(publisher: Publisher, alert: alert_service_pb2.PublishAlertRequest, actor: str) -> CompactAlert | None:
    if alert.content.derived_from or alert.content.derived_from_answers:
        return None
    try:
        prepared = publisher.prepare(alert, actor)
    except GatewayError:
        return None
    if prepared.refusal is not None or prepared.derived_from:
        return None
    entries = tuple(
        (origin.recipient, origin.channel.value, entry.header, entry.salt, entry.payload, entry.leaf)
        for origin, entry in prepared.entries
    )
    return CompactAlert(
        prepared.request_id,
        prepared.digest,
        prepared.alert_id,
        entries,
        tuple(notice.SerializeToString() for notice in prepared.notices),
        prepared.handling.SerializeToString(),
    )


class AlertPreparation:
    """The node's side."""

    def __init__(self, publisher: Publisher, directory: Callable[[], Directory], clock: Callable[[], int]) -> None:
        self._publisher = publisher
        self._directory = directory
        self._clock = clock
        self._packed: tuple[Directory | None, bytes] = (None, b"")

    def here(self, request: alert_service_pb2.PublishAlertsRequest, actor: str) -> list[PreparedAlert | GatewayError]:
        """Prepares each alert, or says why it is refused."""
        return [self._one(alert, actor) for alert in request.alerts]

    def pack(self, request: alert_service_pb2.PublishAlertsRequest, actor: str) -> tuple[bytes, bytes, str, int] | None:
        """Arguments of `BulkPublisher`; None for a person's alerts, and for few."""
        if actor.startswith(PERSON_PREFIX) or len(request.alerts) < FEWEST_ALERTS:
            return None
        directory = self._directory()
        if self._packed[0] is not directory:
            self._packed = directory, pickle.dumps(directory)
        return self._packed[1], request.SerializeToString(), actor, self._clock()

    def finish(
        self,
        request: alert_service_pb2.PublishAlertsRequest,
        actor: str,
        compact: Sequence[CompactAlert | None],
    ) -> list[PreparedAlert | GatewayError]:
        """As `here`, with what another process prepared."""
        return [
            self._one(alert, actor) if done is None else self._restored(alert, done)
            for alert, done in zip(request.alerts, compact, strict=True)
        ]

    def _one(self, alert: alert_service_pb2.PublishAlertRequest, actor: str) -> PreparedAlert | GatewayError:
        try:
            return self._publisher.prepare(alert, actor)
        except GatewayError as error:
            return error

    def _restored(self, alert: alert_service_pb2.PublishAlertRequest, done: CompactAlert) -> PreparedAlert:
        content = alert.content
        return PreparedAlert(
            request_id=done.request_id,
            digest=done.digest,
            alert_id=done.alert_id,
            entries=tuple(
                (self._publisher.origin(recipient, Channel(channel)), EncodedEntry(header, salt, payload, leaf))
                for recipient, channel, header, salt, payload, leaf in done.entries
            ),
            notices=tuple(map(alert_pb2.DataQualityNotice.FromString, done.notices)),
            derived_from=(),
            handling=alert_pb2.Handling.FromString(done.handling),
            releases=no_releases,
            evidence=self._publisher.named_evidence(content.evidence, content.purpose, handling=content.handling),
        )
