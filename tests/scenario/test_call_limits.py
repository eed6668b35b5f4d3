"""Limits of callers from the settings, at a node that runs; they change without a restart."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from gateway.client import GatewayClient
from gateway.errors import OverloadedError
from tests.support.federation import Federation, eventually, with_logs

TWENTY_CALLS = '[limits."system/operator"]\ncalls_per_day = 20\n'


def test_a_system_has_its_own_limit_until_the_settings_are_reloaded(tmp_path: Path) -> None:
    for federation in with_logs(tmp_path, settings=TWENTY_CALLS):
        federation.start("cn")
        federation.run(limited_and_reloaded(federation))


async def limited_and_reloaded(federation: Federation) -> None:
    cn = federation["cn"]
    async with (
        federation.client("cn", "operator", timeout_s=1) as operator,
        federation.client("cn", "supervisor") as supervisor,
    ):

        async def refusal() -> list[OverloadedError]:
            return await refusals(operator)

        (error,) = await eventually(refusal, what="the day's limit")
        assert error.metadata["limit"] == "calls_per_day"
        assert (error.retry_after_s or 0) > 1
        await supervisor.node.status()
        cn.config.write_text(cn.config.read_text(encoding="utf-8").replace("= 20\n", "= 2000\n"), encoding="utf-8")
        os.kill(cn.pid, signal.SIGHUP)

        async def served() -> bool:
            return not await refusals(operator)

        await eventually(served, what="calls after the reload")


async def refusals(client: GatewayClient) -> list[OverloadedError]:
    """The refusal of a call, if it is one."""
    try:
        await client.node.status()
    except OverloadedError as error:
        return [error]
    return []
