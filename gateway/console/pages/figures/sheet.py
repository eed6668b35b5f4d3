"""The publication sheet of a closed case: what may be published by rule, and what a supervisor decides to add."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, form, has_role, render
from gateway.console.views.publication import decision_options, finding_rows, sheet_rows
from gateway.errors import InvalidRequestError
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.v1.options_pb2 import DisclosureClass


async def show_sheet(request: Request) -> Response:
    """The sheet by rule alone."""
    return await _sheet(request, Form())


async def decide(request: Request) -> Response:
    """The sheet with what the form names; the gateway keeps who decided so, and why."""
    sent = form(request)
    if sent.all("disclose"):
        sent.required("reason", _("Say why these are published."))
    return await _sheet(request, sent, sent.all("disclose") if sent.is_good else ())


async def _sheet(request: Request, sent: Form, disclose: Sequence[str] = ()) -> Response:
    alert_id = request.path_params["alert_id"]
    figures = client(request).figures
    try:
        made = await figures.publication_sheet(
            alert_id, disclose=disclose, reason=sent.text("reason") if disclose else ""
        )
    except InvalidRequestError as error:
        if not disclose:
            raise
        sent.add_violations(error, {"disclose": "disclose", "reason": "reason"})
        made = await figures.publication_sheet(alert_id)
    sheet = made.sheet
    withheld: dict[str, list[str]] = {}
    for field in sheet.withheld:
        withheld.setdefault(label_of(DisclosureClass, field.disclosure_class), []).append(field.path)
    return render(
        request,
        "figures/sheet.html",
        title=_("Publication sheet"),
        status=200 if sent.is_good else 422,
        form=sent,
        sheet=sheet,
        alert=made.alert,
        rows=sheet_rows(sheet),
        findings=[(finding.node, finding.inspected_on, finding_rows(finding.finding)) for finding in sheet.findings],
        withheld=withheld,
        options=decision_options(made.decidable),
        may_decide=has_role(request, "supervisor"),
    )
