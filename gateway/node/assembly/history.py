"""Puts the parts of shipment history together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from gateway.casework.rpc.names_process import HANDLER_DEADLINES_S
from gateway.contract.ids import UUID7_RANDOM_BYTES, FeedOrigin, uuid7
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.db.standby import StandbyReads
from gateway.errors import ConfigurationError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.quotas import Quotas
from gateway.feed.service.writing.commands import random_bytes
from gateway.history.commands.record import records_feed
from gateway.history.projection.index import Retention
from gateway.history.rpc.fanout import HistoryFanout
from gateway.history.rpc.index_process import NAMES_TIMEOUT_S, IndexProcess
from gateway.history.rpc.index_wait import STANDBY_LOOK_S, IndexWait
from gateway.history.rpc.loops import (
    QUIET_S,
    KeyTreeStep,
    SearchStep,
    Step,
    follow,
    forget_key_tree,
    index_step,
    purge,
    risk_step,
)
from gateway.history.rpc.ordered_search import OrderedSearch
from gateway.history.rpc.query_client import QueryClient
from gateway.history.rpc.query_handler import QueryHandler
from gateway.history.rpc.recording_process import RecordChecks
from gateway.history.rpc.service import HistoryServicer
from gateway.history.service.answers import QueryService
from gateway.history.service.completeness import CompletenessProver
from gateway.history.service.control_changes import ControlChanges
from gateway.history.service.control_suggestions import ControlSuggestions
from gateway.history.service.queries import KnownHeads, QuerySigner
from gateway.history.service.risk import RulesInForce, SiblingSearch
from gateway.licences.service.presented import PresentedLicences
from gateway.link_analysis.commands import forget_records
from gateway.link_analysis.service.records import LINK_NAMES
from gateway.node.assembly.history_rules import load_rules, rule_sources, search_of
from gateway.node.roles import Roles
from gateway.node.settings import HistorySettings
from gateway.node.workers.history import FOLLOW_ALERTS, TEXTS_DEADLINE_S, history_handlers
from gateway.node.workers.recording import recording_handlers
from gateway.risk_profiles.rpc.trial_process import SLICE_TIMEOUT_S, TRY_PROFILE
from gateway.risk_profiles.service.state import adopted_rules
from gateway.rpc.peers import Peers
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.tlog.note import Signer
from gateway.tracing.rpc import HistoryTracer
from gateway.tracing.rules.inquiry import LinkQuestions
from gateway.tracing.service.draft_alerts import AlertDrafter, TraceExaminer
from gateway.tracing.service.findings import FindingSearch, KeepFindingsInRecordsCommand
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.watchlists.rules.matches import SourceKind
from gateway.watchlists.tables import matches, screening_reports

_DAY_MS = 24 * 3600 * 1000


class History:
    """The shipment history of one node."""

    def __init__(
        self,
        settings: HistorySettings,
        *,
        federation: str,
        node: str,
        database: Database,
        database_url: str,
        writer: WriterClient,
        notifier: ChangeNotifier,
        trust: Callable[[], TrustedDirectory],
        signer_for: Callable[[str], Signer],
        peers: Peers,
        alarms: Alarms,
        quotas: Quotas,
        roles: Roles,
        clock: Callable[[], int],
    ) -> None:
        self._roles = roles
        self._origin = records_feed(federation, node)
        self._writer, self._notifier = writer, notifier
        rules = rule_sources(settings)
        further = {
            **HANDLER_DEADLINES_S,
            FOLLOW_ALERTS: TEXTS_DEADLINE_S,
            LINK_NAMES: NAMES_TIMEOUT_S,
            TRY_PROFILE: SLICE_TIMEOUT_S,
        }
        self._process = IndexProcess(database, history_handlers, (database_url, rules), further=further)
        self._checks = RecordChecks(
            recording_handlers, settings.retention_days, members=lambda: trust().directory.nodes
        )
        self.standby = standby_of(settings, database)
        self.search = search_of(
            settings, database, node, names=self._process.names, links=LinkQuestions, reads=self.standby
        )
        self.rules = load_rules(rules)
        keep_ms = settings.answer_days * _DAY_MS
        answerer = QueryService(
            node=node,
            database=database,
            search=self.search,
            trust=trust,
            signer_for=signer_for,
            clock=clock,
            quotas=quotas,
            prover=CompletenessProver(database, federation=federation, node=node, signer_for=signer_for, clock=clock)
            if settings.completeness
            else None,
        )
        look_s = STANDBY_LOOK_S if self.standby else math.inf
        index = IndexWait(self.standby or database, notifier, look_s=look_s)
        self.answering = QueryHandler(answerer, index=index, writer=writer, clock=clock, keep_ms=keep_ms)
        self.fanout = HistoryFanout(
            node=node,
            search=self.search,
            index=index,
            signer=QuerySigner(node=node, trust=trust, signer_for=signer_for, clock=clock),
            client=QueryClient(
                trust=trust,
                peers=peers,
                writer=writer,
                alarms=alarms,
                clock=clock,
                keep_ms=keep_ms,
                quotas=quotas,
                heads=KnownHeads(database),
            ),
            trust=trust,
            clock=clock,
        )
        self.control_changes = ControlChanges(database, self.rules.controls, clock=clock)
        self.servicer = HistoryServicer(
            origin=self._origin,
            search=self.search,
            index=index,
            fanout=self.fanout,
            ordered=OrderedSearch(self.fanout, clock=clock),
            trace=self._tracer(node, database, trust, clock).trace,
            rules=RulesInForce(self.rules, adopted_rules),
            control_changes=self.control_changes,
            suggestions=ControlSuggestions(self.rules.controls.goods, clock=clock),
            database=database,
            writer=writer,
            checks=self._checks,
            new_id=lambda: uuid7(clock(), random_bytes(UUID7_RANDOM_BYTES)),
        )
        self._findings = FindingSearch(database, node=node)
        self._commits = database.commits
        self._make_steps(settings)

    def _tracer(
        self, node: str, database: Database, trust: Callable[[], TrustedDirectory], clock: Callable[[], int]
    ) -> HistoryTracer:
        examiner = TraceExaminer(
            node=node,
            rules=self.rules,
            siblings=SiblingSearch(database, rules=self.rules),
            licences=PresentedLicences(database),
        )
        return HistoryTracer(
            node=node,
            fanout=self.fanout,
            examiner=examiner,
            drafter=AlertDrafter(database, node=node, examiner=examiner),
            trust=trust,
            writer=self._writer,
            clock=clock,
        )

    def _make_steps(self, settings: HistorySettings) -> None:
        writer, retention = self._writer, retention_of(settings)
        self._index = index_step(self._process, writer=writer, retention=retention)
        self._risk = risk_step(self._process, writer=writer)
        self._key_tree = KeyTreeStep(self._process, self._origin, writer=writer) if settings.completeness else None

    def _next_findings(self) -> KeepFindingsInRecordsCommand | None:
        reported = self._findings.next()
        return None if reported is None else KeepFindingsInRecordsCommand(self._origin, reported)

    @property
    def names_process(self) -> WorkerProcess:
        """The process that knows names; handlers of casework and link analysis are in it."""
        return self._process.process

    @property
    def workers(self) -> Sequence[WorkerProcess]:
        """Its worker processes."""
        return self._process.process, self._checks.process

    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Starts background tasks: one replica's loops, and every replica's processes."""
        indexed = ChangeNotifier.INDEXED
        findings = SearchStep(self._next_findings, writer=self._writer)
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "history-index": partial(self._follow, self._index, "indexing records", self._origin),
            "history-risk": partial(self._follow, self._risk, "judging records", indexed),
            "history-findings": partial(
                self._follow, findings, "putting findings into records", ChangeNotifier.FINDINGS, indexed
            ),
            "history-key-tree": partial(forget_key_tree, self._writer)
            if self._key_tree is None
            else partial(self._follow, self._key_tree, "entering records into the tree of keys", indexed),
            "history-purge": lambda: purge(self._origin, self._writer, forget=forget_sources),
        }
        return [
            *(self._roles.run(role, loop) for role, loop in loops.items()),
            asyncio.create_task(self._process.run(), name="history-process"),
            asyncio.create_task(self._checks.run(), name="history-checks"),
        ]

    async def _follow(self, step: Step, what: str, *topics: FeedOrigin | str) -> None:
        news = NewsSince(self._commits, most_s=QUIET_S)
        await follow(step, what=what, notifier=self._notifier, topics=topics, news=news)


def standby_of(settings: HistorySettings, database: Database) -> StandbyReads | None:
    """The standby that the settings name; raises ConfigurationError where the database itself has none."""
    if not settings.standby_url:
        return None
    if database.dialect != "postgresql":
        raise ConfigurationError("history.standby_url: only a PostgreSQL database has a standby; remove the setting")
    return StandbyReads(database, settings.standby_url, max_lag_s=settings.standby_lag_s)


def forget_sources(conn: Connection, record_ids: Sequence[str]) -> None:
    """Removes matches and links of records that are about to be erased."""
    forget_records(conn, record_ids)
    matches.forget_sources(conn, SourceKind.SHIPMENT, record_ids)
    screening_reports.forget_sources(conn, SourceKind.SHIPMENT, record_ids)


def retention_of(settings: HistorySettings) -> Retention:
    """Reads retention from the settings."""

    def retention(given: str, since: int) -> tuple[str, int]:
        named = given if given in settings.retention_days else settings.retention_class
        return named, since + settings.retention_days[named] * _DAY_MS

    return retention
