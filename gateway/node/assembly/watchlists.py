"""Puts the parts of watchlists and screening together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.quotas import Quotas
from gateway.node.roles import Roles
from gateway.node.settings import ReportMode, Settings
from gateway.node.workers.screening import screening_handlers
from gateway.persons.service.pseudonyms import Pseudonyms
from gateway.rpc.peers import Peers
from gateway.trust.rules.audit import AuditSink
from gateway.trust.rules.directory import Directory
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.commands.expiry import ListExpiry, WarnExpiringCommand
from gateway.watchlists.commands.imports import EndCutOffCommand
from gateway.watchlists.commands.matches import KeepFindingsCommand
from gateway.watchlists.commands.proposals import ExpireListedCommand, Lists
from gateway.watchlists.rpc.screening import MATCH_SEARCH, ListedAlertScreening, ScreeningProcess
from gateway.watchlists.rpc.service import WatchlistServicer
from gateway.watchlists.rules.matches import report_rules
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.rules.visibility import ListVisibility, visibility_of
from gateway.watchlists.service.queries import ListQueries
from gateway.watchlists.tables import lists as watchlists

WARN_EVERY_S = 10.0
"""Seconds between checks for expiring own entries."""

WARN_AGAIN_S = 60.0
"""The same while nothing is committed: only time passes."""

IMPORTS = "imports"
"""Marks a replica through which a list is being imported."""

IMPORTS_SHOW_S = 10.0
"""Seconds after which an import under way at another replica is certain to be marked."""

_DAY_MS = 24 * 3600 * 1000


class Watchlists:
    """One node's watchlists, for one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        directory: Callable[[], Directory],
        database: Database,
        writer: WriterClient,
        notifier: ChangeNotifier,
        peers: Peers,
        alarms: Alarms,
        audit: AuditSink,
        quotas: Quotas,
        roles: Roles,
        pseudonyms: Pseudonyms,
        clock: Callable[[], int],
    ) -> None:
        roles.want(MATCH_SEARCH)
        self._roles = roles
        self._settings = settings
        self._quotas = quotas
        self._database = database
        self._writer = writer
        self._alarms = alarms
        self._audit = audit
        self._warnings, self._log_news = (NewsSince(database.commits, most_s=WARN_AGAIN_S) for _ in range(2))
        self._next_warning = self._next_log = 0.0
        self._end_imports_at: float | None = None
        self._lists = Lists(
            federation=settings.federation,
            node=settings.node,
            directory=directory,
            clock=clock,
            policies=self._policy,
            persons=settings.persons.enabled,
            pseudonyms=pseudonyms,
        )
        self.visibility = visibility = _visibility(settings)
        self._expiry = ListExpiry(settings.node, clock, _warn_before_ms(settings), visibility)
        identical = {
            name: kept.report_purpose for name, kept in settings.lists.items() if kept.report is ReportMode.IDENTICAL
        }
        self._report_rules = report_rules(settings.node, identical)
        self.screening = ScreeningProcess(
            screening_handlers,
            database,
            database_url=settings.effective_database_url,
            index=settings.data_dir / "screening.sqlite3",
            notifier=notifier,
            thresholds={name: (kept.compatible, kept.strong) for name, kept in settings.lists.items()},
            keep=self._keep_findings,
            keep_beside=partial(self._keep_findings, beside=True),
            searches=lambda: roles.holds(MATCH_SEARCH),
            clock=clock,
            alarms=alarms,
        )
        self.alert_screening = ListedAlertScreening(self.screening, visibility=visibility, clock=clock)
        self.queries = queries = ListQueries(
            database,
            federation=settings.federation,
            node=settings.node,
            directory=directory,
            expiry=self._expiry,
            clock=clock,
        )
        self.servicer = WatchlistServicer(
            lists=self._lists,
            queries=queries,
            database=database,
            writer=writer,
            notifier=notifier,
            peers=peers,
            screening=self.screening,
            visibility=visibility,
            clock=clock,
        )

    async def keep_up(self) -> None:
        """Warns of own entries that end soon."""
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + WARN_EVERY_S
            if self._warnings.is_due:
                await asyncio.to_thread(self._expiry.watch, self._database, self._alarms)
                self._warnings.looked()
        self._roles.share(IMPORTS, shared=bool(self._lists.importing))

    def next_end(self, conn: Connection, before_ms: int) -> int | None:
        """When the next own entry ends, up to a time, in milliseconds since 1970; None for none."""
        return watchlists.next_end(conn, self._settings.node, before_ms)

    async def keep_house(self, *, is_due: bool) -> None:
        """Ends expired entries if there are any, and logs entries that end soon; for one replica."""
        if is_due:
            await self._writer.run(ExpireListedCommand(self._lists))
        now = time.monotonic()
        if now >= self._next_log:
            self._next_log = now + WARN_EVERY_S
            if self._log_news.is_due:
                await self._writer.run(WarnExpiringCommand(self._expiry, self._settings.node, self._audit))
                self._log_news.looked()

    async def end_imports(self) -> None:
        """Ends proposals of interrupted imports, here or at a replica that is gone, unless one is under way elsewhere.

        An import of another replica shows within seconds: what may be one must have been seen IMPORTS_SHOW_S ago.
        """
        if not self._lists.cut_off:
            self._end_imports_at = None
            return
        if not self._roles.alone:
            now = time.monotonic()
            if self._roles.others_share(IMPORTS):
                self._end_imports_at = None
                return
            self._end_imports_at = now + IMPORTS_SHOW_S if self._end_imports_at is None else self._end_imports_at
            if now < self._end_imports_at:
                return
        await self._end_cut_off()

    async def _end_cut_off(self) -> None:
        self._lists.cut_off = False  # first: another import may be interrupted meanwhile
        done = False
        try:
            done = await self._writer.run(EndCutOffCommand(self._lists))
        finally:
            self._lists.cut_off = self._lists.cut_off or not done

    async def _keep_findings(self, findings: Findings, *, beside: bool = False) -> dict[str, int]:
        command = KeepFindingsCommand(self._lists, self._report_rules, findings, self._quotas, beside)
        cursors: dict[str, int] = await self._writer.submit(command, deferrable=True)
        return cursors

    def _policy(self, list_name: str) -> ListPolicy | None:
        kept = self._settings.lists.get(list_name)
        return None if kept is None else ListPolicy(four_eyes=kept.four_eyes)


def _visibility(settings: Settings) -> ListVisibility:
    visible_to = {name: kept.visible_to for name, kept in settings.lists.items()}
    return visibility_of(
        settings.node, {name: frozenset(roles) for name, roles in visible_to.items() if roles is not None}
    )


def _warn_before_ms(settings: Settings) -> dict[str, int]:
    """Warning times by own list, in milliseconds."""
    own = f"{settings.node}/"
    named = {name.removeprefix(own): kept for name, kept in settings.lists.items()}
    return {name: kept.warn_before_days * _DAY_MS for name, kept in named.items() if "/" not in name}
