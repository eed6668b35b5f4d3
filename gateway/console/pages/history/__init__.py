"""Shipment history: why somebody asks comes first, then what they look for; records, and a consignment's trace."""

from __future__ import annotations

from typing import Final

from gateway.console.navigation import NavigationEntry
from gateway.console.page import page_route
from gateway.console.pages.history.record import show_own_record, show_record
from gateway.console.pages.history.search import ask, search
from gateway.console.pages.history.trace import trace
from gateway.translation.messages import gettext as _

ASKING: Final = frozenset({"officer", "analyst", "supervisor"})
"""Roles that may search."""

routes = [
    page_route("/history", ask, roles=ASKING),
    page_route("/history/search", search, methods=("POST",), roles=ASKING),
    page_route("/history/record", show_record, methods=("POST",), roles=ASKING),
    page_route("/history/trace", trace, methods=("POST",), roles=ASKING),
    page_route("/history/records/{record_id}", show_own_record),
]
navigation = NavigationEntry(path="/history", title=lambda: _("Shipments"), icon="history", order=40, roles=ASKING)
