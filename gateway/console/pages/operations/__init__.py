"""Pages of operators and auditors: state, links, certificates, what expires, directory, maintenance, audit log."""

from __future__ import annotations

from gateway.console.navigation import NavigationEntry
from gateway.console.pages.operations import (
    audit,
    directory_upload,
    expires,
    keys,
    links,
    maintenance,
    partner_test,
    state,
)
from gateway.translation.messages import gettext as _

routes = [
    *state.routes,
    *links.routes,
    *keys.routes,
    *directory_upload.routes,
    *expires.routes,
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
