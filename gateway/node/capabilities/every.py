"""Puts together all capabilities that the settings turn on."""

from __future__ import annotations

from gateway.alerts.service import AlertQueries
from gateway.node.assembly.callers import Callers
from gateway.node.assembly.history import History
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.capabilities.capability import Capabilities, Capability
from gateway.node.capabilities.casework import casework
from gateway.node.capabilities.figures import figures
from gateway.node.capabilities.link_analysis import link_analysis
from gateway.node.capabilities.notifications import notifications
from gateway.node.capabilities.parts import NodeParts
from gateway.node.capabilities.persons import start_persons
from gateway.persons.service.pseudonyms import Pseudonyms


async def start_capabilities(
    parts: NodeParts,
    *,
    alerts: AlertQueries,
    watchlists: Watchlists,
    history: History,
    callers: Callers,
    pseudonyms: Pseudonyms,
    files: Capability,
) -> Capabilities:
    """Raises ConfigurationError: a secret can't be read, or a package is missing."""
    visibility = watchlists.visibility
    return Capabilities.of(
        [
            await start_persons(parts, calls=callers.persons, pseudonyms=pseudonyms),
            files,
            figures(parts, alerts=alerts, visibility=visibility),
            casework(parts, systems=callers.systems, process=history.names_process),
            notifications(parts, visibility=visibility),
            link_analysis(parts, history=history, watchlists=watchlists),
        ]
    )
