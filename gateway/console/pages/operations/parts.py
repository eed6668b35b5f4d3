"""What the pages of operations share: their tabs, words of states, and days left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request

from gateway.console.page import has_role
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import Link, LinkState

OPERATOR: Final = "operator"

WARN_DAYS: Final = 30
"""Days left from which an end is marked."""

_STATES: Final = {
    LinkState.LINK_STATE_CONNECTED: (N_("Connected"), "good"),
    LinkState.LINK_STATE_CONNECTING: (N_("Not reached"), "bad"),
    LinkState.LINK_STATE_SUSPENDED: (N_("Suspended"), "warn"),
    LinkState.LINK_STATE_QUARANTINED: (N_("Quarantine"), "bad"),
    LinkState.LINK_STATE_RECOVERY_REQUIRED: (N_("To be recovered"), "bad"),
    LinkState.LINK_STATE_PULLED: (N_("Partner fetches"), "good"),
    LinkState.LINK_STATE_CLOSED: (N_("Ended"), "quiet"),
    LinkState.LINK_STATE_ELSEWHERE: (N_("At another replica"), "quiet"),
}


def tabs(request: Request) -> Sequence[tuple[str, str, None]]:
    """The pages that the person may open."""
    shown = [("/operations", _("State"), None)]
    if has_role(request, OPERATOR, "auditor"):
        shown.append(("/operations/keys", _("Certificates and keys"), None))
    shown.append(("/operations/directory", _("Directory"), None))
    if has_role(request, OPERATOR):
        shown.append(("/operations/maintenance", _("Maintenance"), None))
    if has_role(request, "auditor", "supervisor"):
        shown.append(("/operations/audit", _("Audit log"), None))
        shown.append(("/evidence/verify", _("Verify evidence"), None))
    return shown


def state_of(link: Link) -> tuple[str, str]:
    """Word and colour of a link's state."""
    name, kind = _STATES.get(link.state, (N_("Unknown"), "quiet"))
    return _(name), kind


def days_left(end: Timestamp) -> int:
    """Whole days until a time; negative after it."""
    return (end.ToDatetime(UTC) - datetime.now(UTC)).days


def days_kind(days: int) -> str:
    """Colour of a number of days."""
    return "bad" if days < 0 else "warn" if days < WARN_DAYS else "good"
