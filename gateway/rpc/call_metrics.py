"""Counts and times every call of a port, refused ones too; the outermost interceptor.

Labels have few values: methods of the permission table, codes of gRPC. All other methods are one, UNKNOWN_METHOD.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from grpc.aio import AbortError

from gateway.rpc.call_policy import UNKNOWN_METHOD, Context
from gateway.rpc.interceptors import HANDLER_KINDS, Continuation, Handler
from gateway.telemetry.gauges import Labels
from gateway.telemetry.metrics import Metrics

WATCH = "Watch"
"""Beginning of the name of each method whose callers wait for changes."""

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class CallMetrics(grpc.aio.ServerInterceptor):
    """Counts the calls of one port, for one event loop.

    Args:
        port: `peer` or `local`.
        methods: all that are served, e.g. `/gateway.v1.AlertService/GetAlert`.
    """

    def __init__(self, port: str, methods: Iterable[str], metrics: Metrics) -> None:
        self._port = port
        self._metrics = metrics
        self._unary = {method: _is_unary(method) for method in methods}
        self._running: Counter[str] = Counter()
        self._counted: dict[str, tuple[Handler, Handler]] = {}
        self._ended: dict[tuple[str, str], Callable[[], None]] = {}
        self._timed: dict[str, Callable[[float], None]] = {}

    def running(self) -> Mapping[Labels, float]:
        """Calls that run now, by port and method. From any thread."""
        return {(self._port, method): float(number) for method, number in list(self._running.items())}

    def watchers(self) -> Mapping[Labels, float]:
        """Open streams of watchers, by method. From any thread."""
        return {
            (method,): float(self._running[method])
            for method in self._unary
            if method.rpartition("/")[2].startswith(WATCH)
        }

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method not in self._unary:
            return None if handler is None else self._wrapped(UNKNOWN_METHOD, handler)
        known, wrapped = self._counted.get(method, (None, None))
        if wrapped is None or known is not handler:
            wrapped = self._wrapped(method, handler)
            self._counted[method] = handler, wrapped
        return wrapped

    def _wrapped(self, method: str, handler: Handler) -> Handler:
        """The same handler, counted. `AuthInterceptor` gives coroutines whose requests are streams."""
        function: Any = handler.stream_stream if handler.response_streaming else handler.stream_unary
        unary = self._unary.get(method, False)

        async def counted(requests: Any, context: Context) -> Any:
            began = time.perf_counter()
            self._running[method] += 1
            code = "UNKNOWN"
            try:
                result = await function(requests, context)
                code = _code(context)
                return result
            except AbortError:
                code = _code(context)
                raise
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED.name
                raise
            finally:
                self._running[method] -= 1
                self._end(method, code, time.perf_counter() - began if unary else None)

        return HANDLER_KINDS[handler.response_streaming](
            counted,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _end(self, method: str, code: str, seconds: float | None) -> None:
        ended = self._ended.get((method, code))
        if ended is None:
            ended = self._ended[method, code] = self._metrics.calls.labels(self._port, method, code).inc
        ended()
        if seconds is not None:
            timed = self._timed.get(method)
            if timed is None:
                timed = self._timed[method] = self._metrics.call_seconds.labels(self._port, method).observe
            timed(seconds)


def _code(context: Context) -> str:
    code: Any = context.code()
    return _CODES.get(code.value[0] if isinstance(code, grpc.StatusCode) else code or 0, "UNKNOWN")


def _is_unary(method: str) -> bool:
    """Whether a method takes one request and gives one response; its time then says something.

    A method of a service that isn't on at this node, whose contract nobody has loaded, counts as none.
    """
    try:
        found = descriptor_pool.Default().FindMethodByName(method.lstrip("/").replace("/", "."))
    except KeyError:
        return False
    return not (found.client_streaming or found.server_streaming)
