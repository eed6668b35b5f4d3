"""A database that is gone: health checks say so on both ports, nothing is acknowledged, and its return ends it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import NullPool, create_engine, text

from gateway.contract.channel_options import channel_options
from gateway.errors import StoreUnavailableError
from gateway.node.assembly.node import Node
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.trial_federation import FEDERATION
from tests.support import waiting
from tests.support.command_line import PATIENCE_S, Cli
from tests.support.federation import Federation, alert, eventually
from tests.support.forked_commands import forked_commands
from tests.support.postgres import EmbeddedServer, embedded_server

PAGE_BYTES = 4096
"""Of SQLite: the first page has the header, by which a file is a database at all."""

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def healths(federation: Federation, name: str = "cn") -> set[int]:
    """What a node's two ports say of themselves and of their services: to hk, and to an own operator."""
    node, partner = federation[name], federation["hk"].folder
    as_partner = channel_credentials(
        node.folder.ca.read_bytes(), partner.certificate.read_bytes(), partner.key.read_bytes()
    )
    options = channel_options(server_name=f"{name}.{FEDERATION}")
    said = set()
    for port, credentials, service in (
        (node.peer_port, as_partner, "gateway.v1.ExchangeService"),
        (node.local_port, node.credentials("operator"), "gateway.v1.AlertService"),
    ):
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
            for asked in ("", service):
                request = health_pb2.HealthCheckRequest(service=asked)
                said.add((await health_pb2_grpc.HealthStub(channel).Check(request, timeout=20)).status)
    return said


async def all_say(federation: Federation, status: int) -> None:
    async def same() -> bool:
        return await healths(federation) == {status}

    await eventually(same, what="the answer of the health checks")


async def container_check(federation: Federation) -> int:
    """Exit code of the containers' health check."""
    config = federation["cn"].config
    environment = {**os.environ, "GATEWAY_CONFIG": str(config), "GATEWAY_SYSTEM": "operator"}
    command = forked_commands() / "gateway", "status", "--json"
    check = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
    return await check.wait()


def test_a_removed_file_is_no_database(federation: Federation) -> None:
    federation.start("cn")
    database = federation["cn"].database

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            await all_say(federation, SERVING)
            await risk.publish(alert(), ["hk"])
            database.rename(database.with_name("elsewhere"))
            with pytest.raises(StoreUnavailableError, match="is gone"):
                await risk.publish(alert(), ["hk"])
            await all_say(federation, NOT_SERVING)
            assert "DATABASE" in {alarm.code for alarm in (await operator.node.status()).alarms}
            assert await container_check(federation) == 1
            database.with_name("elsewhere").rename(database)
            await all_say(federation, SERVING)
            await risk.publish(alert(), ["hk"])
            assert "DATABASE" not in {alarm.code for alarm in (await operator.node.status()).alarms}
            assert await container_check(federation) == 0

    federation.run(run())
    assert federation["cn"].feed(f"{FEDERATION}/cn/hk/alerts").size == 2


def test_a_stopped_postgresql_is_no_database(federation: Federation) -> None:
    node = federation["cn"]

    async def run(server: EmbeddedServer) -> None:
        serving = Node(node.settings.model_copy(update={"database_url": server.url}))
        await serving.start()
        try:
            async with federation.client("cn", "publisher") as risk:
                await all_say(federation, SERVING)
                await risk.publish(alert(), ["hk"])
                await asyncio.to_thread(server.stop)
                await all_say(federation, NOT_SERVING)
                with pytest.raises(StoreUnavailableError):
                    await risk.publish(alert(), ["hk"])
                await asyncio.to_thread(server.start)
                await all_say(federation, SERVING)
                await risk.publish(alert(), ["hk"])
        finally:
            await serving.stop()

    with embedded_server() as server:
        federation.run(run(server))


async def _told(federation: Federation, name: str = "cn") -> str:
    """What the alarm DATABASE says in a status; the status answers whatever the database does."""
    async with federation.client(name, "operator") as operator:
        status = await operator.node.status()
        assert status.node == name
        assert status.version
        assert status.resources
        return next((alarm.message for alarm in status.alarms if alarm.code == "DATABASE"), "")


def test_the_status_is_told_beside_a_database_that_is_gone_or_locked(federation: Federation) -> None:
    node = federation["cn"]

    async def says(words: str) -> None:
        async def told() -> bool:
            return words in await _told(federation)

        await eventually(told, what=f"an alarm that says {words!r}")

    async def run(server: EmbeddedServer) -> None:
        serving = Node(node.settings.model_copy(update={"database_url": server.url}))
        await serving.start()
        try:
            await all_say(federation, SERVING)
            url = server.url.replace("postgresql:", "postgresql+psycopg:")
            with create_engine(url, poolclass=NullPool).connect() as other:
                other.execute(text("LOCK TABLE feeds, journal IN ACCESS EXCLUSIVE MODE"))
                await says("has not answered for 5 s")
            await all_say(federation, SERVING)
            assert await _told(federation) == ""
            await asyncio.to_thread(server.stop)
            await says("can't be used")
            await asyncio.to_thread(server.start)
            await all_say(federation, SERVING)
        finally:
            await serving.stop()

    with embedded_server() as server:
        federation.run(run(server))


def test_the_status_is_told_beside_a_damaged_database(federation: Federation) -> None:
    federation.start("mo")
    database = federation["mo"].database

    async def run() -> None:
        assert await _told(federation, "mo") == ""
        with closing(sqlite3.connect(database)) as other:  # or pages that the log still has would come back from there
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with database.open("r+b") as file:
            file.seek(PAGE_BYTES)
            file.write(b"\xff" * (database.stat().st_size - PAGE_BYTES))

        async def damaged() -> bool:
            return "damaged" in await _told(federation, "mo")

        await eventually(damaged, what="the alarm about the damage")

    federation.run(run())
    assert "damaged" in shown_alarm(federation, "mo")
    assert "damaged" in shown_to_people(federation, "mo", code=1)
    federation["mo"].kill()


def test_the_command_shows_the_status_beside_a_locked_file(federation: Federation) -> None:
    """Another program has begun to write, and doesn't end."""
    federation.start("cn")
    assert shown_alarm(federation, "cn") == ""
    with closing(sqlite3.connect(federation["cn"].database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waiting.eventually(lambda: "database is locked" in shown_alarm(federation, "cn"), within_s=PATIENCE_S)
        assert "database is locked" in shown_to_people(federation, "cn", code=1)
        other.execute("ROLLBACK")
        waiting.eventually(lambda: shown_alarm(federation, "cn") == "", within_s=PATIENCE_S)
        assert "No alarms" in shown_to_people(federation, "cn", code=0)


def shown_alarm(federation: Federation, name: str) -> str:
    """What `gateway status --json` says of the database; empty without an alarm."""
    alarms = Cli(federation, name).json("operator", "status", code=None).get("alarms", [])
    return next((str(alarm["message"]) for alarm in alarms if alarm["code"] == "DATABASE"), "")


def shown_to_people(federation: Federation, name: str, *, code: int) -> str:
    return " ".join(Cli(federation, name).run("operator", "status", code=code).output.split())
