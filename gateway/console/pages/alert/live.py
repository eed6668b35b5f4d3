"""Live pages of alerts: their steps, and how far own steps have come at partners."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.live import ANYTHING, NEWEST, Change
from gateway.console.page import client, console_of
from gateway.console.pages.alert.path import reference
from gateway.errors import GatewayError, PositionUnknownError
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.alert_service_pb2 import DeliveryState, FeedProgress, GetAlertResponse

_ON_THE_WAY: Final = frozenset(
    {DeliveryState.DELIVERY_STATE_WAITING, DeliveryState.DELIVERY_STATE_SENT, DeliveryState.DELIVERY_STATE_STORED}
)


async def alert_changes(client: GatewayClient) -> AsyncGenerator[Change, None]:
    """Steps of alerts from now on, and how far own steps have come at partners."""
    position = await _newest_position(client)
    yield ANYTHING
    async with aclosing(client.watch_with_progress(position)) as changes:
        async for change in changes:
            if isinstance(change, FeedProgress):
                yield {
                    "_feed": change.origin,
                    "_receipted": str(change.receipted),
                    "_answered": str(change.answered),
                }
                continue
            yield {
                "publisher": change.alert.publisher,
                "alert_id": change.alert.alert_id,
                "event": change.event.WhichOneof("event") or "",
                "speaker": change.speaker,
                "_entry": f"{change.entry.index} {change.entry.origin}",
            }


async def _newest_position(client: GatewayClient) -> int:
    """The newest position of the gateway's log, which it names when it is asked for one beyond."""
    try:
        async with aclosing(client.watch(NEWEST, until_current=True)) as changes:
            async for change in changes:
                return change.position
    except PositionUnknownError as error:
        return int(error.metadata.get("last", "0"))
    return 0


class AlertPage:
    """What makes an alert's page old: its steps, and what partners sign for own ones.

    Args:
        alert: what the page shows.
        node: this authority's.
        shown: the alert just before the page listens; None where it couldn't be read: then each move of a feed counts.
    """

    def __init__(self, alert: AlertReference, *, node: str, shown: GetAlertResponse | None) -> None:
        self._alert = alert.publisher, alert.alert_id
        self._node = node
        self._is_known = shown is not None
        self._without_receipt: dict[str, set[int]] = {}
        self._unanswered: dict[str, set[int]] = {}
        if shown is not None:
            own = [step.delivery for step in shown.history if step.speaker == node]
            own += [copy.last_step for copy in shown.deliveries if alert.publisher == node]
            for step in own:
                if step.state in _ON_THE_WAY:
                    self._sent(step.entry.origin, step.entry.index)

    def wants(self, change: Change) -> bool:
        """Whether a change makes the page old."""
        if "_feed" in change:
            receipted = _passed(self._without_receipt, change["_feed"], int(change["_receipted"]))
            answered = _passed(self._unanswered, change["_feed"], int(change["_answered"]))
            return receipted or answered or not self._is_known
        if (change["publisher"], change["alert_id"]) != self._alert:
            return False
        if change["speaker"] == self._node:
            index, _space, origin = change["_entry"].partition(" ")
            self._sent(origin, int(index))
        return True

    def _sent(self, origin: str, index: int) -> None:
        for waiting in (self._without_receipt, self._unanswered):
            waiting.setdefault(origin, set()).add(index)


def _passed(waiting: dict[str, set[int]], origin: str, end: int) -> bool:
    """Whether entries that wait lie below an index; they don't wait any more."""
    passed = {index for index in waiting.get(origin, ()) if index < end}
    if passed:
        waiting[origin] -= passed
    return bool(passed)


async def live_alerts(request: Request) -> Response:
    """Every step of every alert, for lists."""
    return console_of(request).live.response(request, "alerts", lambda change: "_feed" not in change)


async def live_alert(request: Request) -> Response:
    """The steps of one alert, and how far own ones have come."""
    alert = reference(request)
    try:
        shown = await client(request).get_alert(alert)
    except GatewayError:  # a stream that fails at first isn't opened again
        shown = None
    page = AlertPage(alert, node=console_of(request).client.node_name, shown=shown)
    return console_of(request).live.response(request, "alerts", page.wants)
