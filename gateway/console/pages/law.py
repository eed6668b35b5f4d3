"""Export control by this authority's list: suggested control codes, and the days on which controls change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, has_role, page_route, render
from gateway.console.pages.alert.step_forms import decimal, element
from gateway.console.views.controls import ControlChangeRow, SuggestionRow, change_rows, suggestion_rows, wording_of
from gateway.errors import InvalidRequestError
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import GoodsItem
from gateway.v1.history_service_pb2 import GoodsWording
from gateway.v1.shipment_pb2 import ShipmentGoods

READERS: Final = frozenset({"publisher", "officer", "analyst", "supervisor", "auditor"})
_READERS_OF_RECORDS: Final = READERS - {"publisher"}

LONGEST: Final = 1_024
_FIELDS: Final = ("description", "element", "purity", "form", "on", "since", "until")


async def show(request: Request) -> Response:
    """The questions, and the answers where there are any."""
    asked = Form({name: [request.query_params.get(name, "")[:LONGEST]] for name in _FIELDS})
    suggested, changes = None, None
    try:
        suggested = await _suggested(request, asked)
        changes = await _changes(request, asked)
    except InvalidRequestError as error:
        asked.add_violations(error, {name: name for name in _FIELDS})
    return render(
        request,
        "law.html",
        title=_("Export control"),
        status=200 if asked.is_good else 422,
        form=asked,
        rows=suggested,
        changes=changes,
        may_read_records=has_role(request, *_READERS_OF_RECORDS),
    )


async def _suggested(request: Request, asked: Form) -> list[SuggestionRow] | None:
    wording = GoodsWording(text=asked.text("description"), element=element(asked, "element"), form=asked.text("form"))
    purity = decimal(asked, "purity")
    if purity is not None and purity <= 100:
        wording.purity_percent = purity
    if not asked.is_good or not (wording.text or wording.element):
        return None
    found = await client(request).history.suggest_controls([wording], on=asked.text("on"))
    return suggestion_rows(found.goods[0])


async def suggested_by_goods(
    request: Request, goods: Sequence[GoodsItem | ShipmentGoods], texts: Iterable[str], *, on: str = ""
) -> list[tuple[str, list[SuggestionRow]]]:
    """Control codes that may apply to goods, each on a line of text; without goods that have none."""
    if not goods:
        return []
    found = await client(request).history.suggest_controls(map(wording_of, goods), on=on)
    rows = [(text, suggestion_rows(each)) for text, each in zip(texts, found.goods, strict=True)]
    return [(text, suggestions) for text, suggestions in rows if suggestions]


async def _changes(request: Request, asked: Form) -> list[ControlChangeRow] | None:
    if not asked.is_good or not asked.text("since") or not has_role(request, *_READERS_OF_RECORDS):
        return None
    return change_rows(await client(request).history.control_changes(asked.text("since"), asked.text("until")))


navigation = NavigationEntry(path="/law", title=lambda: _("Export control"), icon="search", order=45, roles=READERS)

routes = [page_route("/law", show)]
