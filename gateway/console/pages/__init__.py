"""The pages, a module for each: its routes and its entry of the menu are listed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.routing import Route

from gateway.console.live import Source
from gateway.console.navigation import NavigationEntry
from gateway.console.pages import (
    account,
    alert,
    drafts,
    enrolment,
    figures,
    files,
    history,
    home,
    inbox,
    law,
    licences,
    network,
    new_alert,
    notification_rules,
    notifications,
    operations,
    passkeys,
    people,
    preferences,
    provider,
    risk_profiles,
    shown,
    sign_in,
    uploads,
    verification,
    watchlists,
    why,
    worklist,
)
from gateway.console.pages.alert.live import alert_changes

ROUTES: Final[Sequence[Route]] = [
    *home.routes,
    *sign_in.routes,
    *passkeys.routes,
    *provider.routes,
    *enrolment.routes,
    *preferences.routes,
    *shown.routes,
    *account.routes,
    *people.routes,
    *new_alert.routes,
    *drafts.routes,
    *inbox.routes,
    *worklist.routes,
    *alert.routes,
    *files.routes,
    *uploads.routes,
    *verification.routes,
    *history.routes,
    *network.routes,
    *figures.routes,
    *watchlists.routes,
    *law.routes,
    *licences.routes,
    *risk_profiles.routes,
    *notifications.routes,
    *notification_rules.routes,
    *operations.routes,
    *why.routes,
]
"""Of all pages. Order matters where patterns overlap."""

NAVIGATION: Final[Sequence[NavigationEntry]] = [
    inbox.navigation,
    new_alert.navigation,
    history.navigation,
    network.navigation,
    figures.navigation,
    operations.navigation,
    people.navigation,
    watchlists.navigation,
    law.navigation,
    licences.navigation,
    risk_profiles.navigation,
]
"""Entries of the menu; `NavigationEntry.order` sorts them."""

SOURCES: Final[Mapping[str, Source]] = {
    "alerts": alert_changes,
    "inbox": inbox.inbox_changes,
    "notifications": notifications.notification_changes,
}
"""What live pages can listen to."""
