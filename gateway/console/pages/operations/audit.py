"""The audit log in sentences, searched by day, person, partner, kind of act, case and result."""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, page_route, reader_locale, render
from gateway.console.pages.operations.parts import tabs
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.audit import RESULTS, act_groups, audit_lines, full_method, is_load, short_method
from gateway.errors import InvalidRequestError
from gateway.files import stored_zip
from gateway.translation.audit_sentences import AuditNames
from gateway.translation.messages import gettext as _
from gateway.v1.audit_log_pb2 import AuditExportForm
from gateway.v1.evidence_service_pb2 import ListAuditEventsResponse

PAGE_ROWS: Final = 50
"""Events that are asked for at once, and acts that fill a page."""

MOST_READ: Final = 500
"""Events that are read for a page: between acts there may be very many page loads."""

FIELDS: Final = ("person", "partner", "method", "case_reference", "result")
"""Names of the form's fields, as in the gateway's filter."""

DAYS: Final = ("since", "until")
"""Names of the form's fields for the first and the last day."""

LOADS: Final = "loads"
"""Name of the choice to see page loads too."""

FORMS: Final = {
    "csv": AuditExportForm.AUDIT_EXPORT_FORM_CSV,
    "jsonl": AuditExportForm.AUDIT_EXPORT_FORM_JSON_LINES,
}

LONGEST: Final = 200
"""Characters of one field: a filter has 1,024 in all."""


async def show(request: Request) -> Response:
    """A page of events, newest first."""
    given = {name: request.query_params.get(name, "").strip()[:LONGEST] for name in (*DAYS, *FIELDS)}
    given["method"] = short_method(full_method(given["method"]))
    sent = Form.with_values(given)
    token = request.query_params.get("after", "")
    asked_loads = request.query_params.get(LOADS) == "yes"
    with_loads = asked_loads or bool(given["method"])
    status = 200
    try:
        words = _filter(sent, reader_locale(request).zone)
        page = await _read(client(request), words, token, with_loads=with_loads)
    except InvalidRequestError as error:
        sent.problems.setdefault("", error_text(error))
        page, status = ListAuditEventsResponse(), 422
    kept = {name: value for name, value in given.items() if value}
    shown = kept | ({LOADS: "yes"} if asked_loads else {})
    names = AuditNames(page.names, console_of(request).client.node_name)
    more = page.next_page_token
    return render(
        request,
        "operations/audit.html",
        title=_("Audit log"),
        status=status,
        tabs=tabs(request),
        form=sent,
        filters=kept,
        lines=list(audit_lines(page.events, names, with_loads=with_loads)),
        next_href=_href(shown | {"after": more}) if more else "",
        first_href=_href(shown) if token else "",
        loads_href="" if with_loads and not asked_loads else _href(kept if asked_loads else kept | {LOADS: "yes"}),
        with_loads=with_loads,
        results=[(value, _(word)) for value, (word, _colour) in RESULTS.items()],
        acts=act_groups(),
    )


async def _read(gateway: GatewayClient, words: str, token: str, *, with_loads: bool) -> ListAuditEventsResponse:
    """A page of the gateway's, or as many as have enough acts between page loads."""
    read = ListAuditEventsResponse(next_page_token=token)
    while True:
        page = await gateway.evidence.audit_events_page(
            page_size=PAGE_ROWS, page_token=read.next_page_token, filter=words
        )
        read.events.extend(page.events)
        read.names.update(page.names)
        read.next_page_token = page.next_page_token
        acts = sum(with_loads or not is_load(event) for event in read.events)
        if not read.next_page_token or acts >= PAGE_ROWS or len(read.events) >= MOST_READ:
            return read


def _href(query: dict[str, str]) -> str:
    return f"/operations/audit?{urlencode(query)}" if query else "/operations/audit"


def _filter(sent: Form, zone: ZoneInfo) -> str:
    since, until = sent.day("since", zone), sent.day("until", zone, after=1)
    terms = [
        f'time {relation} "{day.isoformat()}"' for relation, day in ((">=", since), ("<", until)) if day is not None
    ]
    for name in FIELDS:
        value = sent.text(name)
        if not value:
            continue
        full = value
        if name == "method":
            full = full_method(value)
        if name == "partner":
            full = value.lower()
        terms.append(f"{name} = {json.dumps(full, ensure_ascii=False)}")
    return " AND ".join(terms)


async def export(request: Request) -> Response:
    """The events that the filters leave, signed, as `gateway evidence verify` takes them."""
    given = {name: form(request).text(name)[:LONGEST] for name in (*DAYS, *FIELDS)}
    chosen = Form.with_values(given)
    kind = form(request).text("form")
    words = _filter(chosen, reader_locale(request).zone)
    files = await client(request).evidence.export_audit(FORMS.get(kind, FORMS["csv"]), filter=words)
    packed = await asyncio.to_thread(stored_zip, files)
    headers = {"content-disposition": 'attachment; filename="audit-log.zip"'}
    return Response(packed, media_type="application/zip", headers=headers)


routes = [
    page_route("/operations/audit", show),
    page_route("/operations/audit/export", export, methods=("POST",)),
]
