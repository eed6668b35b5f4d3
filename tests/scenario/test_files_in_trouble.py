# ruff: noqa: B023  # each loop runs once
"""Evidence files where something goes wrong: kills, cuts, narrow lines, changed bytes, scanners, and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from gateway.client import GatewayClient, evidence_of, new_request_id
from gateway.errors import FileNotReadyError, GatewayError
from gateway.v1.file_pb2 import FileState
from tests.support.federation import PULLED, Federation, eventually, with_logs
from tests.support.files import (
    GROUNDS,
    KEPT,
    about,
    came,
    digest,
    in_state,
    picture,
    published,
    read,
    signed,
    slowly,
    written,
)
from tests.support.postgres import PostgresServer

HERE = FileState.FILE_STATE_HERE
BITS_PER_S = 256_000


def test_a_kill_in_the_middle_of_an_upload_leaves_nothing_that_is_shown(tmp_path: Path) -> None:
    """And the same upload goes on where it was, with the same digest."""
    for nodes in with_logs(tmp_path, settings=KEPT):
        nodes.start("cn")
        content, upload_id = picture(4_000_000), new_request_id()

        async def cut_off(nodes: Federation = nodes, content: bytes = content, upload_id: str = upload_id) -> None:
            async with nodes.client("cn", "publisher") as risk:
                chunks = slowly(content, pieces=100, pause_s=0.05)
                going = asyncio.create_task(risk.files.put_stream(chunks, about(), upload_id=upload_id))
                await eventually(lambda: risk.files.upload_offset(upload_id), what="the first bytes")
                nodes["cn"].kill()
                with pytest.raises(GatewayError):
                    await going

        async def go_on(nodes: Federation = nodes, content: bytes = content, upload_id: str = upload_id) -> None:
            async with nodes.client("cn", "publisher") as risk:
                assert (await risk.files.list_page()).stored_bytes == 0
                assert 0 < await risk.files.upload_offset(upload_id) < len(content)
                stored = await risk.files.put(written(tmp_path, content), about(), upload_id=upload_id)
                assert (stored.state, stored.evidence.sha256) == (HERE, digest(content))
                assert await read(risk, digest(content)) == content
                assert list((nodes["cn"].data / "files" / "uploads").iterdir()) == []

        nodes.run(cut_off())
        nodes.start("cn")
        nodes.run(go_on())


@pytest.mark.parametrize("down", ["kill", "cut"])
def test_a_fetch_goes_on_where_it_was(tmp_path: Path, down: str) -> None:
    for nodes in with_logs(tmp_path, settings=KEPT):
        line = nodes.between("hk", "cn")
        line.narrow(2_000_000)
        nodes.start("cn", "hk")
        content = picture(1_500_000)

        async def run(nodes: Federation = nodes, content: bytes = content) -> None:
            async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as desk:
                await risk.files.put(written(tmp_path, content), about())
                reference = await published(risk, [signed(content)])
                await came(desk, reference)
                await desk.files.request(digest(content), reference, **GROUNDS)

                async def half() -> int:
                    file = await desk.files.get(digest(content))
                    assert file.state == FileState.FILE_STATE_FETCHING
                    return file.received_bytes if file.received_bytes > 200_000 else 0

                before = await eventually(half, what="some of the file")
                assert before < len(content)
                with pytest.raises(FileNotReadyError):
                    await read(desk, digest(content))
                forwarded = line.forwarded
                if down == "kill":
                    nodes["cn"].kill()
                    await asyncio.to_thread(nodes["cn"].start)
                else:
                    line.cut()
                    await asyncio.sleep(1)
                    line.heal()
                await in_state(desk, digest(content), HERE, within_s=100)
                assert await read(desk, digest(content)) == content
                assert line.forwarded - forwarded < len(content) - before + 400_000, "what was there went again"

        nodes.run(run())


def test_changed_bytes_of_a_partner_are_refused_and_told(tmp_path: Path) -> None:
    for nodes in with_logs(tmp_path, settings=KEPT):
        nodes.start("cn", "hk")
        content = picture()

        async def run(nodes: Federation = nodes, content: bytes = content) -> None:
            async with (
                nodes.client("cn", "publisher") as risk,
                nodes.client("hk", "officer") as desk,
                nodes.client("hk", "operator") as operator,
            ):
                await risk.files.put(written(tmp_path, content), about())
                reference = await published(risk, [signed(content)])
                await came(desk, reference)
                (stored,) = (nodes["cn"].data / "files").glob("??/*")
                stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
                await desk.files.request(digest(content), reference, **GROUNDS)
                refused = await in_state(desk, digest(content), FileState.FILE_STATE_REFUSED)
                assert "doesn't send the file that it signed" in refused.reason
                alarms = {alarm.code: alarm.message for alarm in (await operator.node.status()).alarms}
                assert "cn doesn't send the file that it signed" in alarms["FILE_WRONG"]
                assert [path for path in (nodes["hk"].data / "files").rglob("*") if path.is_file()] == []
                stored.write_bytes(content)
                await desk.files.request(digest(content), reference, **GROUNDS)  # asked again, it comes
                await in_state(desk, digest(content), HERE)

        nodes.run(run())


def test_alerts_don_t_wait_for_a_file_on_a_narrow_line(tmp_path: Path) -> None:
    """Over one connection of 256 kbit/s: alerts take little longer while a file goes than without one."""
    for nodes in with_logs(tmp_path, settings=KEPT, links=PULLED):
        nodes.start("cn")
        nodes.between("hk", "cn").narrow(BITS_PER_S)
        nodes.start("hk")
        content = picture(6_000_000)  # three minutes of the whole line

        async def run(nodes: Federation = nodes, content: bytes = content) -> None:
            async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as desk:
                await risk.files.put(written(tmp_path, content), about())
                reference = await published(risk, [signed(content)])
                await came(desk, reference)
                alone = [await latency_s(risk, desk) for _ in range(4)]
                await desk.files.request(digest(content), reference, **GROUNDS)

                async def begun() -> bool:
                    return (await desk.files.get(digest(content))).received_bytes > 30_000

                await eventually(begun, what="the beginning of the file")
                beside = [await latency_s(risk, desk) for _ in range(8)]
                file = await desk.files.get(digest(content))
                assert file.state == FileState.FILE_STATE_FETCHING, "the file was through too soon to tell"
                print(f"alerts alone {alone}, beside a file {beside}, {file.received_bytes} bytes of it came")
                assert sorted(beside)[len(beside) // 2] < sorted(alone)[len(alone) // 2] + 0.7
                assert max(beside) < max(alone) + 1.5

        nodes.run(run())


async def latency_s(sender: GatewayClient, reader: GatewayClient) -> float:
    """Seconds from the call to publish until the partner's officers see the alert."""
    began_s = time.monotonic()
    reference = await published(sender, [])
    await eventually(lambda: reader.get_alert(reference), every_s=0.02, what="the alert")
    return round(time.monotonic() - began_s, 2)


SCANNER = """#!/bin/sh
# Says of a file with EICAR in it that it is infected, fails for one with BROKEN, and hangs for one with SLOW.
if grep -q SLOW "$1"; then sleep 60; fi
if grep -q BROKEN "$1"; then echo "database out of date"; exit 2; fi
if grep -q EICAR "$1"; then echo "$1: Eicar-Test-Signature FOUND"; exit 1; fi
exit 0
"""


def test_nothing_is_shown_or_passed_on_before_it_is_scanned(tmp_path: Path) -> None:
    scanner = tmp_path / "scan.sh"
    scanner.write_text(SCANNER)
    scanner.chmod(0o700)
    kept = KEPT + f"scan_command = {json.dumps([str(scanner)])}\nscan_timeout_s = 1.0\n"
    for nodes in with_logs(tmp_path, settings_of=lambda node: kept if node == "cn" else KEPT):
        nodes.start("cn", "hk")
        clean, infected, broken, slow = (picture() + word for word in (b"", b"EICAR", b"BROKEN", b"SLOW"))

        async def run(nodes: Federation = nodes) -> None:
            async with (
                nodes.client("cn", "publisher") as risk,
                nodes.client("cn", "operator") as operator,
                nodes.client("hk", "officer") as desk,
            ):
                assert (await risk.files.limits()).scanned
                for content in (clean, infected, broken, slow):
                    await risk.files.put(written(tmp_path, content), about())
                reference = await published(risk, [signed(content) for content in (clean, infected, broken)])
                await came(desk, reference)
                await in_state(risk, digest(clean), HERE)
                quarantined = await in_state(risk, digest(infected), FileState.FILE_STATE_QUARANTINED)
                assert quarantined.reason == "file: Eicar-Test-Signature FOUND"
                for content in (clean, infected, broken):
                    await desk.files.request(digest(content), reference, **GROUNDS)
                await in_state(desk, digest(clean), HERE)
                refused = await in_state(desk, digest(infected), FileState.FILE_STATE_REFUSED)
                assert "quarantine" in refused.reason
                for content in (infected, broken, slow):
                    with pytest.raises(FileNotReadyError):
                        await read(risk, digest(content))

                async def told() -> bool:
                    alarms = (await operator.node.status()).alarms
                    return any(alarm.code == "FILE_SCANNER" for alarm in alarms)

                await eventually(told, what="the alarm of the scanner")

        nodes.run(run())


def test_files_on_postgresql(postgres_server: PostgresServer, tmp_path: Path) -> None:
    names = {node: postgres_server.create() for node in ("cn", "hk")}
    urls = {node: postgres_server.url_of(name) for node, name in names.items()}

    def settings(node: str) -> str:
        return (f"database_url = {json.dumps(urls[node])}\n" if node in urls else "") + KEPT

    try:
        for nodes in with_logs(tmp_path, settings_of=settings):
            nodes.start("cn", "hk")
            content = picture(400_000)

            async def run(nodes: Federation = nodes, content: bytes = content) -> None:
                async with (
                    nodes.client("cn", "publisher") as risk,
                    nodes.client("cn", "supervisor") as boss,
                    nodes.client("hk", "officer") as desk,
                ):
                    stored = await risk.files.put(written(tmp_path, content), about(file_name="盐田.jpg"))
                    reference = await published(risk, [evidence_of(stored)])
                    await came(desk, reference)
                    await desk.files.request(digest(content), reference, **GROUNDS)
                    await in_state(desk, digest(content), HERE)
                    assert await read(desk, digest(content)) == content
                    (listed,) = [file async for file in desk.files.list()]
                    assert listed.evidence.file_name == "盐田.jpg"
                    erased = await boss.files.erase(digest(content), reason="done")
                    assert erased.state == FileState.FILE_STATE_ERASED

            nodes.run(run())
    finally:
        for name in names.values():
            postgres_server.drop(name)
