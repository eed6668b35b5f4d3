"""Authenticates, authorises and limits every call before its handler runs, and records the outcome.

1. Authenticate (authentication). Refused: UNAUTHENTICATED and nothing more, and the connection is ended; so is one
   too many of a caller (caller_connections).
2. Authorise: the permission table; a method without a row is denied, an unknown one UNIMPLEMENTED.
3. Limit the caller (limits): RESOURCE_EXHAUSTED with the time to wait.
4. Receive the request within the caller's buffers (buffers), and parse it, or refuse it as MALFORMED.
5. Run the handler, with `current_call()` set. Streams repeat steps 1 and 2 every few seconds and end when they fail.

Every outcome is an audit event. A refusal is recorded before it is answered; a stream when it opens; a unary call by
its handler before its effect (`Call.record`), or else before it is answered.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, TypeAlias, cast

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError

from gateway.errors import (
    GatewayError,
    Kind,
    MalformedError,
    MethodUnknownError,
    OverloadedError,
    UnauthenticatedError,
)
from gateway.rpc.authentication import Authenticator
from gateway.rpc.buffers import CallerBuffers
from gateway.rpc.caller_connections import CallerConnections
from gateway.rpc.calls import Call, enter_call
from gateway.rpc.disconnection import Disconnector
from gateway.rpc.limits import CallerLimits
from gateway.rpc.options import HEADER_OVERHEAD_BYTES, MAX_REQUEST_METADATA_BYTES
from gateway.rpc.status import abort_with
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink
from gateway.trust.rules.permissions import PermissionTable, Principal

RECHECK_S = 5.0
"""Seconds between rechecks of an open stream: how long a revoked partner is still served."""

UNKNOWN_METHOD = "(unknown)"
"""Method in the audit event of an unknown one; the detail has its name."""

UNRECORDED = frozenset(f"/grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch"))
"""Methods without a record of permitted calls, since supervision calls them all the time."""

_log = structlog.get_logger(__name__)

# In quotes: gRPC's classes are generic in the type stubs alone.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"
Run: TypeAlias = Callable[[Call], Awaitable[Any]]
"""Receives and parses what comes first, and calls the handler; what that returns is awaited or iterated over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """Steps 1 to 3 of a listener's calls, and their audit events. `clock` gives the time with its zone."""

    authenticator: Authenticator
    permissions: PermissionTable
    limits: CallerLimits
    audit: AuditSink
    clock: Callable[[], datetime]
    connections: CallerConnections
    disconnector: Disconnector
    buffers: CallerBuffers = field(default_factory=CallerBuffers)
    monotonic_s: Callable[[], float] = field(default=time.monotonic)

    def time_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)

    def admit(self, method: str, context: Context, *, streaming: bool) -> Call:
        """Runs steps 1 to 3; `release` must follow when the call ends.

        Raises GatewayError, and records the refusal, if a step fails.
        """
        principal: Principal | None = None
        try:
            principal = self.authenticator.authenticate(context)  # 1
            self.connections.admit(context.peer(), principal.id)
            self.permissions.authorise(principal, method)  # 2
            self.limits.enter(principal, streaming=streaming, now_s=self.monotonic_s())  # 3
        except GatewayError as error:
            self.record_refusal(method, principal, error)
            raise
        return Call(principal, method, self.audit, self.time_ms)

    def release(self, call: Call, *, streaming: bool) -> None:
        self.limits.leave(call.principal, streaming=streaming)

    def recheck(self, call: Call) -> None:
        """Runs steps 1 and 2 again for an open stream. Raises GatewayError."""
        principal = self.authenticator.recheck(call.principal)
        self.permissions.authorise(principal, call.method)

    def record_refusal(self, method: str, principal: Principal | None, error: GatewayError) -> None:
        who = principal.id if principal is not None else f"unverified:{error.metadata.get('claimed', '')}"
        self._record(who, method, AuditResult.DENY, error.reason, error.message)

    def record_failure(self, call: Call, error: GatewayError) -> None:
        denied = error.kind in (Kind.PERMISSION_DENIED, Kind.UNAUTHENTICATED)
        result = AuditResult.DENY if denied else AuditResult.ERROR
        with self._or_logged(call.principal.id, call.method, error.reason):
            call.record(result=result, reason=error.reason, detail=error.message)

    def _record(self, who: str, method: str, result: AuditResult, reason: str, detail: str) -> None:
        event = AuditEntry(
            time_ms=self.time_ms(), principal=who, method=method, result=result, reason=reason, detail=detail
        )
        with self._or_logged(who, method, reason):
            self.audit(event)

    @contextmanager
    def _or_logged(self, who: str, method: str, reason: str) -> Iterator[None]:
        try:
            yield
        except OverloadedError:
            # The call ends with an error either way; the log keeps the outcome.
            _log.error("the audit log is full; an outcome is only here", principal=who, method=method, reason=reason)


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Runs the steps before every handler of a server."""

    def __init__(self, policy: CallPolicy, *, recheck_s: float = RECHECK_S) -> None:
        self._policy = policy
        self._recheck_s = recheck_s
        self._wrapped_handlers: dict[str, Handler] = {}

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        method = handler_call_details.method
        if _oversized(handler_call_details.invocation_metadata):
            return self._refused(_headers_too_long, end_connection=True)
        wrapped = self._wrapped_handlers.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None or not _is_asynchronous(handler):
                return self._refused(partial(_unknown, method))  # not cached: callers choose these names
            wrapped = self._wrapped_handlers[method] = self._wrapped(method, handler)
        return wrapped

    def _wrapped(self, method: str, handler: Handler) -> Handler:
        function = _function(handler)
        streams = handler.request_streaming or handler.response_streaming

        # To gRPC every call streams its requests: so it is admitted when its headers have come, and a single request is
        # received after that, within the caller's buffers. Those of a stream are parsed when the handler reads them.
        async def handle(requests: AsyncIterator[Any], context: Context) -> Any:
            async def run(call: Call) -> Any:
                if handler.request_streaming:
                    return function(requests, context)
                request = await self._policy.buffers.receive(call.principal.id, context.read)
                return function(_parsed(handler, request), context)

            if streams:
                return await self._stream(method, context, run)
            return await self._unary(method, context, run, handler.response_serializer)

        return _KINDS[handler.response_streaming](
            handle,
            request_deserializer=handler.request_deserializer if handler.request_streaming else None,
            response_serializer=handler.response_serializer if streams else None,
        )

    async def _unary(self, method: str, context: Context, run: Run, serialise: Callable[[Any], bytes] | None) -> Any:
        call = await self._admitted(method, context, streaming=False)
        try:
            self._policy.buffers.require_room(call.principal.id)
            response = await (await run(call))  # 5
            if not call.recorded and method not in UNRECORDED:
                call.record(repeatable=True)  # a handler records effects itself
            return self._held(call, context, response if serialise is None else serialise(response))
        except Exception as error:
            await self._fail(call, context, error)

    def _held(self, call: Call, context: Context, answer: bytes) -> bytes:
        caller, size = call.principal.id, len(answer)
        self._policy.buffers.hold(caller, size)
        context.add_done_callback(lambda _: self._policy.buffers.drop(caller, size))  # type: ignore[arg-type]
        return answer

    async def _stream(self, method: str, context: Context, run: Run) -> Any:
        call = await self._admitted(method, context, streaming=True)
        try:
            if method not in UNRECORDED:
                call.record(reason="STREAM_OPENED", repeatable=True)
            with _Recheck(lambda: self._policy.recheck(call), self._recheck_s):
                return await _result(await run(call), context)  # 5
        except Exception as error:
            await self._fail(call, context, error)

    async def _admitted(self, method: str, context: Context, *, streaming: bool) -> Call:
        try:
            call = self._policy.admit(method, context, streaming=streaming)
        except GatewayError as error:
            await self._refuse(context, error)
        except Exception as error:
            await abort_with(context, _internal(method, error))
        context.add_done_callback(lambda _: self._policy.release(call, streaming=streaming))  # type: ignore[arg-type]
        enter_call(call)
        return call

    async def _fail(self, call: Call, context: Context, error: Exception) -> NoReturn:
        if isinstance(error, grpc.aio.BaseError) or context.done():
            raise error  # the handler has ended the call, or the connection is gone
        failure = _as_gateway_error(call.method, error)
        self._policy.record_failure(call, failure)
        await abort_with(context, failure)

    def _refused(self, problem: Callable[[], GatewayError], *, end_connection: bool = False) -> Handler:
        """Handles a call that is refused whoever calls; the caller is authenticated for the record."""

        async def refuse(_requests: Any, context: Context) -> None:
            principal: Principal | None = None
            try:
                principal = self._policy.authenticator.authenticate(context)
                raise problem()
            except GatewayError as error:
                self._policy.record_refusal(UNKNOWN_METHOD, principal, error)
                if end_connection:
                    self._policy.disconnector.now(context.peer())
                await self._refuse(context, error)
            except Exception as error:
                await abort_with(context, _internal(UNKNOWN_METHOD, error))

        return grpc.stream_stream_rpc_method_handler(refuse)

    async def _refuse(self, context: Context, error: GatewayError) -> NoReturn:
        """Answers a refusal; a caller whose certificate is refused keeps its connection for the answer alone."""
        if isinstance(error, UnauthenticatedError):
            self._policy.disconnector.soon(context.peer())
        await abort_with(context, error)


class _Recheck:
    """Repeats a check every few seconds while its block runs; the check's error ends the block."""

    def __init__(self, check: Callable[[], None], interval_s: float) -> None:
        self._check = check
        self._interval_s = interval_s
        self._error: GatewayError | None = None

    def __enter__(self) -> None:
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())  # gRPC gives each call a task
        self._schedule()

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._run)

    def _run(self) -> None:
        try:
            self._check()
        except GatewayError as error:
            self._error = error
            self._task.cancel()
        else:
            self._schedule()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Cancelled by this check alone, not by the caller or the server too.
        if self._error is not None and isinstance(error, asyncio.CancelledError) and self._task.uncancel() == 0:
            raise self._error from None


async def _result(running: Any, context: Context) -> Any:
    """Awaits a handler: a coroutine or an asynchronous generator of responses."""
    if not hasattr(running, "__aiter__"):
        return await running
    async with aclosing(running):  # ends it with the call, not at garbage collection
        async for response in running:
            await context.write(response)
    return None


def _headers_too_long() -> GatewayError:
    return MalformedError(f"the call's headers have more than {MAX_REQUEST_METADATA_BYTES:,} bytes")


def _unknown(method: str) -> GatewayError:
    return MethodUnknownError(f"{method[:200]} isn't served here")


def _oversized(metadata: Sequence[tuple[str, str | bytes]]) -> bool:
    """Whether headers exceed the limit: gRPC holds callers to it that have acknowledged it, and no others."""
    if len(metadata) * HEADER_OVERHEAD_BYTES > MAX_REQUEST_METADATA_BYTES:
        return True
    return sum(len(name) + len(value) + HEADER_OVERHEAD_BYTES for name, value in metadata) > MAX_REQUEST_METADATA_BYTES


def _parsed(handler: Handler, request: bytes) -> Any:
    return request if handler.request_deserializer is None else handler.request_deserializer(request)


def _as_gateway_error(method: str, error: Exception) -> GatewayError:
    if isinstance(error, DecodeError):
        return MalformedError("the request isn't a message of the contract")
    if isinstance(error, GatewayError) and error.kind is not Kind.INTERNAL:
        return error
    return _internal(method, error)


def _internal(method: str, error: Exception) -> GatewayError:
    incident = secrets.token_hex(8)
    _log.error("a call failed with an unexpected error", method=method, incident=incident, exc_info=error)
    return GatewayError(f"{type(error).__name__}, incident {incident}", metadata={"incident": incident})


def _function(handler: Handler) -> Callable[[Any, Any], Any]:
    function = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    return cast("Callable[[Any, Any], Any]", function)


def _is_asynchronous(handler: Handler) -> bool:
    """Whether a handler can be served; a library's placeholder for a method that it lacks can't."""
    function = _function(handler)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


_KINDS: dict[bool, Callable[..., Handler]] = {
    False: grpc.stream_unary_rpc_method_handler,
    True: grpc.stream_stream_rpc_method_handler,
}
"""By whether it streams responses."""
