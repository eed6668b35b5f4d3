"""What expires: one calendar of all that ends at this node, as far as the person may see it, and as a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.page import client, console_of, has_role, page_route, render
from gateway.console.pages.operations.parts import OPERATOR, days_kind, tabs
from gateway.console.views.calendar_file import MEDIA_TYPE, calendar_file
from gateway.console.views.expiring import (
    ExpiringThing,
    agreement_ends,
    certificate_ends,
    directory_end,
    in_order,
    key_ends,
    licence_ends,
    list_ends,
)
from gateway.console.views.trusted import SignedDirectory
from gateway.translation.messages import gettext as _

LICENCE_DAYS: Final = 90
"""Days before their end from which licences are shown: an authority may have very many."""

MOST: Final = 200
"""Licences, and list entries, that are read."""


async def show(request: Request) -> Response:
    """Everything in order of its end."""
    now = datetime.now(UTC)
    things = await _things(request, now)
    return render(
        request,
        "operations/expires.html",
        title=_("What expires"),
        tabs=tabs(request),
        rows=[(thing, days := thing.days(now), days_kind(days)) for thing in things],
        unseen=_unseen(request),
    )


async def calendar(request: Request) -> Response:
    """The same for a calendar."""
    now, node = datetime.now(UTC), console_of(request).client.node_name
    title = _("What expires at {node}", node=node.upper())
    content = calendar_file(await _things(request, now), title=title, node=node, now=now)
    headers = {"content-disposition": f'attachment; filename="what-expires-{node}.ics"'}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


async def _things(request: Request, now: datetime) -> list[ExpiringThing]:
    gateway, own = client(request), console_of(request).client.node_name
    parts = [_agreed(gateway, own)]
    if has_role(request, OPERATOR, "auditor"):
        parts.append(_keys(gateway, own))
    if has_role(request, "supervisor", "auditor"):
        parts.append(_listed(gateway, own, now))
    return in_order((thing for part in await asyncio.gather(*parts) for thing in part), now)


async def _agreed(gateway: GatewayClient, own: str) -> Sequence[ExpiringThing]:
    status = await gateway.node.directory()
    return [directory_end(status), *agreement_ends(SignedDirectory.of(status.note).agreements, own)]


async def _keys(gateway: GatewayClient, own: str) -> Sequence[ExpiringThing]:
    certificates, keys = await asyncio.gather(gateway.node.certificates(), gateway.node.keys())
    return [*certificate_ends(certificates, own), *key_ends(keys, own)]


async def _listed(gateway: GatewayClient, own: str, now: datetime) -> Sequence[ExpiringThing]:
    days = [f"{now + timedelta(days=left):%Y-%m-%d}" for left in (0, LICENCE_DAYS)]
    words = f'issuer = "{own}" AND withdrawn = no AND valid_until >= "{days[0]}" AND valid_until <= "{days[1]}"'
    licences, entries = await asyncio.gather(
        gateway.licences.page(filter=words, page_size=MOST),
        gateway.watchlist.entries_page(filter="expiring = true", page_size=MOST),
    )
    return [*licence_ends(licences.licences), *list_ends(entries.entries, own)]


def _unseen(request: Request) -> str:
    """What the person's roles don't show here."""
    if not has_role(request, OPERATOR, "auditor"):
        return _("Certificates and keys are shown to operators and auditors.")
    if not has_role(request, "supervisor", "auditor"):
        return _("Licences and entries of lists are shown to supervisors and auditors.")
    return ""


routes = [
    page_route("/operations/expires", show),
    page_route("/operations/expires/calendar", calendar),
]
