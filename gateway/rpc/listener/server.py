"""Builds a gRPC server with credentials, interceptors, health and reflection, and the services of the two ports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.errors import ConfigurationError, StoppingError
from gateway.rpc.calls import OpenStreams, RunningCalls
from gateway.rpc.listener.options import CONNECTION_AGE_MS, PortLimits, server_options
from gateway.rpc.listener.tls_probe import require_tls13_only
from gateway.v1 import (
    alert_service_pb2_grpc,
    evidence_service_pb2_grpc,
    exchange_service_pb2_grpc,
    history_service_pb2_grpc,
    node_service_pb2_grpc,
    watchlist_service_pb2_grpc,
)

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"
"""Names beside those of services: whether only a restart would help, and whether the node takes work.

`readiness/database` and the like stand for one dependency.
"""


class HealthService(health.aio.HealthServicer):  # type: ignore[misc]  # it has no types
    """The library's service, with the method that it leaves out.

    Without a coroutine of its own for List, the library's plain function would fail before the caller is authenticated.
    """

    async def enter_graceful_shutdown(self) -> None:
        """Reports NOT_SERVING for good; only LIVENESS stays, or a supervisor would kill a node that stops in order."""
        alive = self._server_status.pop(LIVENESS, None)
        await super().enter_graceful_shutdown()
        if alive is not None:
            self._server_status[LIVENESS] = alive

    async def report(self, serving: Mapping[str, bool]) -> None:
        """Sets the status of each name, where it differs from the one before: watchers are told of changes."""
        for name, serves in serving.items():
            status = health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
            if self._server_status.get(name) != status:
                await self.set(name, status)

    async def List(
        self, request: health_pb2.HealthListRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthListResponse:
        """Status of every service."""
        statuses = {name: health_pb2.HealthCheckResponse(status=status) for name, status in self._server_status.items()}
        return health_pb2.HealthListResponse(statuses=statuses)


COME_BACK_S = 0.5
"""Seconds after which a stream that a stop ended may be opened again: elsewhere, or here after the start."""

STATUS_S = 0.05
"""Seconds for the last statuses to be sent."""

APART_S = 60.0
"""Seconds by which gRPC's grace ends after the stop below: of two stops that end at one moment one cancels the calls of
a server that is freed already, which ends the process (grpcio 1.85)."""

Register = Callable[[grpc.aio.Server], None]
"""Adds one service's handlers to a server."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A server that is bound to its port.

    Attributes:
        host, port: bound address; the chosen port if 0 was requested.
        health: SERVING between `start` and `stop`, unless `report` says otherwise.
    """

    server: grpc.aio.Server
    host: str
    port: int
    health: HealthService
    services: tuple[str, ...]

    async def start(self) -> None:
        """Starts serving, then checks from outside that the TLS floor holds.

        Raises:
            ConfigurationError: the port accepts less than TLS 1.3; the listener is stopped again.
        """
        await self.server.start()
        try:
            await asyncio.to_thread(require_tls13_only, self._reachable_host(), self.port)
        except BaseException:
            await self.server.stop(None)
            raise
        await self.report(dict.fromkeys(("", *self.services), True))

    async def report(self, serving: Mapping[str, bool]) -> None:
        """Says to health checks which names serve: services, and "" for all. A stop can't be taken back."""
        await self.health.report(serving)

    async def stop(
        self, grace_s: float, *, unary_calls: RunningCalls | None = None, streams: OpenStreams | None = None
    ) -> None:
        """Reports NOT_SERVING, refuses new calls, gives running ones `grace_s` seconds, then cancels them.

        Streams are told to come back: they take no more requests, answer those that they took, and end.
        """
        await self.health.enter_graceful_shutdown()
        stopping = asyncio.ensure_future(self.server.stop(grace_s + APART_S))
        await asyncio.sleep(0)  # it is the first, and the stop below the second
        if streams is not None:
            streams.end(StoppingError("this gateway stops", retry_after_s=COME_BACK_S))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                if streams is not None:
                    await streams.ended()
                if unary_calls is not None:
                    await unary_calls.ended()
                await asyncio.sleep(STATUS_S)
        await self.server.stop(None)
        await stopping

    def _reachable_host(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  a comparison, no bind


class _Methods(grpc.GenericRpcHandler):
    """Finds a call's method among those of all services, which are added to it as to a server.

    gRPC's server keeps a task for each method that is registered with it, and each call makes it wait anew for all of
    them (grpcio 1.85, `AioServer._server_main_loop`): with eighty methods that is a fifth of a publish. Of a generic
    handler it keeps one.
    """

    def __init__(self) -> None:
        self._by_path: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Nothing: generated code says the same by `add_registered_method_handlers`."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Adds a service's methods by their names."""
        self._by_path.update({f"/{service}/{name}": handler for name, handler in handlers.items()})

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method that a call names; None where there is none, which gRPC answers with UNIMPLEMENTED."""
        return self._by_path.get(handler_call_details.method)


def build_server(
    *,
    bind: str,
    credentials: grpc.ServerCredentials,
    limits: PortLimits,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    services: Mapping[str, Register],
    reflect: bool = False,
    connection_age_ms: int = CONNECTION_AGE_MS,
) -> Listener:
    """Builds a listener; nothing is served before `start`.

    Args:
        bind: `host:port`; port 0 chooses a free one.
        limits: what the port takes before a caller is known.
        interceptors: `AuthInterceptor` first.
        services: by full name, e.g. `gateway.v1.AlertService`.

    Raises:
        ConfigurationError: the address can't be bound, e.g. another process uses it.
    """
    server = grpc.aio.server(
        interceptors=list(interceptors), options=server_options(limits, connection_age_ms=connection_age_ms)
    )
    methods = _Methods()
    handlers = cast(grpc.aio.Server, methods)
    for register in services.values():
        register(handlers)
    checks = HealthService()
    health_pb2_grpc.add_HealthServicer_to_server(checks, handlers)
    if reflect:
        reflection.enable_server_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME], handlers)
    server.add_generic_rpc_handlers((methods,))
    return Listener(
        server, bind.rpartition(":")[0].strip("[]"), _bound(server, bind, credentials), checks, tuple(services)
    )


def _bound(server: grpc.aio.Server, bind: str, credentials: grpc.ServerCredentials) -> int:
    try:
        port = server.add_secure_port(bind, credentials)
    except RuntimeError as error:
        raise ConfigurationError(f"can't listen on {bind}: {error}") from error
    if port == 0:
        raise ConfigurationError(f"can't listen on {bind}")
    return port


def peer_services(*, exchange: exchange_service_pb2_grpc.ExchangeServiceServicer) -> Mapping[str, Register]:
    """Services of the peer port."""
    return {
        "gateway.v1.ExchangeService": lambda server: exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(
            exchange, server
        )
    }


def local_services(
    *,
    alert: alert_service_pb2_grpc.AlertServiceServicer,
    evidence: evidence_service_pb2_grpc.EvidenceServiceServicer,
    history: history_service_pb2_grpc.HistoryServiceServicer,
    node: node_service_pb2_grpc.NodeServiceServicer,
    watchlist: watchlist_service_pb2_grpc.WatchlistServiceServicer,
) -> dict[str, Register]:
    """Services of the local port."""
    return {
        "gateway.v1.AlertService": lambda server: alert_service_pb2_grpc.add_AlertServiceServicer_to_server(
            alert, server
        ),
        "gateway.v1.EvidenceService": lambda server: evidence_service_pb2_grpc.add_EvidenceServiceServicer_to_server(
            evidence, server
        ),
        "gateway.v1.HistoryService": lambda server: history_service_pb2_grpc.add_HistoryServiceServicer_to_server(
            history, server
        ),
        "gateway.v1.NodeService": lambda server: node_service_pb2_grpc.add_NodeServiceServicer_to_server(node, server),
        "gateway.v1.WatchlistService": lambda server: watchlist_service_pb2_grpc.add_WatchlistServiceServicer_to_server(
            watchlist, server
        ),
    }
