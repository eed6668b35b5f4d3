"""Tells health checks and operators whether the node's database works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from gateway.errors import GatewayError, StoreUnavailableError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import DATABASE, Alarms
from gateway.feed.service.transaction import Transaction
from gateway.rpc.listener.server import Listener

log = logging.getLogger(__name__)

CHECK_S: Final = 1.0
"""Seconds between checks."""

ANSWER_S: Final = 15.0
"""Seconds after which a database without an answer counts as gone: three of SQLite's longest waits for another
writer."""


class DatabaseHealth:
    """Lets the writer begin and commit a transaction every second; a failure makes both ports NOT_SERVING."""

    def __init__(self, *, writer: WriterClient, listeners: Sequence[Listener], alarms: Alarms) -> None:
        self._writer = writer
        self._listeners = listeners
        self._alarms = alarms
        self._serving = True

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._report(await self._problem())
            except Exception:
                log.exception("the check of the database failed; it is tried again")
            await asyncio.sleep(CHECK_S)

    async def _problem(self) -> str:
        """Why the database doesn't work; empty when it does."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._writer.run(_Probe())
        except StoreUnavailableError as error:
            return error.message
        except TimeoutError:
            return f"the database has not answered for {ANSWER_S:g} s"
        except GatewayError:  # overloaded: it works
            return ""
        return ""

    async def _report(self, problem: str) -> None:
        if problem:
            self._alarms.set(DATABASE, "own", problem)
        else:
            self._alarms.clear(DATABASE, "own")
        serving = not problem
        if serving is not self._serving:
            self._serving = serving
            for listener in self._listeners:
                await listener.report(serving=serving)


class _Probe:
    """A command without effect."""

    weight = 1

    def execute(self, tx: Transaction) -> None:
        return
