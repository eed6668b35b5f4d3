"""What the pages of operations share: their tabs, and days left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request

from gateway.console.page import has_role
from gateway.translation.messages import gettext as _

OPERATOR: Final = "operator"

WARN_DAYS: Final = 30
"""Days left from which an end is marked."""


def tabs(request: Request) -> Sequence[tuple[str, str, None]]:
    """The pages that the person may open."""
    shown = [("/operations", _("State"), None)]
    if has_role(request, OPERATOR, "auditor"):
        shown.append(("/operations/keys", _("Certificates and keys"), None))
    shown.append(("/operations/expires", _("What expires"), None))
    shown.append(("/operations/directory", _("Directory"), None))
    if has_role(request, OPERATOR):
        shown.append(("/operations/maintenance", _("Maintenance"), None))
    if has_role(request, "auditor", "supervisor"):
        shown.append(("/operations/audit", _("Audit log"), None))
        shown.append(("/evidence/verify", _("Verify evidence"), None))
    return shown


def days_left(end: Timestamp) -> int:
    """Whole days until a time; negative after it."""
    return (end.ToDatetime(UTC) - datetime.now(UTC)).days


def days_kind(days: int) -> str:
    """Colour of a number of days."""
    return "bad" if days < 0 else "warn" if days < WARN_DAYS else "good"
