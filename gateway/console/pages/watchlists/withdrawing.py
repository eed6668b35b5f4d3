"""Withdraws an own entry: why, then what goes to whom, then the step or its proposal."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.page import client, form, redirect, render
from gateway.console.pages.watchlists.lists import entry_of
from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.views.lists.entries import title_of
from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_service_pb2 import GetEntryResponse, ProposedWithdrawal


async def _entry(request: Request) -> GetEntryResponse:
    found = await client(request).watchlist.get(entry_of(request))
    if not found.HasField("entry"):
        raise NotFoundError(_("This entry has ended already."))
    return found


async def _first(request: Request, found: GetEntryResponse) -> dict[str, str | list[str]]:
    return {"revision": str(found.entry.revision)}


async def _read(request: Request, found: GetEntryResponse, sent: Form) -> ProposedWithdrawal:
    reason = sent.required("reason", _("Say why the entry ends; partners that have it read it."))
    return ProposedWithdrawal(id=entry_of(request).id, revision=sent.whole_number("revision"), reason=reason)


async def _check(request: Request, found: GetEntryResponse, said: ProposedWithdrawal, hidden: Carried) -> Response:
    return render(
        request,
        "watchlists/withdraw_check.html",
        title=_("Check what will be sent"),
        reason=said.reason,
        partners=list(found.entry.content.releasable_to),
        hidden=hidden,
        **_page(request, found),
    )


async def _send(request: Request, found: GetEntryResponse, said: ProposedWithdrawal) -> Response:
    reference, request_id = entry_of(request), form(request).text("request_id")
    response = await client(request).watchlist.propose(reference.list, withdrawals=[said], request_id=request_id)
    done = "proposed" if response.proposal_id else "withdrawn"
    return redirect(f"{entry_path(reference)}?done={done}")


async def _show(request: Request, found: GetEntryResponse, sent: Form, status: int) -> Response:
    page = _page(request, found)
    return render(request, "watchlists/withdraw.html", title=_("Withdraw an entry"), status=status, form=sent, **page)


def _page(request: Request, found: GetEntryResponse) -> dict[str, Any]:
    reference = entry_of(request)
    return {
        "found": found,
        "reference": reference,
        "entry_title": title_of(found.entry.content, reference.id),
        "back": entry_path(reference),
    }


WITHDRAWAL: Final = Flow(
    subject=_entry,
    first=_first,
    show=_show,
    read=_read,
    check=_check,
    send=_send,
    violations={"withdrawals[0].reason": "reason"},
)
