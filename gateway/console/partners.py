"""Partners that a form offers, and how it reads those that were chosen, or typed as earlier versions asked for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request

from gateway.console.form import Form
from gateway.console.page import client
from gateway.errors import PermissionDeniedError
from gateway.v1.alert_pb2 import AlertContent

_SEPARATORS: Final = re.compile(r"[\s,;，；、]+")


async def partner_options(
    request: Request, kept: Iterable[str] = (), *, without: Iterable[str] = ()
) -> list[tuple[str, str, str]]:
    """Partners for checkboxes: those of the agreements, or where a person may not ask for these of the links.

    Args:
        kept: what a form or a rule names already; it stays to choose.
        without: partners that make no sense here.
    """
    nodes = sorted(await _agreed(request) - {*without})
    return [(node, node.upper(), "") for node in dict.fromkeys([*nodes, *kept])]


async def _agreed(request: Request) -> set[str]:
    acting = client(request)
    try:
        return {agreement.recipient for agreement in (await acting.preview(AlertContent(), [])).agreements}
    except PermissionDeniedError:
        pass
    try:
        return {link.partner for link in await acting.node.links()}
    except PermissionDeniedError:
        return set()


def nodes_of(sent: Form, name: str) -> list[str]:
    """Nodes that a form names, each once: chosen, or in a text like `hk, mo`."""
    words = (word for text in sent.all(name) for word in _SEPARATORS.split(text.lower()))
    return list(dict.fromkeys(filter(None, words)))
