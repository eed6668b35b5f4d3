"""The audit log, searched by day, person, partner, method, case and result."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from gateway import v1
from gateway.console.form import Form
from gateway.console.page import client, form, page_route, reader_locale, render
from gateway.console.pages.operations.parts import tabs
from gateway.errors import InvalidRequestError
from gateway.files import stored_zip
from gateway.translation.messages import gettext as _
from gateway.translation.refusals import refused
from gateway.v1.audit_log_pb2 import AuditExportForm
from gateway.v1.evidence_service_pb2 import ListAuditEventsResponse

PAGE_ROWS: Final = 50
FIELDS: Final = ("person", "partner", "method", "case_reference", "result")
"""Names of the form's fields, as in the gateway's filter."""

DAYS: Final = ("since", "until")
"""Names of the form's fields for the first and the last day."""


def _services() -> Iterator[Any]:
    """Descriptors of all services of the contract."""
    for found in pkgutil.iter_modules(v1.__path__, f"{v1.__name__}."):
        if found.name.endswith("_service_pb2"):
            yield from importlib.import_module(found.name).DESCRIPTOR.services_by_name.values()


METHODS: Final = {
    method.name.lower(): f"/{service.full_name}/{method.name}" for service in _services() for method in service.methods
}
"""Full names by the method's name in lower case."""

FORMS: Final = {
    "csv": AuditExportForm.AUDIT_EXPORT_FORM_CSV,
    "jsonl": AuditExportForm.AUDIT_EXPORT_FORM_JSON_LINES,
}

LONGEST: Final = 200
"""Characters of one field: a filter has 1,024 in all."""


async def show(request: Request) -> Response:
    """A page of events, newest first."""
    given = {name: request.query_params.get(name, "").strip()[:LONGEST] for name in (*DAYS, *FIELDS)}
    sent = Form.with_values(given)
    token = request.query_params.get("after", "")
    status = 200
    try:
        page = await client(request).evidence.audit_events_page(
            page_size=PAGE_ROWS, page_token=token, filter=_filter(sent, reader_locale(request).zone)
        )
    except InvalidRequestError as error:
        sent.problems.setdefault("", refused(error.message))
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
        filters=kept,
        events=page.events,
        next_href=f"/operations/audit?{urlencode(kept | {'after': more})}" if more else "",
        first_href=f"/operations/audit?{urlencode(kept)}" if token else "",
        results=[("allow", _("allowed")), ("deny", _("denied")), ("error", _("failed"))],
        short=_short,
        detail_names={"subject_ids": _("About"), "detail": _("More"), "repeated": _("Times")},
    )


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
