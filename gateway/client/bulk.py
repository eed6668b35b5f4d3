"""Publishes many alerts over one stream, each once even if the stream breaks."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.client.connection import Connection, Stubs
from gateway.client.windowed import WindowedStream, item_error
from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.errors import GatewayError, MalformedError
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.alert_service_pb2 import (
    PublishAlertRequest,
    PublishAlertResponse,
    PublishAlertsRequest,
    PublishAlertsResponse,
)

DEFAULT_BATCH = 200
"""Alerts in a message; above a hundred the cost per message no longer shows."""


def new_request_id() -> str:
    """A new UUIDv7; the gateway stores ids in ascending order fastest."""
    return uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(UUID7_RANDOM_BYTES))


def new_alert(content: AlertContent, recipients: Iterable[str], request_id: str | None = None) -> PublishAlertRequest:
    """A request with a copy of `content`; the same `request_id` (a UUID) never publishes twice."""
    return PublishAlertRequest(request_id=request_id or new_request_id(), recipients=recipients, content=content)


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """An alert's result: `published`, and durable, or `refused`, and not stored.

    Attributes:
        published_before: the request had been answered before this run: nothing new was published.
    """

    request: PublishAlertRequest
    published: PublishAlertResponse | None = None
    refused: GatewayError | None = None
    published_before: bool = False

    def result(self) -> PublishAlertResponse:
        """Raises `refused` if there is no answer."""
        if self.refused is not None:
            raise self.refused
        assert self.published is not None  # noqa: S101  # exactly one of them is set
        return self.published


class _PublishMethod:
    """The messages of PublishAlerts."""

    noun = "alert"

    def open(self, stubs: Stubs) -> Any:
        return stubs.alerts.PublishAlerts()

    def message(self, items: Sequence[PublishAlertRequest]) -> PublishAlertsRequest:
        return PublishAlertsRequest(alerts=items)

    def outcomes(
        self,
        items: Sequence[PublishAlertRequest],
        unsent: Mapping[int, GatewayError],
        response: PublishAlertsResponse | None,
        *,
        resent: bool,
    ) -> list[PublishOutcome]:
        given = response.results if response is not None else ()
        if len(given) != len(items) - len(unsent):
            raise MalformedError(f"the gateway answered {len(items) - len(unsent)} alerts with {len(given)} results")
        results = iter(given)
        outcomes = []
        for index, request in enumerate(items):
            if index in unsent:
                outcomes.append(PublishOutcome(request, refused=unsent[index]))
                continue
            result = next(results)
            if result.WhichOneof("result") == "published":
                before = result.published.published_before and not resent
                outcomes.append(PublishOutcome(request, published=result.published, published_before=before))
            else:
                outcomes.append(PublishOutcome(request, refused=item_error(result.refused)))
        return outcomes


def publish_stream(
    connection: Connection,
    alerts: Iterable[PublishAlertRequest] | AsyncIterable[PublishAlertRequest],
    *,
    batch: int,
    patience_s: float,
) -> AsyncGenerator[PublishOutcome, None]:
    """Implements `GatewayClient.publish_many`."""
    return WindowedStream(connection, _PublishMethod(), alerts, batch=batch, patience_s=patience_s).run()
