"""Authenticates, limits, authorises and paces every call before its handler runs, and records the outcome.

1. Authenticate the system, and the person in whose name it calls (authentication). Refused: UNAUTHENTICATED
   and nothing more, and a connection whose certificate is refused is ended; so is one too many of a caller
   (caller_connections).
2. Limit the caller (limits), whatever is called: RESOURCE_EXHAUSTED with the time to wait.
3. Authorise: the permission table; a method without a row is denied, an unknown one UNIMPLEMENTED.
4. Receive the request within the caller's buffers (limits), require a person's approval of it where the table says so
   (authentication), and wait for the caller's turn (pacing); streams wait for one before each message.
5. Parse the request, or refuse it as MALFORMED.
6. Run the handler, with `current_call()` set. Streams repeat steps 1 and 3 every few seconds and end when they fail.

Refusals are held back when a caller gets many (pacing), and a caller that leaves many calls at once is shut out
(caller_connections). What messages cost is charged to the caller.

Every outcome is an audit event. A refusal is recorded before it is answered; a stream when it opens; a unary call by
its handler before its effect (`Call.record`), or else before it is answered.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self, TypeAlias, cast

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError, Message

from gateway.errors import (
    GatewayError,
    Kind,
    MalformedError,
    MethodUnknownError,
    UnauthenticatedError,
)
from gateway.rpc.call_policy import UNKNOWN_METHOD, AdmittedCall, CallPolicy, Context, IdentifiedCaller
from gateway.rpc.calls import Call, OpenStreams, RunningCalls, StreamEnd, abort_with, charge_message, enter_call
from gateway.rpc.fairness.pacing import Turn
from gateway.rpc.listener.options import HEADER_OVERHEAD_BYTES, MAX_REQUEST_METADATA_BYTES

RECHECK_S = 5.0
"""Seconds between rechecks of an open stream: how long a revoked partner is still served."""

UNRECORDED = frozenset(f"/grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch"))
"""Methods without a record of permitted calls, since supervision calls them all the time."""

_log = structlog.get_logger(__name__)

# In quotes: gRPC's classes are generic in the type stubs alone.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Interceptor: TypeAlias = grpc.aio.ServerInterceptor
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Runs the steps before every handler of a server."""

    def __init__(self, policy: CallPolicy, *, recheck_s: float = RECHECK_S) -> None:
        self._policy = policy
        self._recheck_s = recheck_s
        self.unary_calls = RunningCalls()
        self.streams = OpenStreams()
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
        parse = _charged(handler.request_deserializer)
        serialise = _charged(handler.response_serializer, after=True)
        streams = handler.request_streaming or handler.response_streaming
        stream = partial(self._stream, many_requests=handler.request_streaming)
        guarded: Callable[..., Awaitable[Any]] = stream if streams else self._unary

        # To gRPC every call streams its requests: so it is admitted when its headers have come, and a single request is
        # received after that, within the caller's buffers. Those of a stream are parsed when the handler reads them.
        async def handle(requests: AsyncIterator[Any], context: Context) -> Any:
            with self._policy.watched(context) as caller:
                admission = await self._admitted(method, context, caller, streaming=streams)
                call, turn, request = await self._begun(
                    method, admission, context, receive=not handler.request_streaming
                )

                def run(end: StreamEnd | None = None) -> Any:
                    if request is None:
                        paced = _PacedRequests(requests, partial(self._policy.pace_message, call), end or StreamEnd())
                        return function(paced, context)
                    return function(parse(request), context)

                return await guarded(call, turn, context, run, serialise)

        return HANDLER_KINDS[handler.response_streaming](
            handle,
            request_deserializer=parse if handler.request_streaming else None,
            response_serializer=serialise if streams else None,
        )

    async def _unary(
        self, call: Call, turn: Turn, context: Context, run: Callable[[], Any], serialise: Callable[[Any], bytes]
    ) -> Any:
        self.unary_calls.begin()
        context.add_done_callback(lambda _: self.unary_calls.end())  # type: ignore[arg-type]
        try:
            response = await run()  # 6
            if not call.recorded and call.method not in UNRECORDED:
                call.record(repeatable=True)  # a handler records effects itself
            return self._held(call, context, serialise(response))
        except Exception as error:
            await self._fail(call, context, error)
        finally:
            call.charge(changes=call.changes)
            self._policy.end(call, turn)

    def _held(self, call: Call, context: Context, answer: bytes) -> bytes:
        caller, size = call.principal.account, len(answer)
        self._policy.buffers.hold(caller, size)
        context.add_done_callback(lambda _: self._policy.buffers.drop(caller, size))  # type: ignore[arg-type]
        return answer

    async def _stream(
        self,
        call: Call,
        turn: Turn,
        context: Context,
        run: Callable[[StreamEnd | None], Any],
        _serialise: Callable[[Any], bytes],
        *,
        many_requests: bool,
    ) -> Any:
        self._policy.admitted(turn)  # its messages take turns
        try:
            if call.method not in UNRECORDED:
                call.record(reason="STREAM_OPENED", repeatable=True)
            supervision = call.method in UNRECORDED  # its last message says NOT_SERVING
            streams = nullcontext(StreamEnd()) if supervision else self.streams.open()
            with streams as end, _Recheck(lambda: self._policy.recheck(call), self._recheck_s):
                pace = partial(self._policy.pace_message, call)
                with nullcontext() if many_requests else end.interruptible():
                    return await _result(run(end), context, pace)  # 6
        except Exception as error:
            await self._fail(call, context, error)

    async def _admitted(
        self,
        method: str,
        context: Context,
        caller: IdentifiedCaller,
        *,
        streaming: bool,
        refusal: Callable[[], GatewayError] | None = None,
    ) -> AdmittedCall:
        try:
            admission = await self._policy.admit(method, context, caller, streaming=streaming, refusal=refusal)
        except GatewayError as error:
            await self._refuse(context, error)
        except Exception as error:
            await abort_with(context, _internal(method if refusal is None else UNKNOWN_METHOD, error))
        context.add_done_callback(lambda _: self._policy.release(admission, streaming=streaming))  # type: ignore[arg-type]
        return admission

    async def _begun(
        self, method: str, admission: AdmittedCall, context: Context, *, receive: bool
    ) -> tuple[Call, Turn, bytes | None]:
        """Step 4; the turn must be given back."""
        caller, request = admission.principal.account, None
        try:
            if receive:
                self._policy.buffers.require_room(caller)
                request = await self._policy.buffers.receive(caller, context.read)
            approval = await self._policy.approve(method, admission, context, request)
            call, turn = await self._policy.begin(method, admission, len(request or b""), approval=approval)
        except GatewayError as error:
            await self._policy.refuse(method, admission.principal, error, context)
            await abort_with(context, error)
        enter_call(call)
        return call, turn, request

    async def _fail(self, call: Call, context: Context, error: Exception) -> NoReturn:
        if isinstance(error, grpc.aio.BaseError) or context.done():
            raise error  # the handler has ended the call, or the connection is gone
        failure = _as_gateway_error(call.method, error)
        self._policy.record_failure(call, failure)
        await abort_with(context, failure)

    def _refused(self, problem: Callable[[], GatewayError], *, end_connection: bool = False) -> Handler:
        """Handles a call that is refused whoever calls; the caller is authenticated for the record."""

        async def refuse(_requests: Any, context: Context) -> None:
            if end_connection:
                self._policy.disconnector.now(context.peer())
            with self._policy.watched(context) as caller:
                await self._admitted(UNKNOWN_METHOD, context, caller, streaming=False, refusal=problem)

        return grpc.stream_stream_rpc_method_handler(refuse)

    async def _refuse(self, context: Context, error: GatewayError) -> NoReturn:
        """Answers a refusal; a caller whose certificate is refused keeps its connection for the answer alone."""
        if isinstance(error, UnauthenticatedError):
            self._policy.disconnector.soon(context.peer())
        await abort_with(context, error)


class _PacedRequests:
    """A stream's requests, until the stream is ended; each but the first waits for a turn."""

    def __init__(self, requests: AsyncIterator[Any], pace: Callable[[], Awaitable[None]], end: StreamEnd) -> None:
        self._source = requests
        self._requests: AsyncIterator[Any] | None = None  # begun with the first: gRPC warns of one that isn't read
        self._pace = pace
        self._end = end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        with self._end.interruptible():
            if self._requests is None:
                self._requests = aiter(self._source)
            else:
                await self._pace()
            return await anext(self._requests)


class _Recheck:
    """Repeats a check every few seconds while its block runs; the check's error ends the block."""

    def __init__(self, check: Callable[[], Awaitable[None]], interval_s: float) -> None:
        self._check = check
        self._interval_s = interval_s
        self._error: GatewayError | None = None
        self._checking: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())  # gRPC gives each call a task
        self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        beat_in_s = self._interval_s - loop.time() % self._interval_s  # one wake-up checks all streams
        self._timer = loop.call_later(beat_in_s, self._run)

    def _run(self) -> None:
        self._checking = asyncio.create_task(self._checked(), name="recheck")

    async def _checked(self) -> None:
        try:
            await self._check()
        except GatewayError as error:
            self._error = error
            self._task.cancel()
        else:
            self._schedule()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._checking is not None:
            self._checking.cancel()
        # Cancelled by this check alone, not by the caller or the server too.
        if self._error is not None and isinstance(error, asyncio.CancelledError) and self._task.uncancel() == 0:
            raise self._error from None


async def _result(running: Any, context: Context, pace: Callable[[], Awaitable[None]]) -> Any:
    """Awaits a handler: a coroutine or an asynchronous generator of responses."""
    if not hasattr(running, "__aiter__"):
        return await running
    async with aclosing(running):  # ends it with the call, not at garbage collection
        async for response in running:
            await context.write(response)
            await pace()
    return None


def _charged(convert: Callable[[Any], Any] | None, *, after: bool = False) -> Callable[[Any], Any]:
    """Parses or serialises a message, and charges it to the call; the bytes come before that, or `after` it."""

    def converted(source: Any) -> Any:
        result = source if convert is None else convert(source)
        data, message = (result, source) if after else (source, result)
        charge_message(size=len(data), rows=_rows(message))
        return result

    return converted


def _rows(message: Any) -> int:
    """Items of a page or batch: what its repeated fields hold."""
    if not isinstance(message, Message):
        return 0
    return sum(len(value) for field, value in message.ListFields() if field.is_repeated)


def _headers_too_long() -> GatewayError:
    return MalformedError(f"the call's headers have more than {MAX_REQUEST_METADATA_BYTES:,} bytes")


def _unknown(method: str) -> GatewayError:
    return MethodUnknownError(f"{method[:200]} isn't served here")


def _oversized(metadata: Sequence[tuple[str, str | bytes]]) -> bool:
    """Whether headers exceed the limit: gRPC holds callers to it that have acknowledged it, and no others."""
    if len(metadata) * HEADER_OVERHEAD_BYTES > MAX_REQUEST_METADATA_BYTES:
        return True
    return sum(len(name) + len(value) + HEADER_OVERHEAD_BYTES for name, value in metadata) > MAX_REQUEST_METADATA_BYTES


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


HANDLER_KINDS: dict[bool, Callable[..., Handler]] = {
    False: grpc.stream_unary_rpc_method_handler,
    True: grpc.stream_stream_rpc_method_handler,
}
"""By whether it streams responses."""
