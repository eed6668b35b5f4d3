"""A node whose signing keys are in a hardware token: it signs, is locked, loses the token and goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.client import GatewayClient, new_alert
from gateway.contract.channel_options import channel_options
from gateway.contract.status import from_failed_call
from gateway.errors import DeadlineExceededError
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.alert_service_pb2_grpc import AlertServiceStub
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, free_port, origin, with_logs
from tests.support.tokens import MODULE, PIN, SoftToken, needs_softhsm

pytestmark = needs_softhsm

UNDER_LOAD = 16
"""Publishers at once."""


@pytest.fixture
def token(tmp_path: Path) -> SoftToken:
    return SoftToken(tmp_path / "token", "cn hsm")


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text(f"{PIN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def nodes(tmp_path: Path, token: SoftToken, pin_file: Path) -> Iterator[Federation]:
    lines = f'[tokens."{token.label}"]\nmodule = "{MODULE}"\npin_file = "{pin_file}"\n'
    for made in with_logs(tmp_path, settings_of=lambda node: lines if node == "cn" else ""):
        cn = made["cn"]
        settings = cn.config.read_text()
        for use, file in (("log", cn.folder.log_key), ("receipts", cn.folder.receipts_key)):
            token.take(file, use)
            assert settings.count(f'{use} = "{file}"') == 1
            settings = settings.replace(f'{use} = "{file}"', f'{use} = "{token.uri(use)}"')
            file.rename(file.with_suffix(".moved"))
        cn.config.write_text(f'metrics_bind = "{free_port()}"\n{settings}')
        yield made


def start(nodes: Federation, token: SoftToken) -> None:
    nodes["cn"].start(**token.environment)
    nodes["hk"].start()


def metric(nodes: Federation, state: str) -> float:
    """Whether cn's token is in a state, by its metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{nodes['cn'].settings.metrics_bind}/metrics", timeout=20) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    [value] = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "gateway_signing_token_state" and sample.labels == {"token": "cn hsm", "state": state}
    ]
    return value


def signer_of(nodes: Federation) -> int:
    """Process id of cn's signer."""
    [found] = [
        child.pid
        for child in psutil.Process(nodes["cn"].pid).children()
        if "gateway.trust.pki.token_process" in child.cmdline()
    ]
    return found


async def publish(client: GatewayClient) -> str:
    return (await client.publish(new_alert(alert(), ["hk"]).content, ["hk"])).alert_id


def test_what_a_token_signs_is_received_and_verifies(nodes: Federation, token: SoftToken, tmp_path: Path) -> None:
    start(nodes, token)

    async def there_and_back() -> str:
        async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "publisher") as hk:
            there, back = await publish(cn), (await hk.publish(new_alert(alert(), ["cn"]).content, ["cn"])).alert_id
            await receipted(nodes, "hk", origin("hk", "cn"))
            await receipted(nodes, "cn", origin("cn", "hk"))
            return there if back else ""

    alert_id = nodes.run(there_and_back())
    bundle = tmp_path / "evidence.zip"
    Cli(nodes, "cn").run("auditor", "evidence", "export", alert_id, "--out", bundle)
    directory = nodes["cn"].settings.directory.file
    verified = Cli(nodes, "cn").json("", "evidence", "verify", bundle, "--directory", directory)
    assert verified["verified"] is True
    keys = Cli(nodes, "cn").json("operator", "keys", "list")
    assert [(key["use"], key["place"], key["state"]) for key in keys] == [
        ("log", token.uri("log"), "ready"),
        ("receipts", token.uri("receipts"), "ready"),
    ]
    assert PIN not in nodes["cn"].log


async def receipted(nodes: Federation, node: str, feed: str) -> None:
    """Waits until everything in an own feed is receipted."""
    async with nodes.client(node, "operator") as operator:

        async def done() -> bool:
            [link] = [link for link in await operator.node.links() if link.origin == feed]
            return bool(link.size) and link.size == link.receipted_size

        await eventually(done, what=f"{feed} receipted")


async def is_refused(nodes: Federation) -> bool:
    """Whether a call without retries is refused for want of the token, with a time to try again."""
    cn = nodes["cn"]
    options = channel_options(server_name=f"cn.{FEDERATION}")
    async with grpc.aio.secure_channel(
        f"127.0.0.1:{cn.local_port}", cn.credentials("publisher"), options=[*options, ("grpc.enable_retries", 0)]
    ) as channel:
        try:
            await AlertServiceStub(channel).PublishAlert(new_alert(alert(), ["hk"]))
        except grpc.aio.AioRpcError as failure:
            error = from_failed_call(
                failure.code().value[0], failure.details() or "", failure.trailing_metadata() or ()
            )
            return (error.reason, error.retry_after_s) == ("SIGNING_KEY_UNAVAILABLE", 1.0)
        return False


@pytest.mark.parametrize("loss", ["token", "process"])
def test_a_token_lost_under_load_is_said_at_once_and_nothing_is_lost(
    nodes: Federation, token: SoftToken, loss: str
) -> None:
    start(nodes, token)
    cli = Cli(nodes, "cn")
    published: list[str] = []
    is_over = asyncio.Event()

    async def load(client: GatewayClient) -> None:
        while not is_over.is_set():
            try:
                published.append(await publish(client))
            except DeadlineExceededError:  # the client tried again until then
                continue

    async def lose_and_bring_back() -> None:
        async with nodes.client("cn", "publisher", timeout_s=1.0) as client:
            tasks = [asyncio.create_task(load(client)) for _ in range(UNDER_LOAD)]
            await eventually(lambda: enough(published, 50), what="alerts before the loss")
            if loss == "token":
                token.unplug()
            else:
                os.kill(signer_of(nodes), signal.SIGKILL)
            if loss == "token":
                await eventually(lambda: is_refused(nodes), what="a refusal")
                assert await asyncio.to_thread(states_of, cli) == {"lost"}
                assert "SIGNING_TOKEN" in await asyncio.to_thread(alarms_of, cli)
                token.plug_in()
            before = len(published)
            await eventually(lambda: enough(published, before + 50), what="alerts after the loss")
            is_over.set()
            await asyncio.gather(*tasks)

    nodes.run(lose_and_bring_back())
    assert f"alarm SIGNING_TOKEN: token {token.label} is lost" in nodes["cn"].log
    assert "commit failed" not in nodes["cn"].log
    assert "alarm DATABASE" not in nodes["cn"].log
    nodes.run(receipted(nodes, "cn", origin("cn", "hk")))
    assert len(set(published)) == len(published)
    with_partner = nodes["hk"].feed(origin("cn", "hk"))
    assert with_partner.size >= len(published)
    cli.eventually(
        "operator", "status", until=lambda status: "SIGNING_TOKEN" not in {a["code"] for a in status["alarms"]}
    )


async def enough(collected: list[Any], count: int) -> bool:
    return len(collected) >= count


def states_of(cli: Cli) -> set[str]:
    return {key["state"] for key in cli.json("operator", "keys", "list")}


def alarms_of(cli: Cli) -> set[str]:
    return {one["code"] for one in cli.json("operator", "status")["alarms"]}


def test_a_locked_token_asks_an_operator_and_a_wrong_pin_is_tried_once(
    nodes: Federation, token: SoftToken, pin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in token.environment.items():
        monkeypatch.setenv(name, value)  # of `gateway doctor`, which runs in this process
    pin_file.write_text("000000\n")
    nodes["cn"].start(**token.environment)
    cli = Cli(nodes, "cn")
    assert states_of(cli) == {"locked"}
    assert "SIGNING_TOKEN" in alarms_of(cli)
    assert "refused the PIN" in nodes["cn"].log
    assert nodes["cn"].stop() == 0
    nodes["cn"].start(**token.environment)
    assert "isn't tried again" in nodes["cn"].log
    checks = cli.json("", "doctor", code=None)
    [keys] = [check for check in checks if check["check"] == "Signing keys" and check["result"] == "warn"]
    assert "is locked" in keys["detail"]
    assert metric(nodes, "locked") == 1.0
    refused = cli.run("operator", "keys", "unlock", "cn hsm", text="111111\n", code=None)
    assert refused.exit_code != 0
    assert "PIN" in refused.output
    assert states_of(cli) == {"locked"}
    cli.run("operator", "keys", "unlock", "cn hsm", text=f"{PIN}\n")
    assert states_of(cli) == {"ready"}
    assert (metric(nodes, "locked"), metric(nodes, "ready")) == (0.0, 1.0)

    async def one() -> None:
        async with nodes.client("cn", "publisher") as client:
            assert await publish(client)

    nodes.run(one())
    assert not {PIN, "000000", "111111"} & set(nodes["cn"].log.split())
