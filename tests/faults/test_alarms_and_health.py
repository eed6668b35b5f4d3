"""Alarms rise, are repeated and end by themselves; readiness says which dependency fails, and liveness does not."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.contract.channel_options import channel_options
from gateway.errors import StoreUnavailableError
from gateway.feed.service.alarms import BACKLOG, DIRECTORY, DISK, MARKS, UNREACHABLE, UNRECEIPTED
from gateway.feed.service.continuity import mark_files
from gateway.feed.service.writing.transaction import Transaction
from gateway.node import health
from gateway.node.assembly.node import Node, system_clock_ms
from gateway.node.defaults import MARKS_FILE
from gateway.node.sections.observed_settings import AlarmSettings
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import Federation, alert, eventually

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
MINUTE_MS = 60_000
HK_MO = ("hk", "mo")


class Clock:
    """The time, and how far a test has moved it."""

    ahead_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


@asynccontextmanager
async def watched(federation: Federation, clock: Clock, alarms: AlarmSettings) -> AsyncIterator[Node]:
    """cn in this process, with its port for metrics and health."""
    settings = federation["cn"].settings.model_copy(update={"alarms": alarms, "metrics_bind": "0"})
    node = Node(settings, clock=clock)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def raised(node: Node, code: str) -> set[str]:
    """Subjects of the alarms of a code."""
    return {alarm.subject for alarm in node.alarms.list() if alarm.code == code}


async def page(node: Node, name: str) -> tuple[int, dict[str, str]]:
    """Status and lines of a page of the metrics port."""

    def fetch() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{node.telemetry.port}/{name}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    status, text = await asyncio.to_thread(fetch)
    return status, dict(line.split(": ") for line in text.splitlines())


def test_alarms_about_a_partner_rise_are_repeated_and_end(
    federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    bounds = AlarmSettings(unreachable_minutes=1, backlog_entries=2, unreceipted_minutes=1, repeat_minutes=1)

    async def run() -> None:
        async with watched(federation, clock, bounds) as node, federation.client("cn", "publisher") as risk:
            for _ in range(3):
                await risk.publish(alert(), ["hk"])
            assert raised(node, UNREACHABLE) == raised(node, UNRECEIPTED) == set()

            async def failed() -> bool:
                lines = [record.getMessage() for record in caplog.records]
                return all(any(line.startswith(f"{partner} isn't reached") for line in lines) for partner in HK_MO)

            await eventually(failed, what="the first failures to reach hk and mo, from which their minutes count")
            clock.ahead_ms = 2 * MINUTE_MS

            async def all_raised() -> bool:
                await risk.publish(alert(), ["hk"])
                assert "hk" in raised(node, UNREACHABLE)
                assert raised(node, UNRECEIPTED) == {"hk"}
                assert raised(node, BACKLOG) == {f"{FEDERATION}/cn/hk/alerts"}
                return True

            await eventually(all_raised, every_s=0.5, what="the alarms about hk")

            async def repeated() -> bool:
                lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
                return any(line.startswith(f"alarm {UNREACHABLE} lasts for ") for line in lines)

            assert not await repeated()
            clock.ahead_ms = 4 * MINUTE_MS
            await eventually(repeated, what="the alarm, logged again")
            await asyncio.to_thread(federation.start, "hk")

            async def calm() -> bool:
                assert "hk" not in raised(node, UNREACHABLE)
                assert raised(node, UNRECEIPTED) == raised(node, BACKLOG) == set()
                return True

            await eventually(calm, what="the end of the alarms about hk")
            assert "mo" in raised(node, UNREACHABLE)

    federation.run(run())


class Held:
    """A command that holds the writer until it is let go."""

    weight = 1

    def __init__(self) -> None:
        self.release = threading.Event()

    def execute(self, tx: Transaction) -> None:
        self.release.wait(60)


async def says(federation: Federation, service: str) -> int:
    """What the gRPC health service of our systems' port says of a name."""
    node = federation["cn"]
    options = channel_options(server_name=f"cn.{FEDERATION}")
    address, credentials = f"127.0.0.1:{node.local_port}", node.credentials("operator")
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int((await health_pb2_grpc.HealthStub(channel).Check(request, timeout=20)).status)


@contextmanager
def no_file(marks: Path) -> Iterator[None]:
    """A folder is there instead."""
    marks.rename(marks.with_name("elsewhere"))
    marks.mkdir()
    yield
    marks.rmdir()
    marks.with_name("elsewhere").rename(marks)


@contextmanager
def no_writing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk fails."""

    def fails(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(mark_files.os, "pwrite", fails)
        yield


def test_readiness_names_what_fails_and_comes_back(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWER_S", 2.0)  # 15 s else
    clock, now = Clock(), datetime.now(UTC).replace(microsecond=0)
    version = federation.directory
    federation.put_directory(replace(version, version=2, expires_at=now + timedelta(days=1), grace_days=0))

    async def run() -> None:
        async with watched(federation, clock, AlarmSettings(disk_free_mib=10**9)) as node:

            async def ready(*failed: str) -> bool:
                status, lines = await page(node, "readyz")
                assert {name for name, state in lines.items() if state == "failed"} == set(failed), lines
                assert status == (503 if failed else 200)
                assert (await page(node, "livez"))[0] == 200
                assert await says(federation, "liveness") == SERVING
                for name in ("database", "writer", "disk", "marks", "directory"):
                    expected = NOT_SERVING if name in failed else SERVING
                    assert await says(federation, f"readiness/{name}") == expected
                assert await says(federation, "readiness") == (NOT_SERVING if failed else SERVING)
                without_directory = set(failed) - {"directory"}
                expected = NOT_SERVING if without_directory else SERVING
                assert await says(federation, "gateway.v1.AlertService") == expected
                return True

            await eventually(ready, what="readiness at the start")
            assert raised(node, DISK) == {"own"}, "the disk is smaller than 1 PB"

            held = Held()
            node.writer.submit(held, lambda _: None)
            await eventually(lambda: ready("writer"), what="the silent writer")
            held.release.set()
            await eventually(ready, what="the writer's return")

            database = federation["cn"].database
            database.rename(database.with_name("elsewhere"))
            await eventually(lambda: ready("database"), what="the lost file")
            database.with_name("elsewhere").rename(database)
            await eventually(ready, what="the file's return")

            with monkeypatch.context() as full:
                full.setattr(health, "LEAST_FREE_BYTES", 2**60)  # more than this disk has
                await eventually(lambda: ready("disk"), what="the full disk")
            await eventually(ready, what="room on the disk")

            marks = federation["cn"].data / MARKS_FILE
            for failing in (no_file(marks), no_writing(monkeypatch)):
                async with federation.client("cn", "publisher") as risk:
                    with failing:
                        with pytest.raises(StoreUnavailableError, match="marks can't be written"):
                            await risk.publish(alert(), ["hk"])
                        await eventually(lambda: ready("marks"), what="the place of the marks that fails")
                        assert raised(node, MARKS) == {str(marks)}
                    await eventually(ready, what="marks that are written again")
                    assert not raised(node, MARKS)
                    await risk.publish(alert(), ["hk"])

            clock.ahead_ms = 25 * 60 * MINUTE_MS
            await eventually(lambda: ready("directory"), what="the end of the directory")
            assert raised(node, DIRECTORY)

    federation.run(run())
