"""A running node's settings change on SIGHUP: what may, at once; what may not is told; a mistake changes nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from gateway.client import GatewayClient
from gateway.errors import GatewayError
from tests.support.federation import Federation, eventually, with_logs

OFFICER = 'officer = ["officer"]\n'


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """cn, whose database's URL is in its environment alone."""
    for made in with_logs(tmp_path_factory.mktemp("reload")):
        made["cn"].start(GATEWAY_DATABASE_URL=f"sqlite:///{made['cn'].database}")
        yield made


def reload(nodes: Federation, text: str) -> None:
    nodes["cn"].config.write_text(text)
    os.kill(nodes["cn"].pid, signal.SIGHUP)


async def reason_of_refusal(officer: GatewayClient) -> str:
    """Why the officer's system may not list alerts; empty when it may."""
    try:
        await officer.list_alerts_page()
    except GatewayError as error:
        return error.reason
    return ""


async def is_told(operator: GatewayClient, *words: str) -> bool:
    """Whether there is one alarm on settings for each of these words, with the word in its message."""
    status = await operator.node.status()
    messages = [alarm.message for alarm in status.alarms if alarm.code == "SETTINGS"]
    return len(messages) == len(words) and all(any(word in message for message in messages) for word in words)


async def watch_to_the_end(officer: GatewayClient) -> None:
    async for _ in officer.watch():
        pass


def test_settings_change_without_a_restart(nodes: Federation) -> None:
    text = nodes["cn"].config.read_text()
    assert OFFICER in text

    async def run() -> None:
        async with (
            nodes.client("cn", "officer") as officer,
            nodes.client("cn", "operator") as operator,
            nodes.client("cn", "auditor") as auditor,
        ):
            assert not await reason_of_refusal(officer)
            watching = asyncio.create_task(watch_to_the_end(officer))

            reload(nodes, text.replace(OFFICER, ""))
            assert await eventually(lambda: reason_of_refusal(officer), what="a system without roles is refused")
            with pytest.raises(GatewayError):
                await asyncio.wait_for(watching, 60)  # an open stream ends too
            assert await is_told(operator)  # a URL that only the environment had isn't a change

            reload(nodes, f'log_levle = "debug"\n{text}')
            assert await eventually(lambda: is_told(operator, "log_levle"), what="the mistake is told")
            assert await reason_of_refusal(officer), "nothing of a file with a mistake is in force"

            reload(nodes, f'log_format = "json"\n{text}')
            assert await eventually(lambda: is_told(operator, "log_format"), what="a restart is asked for")
            assert not await reason_of_refusal(officer)

            reload(nodes, text)
            assert await eventually(lambda: is_told(operator), what="no alarm is left")

            async def recorded() -> bool:
                events = [event async for event in auditor.evidence.audit_events(filter='method = "reload settings"')]
                return [event.result for event in events].count("error") == 1 and len(events) == 4

            assert await eventually(recorded, what="each reload is in the audit log")

    nodes.run(run())
    assert nodes["cn"].stop() == 0
