"""The audit log, searched by person, partner, method, case and result."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, page_route, render
from gateway.console.pages.operations.parts import tabs
from gateway.errors import InvalidRequestError
from gateway.translation.messages import gettext as _
from gateway.translation.refusals import refused
from gateway.v1 import (
    alert_service_pb2,
    casework_service_pb2,
    evidence_service_pb2,
    file_service_pb2,
    history_service_pb2,
    node_service_pb2,
    notification_service_pb2,
    person_service_pb2,
    watchlist_service_pb2,
)
from gateway.v1.evidence_service_pb2 import ListAuditEventsResponse

PAGE_ROWS: Final = 50
FIELDS: Final = ("person", "partner", "method", "case_reference", "result")
"""Names of the form's fields, as in the gateway's filter."""

SERVICES: Final = (
    alert_service_pb2,
    casework_service_pb2,
    evidence_service_pb2,
    file_service_pb2,
    history_service_pb2,
    node_service_pb2,
    notification_service_pb2,
    person_service_pb2,
    watchlist_service_pb2,
)
METHODS: Final = {
    method.name.lower(): f"/{service.full_name}/{method.name}"
    for module in SERVICES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Full names by the method's name in lower case."""

LONGEST: Final = 200
"""Characters of one field: a filter has 1,024 in all."""


async def show(request: Request) -> Response:
    """A page of events, newest first."""
    given = {name: request.query_params.get(name, "").strip()[:LONGEST] for name in FIELDS}
    sent = Form.with_values(given)
    token = request.query_params.get("after", "")
    status = 200
    try:
        page = await client(request).evidence.audit_events_page(
            page_size=PAGE_ROWS, page_token=token, filter=_filter(given)
        )
    except InvalidRequestError as error:
        sent.problems[""] = refused(error.message)
        page, status = ListAuditEventsResponse(), 422
    kept = {name: value for name, value in given.items() if value}
    more = page.next_page_token
    return render(
        request,
        "operations/audit.html",
        title=_("Audit log"),
        status=status,
        tabs=tabs(request),
        form=sent,
        events=page.events,
        next_href=f"/operations/audit?{urlencode(kept | {'after': more})}" if more else "",
        first_href=f"/operations/audit?{urlencode(kept)}" if token else "",
        results=[("allow", _("allowed")), ("deny", _("denied")), ("error", _("failed"))],
        short=_short,
    )


def _filter(given: dict[str, str]) -> str:
    terms = []
    for name, value in given.items():
        if not value:
            continue
        full = value
        if name == "method" and "/" not in value:
            full = _full_method(value)
        if name == "partner":
            full = value.lower()
        terms.append(f"{name} = {json.dumps(full, ensure_ascii=False)}")
    return " AND ".join(terms)


def _full_method(name: str) -> str:
    """A method as the log has it, from `Service/Method`, or from the method's name alone where that is enough."""
    return METHODS.get(name.lower(), name)


def _short(method: str) -> str:
    """Without the package."""
    return method.removeprefix("/gateway.v1.").replace("Service/", " · ")


routes = [page_route("/operations/audit", show)]
