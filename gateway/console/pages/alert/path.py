"""Reads which alert a path names."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from gateway.client import AlertReference
from gateway.errors import NotFoundError

MAX_ID_CHARS: Final = 64


def reference(request: Request) -> AlertReference:
    """The alert that a path names."""
    publisher, alert_id = request.path_params["publisher"], request.path_params["alert_id"]
    if len(publisher) > MAX_ID_CHARS or len(alert_id) > MAX_ID_CHARS:
        raise NotFoundError("there is no such alert")
    return AlertReference(publisher=publisher, alert_id=alert_id)
