"""Sends acknowledgements when their time has come; sleeps while none waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from gateway.casework.commands.acknowledging import Acknowledger, Departure, SendCommand, due
from gateway.casework.tables import acknowledgements
from gateway.casework.tables.acknowledgements import AcknowledgementRow
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink

log = logging.getLogger(__name__)

METHOD: Final = "/gateway.v1.AlertService/AcknowledgeAlert"
"""The call in whose place an acknowledgement leaves: its row of permissions, and the name of its audit event."""

AT_ONCE: Final = 100
"""Most acknowledgements that leave together."""

LONGEST_SLEEP_S: Final = 10.0
"""Most seconds between two looks while one waits: a clock may have been set."""

RETRY_S: Final = 30.0
"""Seconds after a failure of the database or of a feed."""


class Departures:
    """Sends acknowledgements of one node; one replica at a time runs it."""

    def __init__(
        self,
        database: Database,
        *,
        writer: WriterClient,
        notifier: ChangeNotifier,
        acknowledger: Acknowledger,
        audit: AuditSink,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._writer = writer
        self._notifier = notifier
        self._acknowledger = acknowledger
        self._audit = audit
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        scheduled = asyncio.Event()
        end_subscription = self._notifier.subscribe(ChangeNotifier.ACKNOWLEDGEMENTS, scheduled)
        try:
            while True:
                scheduled.clear()
                try:
                    wait_s = await self._send_due()
                except GatewayError as error:
                    log.warning("acknowledgements wait: %s", error.message)
                    wait_s = RETRY_S
                except Exception:
                    log.exception("sending acknowledgements failed; it is tried again")
                    wait_s = RETRY_S
                if wait_s is None:
                    await scheduled.wait()
                else:
                    await set_within(scheduled, wait_s)
        finally:
            end_subscription()

    async def _send_due(self) -> float | None:
        """Sends what is due; seconds until the next one, None where none waits."""
        while True:
            rows = await asyncio.to_thread(self._waiting)
            leaving = due(rows, self._clock())
            await self._send(leaving)
            if len(leaving) < len(rows):
                left_ms = rows[len(leaving)].leaves_at - self._clock()
                return min(LONGEST_SLEEP_S, max(0.0, left_ms / 1000))
            if not rows:
                return None

    def _waiting(self) -> list[AcknowledgementRow]:
        with self._database.read() as conn:
            return acknowledgements.waiting(conn, AT_ONCE)

    async def _send(self, leaving: Sequence[AcknowledgementRow]) -> None:
        """Sends all; raises the first error after the others have left."""
        results = await asyncio.gather(*map(self._send_one, leaving), return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            raise failed[0]

    async def _send_one(self, row: AcknowledgementRow) -> None:
        record = partial(_record, self._audit, row, self._clock)
        record(AuditResult.ALLOW)  # the writer commits it with the step
        what, reason = await self._writer.run(SendCommand(row, self._acknowledger))
        if what is not Departure.SENT:
            record(AuditResult.DENY if what is Departure.REFUSED else AuditResult.ERROR, reason=reason or what.value)


def _record(
    audit: AuditSink, row: AcknowledgementRow, clock: Callable[[], int], result: AuditResult, *, reason: str = ""
) -> None:
    audit(
        AuditEntry(
            time_ms=clock(),
            principal=row.principal,
            method=METHOD,
            result=result,
            reason=reason,
            detail="left after the time to undo it" if result is AuditResult.ALLOW else "",
            subject_ids=(row.alert_id,),
            system=row.system,
        )
    )
