"""A list entry written by a form: a new one, or an amendment; what changes for whom is shown before it is proposed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.agreed import agreed
from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, has_role, reader_locale, redirect, render
from gateway.console.pages.new_alert import decoded, encoded
from gateway.console.pages.watchlists.lists import entry_of
from gateway.console.pages.watchlists.paths import amendment_path, entry_path, list_path
from gateway.console.views.alerts.alert_form import enum_options
from gateway.console.views.alerts.field_names import violation_text
from gateway.console.views.codes import commodity_codes, places
from gateway.console.views.form_rows import row_count
from gateway.console.views.lists.entries import changed_lines, title_of
from gateway.console.views.lists.entry_form import ROWS, SCHEMES, field_of, read_entry, shown
from gateway.console.views.remarks import remarks_of
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.identifier_words import scheme_word
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


@dataclass(frozen=True, slots=True)
class EditedEntry:
    """What the form began with: an entry as it is, or nothing."""

    base: WatchlistContent
    list: str
    id: str = ""
    revision: int = 0


async def _edited(request: Request) -> EditedEntry:
    """The entry as it was when the form was first shown, which the form carries."""
    name, entry_id = _list_of(request), request.path_params.get("entry_id", "")
    if request.method == "POST":
        base: WatchlistContent = decoded(form(request).raw("base"), WatchlistContent())
        return EditedEntry(base, name, entry_id)
    if not entry_id:
        return EditedEntry(WatchlistContent(), name)
    found = await client(request).watchlist.get(entry_of(request))
    if not found.HasField("entry"):
        raise NotFoundError(_("This entry has ended already."))
    return EditedEntry(found.entry.content, name, entry_id, found.entry.revision)


async def _first(request: Request, edited: EditedEntry) -> dict[str, str | list[str]]:
    values = shown(edited.base, reader_locale(request).zone)
    if edited.id:
        return {**values, "revision": str(edited.revision)}
    return {**values, **_FIRST, "list": request.query_params.get("list", "")}


async def _read(request: Request, edited: EditedEntry, sent: Form) -> ProposedEntry:
    if not edited.list:
        sent.problems["list"] = _("Name the list.")
    content = read_entry(sent, edited.base, reader_locale(request).zone)
    if content == edited.base and sent.is_good:
        sent.problems[""] = _("Nothing has changed yet.")
    return ProposedEntry(id=edited.id, content=content, revision=sent.whole_number("revision") if edited.id else 0)


async def _send(request: Request, edited: EditedEntry, entry: ProposedEntry) -> Response:
    sent = form(request)
    response = await client(request).watchlist.propose(
        edited.list, entries=[entry], note=sent.text("note"), request_id=sent.text("request_id")
    )
    return _done(request, edited.list, response)


def _note(sent: Form, edited: EditedEntry, error: InvalidRequestError) -> None:
    for violation in error.violations:
        path = violation.field.removeprefix("entries[0].content.")
        name = "list" if path == "list" else field_of(path, {})
        sent.problems.setdefault(name, violation_text(path, violation.message))


def _done(request: Request, name: str, response: ProposeEntriesResponse) -> Response:
    if response.proposal_id:
        return redirect("/watchlists/proposals?done=proposed")
    own = console_of(request).client.node_name
    return redirect(f"{entry_path(WatchlistReference(publisher=own, list=name, id=response.ids[0]))}?done=entered")


def _list_of(request: Request) -> str:
    return str(request.path_params.get("list_name") or form(request).text("list"))


async def _check(request: Request, edited: EditedEntry, entry: ProposedEntry, hidden: Carried) -> Response:
    content = entry.content
    return render(
        request,
        "watchlists/entry_check.html",
        title=_("Check what will change"),
        name=edited.list,
        entry_title=title_of(content, edited.id),
        is_new=not edited.id,
        lines=changed_lines(edited.base, content),
        partners=list(content.releasable_to),
        lost=[node for node in edited.base.releasable_to if node not in content.releasable_to],
        hidden=hidden,
        **_places(request, edited),
    )


def _places(request: Request, edited: EditedEntry) -> dict[str, Any]:
    own, name = console_of(request).client.node_name, edited.list
    if not edited.id:
        return {"action": "/watchlists/new", "back": list_path(own, name) if name else "/watchlists"}
    reference = WatchlistReference(publisher=own, list=name, id=edited.id)
    return {"action": amendment_path(name, edited.id), "back": entry_path(reference)}


async def _show(request: Request, edited: EditedEntry, sent: Form, status: int) -> Response:
    base, terms = edited.base, await agreed(request)
    return render(
        request,
        "watchlists/entry_form.html",
        title=_("Amend an entry") if edited.id else _("New entry"),
        status=status,
        sent=sent,
        base=encoded(base),
        name=edited.list,
        entry_id=edited.id,
        entry_title=title_of(base, edited.id) if edited.id else "",
        own_lists=[] if edited.id else await _own_lists(request),
        partners=terms.partner_options([*base.releasable_to, *base.handling.onward_recipients]),
        purposes=terms.purpose_options(),
        rows={kind.name: range(row_count(sent, kind)) for kind in ROWS},
        remarks=remarks_of(sent, partial(_checked_as, sent)),
        choices=_choices(),
        known={"places": places(), "codes": commodity_codes()},
        **_places(request, edited),
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
    return {
        "kind": enum_options(WatchlistKind),
        "name_kind": enum_options(ListedNameKind),
        "requested_action": enum_options(RequestedAction),
        "classification": enum_options(Classification),
        "onward_transfer": enum_options(OnwardTransfer),
        "script": [("Hans", _("Simplified Han")), ("Hant", _("Traditional Han")), ("Latn", _("Latin"))],
        "scheme": [(one, scheme_word(one)) for one in SCHEMES],
    }


EDITING: Final = Flow(subject=_edited, first=_first, show=_show, read=_read, check=_check, send=_send, violations=_note)
