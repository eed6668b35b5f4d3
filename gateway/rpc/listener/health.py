"""The gRPC health service of a listener."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health, health_pb2

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
