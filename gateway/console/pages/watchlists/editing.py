"""A list entry written by a form: a new one, or an amendment; what changes for whom is shown before it is proposed."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.agreed import agreed
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, has_role, reader_locale, redirect, render
from gateway.console.pages.new_alert import decoded, encoded
from gateway.console.pages.watchlists.lists import entry_of
from gateway.console.pages.watchlists.paths import amendment_path, entry_path, list_path
from gateway.console.views.alerts.field_names import error_text, violation_text
from gateway.console.views.codes import commodity_codes, places
from gateway.console.views.form_rows import row_count
from gateway.console.views.lists.entries import changed_lines, title_of
from gateway.console.views.lists.entry_form import ROWS, SCHEMES, field_of, read_entry, shown
from gateway.console.views.remarks import remarks_of
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import words
from gateway.errors import GatewayError, InvalidRequestError, Kind, NotFoundError
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Classification, OnwardTransfer, RequestedAction
from gateway.v1.watchlist_pb2 import ListedNameKind, WatchlistContent, WatchlistKind, WatchlistReference
from gateway.v1.watchlist_service_pb2 import ProposedEntry, ProposeEntriesResponse

WRITING: Final = ("publisher", "officer", "supervisor")
"""Roles that may propose entries."""

_COUNTING: Final = ("officer", "analyst", "supervisor", "auditor")
_FIRST: Final = {
    "kind": ["organisation"],
    "requested_action": ["inform"],
    "classification": ["official"],
    "onward_transfer": ["prohibited"],
    "purpose": ["export_control"],
}


async def ask_new(request: Request) -> Response:
    """The empty form."""
    values = shown(WatchlistContent(), reader_locale(request).zone) | _FIRST
    values |= {"request_id": [new_request_id()], "list": [request.query_params.get("list", "")]}
    return await _form_page(request, Form(values), WatchlistContent())


async def ask_amendment(request: Request) -> Response:
    """The form with what the entry says now."""
    found = await client(request).watchlist.get(entry_of(request))
    if not found.HasField("entry"):
        raise NotFoundError(_("This entry has ended already."))
    content = found.entry.content
    values = shown(content, reader_locale(request).zone)
    values |= {"request_id": [new_request_id()], "revision": [str(found.entry.revision)]}
    return await _form_page(request, Form(values), content)


async def take(request: Request) -> Response:
    """The form that was sent: another row, the page that shows what changes, or on the second time the proposal."""
    sent = form(request)
    base: WatchlistContent = decoded(sent.raw("base"), WatchlistContent())
    if sent.text("edit") or (sent.text("do") != "preview" and not sent.text("confirmed")):
        return await _form_page(request, sent, base)
    name = _list_of(request)
    if not name:
        sent.problems["list"] = _("Name the list.")
    content = read_entry(sent, base, reader_locale(request).zone)
    if content == base and sent.is_good:
        sent.problems[""] = _("Nothing has changed yet.")
    if not sent.is_good:
        return await _form_page(request, sent, base, status=422)
    if not sent.text("confirmed"):
        return _check_page(request, sent, base, content, name)
    return await _propose(request, sent, base, content, name)


async def _propose(
    request: Request, sent: Form, base: WatchlistContent, content: WatchlistContent, name: str
) -> Response:
    entry = ProposedEntry(id=request.path_params.get("entry_id", ""), content=content)
    entry.revision = sent.whole_number("revision") if entry.id else 0
    try:
        response = await client(request).watchlist.propose(
            name, entries=[entry], note=sent.text("note"), request_id=sent.text("request_id")
        )
    except InvalidRequestError as error:
        for violation in error.violations:
            path = violation.field.removeprefix("entries[0].content.")
            sent.problems.setdefault(
                "list" if path == "list" else field_of(path, {}), violation_text(path, violation.message)
            )
        return await _form_page(request, sent, base, status=422)
    except GatewayError as error:
        if error.kind is not Kind.FAILED_PRECONDITION:
            raise
        sent.problems[""] = error_text(error)
        return await _form_page(request, sent, base, status=409)
    return _done(request, name, response)


def _done(request: Request, name: str, response: ProposeEntriesResponse) -> Response:
    if response.proposal_id:
        return redirect("/watchlists/proposals?done=proposed")
    own = console_of(request).client.node_name
    return redirect(f"{entry_path(WatchlistReference(publisher=own, list=name, id=response.ids[0]))}?done=entered")


def _list_of(request: Request) -> str:
    return str(request.path_params.get("list_name") or form(request).text("list"))


def _check_page(request: Request, sent: Form, base: WatchlistContent, content: WatchlistContent, name: str) -> Response:
    return render(
        request,
        "watchlists/entry_check.html",
        title=_("Check what will change"),
        name=name,
        entry_title=title_of(content, request.path_params.get("entry_id", "")),
        is_new=not request.path_params.get("entry_id"),
        lines=changed_lines(base, content),
        partners=list(content.releasable_to),
        lost=[node for node in base.releasable_to if node not in content.releasable_to],
        hidden={key: values for key, values in sent.values.items() if key not in ("csrf", "do")},
        **_places(request, name),
    )


def _places(request: Request, name: str) -> dict[str, Any]:
    own, entry_id = console_of(request).client.node_name, request.path_params.get("entry_id", "")
    if not entry_id:
        return {"action": "/watchlists/new", "back": list_path(own, name) if name else "/watchlists"}
    reference = WatchlistReference(publisher=own, list=name, id=entry_id)
    return {"action": amendment_path(name, entry_id), "back": entry_path(reference)}


async def _form_page(request: Request, sent: Form, base: WatchlistContent, *, status: int = 200) -> Response:
    entry_id, name = request.path_params.get("entry_id", ""), _list_of(request)
    terms = await agreed(request)
    return render(
        request,
        "watchlists/entry_form.html",
        title=_("Amend an entry") if entry_id else _("New entry"),
        status=status,
        sent=sent,
        base=encoded(base),
        name=name,
        entry_id=entry_id,
        entry_title=title_of(base, entry_id) if entry_id else "",
        own_lists=[] if entry_id else await _own_lists(request),
        partners=terms.partner_options([*base.releasable_to, *base.handling.onward_recipients]),
        purposes=terms.purpose_options(),
        rows={kind.name: range(row_count(sent, kind)) for kind in ROWS},
        remarks=remarks_of(sent, partial(_checked_as, sent)),
        choices=_choices(),
        known={"places": places(), "codes": commodity_codes()},
        **_places(request, name),
    )


async def _own_lists(request: Request) -> list[str]:
    """Own lists that hold something; another can be named."""
    if not has_role(request, *_COUNTING):
        return []
    own = console_of(request).client.node_name
    return [one.list for one in await client(request).screening.statistics() if one.publisher == own]


def _checked_as(sent: Form, name: str) -> str:
    """The kind of a field's value, for what is said of it beside the field."""
    kind, _dash, rest = name.partition("-")
    if kind == "identifiers" and rest.endswith("-value"):
        return sent.text(name.removesuffix("value") + "scheme")
    if kind == "commodities" and rest.endswith("-code"):
        return "code"
    return "place" if kind == "route" else ""


def _choices() -> dict[str, Any]:
    def of(enum: Any) -> list[tuple[str, str]]:
        return [(word, capitalised(label_of(enum, value))) for word, value in words(enum).items()]

    return {
        "kind": of(WatchlistKind),
        "name_kind": of(ListedNameKind),
        "requested_action": of(RequestedAction),
        "classification": of(Classification),
        "onward_transfer": of(OnwardTransfer),
        "script": [("Hans", _("Simplified Han")), ("Hant", _("Traditional Han")), ("Latn", _("Latin"))],
        "scheme": [(one, scheme_word(one)) for one in SCHEMES],
    }
