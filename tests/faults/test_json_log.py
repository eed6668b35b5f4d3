"""A log in JSON is JSON to its last line: start, errors, a killed worker, bad TLS, stop; it has ids, no contents."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import uuid
from typing import Any

import grpc
import psutil
import pytest

from gateway.contract.channel_options import channel_options
from gateway.errors import GatewayError
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2
from tests.support.federation import Federation, NodeProcess, alert, eventually
from tests.support.forked_commands import forked_commands
from tests.support.history_calls import calling
from tests.support.shipments import shipment

NARRATIVE = "Antimony ingots declared as lead."
PERSON = "Wong Tai Man of 8 Nathan Road"


def events(lines: str) -> list[dict[str, Any]]:
    """Every line as an event; fails with the first that is none."""
    found = []
    for line in lines.splitlines():
        event = json.loads(line)
        assert {"event", "level", "timestamp"} <= event.keys(), line
        found.append(event)
    return found


def as_json(node: NodeProcess, more: str = "") -> None:
    node.config.write_text(f'log_format = "json"\nlog_level = "debug"\n{more}{node.config.read_text("utf-8")}', "utf-8")


def bad_tls(node: NodeProcess) -> None:
    """Bytes that are no TLS, a handshake that ends at once, and a partner's certificate at our systems' port."""
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", node.peer_port), 5) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
    with grpc.insecure_channel(f"127.0.0.1:{node.local_port}") as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/gateway.v1.NodeService/GetNodeStatus")(b"", timeout=2)


def test_every_line_of_a_nodes_life_is_json(federation: Federation) -> None:
    node = federation["cn"]
    as_json(node)
    node.start_command()

    async def run() -> None:
        async with (
            federation.client("cn", "publisher") as risk,
            calling(federation, "cn", "publisher") as recorder,
        ):
            party = alert_pb2.AlertContent(
                narratives=[alert_pb2.Narrative(language="en", text=f"{NARRATIVE} {PERSON}")],
            )
            await risk.publish(alert(narratives=list(party.narratives)), ["hk"])
            with pytest.raises(GatewayError):
                await risk.publish(alert(purpose=PERSON, narratives=list(party.narratives)), ["nowhere"])
            assert await recorder.record(shipment(f"R-{uuid.uuid4().hex[:8]}"))

            async def worker() -> list[int]:
                children = psutil.Process(node.pid).children()
                return [child.pid for child in children if "history" in child.cmdline()]

            (pid, *_) = await eventually(worker, what="the worker process")
            os.kill(pid, signal.SIGKILL)

            async def told() -> bool:
                return "history process has ended by itself" in node.log

            await eventually(told, what="the line about the worker")
        unknown = channel_options(server_name=f"cn.{FEDERATION}")
        address = f"127.0.0.1:{node.local_port}"
        operator_channel = grpc.secure_channel(address, node.credentials("operator"), options=unknown)
        with operator_channel as channel, pytest.raises(grpc.RpcError):
            channel.unary_unary("/gateway.v1.NodeService/Nothing")(b"", timeout=10)
        bad_tls(node)

    federation.run(run())
    assert node.stop() == 0
    seen = events(node.log)
    assert any("serves partners on port" in event["event"] for event in seen)
    assert any("history process has ended by itself, with exit code -9" in event["event"] for event in seen)
    for secret in (NARRATIVE, PERSON):
        assert secret not in node.log


@pytest.mark.parametrize(
    ("broken", "variables", "says"),
    [
        ('local_bnd = "127.0.0.1:1"\n', {}, "local_bind"),
        ('metrics_bind = "192.0.2.1:9464"\n', {}, "can't serve metrics on 192.0.2.1:9464"),
        ('database_url = "mysql://db/gateway"\n', {"GATEWAY_LOG_FORMAT": "json"}, "mysql"),
        ("", {"GATEWAY_LOG_LEVL": "debug"}, "GATEWAY_LOG_LEVL is no setting"),
    ],
    ids=["setting", "port", "database", "variable"],
)
def test_an_error_at_the_start_is_json_too(
    federation: Federation, broken: str, variables: dict[str, str], says: str
) -> None:
    node = federation["cn"]
    as_json(node, broken)
    command = [forked_commands() / "gateway", "serve", "--config", str(node.config)]
    ended = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=300, check=False
    )
    last = events(ended.stderr)[-1]
    assert says in last["event"]
    assert {"reason", "way_out"} <= last.keys()
    assert ended.returncode == 2
    assert ended.stdout == ""
