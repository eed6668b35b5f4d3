"""Under which control codes goods may stand, by this authority's list."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, page_route, render
from gateway.console.pages.alert.step_forms import decimal, element
from gateway.console.views.controls import suggestion_rows
from gateway.translation.messages import gettext as _
from gateway.v1.history_service_pb2 import GoodsWording

READERS: Final = frozenset({"publisher", "officer", "analyst", "supervisor", "auditor"})

LONGEST: Final = 1_024
_FIELDS: Final = ("description", "element", "purity", "form", "on")


async def show(request: Request) -> Response:
    """The question, and the answer where there is one."""
    asked = Form({name: [request.query_params.get(name, "")[:LONGEST]] for name in _FIELDS})
    wording = GoodsWording(text=asked.text("description"), element=element(asked, "element"), form=asked.text("form"))
    purity = decimal(asked, "purity")
    if purity is not None and purity <= 100:
        wording.purity_percent = purity
    rows = None
    if asked.is_good and (wording.text or wording.element):
        found = await client(request).history.suggest_controls([wording], on=asked.text("on"))
        rows = suggestion_rows(found.goods[0])
    return render(request, "law.html", title=_("Export control"), form=asked, rows=rows)


navigation = NavigationEntry(path="/law", title=lambda: _("Export control"), icon="search", order=45, roles=READERS)

routes = [page_route("/law", show)]
