"""A member is removed while it exchanges: the others go on, what it sent stays, and a later version has it again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import GatewayClient
from gateway.errors import InvalidRequestError, UnauthenticatedError, UnavailableError
from gateway.feed.service.alarms import DIRECTORY
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_drafts import remove_member
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.history_pb2 import (
    ANSWER_STATUS_COMPLETE,
    ANSWER_STATUS_TIMED_OUT,
    ANSWER_STATUS_UNREACHABLE,
    NodeAnswer,
    QueryGrounds,
    SearchCriteria,
)
from gateway.v1.node_service_pb2 import LINK_STATE_CLOSED, LINK_STATE_CONNECTED, GetNodeStatusResponse, Link
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.partner import Partner


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path):
        made.start()
        yield made


def without_mo(directory: Directory) -> Directory:
    now = datetime.now(UTC)
    return remove_member(directory, "mo", issued_at=now, keys_until=now + timedelta(minutes=5))


def back(before: Directory, with_mo: Directory) -> Directory:
    """The next version, in which mo is again what it was."""
    return replace(
        with_mo,
        version=before.version + 1,
        issued_at=datetime.now(UTC).replace(microsecond=0),
        former_members={},
    )


async def links_to_mo(operator: GatewayClient) -> list[Link]:
    return [link for link in await operator.node.links() if link.partner == "mo" and link.size]


async def all_in_state(operator: GatewayClient, state: int) -> bool:
    links = await links_to_mo(operator)
    return bool(links) and {link.state for link in links} == {state}


async def publish_until_refused(publisher: GatewayClient) -> tuple[int, str]:
    """Publishes to mo until that is refused; the number of alerts, and why."""
    number = 0
    while True:
        try:
            await publisher.publish(alert(), ["mo"])
        except InvalidRequestError as refused:
            return number, str(refused.violations)
        number += 1
        await asyncio.sleep(0.02)


async def answers(analyst: GatewayClient) -> dict[str, int]:
    """How each node's answer to a search came out."""
    grounds = QueryGrounds(purpose="export_control", legal_basis="Article 7", case_reference="CASE-1")
    search = analyst.history.search(SearchCriteria(containers=["CSQU3054383"]), grounds, partner_timeout_ms=20_000)
    return {one.node: one.status async for one in search if isinstance(one, NodeAnswer)}


def test_a_member_is_removed_while_it_exchanges_and_comes_back(nodes: Federation, tmp_path: Path) -> None:
    first = nodes.directory
    reference = nodes.run(removed(nodes))
    bundle = tmp_path / "bundle"
    cli = Cli(nodes, "hk")
    cli.run("auditor", "evidence", "export", f"{reference.publisher}/{reference.alert_id}", "--out", bundle)
    cli.run("", "evidence", "verify", bundle, "--directory", nodes.folder.directory)
    assert "mo, since version 2" in cli.run("operator", "status").output
    assert "mo is no member since version 2" in cli.run("operator", "link", "list").output
    nodes["hk"].stop()
    nodes["hk"].start()
    nodes.between("hk", "mo").heal()
    nodes.put_directory(back(nodes.directory, first))
    nodes.run(exchanging_again(nodes))
    nodes.run(nodes.converged())


async def removed(nodes: Federation) -> AlertReference:
    async with (
        nodes.client("cn", "publisher") as cn,
        nodes.client("mo", "publisher") as mo,
        nodes.client("cn", "operator") as cn_operator,
        nodes.client("hk", "operator") as hk_operator,
        nodes.client("mo", "operator") as mo_operator,
        nodes.client("hk", "analyst") as analyst,
        nodes.client("hk", "auditor") as auditor,
    ):
        sent = await mo.publish(alert(), ["hk", "cn"])
        await cn.publish(alert(), ["mo"])
        reference = AlertReference(publisher="mo", alert_id=sent.alert_id)
        await nodes.converged()
        publishing = asyncio.create_task(publish_until_refused(cn))
        await asyncio.sleep(0.3)
        nodes.between("hk", "mo").silence()
        asking = asyncio.create_task(answers(analyst))
        await asyncio.sleep(0.3)
        nodes.put_directory(without_mo(nodes.directory))
        for operator in (cn_operator, hk_operator):
            await eventually(lambda op=operator: all_in_state(op, LINK_STATE_CLOSED), within_s=30, what="their end")
        number, why = await publishing
        assert number > 0
        assert "mo is no member since version 2" in why
        answered = await asking
        assert (answered["cn"], answered["hk"]) == (ANSWER_STATUS_COMPLETE, ANSWER_STATUS_COMPLETE)
        assert answered["mo"] in (ANSWER_STATUS_UNREACHABLE, ANSWER_STATUS_TIMED_OUT)
        assert (await auditor.evidence.verify(await auditor.evidence.export(reference))).verified
        partner = Partner(nodes, "mo", "hk")
        with pytest.raises((UnauthenticatedError, UnavailableError)):
            await partner.send()
        await partner.close()

        async def mo_says_so() -> bool:
            status: GetNodeStatusResponse = await mo_operator.node.status()
            return any(one.code == DIRECTORY and "mo is no member" in one.message for one in status.alarms)

        await eventually(mo_says_so, what="the alarm of mo's own node")
        await cn.publish(alert(), ["hk"])
        await nodes.converged(("cn", "hk"), ("hk", "cn"))
        status = await hk_operator.node.status()
        assert [(one.node, one.version) for one in status.former_members] == [("mo", 2)]
        assert not [alarm for alarm in status.alarms if "mo" in alarm.message.split()]
        return reference


async def exchanging_again(nodes: Federation) -> None:
    async with (
        nodes.client("cn", "publisher") as cn,
        nodes.client("mo", "publisher") as mo,
        nodes.client("cn", "operator") as cn_operator,
        nodes.client("hk", "operator") as hk_operator,
    ):
        for operator in (cn_operator, hk_operator):
            await eventually(lambda op=operator: all_in_state(op, LINK_STATE_CONNECTED), what="links to mo")

        async def published() -> bool:
            for publisher, recipients in ((cn, ["mo"]), (mo, ["cn", "hk"])):
                await publisher.publish(alert(), recipients)
            return True

        await eventually(published, what="publishing both ways")
