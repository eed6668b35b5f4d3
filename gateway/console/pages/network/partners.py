"""From a node of the graph to partners: the form of a search with what is looked for, and why, filled in."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, form
from gateway.console.pages.history.search import show_form
from gateway.console.views.partner_question import PartnerQuestion
from gateway.errors import MalformedError
from gateway.translation.messages import gettext as _

KEPT: Final = ("purpose", "legal_basis", "case_reference", "depth", "kinds", "declared_from", "declared_until",
               "answers")  # fmt: skip
"""Fields of the graph's form that the search's form has too, or hands on."""

_ON_LINES: Final = "party_names"
"""The criterion whose field has a value on each line; others have commas."""


async def ask_partners(request: Request) -> Response:
    """The form; nobody is asked before it is sent."""
    sent = form(request)
    asked = PartnerQuestion.read(sent.raw("about"))
    if asked is None:
        raise MalformedError(_("This form says nothing to ask about."))
    values = {name: sent.all(name) for name in KEPT if sent.all(name)}
    nodes = [client(request).node_name, *sent.all("partners")]  # a trace begins at own records
    values |= {"mode": ["records"], "partners": nodes, "nodes": nodes, "about": [asked.values[0]]}
    values |= {"begin": ["record"], "what": [asked.seed]} if asked.begin == "record" else {asked.begin: [asked.seed]}
    values[asked.criterion] = [("\n" if asked.criterion == _ON_LINES else ", ").join(asked.values)]
    return await show_form(request, Form(values))
