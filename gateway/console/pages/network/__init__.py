"""What parties and things have in common: why somebody asks comes first, then a picture with its reasons in a list."""

from __future__ import annotations

from typing import Final

from gateway.console.navigation import NavigationEntry
from gateway.console.page import page_route
from gateway.console.pages.network.graph import show_graph
from gateway.console.pages.network.partners import ask_partners
from gateway.console.pages.network.question import ask
from gateway.translation.messages import gettext as _

ASKING: Final = frozenset({"officer", "analyst", "supervisor"})
"""Roles that may see connections."""

routes = [
    page_route("/network", ask, roles=ASKING),
    page_route("/network/graph", show_graph, methods=("POST",), roles=ASKING),
    page_route("/network/partners", ask_partners, methods=("POST",), roles=ASKING),
]
navigation = NavigationEntry(path="/network", title=lambda: _("Network"), icon="network", order=50, roles=ASKING)
