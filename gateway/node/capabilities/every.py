"""Puts together all capabilities that the settings turn on."""

from __future__ import annotations

from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.service import AlertQueries
from gateway.node.assembly.callers import Callers
from gateway.node.assembly.history import History
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.capabilities.alert_following import AlertFollowing, in_node, in_process
from gateway.node.capabilities.capability import Capabilities, Capability, Loop
from gateway.node.capabilities.casework import casework
from gateway.node.capabilities.figures import figures
from gateway.node.capabilities.link_analysis import link_analysis
from gateway.node.capabilities.notifications import notifications
from gateway.node.capabilities.parts import NodeParts
from gateway.node.capabilities.persons import start_persons
from gateway.node.capabilities.risk_profiles import risk_profiles
from gateway.node.capabilities.time_stamps import time_stamps
from gateway.persons.service.pseudonyms import Pseudonyms
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.trust.rules.audit import AuditSink


async def start_capabilities(
    parts: NodeParts,
    *,
    alerts: AlertQueries,
    watchlists: Watchlists,
    history: History,
    callers: Callers,
    pseudonyms: Pseudonyms,
    files: Capability,
    licences: Capability,
    witnesses: Capability,
    publisher: Publisher,
    audit: AuditSink,
) -> Capabilities:
    """Raises ConfigurationError: a secret can't be read, or a package is missing."""
    visibility = watchlists.visibility
    on = [
        await start_persons(parts, calls=callers.persons, pseudonyms=pseudonyms),
        files,
        licences,
        witnesses,
        figures(parts, alerts=alerts, visibility=visibility),
        casework(
            parts,
            systems=callers.systems,
            process=history.names_process,
            publisher=publisher,
            alerts=alerts,
            audit=audit,
        ),
        notifications(parts, visibility=visibility, controls=history.control_changes),
        risk_profiles(parts, process=history.names_process),
        link_analysis(parts, history=history, watchlists=watchlists),
        time_stamps(parts),
    ]
    return Capabilities.of([*on, _following(parts, Capabilities.of(on), process=history.names_process)])


def _following(parts: NodeParts, capabilities: Capabilities, *, process: WorkerProcess) -> Capability:
    """The loops that follow alerts for these capabilities."""
    followers = [follower for one in capabilities.on for follower in one.followers]
    by_name = {name: is_behind for one in capabilities.on for name, is_behind in one.text_followers.items()}
    loops: dict[str, Loop] = {}
    if followers:
        prepare = in_node(parts.database, followers)
        loops["alert followers"] = AlertFollowing(prepare, parts.writer, parts.notifier, parts.database.commits).run
    if by_name:
        prepare = in_process(parts.database, process, by_name)
        loops["alert texts"] = AlertFollowing(prepare, parts.writer, parts.notifier, parts.database.commits).run
    return Capability({}, loops)
