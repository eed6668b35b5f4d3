"""Pages of operators and auditors: state, links, certificates, directory, maintenance, audit log."""

from __future__ import annotations

from gateway.console.navigation import NavigationEntry
from gateway.console.pages.operations import audit, keys, links, maintenance, partner_test, state
from gateway.translation.messages import gettext as _

routes = [
    *state.routes,
    *links.routes,
    *keys.routes,
    *maintenance.routes,
    *audit.routes,
    *partner_test.routes,
]
navigation = NavigationEntry(
    path="/operations",
    title=lambda: _("Operations"),
    icon="operations",
    order=70,
    roles=frozenset({"operator", "supervisor", "auditor"}),
)
