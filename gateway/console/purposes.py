"""Purposes that a form offers: those of the agreements, in words."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from gateway.console.page import client
from gateway.errors import PermissionDeniedError
from gateway.translation.labels import PURPOSE, label
from gateway.v1.alert_pb2 import AlertContent

USUAL: Final = "export_control"
"""The purpose of most agreements, and the one that is offered where a person may not ask for them."""


async def purpose_options(request: Request) -> list[tuple[str, str]]:
    """Codes with their words, for a select; the usual one first."""
    try:
        agreed = list((await client(request).preview(AlertContent(), [])).purposes)
    except PermissionDeniedError:
        agreed = []
    codes = sorted({*agreed} or {USUAL}, key=lambda code: (code != USUAL, code))
    return [(code, label(PURPOSE, code)) for code in codes]
