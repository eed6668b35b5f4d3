"""The node at a glance: alarms with what to do, partners and their lag, quotas, replicas, workers, ways out."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.page import client, has_role, page_route, render
from gateway.console.pages.operations.parts import OPERATOR, tabs
from gateway.console.views.partner_links import partner_rows
from gateway.console.views.words import capitalised
from gateway.errors import MethodUnknownError
from gateway.translation.alarm_texts import advice_on, alarm_title
from gateway.translation.labels import QUOTA, RESOURCE, label
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.notification_service_pb2 import ListOutboxStateResponse

_QUOTAS: Final = {"licences": N_("Licences"), "risk-profiles": N_("Risk profiles")}
"""Kinds of quotas that are called as their pages are."""


async def show(request: Request) -> Response:
    """The overview."""
    acting = client(request)
    status, links, outbox = await asyncio.gather(acting.node.status(), acting.node.links(), _outbox(acting))
    return render(
        request,
        "operations/state.html",
        title=_("Operations"),
        tabs=tabs(request),
        node=status,
        alarms=[(alarm, alarm_title(alarm.code), advice_on(alarm.code)) for alarm in status.alarms],
        partners=partner_rows(links),
        outbox=outbox,
        quotas=[
            (
                used,
                _(_QUOTAS[used.kind]) if used.kind in _QUOTAS else capitalised(label(QUOTA, used.kind)),
                _share(used.items, used.max_items),
                _share(used.bytes, used.max_bytes),
            )
            for used in status.partner_usage
        ],
        resources=[(used, capitalised(label(RESOURCE, used.name))) for used in status.resources],
        may_operate=has_role(request, OPERATOR),
    )


async def _outbox(acting: GatewayClient) -> ListOutboxStateResponse | None:
    try:
        return await acting.notifications.outbox_state()
    except MethodUnknownError:
        return None  # notifications are off


def _share(used: int, most: int) -> int:
    """Percent."""
    return round(100 * used / most) if most else 0


routes = [page_route("/operations", show)]
