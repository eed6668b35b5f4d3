"""Client for notifications (`client.notifications`): of the calling system, or of the person that it acts for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc.aio

from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.client.resuming import resumed
from gateway.errors import GatewayError
from gateway.v1 import notification_service_pb2 as service
from gateway.v1.notification_service_pb2 import Notification, NotificationKind, NotificationRule

PAGE_SIZE = 200
"""Rows per request when a list is read to its end."""


@dataclass(frozen=True, slots=True)
class WatchedNotifications:
    """New notifications, perhaps none; the position after them, and how many of the caller aren't read."""

    notifications: tuple[Notification, ...]
    position: int
    unread: int


class NotificationClient:
    """NotificationService; each role, about the caller."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self,
        *,
        unread: bool = False,
        kinds: Iterable[NotificationKind.ValueType] = (),
        page_size: int = 0,
        page_token: str = "",
        count_kinds: bool = False,
    ) -> service.ListNotificationsResponse:
        """A page of the caller's notifications, newest first, with the number of all that aren't read."""
        request = service.ListNotificationsRequest(
            page_size=page_size, page_token=page_token, unread=unread, kinds=kinds, count_kinds=count_kinds
        )
        method = self._connection.stubs.notifications.ListNotifications
        return await self._connection.unary(method, request, service.ListNotificationsResponse)

    def all(
        self,
        *,
        unread: bool = False,
        kinds: Sequence[NotificationKind.ValueType] = (),
        page_size: int = PAGE_SIZE,
    ) -> AsyncGenerator[Notification, None]:
        """The caller's notifications, newest first."""
        return all_rows(
            lambda token: self.page(unread=unread, kinds=kinds, page_size=page_size, page_token=token),
            lambda page: page.notifications,
        )

    async def watch(
        self,
        position: int = 0,
        *,
        on_interruption: Callable[[GatewayError], None] | None = None,
        on_resumption: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchedNotifications, None]:
        """Notifications after a position (0 for all that are kept), then new ones as they come; reconnects.

        It yields at once, each time something came or was read, and as a heartbeat every 15 s.
        """

        def connect() -> grpc.aio.UnaryStreamCall[Any, service.WatchNotificationsResponse]:
            request = service.WatchNotificationsRequest(position=position)
            return self._connection.stubs.notifications.WatchNotifications(request)

        stream = resumed(
            self._connection, connect, until_end=False, on_interruption=on_interruption, on_resumption=on_resumption
        )
        async with aclosing(stream):
            async for response in stream:
                position = max(position, response.position)
                yield WatchedNotifications(tuple(response.notifications), position, response.unread)

    async def mark_read(
        self, positions: Iterable[int] = (), *, up_to: int = 0
    ) -> service.MarkNotificationsReadResponse:
        """Marks notifications as read: those at `positions`, or all up to a position."""
        request = service.MarkNotificationsReadRequest(positions=positions, up_to=up_to)
        method = self._connection.stubs.notifications.MarkNotificationsRead
        return await self._connection.unary(method, request, service.MarkNotificationsReadResponse)

    async def rules(self) -> service.GetNotificationRulesResponse:
        """The caller's rules, the authority's, and the ways by which notifications can be sent."""
        method = self._connection.stubs.notifications.GetNotificationRules
        request = service.GetNotificationRulesRequest()
        return await self._connection.unary(method, request, service.GetNotificationRulesResponse)

    async def set_rules(self, rules: Iterable[NotificationRule], *, nothing: bool = False) -> list[NotificationRule]:
        """Replaces the caller's rules; without any, those by default hold again, or with `nothing` none."""
        request = service.SetNotificationRulesRequest(rules=rules, nothing=nothing)
        method = self._connection.stubs.notifications.SetNotificationRules
        return list((await self._connection.unary(method, request, service.SetNotificationRulesResponse)).rules)

    async def set_shared_rules(self, rules: Iterable[NotificationRule]) -> list[NotificationRule]:
        """Replaces the authority's rules, each with an audience; role supervisor or operator."""
        request = service.SetSharedNotificationRulesRequest(rules=rules)
        method = self._connection.stubs.notifications.SetSharedNotificationRules
        response = await self._connection.unary(method, request, service.SetSharedNotificationRulesResponse)
        return list(response.rules)

    async def outbox_state(self) -> service.ListOutboxStateResponse:
        """How e-mail, webhooks and the outbox stand; role operator, supervisor or auditor."""
        method = self._connection.stubs.notifications.ListOutboxState
        request = service.ListOutboxStateRequest()
        return await self._connection.unary(method, request, service.ListOutboxStateResponse)

    async def test_delivery(self, webhook: str = "") -> service.TestNotificationDeliveryResponse:
        """Sends a test message to the caller's e-mail address, or to a webhook (role operator); what became of it."""
        to_webhook = service.TestNotificationDeliveryRequest(webhook=webhook)
        request = to_webhook if webhook else service.TestNotificationDeliveryRequest(email=True)
        method = self._connection.stubs.notifications.TestNotificationDelivery
        return await self._connection.unary(method, request, service.TestNotificationDeliveryResponse)
