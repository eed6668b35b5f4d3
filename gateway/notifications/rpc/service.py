"""gRPC handlers of NotificationService, for an authority's persons and systems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Any, Final, TypeAlias

import grpc.aio

from gateway.contract.filters import decode_number_token, encode_page_token, page_size
from gateway.contract.messages import to_timestamp
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, PermissionDeniedError, Violation
from gateway.feed.rpc.writer_client import HEARTBEAT_S, ChangeNotifier, WriterClient, set_within
from gateway.notifications.codec.messages import shown
from gateway.notifications.commands.delivering import MarkReadCommand, PutRulesCommand
from gateway.notifications.commands.keeping import NOTIFICATIONS
from gateway.notifications.rpc.audience_source import SHARED, AudienceSource
from gateway.notifications.rpc.delivery import DeliveryLoop
from gateway.notifications.rpc.delivery_tester import DeliveryTester
from gateway.notifications.rpc.outbox import OutboxLoop
from gateway.notifications.rules.audience import EMAIL, WEBHOOK, kinds_for
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables import warnings
from gateway.notifications.tables.notifications import NotificationRow
from gateway.rpc.calls import current_call
from gateway.trust.rules.permissions import Principal, Role
from gateway.v1 import notification_service_pb2 as pb
from gateway.v1 import notification_service_pb2_grpc

WATCH_PAGE: Final = 100
"""Most notifications in one message of a watch."""

_NUMBERS = range(1, 10**18)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class NotificationServicer(notification_service_pb2_grpc.NotificationServiceServicer):
    """Handlers of NotificationService.

    Args:
        ways: e-mail and webhooks of the settings.
        has_mail: whether a mail server is set.
    """

    def __init__(
        self,
        *,
        database: Database,
        writer: WriterClient,
        notifier: ChangeNotifier,
        audience: AudienceSource,
        ways: Sequence[DeliveryLoop],
        outbox: OutboxLoop | None,
        webhooks: Collection[str],
        has_mail: bool,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._writer = writer
        self._notifier = notifier
        self._audience = audience
        self._ways = tuple(ways)
        self._outbox = outbox
        self._webhooks = tuple(sorted(webhooks))
        self._has_mail = has_mail
        self._tester = DeliveryTester(ways, clock=clock)

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the service to a server."""
        notification_service_pb2_grpc.add_NotificationServiceServicer_to_server(self, server)

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Context
    ) -> pb.ListNotificationsResponse:
        validate(request)
        return await asyncio.to_thread(self._list, request, current_call().principal)

    async def WatchNotifications(
        self, request: pb.WatchNotificationsRequest, context: Context
    ) -> AsyncIterator[pb.WatchNotificationsResponse]:
        validate(request)
        principal, position, unread = current_call().principal, request.position, -1
        moved = asyncio.Event()
        end_subscription = self._notifier.subscribe(NOTIFICATIONS, moved)
        try:
            while True:
                moved.clear()
                response = await asyncio.to_thread(self._changes, principal, position)
                if response.notifications or response.unread != unread:
                    position, unread = response.position, response.unread
                    yield response
                elif not await set_within(moved, HEARTBEAT_S):
                    yield response
        finally:
            end_subscription()

    async def MarkNotificationsRead(
        self, request: pb.MarkNotificationsReadRequest, context: Context
    ) -> pb.MarkNotificationsReadResponse:
        validate(request)
        call = current_call()
        call.record(counts={"positions": len(request.positions)}, repeatable=True)
        recipient = call.principal.id
        marked, unread = await self._writer.run(MarkReadCommand(recipient, list(request.positions), request.up_to))
        return pb.MarkNotificationsReadResponse(marked=marked, unread=unread)

    async def GetNotificationRules(
        self, request: pb.GetNotificationRulesRequest, context: Context
    ) -> pb.GetNotificationRulesResponse:
        principal = current_call().principal
        audience = await asyncio.to_thread(self._audience.with_caller, principal.id)
        addressee = next((one for one in audience.addressees if one.id == principal.id), None)
        own = audience.book.own.get(principal.id)
        return pb.GetNotificationRulesResponse(
            rules=() if addressee is None else audience.book.rules_of(addressee),
            are_own=own is not None,
            shared=audience.book.shared,
            kinds=kinds_for(principal.roles),
            webhooks=self._webhooks,
            email=addressee.email if addressee is not None and self._has_mail else "",
        )

    async def SetNotificationRules(
        self, request: pb.SetNotificationRulesRequest, context: Context
    ) -> pb.SetNotificationRulesResponse:
        validate(request)
        call = current_call()
        kinds = kinds_for(call.principal.roles)
        _require_valid(
            Violation(f"rules[{at}].audience", "notification.own", "own rules reach their owner: leave it out")
            for at, rule in enumerate(request.rules)
            if rule.HasField("audience")
        )
        _require_valid(
            Violation(f"rules[{at}].kinds", "notification.kinds", "the caller's roles don't read one of these kinds")
            for at, rule in enumerate(request.rules)
            if not set(rule.kinds) <= set(kinds)
        )
        call.record(counts={"rules": len(request.rules)})
        await self._put(call.principal.id, request)
        return pb.SetNotificationRulesResponse(rules=request.rules)

    async def SetSharedNotificationRules(
        self, request: pb.SetSharedNotificationRulesRequest, context: Context
    ) -> pb.SetSharedNotificationRulesResponse:
        validate(request)
        _require_valid(self._audience_violations(request.rules))
        current_call().record(counts={"rules": len(request.rules)})
        await self._put(SHARED, pb.SetNotificationRulesRequest(rules=request.rules))
        return pb.SetSharedNotificationRulesResponse(rules=request.rules)

    async def ListOutboxState(self, request: pb.ListOutboxStateRequest, context: Context) -> pb.ListOutboxStateResponse:
        return await asyncio.to_thread(self._state)

    async def TestNotificationDelivery(
        self, request: pb.TestNotificationDeliveryRequest, context: Context
    ) -> pb.TestNotificationDeliveryResponse:
        validate(request)
        call = current_call()
        if request.webhook:
            if Role.OPERATOR not in call.principal.roles:
                raise PermissionDeniedError("a test message to a webhook takes the role operator")
            _require_valid([] if request.webhook in self._webhooks else [self._no_webhook("webhook")])
            call.record(subject_ids=[f"{WEBHOOK}{request.webhook}"])
            return await self._tester.run(f"{WEBHOOK}{request.webhook}", None)
        addressee = (await asyncio.to_thread(self._audience.by_id)).get(call.principal.id)
        if addressee is None or not addressee.email or not self._has_mail:
            problem = "no address of the caller is known, or no mail server is set"
            raise InvalidRequestError([Violation("email", "notification.email", problem)])
        call.record(subject_ids=[EMAIL])
        return await self._tester.run(EMAIL, addressee)

    async def _put(self, owner: str, rules: pb.SetNotificationRulesRequest) -> None:
        await self._writer.run(PutRulesCommand(owner, rules))
        self._audience.forget()

    def _list(self, request: pb.ListNotificationsRequest, principal: Principal) -> pb.ListNotificationsResponse:
        bound_to = f"{request.unread} {list(request.kinds)} {principal.id}"
        token = decode_number_token(request.page_token, bound_to, _NUMBERS)
        kinds = set(kinds_for(principal.roles)) & set(request.kinds or pb.NotificationKind.values())
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            found = rows.page(
                conn,
                principal.id,
                kinds,
                unread=request.unread,
                before=None if token is None else token[0],
                limit=limit + 1,
            )
            response = pb.ListNotificationsResponse(
                notifications=map(_shown, found[:limit]),
                unread=rows.unread(conn, principal.id),
                position=rows.newest(conn, principal.id),
            )
            if request.count_kinds:
                response.counts.extend(
                    pb.NotificationKindCount(
                        kind=pb.NotificationKind.ValueType(kind), notifications=number, unread=unread
                    )
                    for kind, number, unread in sorted(rows.counts_by_kind(conn, principal.id))
                    if kind in kinds_for(principal.roles)
                )
        if len(found) > limit:
            response.next_page_token = encode_page_token((str(found[limit - 1].number),), bound_to)
        return response

    def _changes(self, principal: Principal, position: int) -> pb.WatchNotificationsResponse:
        kinds = set(kinds_for(principal.roles))
        with self._database.read() as conn:
            found = rows.after(conn, principal.id, position, WATCH_PAGE)
            return pb.WatchNotificationsResponse(
                notifications=[_shown(row) for row in found if row.kind in kinds],
                position=found[-1].number if found else max(position, rows.newest(conn, principal.id)),
                unread=rows.unread(conn, principal.id),
            )

    def _audience_violations(self, rules: Sequence[pb.NotificationRule]) -> list[Violation]:
        violations = []
        for at, rule in enumerate(rules):
            field, audience = f"rules[{at}].audience", rule.audience
            if not rule.HasField("audience"):
                violations.append(Violation(field, "required", "say whom the rule reaches"))
            elif audience.role and audience.role not in {role.value for role in Role}:
                violations.append(Violation(f"{field}.role", "notification.role", "there is no such role"))
            elif audience.webhook and audience.webhook not in self._webhooks:
                violations.append(self._no_webhook(f"{field}.webhook"))
        return violations

    def _no_webhook(self, field: str) -> Violation:
        known = ", ".join(self._webhooks) or "none is set"
        return Violation(field, "notification.webhook", f"not one of the settings: {known}")

    def _state(self) -> pb.ListOutboxStateResponse:
        with self._database.look() as conn:
            next_at = warnings.next_at(conn)
        response = pb.ListOutboxStateResponse(ways=map(_way_state, self._ways))
        if self._outbox is not None:
            response.ways.append(_outbox_state(self._outbox))
        if next_at:
            response.next_warning_at.CopyFrom(to_timestamp(next_at))
        return response


def _way_state(loop: DeliveryLoop) -> pb.OutboxState:
    state, progress = loop.state(), loop.progress
    shown_state = pb.OutboxState(
        way=loop.way.name,
        target=loop.way.target,
        waiting=state.waiting,
        sent=progress.sent,
        given_up=state.given_up,
        last_error=progress.last_error,
        failures=progress.failures,
    )
    if progress.taken_at:
        shown_state.last_taken_at.CopyFrom(to_timestamp(progress.taken_at))
    if state.oldest_at:
        shown_state.oldest_at.CopyFrom(to_timestamp(state.oldest_at))
    if state.next_at:
        shown_state.next_attempt_at.CopyFrom(to_timestamp(state.next_at))
    return shown_state


def _outbox_state(loop: OutboxLoop) -> pb.OutboxState:
    position, waiting = loop.lag()
    return pb.OutboxState(
        way="outbox",
        target=loop.publisher.target,
        waiting=waiting,
        sent=loop.progress.sent,
        last_error=loop.progress.last_error,
        failures=loop.progress.failures,
        position=position,
    )


def _shown(row: NotificationRow) -> pb.Notification:
    return shown(row.body, number=row.number, created_at=row.created_at, read_at=row.read_at)


def _require_valid(violations: Iterable[Violation]) -> None:
    found = list(violations)
    if found:
        raise InvalidRequestError(found)
