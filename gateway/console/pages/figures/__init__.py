"""Figures of a period with a chart and a table for each, as CSV too, and publication sheets of closed cases."""

from __future__ import annotations

from typing import Final

from gateway.console.navigation import NavigationEntry
from gateway.console.page import page_route
from gateway.console.pages.figures.overview import download, show
from gateway.console.pages.figures.sheet import decide, show_sheet
from gateway.translation.messages import gettext as _

READING: Final = frozenset({"analyst", "supervisor", "auditor"})
"""Roles that may see figures."""

routes = [
    page_route("/figures", show),
    page_route("/figures/download", download),
    page_route("/figures/sheets/{alert_id}", show_sheet),
    page_route("/figures/sheets/{alert_id}", decide, methods=("POST",)),
]
navigation = NavigationEntry(path="/figures", title=lambda: _("Figures"), icon="figures", order=60, roles=READING)
