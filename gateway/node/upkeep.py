"""Runs a node's periodic work while it serves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.alerts.commands.alert_retention import AlertRetention, PurgeAlertsCommand
from gateway.alerts.commands.erasing import AlertEraser, AnswerErasuresCommand
from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.steps import ExpireCommand
from gateway.alerts.tables import copies as alerts
from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.db.membership import SERVING, Membership
from gateway.errors import GatewayError
from gateway.evidence.service.audit_heads import AuditHeadSigner
from gateway.feed.projection.rebuild import HeldEntries
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import EXPIRY_WAITS, Alarms
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.partner_directories import PartnerDirectories
from gateway.feed.service.states import CloseEpochsCommand, FollowMembersCommand
from gateway.feed.service.writing.commands import ForgetAnswersCommand
from gateway.node.assembly.links import Links
from gateway.node.assembly.quotas import QuotaMonitor
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.backups.known import ReceiptKeeper, TallyKeeper
from gateway.node.directory_store import DirectoryStore
from gateway.node.expiry import ExpiryMonitor
from gateway.node.feed_heads import FeedHeadMonitor
from gateway.node.host.capacity import CapacityMonitor
from gateway.node.observation.durability import DurabilityMonitor
from gateway.node.owner_revocations import audit_entry
from gateway.rpc.beats import next_beat
from gateway.rpc.fairness.sockets import Ends
from gateway.trust.rules.audit import AuditSink
from gateway.trust.rules.directory import Directory

log = logging.getLogger(__name__)

REFRESH_S = 1.0
"""Seconds between checks of directory, certificates, capacity and alerts."""

LOOK_STEPS = 5
"""Steps between looks at quotas, the heads of feeds, which every command compares itself, and what ends in days."""

QUIET_S = 60.0
"""Seconds between looks into a database to which nothing was committed."""

QUOTA_S = 10.0
"""The same for quotas, whose bounds and day change without a commit."""

AHEAD_MS = 60_000
"""How far ahead a look sees what ends, in milliseconds."""

FORGET_S = 600.0
"""Seconds between looks for answered requests that are too old to be sent again."""

AUDIT_HEAD_S = 5.0
"""Seconds between looks for audit events under no signed head."""

PURGE_S = 3600.0
"""Seconds between two looks for alerts whose retention has ended."""

ERASURES_S = 5.0
"""Seconds between two looks for requests of publishers to erase their alerts."""

HELD_RETRY_S = 10.0
"""Seconds before held entries are retried."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is noted beside the database of how far the node is."""

    marks: Marks
    tally: TallyKeeper
    receipts: ReceiptKeeper
    membership: Membership

    def keep_up(self, now_ms: int, *, is_moved: bool = True) -> None:
        """Writes what has changed; call it every second and at a stop. Raises GatewayError or OSError.

        Args:
            is_moved: whether anything may have been committed.
        """
        self.marks.keep_up(now_ms)  # first: it needs no database
        if self.membership.others_share(SERVING):
            self.marks.releases.share()
        if is_moved:
            self.receipts.keep_up()
            self.tally.keep_up()
        self.marks.releases.keep_up()


class Upkeep:
    """The upkeep of one node."""

    def __init__(
        self,
        *,
        directory: DirectoryStore,
        links: Links,
        directories: PartnerDirectories,
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
        audit: AuditSink,
        node: str,
    ) -> None:
        self._audit = audit
        self._node = node
        self._database = database
        self._directory = directory
        self._links = links
        self._directories = directories
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
        self._more_feeds = False  # of earlier channels, for which links open
        self._directory_changed = False  # and what follows from that isn't done yet
        self._forget_at = 0.0
        self._counted, self._compared, self._ending = (NewsSince(database.commits, most_s=QUIET_S) for _ in range(3))
        self._used = NewsSince(database.commits, most_s=QUOTA_S)
        self._look_at_ms = 0  # when something ends, or the next look is due
        self._alert_ends: int | None = None
        self._entry_ends: int | None = None

    async def run(self) -> None:
        """Looks after this process, until cancelled."""
        await _repeated(self._step)

    async def keep_house(self) -> None:
        """Does what one replica does for all, until cancelled."""
        await _repeated(self._shared_step)

    async def _step(self) -> None:
        connections, failure = await asyncio.to_thread(self._look)
        if connections is not None:
            self._capacity.sweep(connections)
        if self._directory_changed:
            await self._writer.run(close_epochs(self._directory.directory()))
            await self._writer.run(follow_members(self._directory.directory()))
            self._directories.compare()
        if self._directory_changed or self._more_feeds:
            self._links.open(self._now())
            self._more_feeds = False
        self._links.follow_credentials()
        if self._directory_changed or self._steps % LOOK_STEPS == 1:
            self._expiry.check(self._now())
        self._directory_changed = False
        if failure is not None:
            raise failure
        self._ask_recipients()
        await self._watchlists.keep_up()
        await self._watchlists.end_imports()

    def _look(self) -> tuple[list[Ends] | None, Exception | None]:
        """Looks at files and into the database, in one turn of a thread.

        Returns the process's connections, None if they weren't counted, and why the database can't be read.
        """
        changed = self._directory.refresh(now=self._now(), alarms=self._alarms)
        for revocation, source in self._directory.new_revocations():
            self._audit(audit_entry(revocation, source, node=self._node, time_ms=self._clock()))
        self._directory_changed = self._directory_changed or changed
        self._links.look_at_credentials()
        connections = self._capacity.check_changes()
        try:
            self._look_into_database()
        except (GatewayError, OSError) as error:
            return connections, error
        return connections, None

    def _look_into_database(self) -> None:
        is_turn = self._steps % LOOK_STEPS == 0
        self._steps += 1
        self._database.look_for_commits()
        if is_turn and self._used.is_due:
            self._quotas.check()
            self._used.looked()
        if is_turn and self._compared.is_due:
            self._heads.check()
            self._more_feeds = self._links.find_left_over() or self._more_feeds
            self._compared.looked()
        self._durability.check()
        is_moved = self._counted.is_due
        self.notes.keep_up(self._clock(), is_moved=is_moved)
        if is_moved:
            self._counted.looked()

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
        now_ms = self._clock()
        if self._ending.is_due or now_ms >= self._look_at_ms:
            await asyncio.to_thread(self._look_ahead, now_ms)
        if self._alert_ends is not None and self._alert_ends <= now_ms:
            await self._expire()
        else:
            self._alarms.clear(EXPIRY_WAITS, "")
        await self._watchlists.keep_house(is_due=self._entry_ends is not None and self._entry_ends <= now_ms)
        if time.monotonic() >= self._forget_at:
            latest_ms = self._alarms.partner_clocks.latest_ms()
            more = await self._writer.run(ForgetAnswersCommand(latest_ms=latest_ms or 0))
            self._forget_at = time.monotonic() + (0.0 if more else FORGET_S)

    def _look_ahead(self, now_ms: int) -> None:
        """Finds when own alerts, and own entries of lists, are past their time."""
        until_ms = now_ms + AHEAD_MS
        with self._database.read() as conn:
            former = self._directory.directory().former_partners(self._node)
            self._alert_ends = alerts.next_end(conn, until_ms, except_to=former)
            self._entry_ends = self._watchlists.next_end(conn, until_ms)
        self._look_at_ms = min([until_ms, *(end for end in (self._alert_ends, self._entry_ends) if end is not None)])
        self._ending.looked()


async def _repeated(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except GatewayError as error:
            log.warning("%s", error.message)
        except Exception:
            log.exception("the node's upkeep failed; it is tried again")
        await next_beat(REFRESH_S)


def close_epochs(directory: Directory) -> CloseEpochsCommand:
    """Closes the feeds of earlier epochs than the directory's."""
    return CloseEpochsCommand(lambda origin: directory.feed_epoch(origin.publisher, origin.recipient))


def follow_members(directory: Directory) -> FollowMembersCommand:
    """Ends the feeds of former members, and opens those of members that are back."""
    return FollowMembersCommand(
        lambda origin: directory.why_no_member(origin.recipient) or directory.why_no_member(origin.publisher),
        lambda origin: directory.feed_epoch(origin.publisher, origin.recipient),
    )


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


async def answer_erasures(writer: WriterClient, eraser: AlertEraser) -> None:
    """Erases partners' alerts whose publishers ask for it, or says why not."""
    while True:
        try:
            await writer.run(AnswerErasuresCommand(eraser))
        except GatewayError as error:
            log.warning("erasures of alerts wait: %s", error.message)
        await asyncio.sleep(ERASURES_S)


async def purge_alerts(
    writer: WriterClient, eraser: AlertEraser, retention: AlertRetention, *, latest_ms: Callable[[], int | None]
) -> None:
    """Erases alerts whose retention has ended; nothing before a partner has told its time."""
    while True:
        latest = latest_ms()
        try:
            while latest is not None and await writer.run(PurgeAlertsCommand(eraser, retention, latest)) > 0:
                pass
        except GatewayError as error:
            log.warning("the retention of alerts waits: %s", error.message)
        except Exception:
            log.exception("the retention of alerts failed; it is tried again")
        await asyncio.sleep(PURGE_S if latest is not None else ERASURES_S)


async def sign_audit_heads(signer: AuditHeadSigner) -> None:
    """Signs heads of the audit log beside other upkeep, which may take long."""
    while True:
        if signer.is_due:
            await _logged(signer.step)
        await next_beat(AUDIT_HEAD_S)


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
