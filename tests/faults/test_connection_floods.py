"""More connections than a node takes, with no certificate at all: the other port and its callers go on."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.feed.service.alarms import CAPACITY
from gateway.node.host.capacity import LOCAL_CONNECTIONS, PEER_CONNECTIONS
from gateway.node.settings import ConnectionSettings
from gateway.v1.node_service_pb2 import GetNodeStatusResponse
from tests.support.federation import Federation, alert, eventually, with_logs

USUAL_LIMIT = 1_024
"""`ulimit -n` of most systems."""

SILENT = 1_100
"""Connections that say nothing: more than a process with the usual limit can have."""


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_silent_connections_to_the_peer_port_leave_the_local_port_served(federation: Federation) -> None:
    federation["cn"].start_command(descriptors=USUAL_LIMIT)

    async def run() -> None:
        async with (
            silent_connections(federation["cn"].peer_port, SILENT) as readers,
            federation.client("cn", "publisher") as publisher,
            federation.client("cn", "operator") as operator,
        ):
            full = await eventually(lambda: alarmed(operator.node.status()), what="the alarm")
            assert used(full, PEER_CONNECTIONS) <= ConnectionSettings().peer
            assert used(full, LOCAL_CONNECTIONS) == 1
            for _ in range(10):
                await publisher.publish(alert(), ["hk"])
            # gRPC ends those beyond the limit at once, the others after the time for a handshake.
            await asyncio.gather(*(reader.read() for reader in readers), return_exceptions=True)
            await eventually(lambda: calm(operator.node.status()), what="the end of the alarm")

    federation.run(run(), within_s=60)


@asynccontextmanager
async def silent_connections(port: int, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    opened = []
    try:
        for _ in range(count):
            opened.append(await asyncio.open_connection("127.0.0.1", port))
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.transport.abort()
        await asyncio.sleep(0)  # lets them close


async def alarmed(asking: object) -> GetNodeStatusResponse | None:
    status: GetNodeStatusResponse = await asking  # type: ignore[misc]
    return status if any(raised.code == CAPACITY for raised in status.alarms) else None


async def calm(asking: object) -> bool:
    return await alarmed(asking) is None


def used(status: GetNodeStatusResponse, name: str) -> int:
    return next(usage.used for usage in status.resources if usage.name == name)


def test_a_node_does_not_start_with_too_few_descriptors(federation: Federation) -> None:
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(federation["cn"].config)]
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -n 512; exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "connections.peer" in ended.stderr
    assert "512 files and connections" in ended.stderr.replace("\n", " ")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", federation["cn"].peer_port))
