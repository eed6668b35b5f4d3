"""Receipts are stamped by a third party: over its absence, in a bundle, and verified offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import new_alert
from gateway.evidence.codec.bundle import CONSISTENCY, TIME_STAMP
from gateway.tlog.consistency_file import parse_consistency_file
from gateway.v1 import alert_pb2
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.time_stamps import Authority, StampServer


@pytest.fixture
def server(tmp_path: Path) -> StampServer:
    return StampServer(Authority(tmp_path / "tsa"))


@pytest.fixture
def nodes(tmp_path: Path, server: StampServer) -> Iterator[Federation]:
    lines = f'[time_stamps]\nurl = "{server.url}"\ncertificates = "{server.authority.trusted}"\n'
    alarms = "[alarms]\nunstamped_minutes = 0\n"
    for made in with_logs(tmp_path, settings_of=lambda node: lines + alarms if node == "cn" else ""):
        made.start("cn", "hk")
        yield made


async def opened(nodes: Federation, suffix: str) -> None:
    """Waits until hk has opened that feed of cn's alerts."""
    async with nodes.client("cn", "operator") as operator:

        async def connected() -> bool:
            links = {link.origin: link.last_exchange_at.seconds for link in await operator.node.links()}
            return bool(links[f"{origin('cn', 'hk')}{suffix}"])

        await eventually(connected, what="the feed of urgent alerts open")


def test_an_urgent_alert_is_stamped_once_the_authority_is_back(
    nodes: Federation, server: StampServer, tmp_path: Path
) -> None:
    cli = Cli(nodes, "cn")

    async def published() -> str:
        await opened(nodes, "-a")
        async with nodes.client("cn", "publisher") as risk:
            content = new_alert(alert(priority=alert_pb2.PRIORITY_A), ["hk"]).content
            return (await risk.publish(content, ["hk"])).alert_id

    def is_alarm(status: Any) -> bool:
        return any(one["code"] == "TIME_STAMPS" for one in status["alarms"])

    alert_id = nodes.run(published())
    status = cli.eventually("operator", "status", until=is_alarm)
    (message,) = (one["message"] for one in status["alarms"] if one["code"] == "TIME_STAMPS")
    assert "Connection refused" in message
    doctor = cli.run("", "doctor", code=None).stdout
    assert "Time stamps" in doctor
    with server.running():
        cli.eventually("operator", "status", until=lambda status: not is_alarm(status))
        doctor = cli.run("", "doctor", code=None).stdout
        assert f"127.0.0.1:{server.port} stamps" in doctor
    nodes["cn"].stop()
    nodes["cn"].start()  # the stamp is in the database

    folder = tmp_path / "proof"
    cli.run("officer", "evidence", "export", f"cn/{alert_id}", "--out", folder)
    verify = ("evidence", "verify", folder, "--directory", nodes.folder.directory)
    verified = cli.json("", *verify, "--tsa-certificate", server.authority.trusted)
    assert [step["status"] for step in verified["steps"]] == ["passed"] * 12
    assert verified["steps"][-1]["detail"].startswith("existed before ")
    assert verified["evidence"]["feed"] == f"{origin('cn', 'hk')}-a"
    assert verified["evidence"]["time_stamp"]["is_trusted"] is True
    assert verified["evidence"]["existed_before"] == verified["evidence"]["time_stamp"]["time"]
    untrusted = cli.json("", *verify)
    assert untrusted["verified"] is True
    assert "signature is sound" in untrusted["steps"][-1]["detail"]
    assert untrusted["evidence"]["existed_before"] is None

    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(parse_consistency_file((folder / CONSISTENCY).read_bytes()).checkpoint_note)
    assert server.authority.verifies(folder / TIME_STAMP, checkpoint)
