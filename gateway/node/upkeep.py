"""Runs a node's periodic work while it serves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.steps import ExpireCommand
from gateway.alerts.tables import copies as alerts
from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.evidence.service.audit_heads import AuditHeadSigner
from gateway.feed.projection.held_entries import HeldEntries
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import EXPIRY_WAITS, Alarms
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.states import CloseEpochsCommand
from gateway.feed.service.writing.idempotency import ForgetAnswersCommand
from gateway.node.assembly.links import Links
from gateway.node.assembly.quotas import QuotaMonitor
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.backups.known import TallyKeeper
from gateway.node.directory_store import DirectoryStore
from gateway.node.expiry import ExpiryMonitor
from gateway.node.feed_heads import FeedHeadMonitor
from gateway.node.host.capacity import CapacityMonitor
from gateway.node.observation.durability import DurabilityMonitor
from gateway.rpc.fairness.sockets import Ends
from gateway.trust.rules.directory import Directory

log = logging.getLogger(__name__)

REFRESH_S = 1.0
"""Seconds between checks of directory, certificates, capacity and alerts."""

LOOK_STEPS = 5
"""Steps between looks at quotas and at the heads of feeds, which every command compares itself."""

FORGET_S = 600.0
"""Seconds between looks for answered requests that are too old to be sent again."""

AUDIT_HEAD_S = 5.0
"""Seconds between looks for audit events under no signed head."""

HELD_RETRY_S = 10.0
"""Seconds before held entries are retried."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is noted beside the database of how far the node is."""

    marks: Marks
    tally: TallyKeeper

    def keep_up(self, now_ms: int) -> None:
        """Writes what has changed; call it every second and at a stop. Raises GatewayError or OSError."""
        self.marks.keep_up(now_ms)
        self.tally.keep_up()


class Upkeep:
    """The upkeep of one node."""

    def __init__(
        self,
        *,
        directory: DirectoryStore,
        links: Links,
        watchlists: Watchlists,
        publisher: Publisher,
        notes: Notes,
        clock: Callable[[], int],
        writer: WriterClient,
        alarms: Alarms,
        capacity: CapacityMonitor,
        quotas: QuotaMonitor,
        heads: FeedHeadMonitor,
        durability: DurabilityMonitor,
        history: OwnHistory,
        expiry: ExpiryMonitor,
        now: Callable[[], datetime],
        database: Database,
    ) -> None:
        self._database = database
        self._directory = directory
        self._links = links
        self._watchlists = watchlists
        self._publisher = publisher
        self.notes = notes
        self._clock = clock
        self._writer = writer
        self._alarms = alarms
        self._capacity = capacity
        self._quotas = quotas
        self._heads = heads
        self._durability = durability
        self._history = history
        self._reconnections = history.reconnections
        self._expiry = expiry
        self._now = now
        self._steps = 0
        self._directory_changed = False  # and what follows from that isn't done yet
        self._forget_at = 0.0

    async def run(self) -> None:
        """Looks after this process, until cancelled."""
        await _repeated(self._step)

    async def keep_house(self) -> None:
        """Does what one replica does for all, until cancelled."""
        await _repeated(self._shared_step)

    async def _step(self) -> None:
        self._capacity.sweep(await asyncio.to_thread(self._look_at_files))
        if self._directory_changed:
            await self._writer.run(close_epochs(self._directory.directory()))
            self._links.open(self._now())
            self._directory_changed = False
        self._expiry.check(self._now())
        await asyncio.to_thread(self._look)
        self._ask_recipients()
        await self._watchlists.keep_up()
        await self._watchlists.end_imports()

    def _look_at_files(self) -> list[Ends]:
        """What needs no database; returns the process's connections."""
        changed = self._directory.refresh(now=self._now(), alarms=self._alarms)
        self._directory_changed = self._directory_changed or changed
        return self._capacity.check()

    def _look(self) -> None:
        """What needs files and the database, in one turn of a thread."""
        if self._steps % LOOK_STEPS == 0:
            self._quotas.check()
            self._heads.check()
        self._steps += 1
        self._durability.check()
        self.notes.keep_up(self._clock())

    def _ask_recipients(self) -> None:
        """Lets links compare positions again: of feeds that wait for that, and of all after a new connection."""
        reconnections = self._history.reconnections
        if reconnections != self._reconnections:
            self._reconnections = reconnections
            self._links.compare_again()
        elif unasked := self._history.marks.state.unasked:
            self._links.compare_again(unasked)

    async def _expire(self) -> None:
        """Expires own alerts; where this node's clock is ahead of all partners', by the latest of these."""
        latest_ms = self._alarms.partner_clocks.latest_ms()
        command = ExpireCommand(publisher=self._publisher, latest_ms=latest_ms or 0)
        await self._writer.run(command)
        if not command.waiting:
            self._alarms.clear(EXPIRY_WAITS, "")
        elif latest_ms is None:
            self._alarms.set(EXPIRY_WAITS, "", "own alerts are past their validity; no partner has told its time yet")
        else:
            ahead_s = (self._clock() - latest_ms + MAX_CLOCK_SKEW_MS) // 1000
            self._alarms.set(
                EXPIRY_WAITS,
                "",
                f"this clock is {ahead_s} s ahead of all partners'; own alerts that are over by it alone stay open; "
                "set it right",
            )

    async def _shared_step(self) -> None:
        alert_is_due, entry_is_due = await asyncio.to_thread(self._due)  # mostly none: it costs no transaction
        if alert_is_due:
            await self._expire()
        else:
            self._alarms.clear(EXPIRY_WAITS, "")
        await self._watchlists.keep_house(is_due=entry_is_due)
        if time.monotonic() >= self._forget_at:
            latest_ms = self._alarms.partner_clocks.latest_ms()
            more = await self._writer.run(ForgetAnswersCommand(latest_ms=latest_ms or 0))
            self._forget_at = time.monotonic() + (0.0 if more else FORGET_S)

    def _due(self) -> tuple[bool, bool]:
        """Whether own alerts, and own entries of lists, are past their time."""
        now = self._clock()
        with self._database.read() as conn:
            return alerts.is_due_to_expire(conn, now), self._watchlists.is_due(conn, now)


async def _repeated(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except GatewayError as error:
            log.warning("%s", error.message)
        except Exception:
            log.exception("the node's upkeep failed; it is tried again")
        await asyncio.sleep(REFRESH_S)


def close_epochs(directory: Directory) -> CloseEpochsCommand:
    """Closes the feeds of earlier epochs than the directory's."""
    return CloseEpochsCommand(lambda origin: directory.feed_epoch(origin.publisher, origin.recipient))


async def apply_held(held: HeldEntries) -> None:
    """Applies entries held until an upgrade, beside other work since it may take long."""
    done = False
    while not done:
        try:
            done = await asyncio.to_thread(held.apply)
        except GatewayError as error:
            log.warning("%s", error.message)
        except Exception:
            log.exception("applying held entries failed; it is tried again")
        if not done:
            await asyncio.sleep(HELD_RETRY_S)


async def sign_audit_heads(signer: AuditHeadSigner) -> None:
    """Signs heads of the audit log beside other upkeep, which may take long."""
    while True:
        await _logged(signer.step)
        await asyncio.sleep(AUDIT_HEAD_S)


async def sign_last_audit_head(signer: AuditHeadSigner) -> None:
    """Signs the audit log's head at a stop."""
    await _logged(signer.finish)


async def _logged(work: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(work)
    except (GatewayError, OSError) as error:
        log.error("the audit log's head wasn't signed: %s", error)
    except Exception:
        log.exception("signing the audit log's head failed; it is tried again")
