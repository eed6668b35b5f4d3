"""Partners and purposes that a form offers: those of the agreements; and how it reads partners that were chosen.

terms = await agreed(request)
render(…, purposes=terms.purpose_options(), partners=terms.partner_options(nodes_of(sent, "partners")))
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from gateway.console.form import Form
from gateway.console.page import client
from gateway.console.views.words import capitalised
from gateway.errors import PermissionDeniedError
from gateway.translation.labels import PURPOSE, label
from gateway.v1.alert_pb2 import AlertContent

USUAL: Final = "export_control"
"""The purpose of most agreements, and the one that is offered where a person may not ask for them."""

_SEPARATORS: Final = re.compile(r"[\s,;，；、]+")


@dataclass(frozen=True, slots=True)
class AgreedTerms:
    """With whom and for what this node has agreements; where a person may not ask for these, whom it has links to."""

    partners: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()

    def purpose_options(self) -> list[tuple[str, str]]:
        """Codes with their words, for a select; the usual one first."""
        codes = sorted(self.purposes or {USUAL}, key=lambda code: (code != USUAL, code))
        return [(code, capitalised(label(PURPOSE, code))) for code in codes]

    def partner_options(self, kept: Iterable[str] = (), *, without: Iterable[str] = ()) -> list[tuple[str, str, str]]:
        """Partners for checkboxes.

        Args:
            kept: what a form or a rule names already; it stays to choose.
            without: partners that make no sense here.
        """
        nodes = sorted(self.partners - {*without})
        return [(node, node.upper(), "") for node in dict.fromkeys([*nodes, *kept])]


async def agreed(request: Request) -> AgreedTerms:
    """The terms that the gateway tells this person."""
    acting = client(request)
    try:
        told = await acting.preview(AlertContent(), [])
        return AgreedTerms(frozenset(one.recipient for one in told.agreements), frozenset(told.purposes))
    except PermissionDeniedError:
        pass
    try:
        return AgreedTerms(frozenset(link.partner for link in await acting.node.links()))
    except PermissionDeniedError:
        return AgreedTerms()


def nodes_of(sent: Form, name: str) -> list[str]:
    """Nodes that a form names, each once: chosen, or in a text like `hk, mo`."""
    words = (word for text in sent.all(name) for word in _SEPARATORS.split(text.lower()))
    return list(dict.fromkeys(filter(None, words)))
