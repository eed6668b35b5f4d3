"""Imports a file into an own list: first what would change and which lines can't be used, then the import."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.client.estimates import HEAVY_PER_DAY, chosen_rows, import_cost
from gateway.console.agreed import agreed, nodes_of
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, render, session
from gateway.console.pages.watchlists.paths import list_path
from gateway.console.reading.reader import ReadRow
from gateway.console.views.alerts.alert_form import enum_options
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.lists.list_files import FORMATS, ListFile, format_of, read_file, settled
from gateway.console.views.lists.list_preview import ListPreview, preview_of
from gateway.contract.enum_words import words
from gateway.errors import GatewayError, OptionError
from gateway.formats.lists.rows import BadRow
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Classification, Handling, OnwardTransfer, RequestedAction
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistKind
from gateway.v1.watchlist_service_pb2 import ImportRow

MAX_COMPARED: Final = 50_000
"""Entries of a list that a page compares; larger lists are imported by `gateway watchlist import`."""

CARRIED: Final = ("list", "format", "legal_basis", "listed_for", "purpose", "kind", "requested_action",
                  "classification", "onward_transfer", "releasable_to", "prune", "prune_reason", "note")  # fmt: skip

_FIRST: Final = {
    "purpose": "export_control",
    "requested_action": "inform",
    "classification": "official",
    "onward_transfer": "prohibited",
}


async def ask_import(request: Request) -> Response:
    """The form."""
    return await _form_page(request, Form.with_values(_FIRST | {"list": request.query_params.get("list", "")}))


async def preview(request: Request) -> Response:
    """What the file would change."""
    sent = form(request)
    name = sent.required("list", _("Name the list."))
    upload = sent.upload("file")
    if upload is None:
        sent.problems["file"] = _("Choose a file.")
    kind = format_of(sent.text("format"), upload.filename or "") if upload else None
    if upload and kind is None:
        sent.problems["format"] = _("Its ending doesn't name a format: choose one.")
    _check_prune(sent)
    if not sent.is_good or upload is None or kind is None:
        return await _form_page(request, sent)
    owner = session(request).person
    spool = console_of(request).spool
    token = await asyncio.to_thread(spool.put, owner, upload.filename or "", upload.file)
    try:
        rows = await console_of(request).lists.rows(_file(request, token), MAX_COMPARED)
        shown = await _preview(client(request), console_of(request).client.node_name, name, rows)
    except GatewayError as error:
        spool.drop(owner, token)
        sent.problems["file"] = error_text(error)
        return await _form_page(request, sent)
    return render(
        request,
        "watchlists/import_preview.html",
        title=_("What would change"),
        form=sent,
        name=name,
        file_name=upload.filename,
        shown=shown,
        cost=await import_cost(client(request).watchlist, name, *chosen_rows(shown.coming)),
        heavy_per_day=HEAVY_PER_DAY,
        prune=bool(sent.text("prune")),
        hidden={**{each: sent.all(each) for each in CARRIED if sent.all(each)}, "format": [kind], "token": [token]},
        list_href=list_path(console_of(request).client.node_name, name),
    )


async def import_file(request: Request) -> Response:
    """Imports what was looked at; on a list with four eyes it becomes a proposal."""
    sent, owner = form(request), session(request).person
    _check_prune(sent)
    spool = console_of(request).spool
    file = _file(request, sent.text("token"))
    file_name, _stream = spool.get(owner, sent.text("token"))
    rows = await console_of(request).lists.rows(file, MAX_COMPARED)
    left_out = set(sent.all("leave_out"))
    good = [row for row in rows if isinstance(row, ImportRow) and row.id not in left_out]
    bad = sum(isinstance(row, BadRow) for row in rows)
    is_partial = bool(bad or left_out)  # what the file no longer has isn't known, or it has more than is imported
    response = await client(request).watchlist.import_entries(
        sent.text("list"),
        good,
        note=sent.text("note") or file_name,
        prune_reason="" if is_partial else sent.text("prune_reason") if sent.text("prune") else "",
    )
    spool.drop(owner, sent.text("token"))
    own = console_of(request).client.node_name
    return render(
        request,
        "watchlists/imported.html",
        title=_("Imported"),
        name=sent.text("list"),
        response=response,
        bad=bad,
        held_back=bool(is_partial and sent.text("prune")),
        left_out=len(left_out),
        refused=[(row.line, row.id, error_text(row.error)) for row in response.refused],
        list_href=list_path(own, sent.text("list")),
    )


def _check_prune(sent: Form) -> None:
    if sent.text("prune"):
        sent.required("prune_reason", _("Say why entries that the file no longer has are withdrawn."))


def _file(request: Request, token: str) -> ListFile:
    sent = form(request)
    file_name, stream = console_of(request).spool.get(session(request).person, token)
    defaults = WatchlistContent(
        kind=words(WatchlistKind).get(sent.text("kind"), 0),
        legal_basis=sent.text("legal_basis"),
        reason=sent.text("listed_for"),
        purpose=sent.text("purpose"),
        requested_action=words(RequestedAction).get(sent.text("requested_action"), 0),
        releasable_to=nodes_of(sent, "releasable_to"),
        handling=Handling(
            classification=words(Classification).get(sent.text("classification"), 0),
            onward_transfer=words(OnwardTransfer).get(sent.text("onward_transfer"), 0),
        ),
    )
    kind = format_of(sent.text("format"), file_name)
    if kind is None:
        raise OptionError(_("Its ending doesn't name a format: choose one."))
    return read_file(settled(kind, sent.text("format"), stream), stream, sent.text("list"), defaults)


async def _preview(gateway: GatewayClient, own: str, name: str, rows: Sequence[ReadRow]) -> ListPreview:
    present: dict[str, WatchlistContent] = {}
    async for listed in gateway.watchlist.entries(filter=f'publisher = "{own}" AND list = "{name}"'):
        present[listed.entry.id] = listed.entry.content
        if len(present) > MAX_COMPARED:
            break
    return await asyncio.to_thread(preview_of, rows, present, MAX_COMPARED)


async def _form_page(request: Request, sent: Form) -> Response:
    terms = await agreed(request)
    return render(
        request,
        "watchlists/import.html",
        title=_("Import into a list"),
        status=200 if sent.is_good else 422,
        form=sent,
        formats=[(name, about()) for name, about in FORMATS.items()],
        purposes=terms.purpose_options(),
        kinds=enum_options(WatchlistKind),
        actions=enum_options(RequestedAction),
        classifications=enum_options(Classification),
        onward=enum_options(OnwardTransfer),
        partners=terms.partner_options(nodes_of(sent, "releasable_to")),
    )
