"""Tries a partner's refusals for an operator, from the running node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.errors import ConfigurationError, NotFoundError, OverloadedError
from gateway.node.checks.findings import Finding, Result
from gateway.node.checks.partner_refusals import refusals_of
from gateway.node.settings import Settings
from gateway.tls.credentials import TlsSource
from gateway.trust.rules.directory import Directory
from gateway.v1 import node_service_pb2 as pb

_RESULTS: Final = {Result.OK: pb.TEST_RESULT_OK, Result.FAIL: pb.TEST_RESULT_FAIL}


class PartnerTest:
    """One test at a time, for one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        directory: Callable[[], Directory],
        tls: TlsSource,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._tls = tls
        self._clock = clock
        self._running = asyncio.Lock()

    async def run(self, partner: str) -> list[pb.TestFinding]:
        """Findings in the order of the tries.

        Raises:
            NotFoundError: there is no such partner.
            DirectoryError: nobody says where it is.
            OverloadedError: another test is under way.
        """
        if self._running.locked():
            raise OverloadedError("another connection test is under way; try again in a moment")
        async with self._running:
            material = await asyncio.to_thread(self._tls.current)
            try:
                refusals = refusals_of(self._settings, self._directory(), partner, material=material, clock=self._clock)
            except ConfigurationError as error:
                raise NotFoundError(f"partner: the directory names no partner {partner!r}") from error
            return [_message(finding) async for finding in refusals.run()]


def _message(finding: Finding) -> pb.TestFinding:
    return pb.TestFinding(
        check=finding.check,
        result=_RESULTS.get(finding.result, pb.TEST_RESULT_UNKNOWN),
        detail=finding.detail,
        way_out=finding.way_out,
    )
