"""Why partners don't have something of ours, one sentence for each."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import AlertReference
from gateway.console.agreed import USUAL, agreed
from gateway.console.filters import moment_text
from gateway.console.page import client, page_route, render
from gateway.errors import NotFoundError
from gateway.translation.absences import absence_text
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import ABSENCE_REASON_RECEIVED, Absence, ExplainAbsenceRequest
from gateway.v1.watchlist_pb2 import WatchlistReference

LONGEST: Final = 200


async def show(request: Request) -> Response:
    """The page of an alert, an entry or a record."""
    asked, path, name = _asked(request)
    found = await client(request).node.explain_absence(asked)
    return render(
        request,
        "why.html",
        title=_("Who has {name}", name=name),
        path=path,
        name=name,
        asked=asked,
        kind=asked.WhichOneof("subject"),
        purposes=(await agreed(request)).purpose_options(),
        rows=[(absence.partner, _sentence(absence), _has(absence)) for absence in found.absences],
    )


def _asked(request: Request) -> tuple[ExplainAbsenceRequest, str, str]:
    """The question of an address, the path of its subject's page, and how that is called."""
    query = {name: value[:LONGEST] for name, value in request.query_params.items()}
    field = query.get("field", "").strip()
    if "alert" in query:
        publisher, _slash, alert_id = query["alert"].partition("/")
        alert = AlertReference(publisher=publisher, alert_id=alert_id)
        return ExplainAbsenceRequest(alert=alert, field=field), f"/alerts/{query['alert']}", _("the alert")
    if "entry" in query:
        publisher, name, entry_id = [*query["entry"].split("/", 2), "", ""][:3]
        entry = WatchlistReference(publisher=publisher, list=name, id=entry_id)
        return ExplainAbsenceRequest(entry=entry, field=field), f"/watchlists/entry/{query['entry']}", _("the entry")
    if "record" in query:
        purpose = query.get("purpose", "").strip() or USUAL
        asked = ExplainAbsenceRequest(record_id=query["record"], field=field, purpose=purpose)
        return asked, f"/history/records/{query['record']}", _("the record")
    raise NotFoundError(_("This address names nothing that partners could have."))


def _sentence(absence: Absence) -> str:
    return absence_text(absence, time=moment_text(absence.at) if absence.HasField("at") else "")


def _has(absence: Absence) -> bool:
    return absence.reason == ABSENCE_REASON_RECEIVED


routes = [page_route("/why", show)]
