"""Puts together what an authority's persons do with alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from sqlalchemy import Connection

from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.step_requests import StepRequests
from gateway.alerts.service import AlertQueries
from gateway.casework.commands.acknowledging import Acknowledger
from gateway.casework.rpc.departures import METHOD, Departures
from gateway.casework.rpc.names_process import NamesProcess
from gateway.casework.rpc.old_notes import erase_old_notes, merge_erased_words
from gateway.casework.rpc.service import CaseworkServicer
from gateway.casework.service.case_queries import CaseQueries
from gateway.casework.service.inbox import InboxQueries
from gateway.casework.service.lister import InboxLister
from gateway.casework.service.related import RelatedAlerts
from gateway.casework.tables.progress import is_unindexed
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.node.settings import Settings
from gateway.node.workers.history import SEARCH_INDEX
from gateway.persons.rules.sessions import roles_at
from gateway.persons.tables import accounts, sessions
from gateway.persons.tables.accounts import active_persons
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.rules.audit import AuditSink
from gateway.trust.rules.permissions import PERSON_PREFIX, Role

_DAY_MS = 24 * 3600 * 1000

_DESKS = frozenset({Role.PUBLISHER, Role.OFFICER, Role.ANALYST, Role.SUPERVISOR})
"""Roles of which a system or person can be given an alert."""

ListRoles = Callable[[], Mapping[str, Iterable[Role]]]
"""Own systems with their roles."""


def casework(
    parts: NodeParts,
    *,
    systems: ListRoles,
    process: WorkerProcess,
    publisher: Publisher,
    alerts: AlertQueries,
    audit: AuditSink,
) -> Capability | None:
    """Inbox, search and cases; None where they are off.

    `process`: knows names, and has the handlers of casework.rpc.names_process.
    """
    settings, database, writer, clock = parts.settings, parts.database, parts.writer, parts.clock
    if not settings.casework.enabled:
        return None
    names = NamesProcess(process)
    colleagues = partial(_colleagues, settings, systems)
    acknowledger = Acknowledger(
        publisher,
        StepRequests(node=settings.node, new_id=publisher.new_id, who_asked=alerts.who_asked),
        partial(_may_acknowledge, settings, systems),
    )
    departures = Departures(
        database, writer=writer, notifier=parts.notifier, acknowledger=acknowledger, audit=audit, clock=clock
    )
    servicer = CaseworkServicer(
        inbox=InboxQueries(database, clock=clock, sent_size=parts.sent_size, former=parts.former_partners),
        cases=CaseQueries(database, clock=clock, persons=colleagues, former=parts.former_partners),
        related=RelatedAlerts(
            database, names=names.matching, clock=clock, sent_size=parts.sent_size, former=parts.former_partners
        ),
        names=names,
        writer=writer,
        notifier=parts.notifier,
        knows_person=lambda conn, person: person in colleagues(conn),
        acknowledger=acknowledger,
        database=database,
    )
    keep_ms = settings.casework.note_days * _DAY_MS
    return Capability(
        {"gateway.v1.CaseworkService": servicer.register},
        {
            "case-notes": lambda: erase_old_notes(writer, keep_ms=keep_ms, clock=clock),
            "acknowledgements": departures.run,
            "erased-words": lambda: merge_erased_words(writer, database),
        },
        followers=[InboxLister()],
        text_followers={SEARCH_INDEX: is_unindexed},
    )


def _colleagues(settings: Settings, systems: ListRoles, conn: Connection) -> Mapping[str, str]:
    """Whom alerts can be assigned to, with names for people: active persons; systems where there are no persons."""
    if settings.persons.enabled:
        return {one.name: one.display_name or one.name for one in active_persons(conn) if _DESKS & one.roles}
    node = settings.node
    return {f"system/{node}/{name}": name for name, roles in systems().items() if _DESKS & frozenset(roles)}


def _may_acknowledge(settings: Settings, systems: ListRoles, conn: Connection, principal: str, now_ms: int) -> bool:
    """Whether a principal, `person/NODE/NAME` or `system/NODE/NAME`, has one of the roles for it now."""
    _kind, _node, name = principal.split("/", 2)
    if not principal.startswith(PERSON_PREFIX):
        roles = frozenset(systems().get(name, ()))
    else:
        account = accounts.find(conn, name) if settings.persons.enabled else None
        if account is None or account.disabled:
            return False
        roles = roles_at(account, sessions.newest_grant(conn, name), now_ms)
    return not load_permissions()[METHOD].roles.isdisjoint(roles)
