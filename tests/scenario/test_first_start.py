"""A node starts on an empty folder only when somebody has said what that means, and a loss shows in its answers."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.contract.messages import to_ms
from gateway.v1 import history_pb2
from tests.support.command_line import PATIENCE_S, Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.forked_commands import forked_commands
from tests.support.history_calls import COMPLETE, CONTAINER, PARTIAL, UNREACHABLE, Found, calling, recorded
from tests.support.shipments import shipment

CN_HK = "gba.customs.example/cn/hk/alerts"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path, migrated=False):
        made.start("cn", "hk")
        yield made


async def publish(risk: GatewayClient, count: int) -> None:
    async for outcome in risk.publish_many(new_alert(alert(), ["hk"]) for _ in range(count)):
        outcome.result()


async def work(nodes: Federation) -> None:
    async with nodes.client("cn", "publisher") as risk:
        await publish(risk, 3)
    await recorded(nodes, "cn", shipment("r-1"), shipment("r-2"))
    await nodes.converged(("cn", "hk"), ("hk", "cn"))


def searched(nodes: Federation, at: str, **criteria: object) -> Found:
    """cn's records of the tests' container, as a system of a node finds them once that node reaches cn again."""
    found: list[Found] = []

    async def answered() -> bool:
        async with calling(nodes, at, "officer") as officer:
            asked = history_pb2.SearchCriteria(containers=[CONTAINER], **criteria)  # type: ignore[arg-type]
            found.append(await officer.search(criteria=asked, nodes=["cn"]))
        return found[-1].status("cn") != UNREACHABLE

    nodes.run(eventually(answered, what=f"{at} to reach cn"))
    return found[-1]


def ids_once_indexed(nodes: Federation) -> list[str]:
    """What hk finds of cn's records when cn has taken them into its index."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := searched(nodes, "hk")).answers["cn"].unindexed:
        assert time.monotonic() < deadline, found.answers["cn"]
        time.sleep(0.1)
    return found.ids("cn")


def test_an_empty_folder_is_no_new_node(nodes: Federation) -> None:
    cn, cli = nodes["cn"], Cli(nodes, "cn")
    cn.stop()
    shutil.rmtree(cn.data)
    serve = [str(forked_commands() / "gateway"), "serve", "--config", str(cn.config)]
    ended = subprocess.run(serve, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    refused = " ".join(ended.stderr.split())
    for said in ("nothing says whether cn is new", "gateway restore BACKUP", "prepare --data-lost", "prepare --new"):
        assert said in refused
    assert not cn.database.exists()
    assert "give either --new or --data-lost" in cli.run("", "prepare", code=2).output
    cli.run("", "prepare", "--data-lost")
    assert "isn't empty" in cli.run("", "prepare", "--new", code=2).output
    assert "nothing was changed" in cli.run("", "prepare", "--new", "--if-empty").output
    cn.start()
    assert "holds the lock" in cli.run("", "prepare", "--new", code=2).output


def test_after_a_loss_answers_say_that_records_may_be_missing(nodes: Federation, tmp_path: Path) -> None:
    cn, cli = nodes["cn"], Cli(nodes, "cn")
    nodes.run(work(nodes))
    cli.run("", "backup", tmp_path / "backup")
    assert searched(nodes, "hk").status("cn") == COMPLETE
    cn.kill()
    shutil.rmtree(cn.data)
    cli.run("", "prepare", "--data-lost")
    cn.start()
    cli.run("operator", "recover", CN_HK)

    async def goes_on() -> None:
        async with nodes.client("cn", "publisher") as risk:

            async def published() -> bool:
                await publish(risk, 1)
                return True

            await eventually(published, what="publishing after the recovery")

    nodes.run(goes_on())
    (restore,) = cli.json("operator", "status")["restores"]
    (loss,) = [loss for loss in restore["losses"] if loss["kind"] == "shipments"]
    assert "reached" not in loss, "nobody knows how many"
    now = datetime.now(UTC)
    for at in ("cn", "hk"):
        found = searched(nodes, at)
        assert (found.status("cn"), found.records) == (PARTIAL, []), at
        assert "may be lost" in found.answers["cn"].reason, at
        assert to_ms(found.answers["cn"].lost_before) > 0, at
        later = history_pb2.SearchCriteria()
        later.declared_from.FromDatetime(now)
        assert searched(nodes, at, declared_from=later.declared_from).status("cn") == COMPLETE, at
    cn.stop()
    said = " ".join(cli.run("", "restore", tmp_path / "backup", code=2).output.split())
    assert "at least 0" not in said
    cli.run("", "restore", tmp_path / "backup", "--accept-loss")
    cn.start()
    cli.run("operator", "recover", CN_HK, code=None)  # hk has its entries back
    assert "FEED_FORKED" not in {alarm["code"] for alarm in cli.json("operator", "status").get("alarms", [])}
    assert (ids_once_indexed(nodes), searched(nodes, "hk").status("cn")) == (["r-2", "r-1"], PARTIAL)
    assert not [link for link in cli.json("operator", "link", "list") if "/cn/cn/" in link["origin"]]
    assert cli.json("", "verify")["sound"]
