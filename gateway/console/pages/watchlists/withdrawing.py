"""Withdraws an own entry: why, then what goes to whom, then the step or its proposal."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.form import Form
from gateway.console.page import client, form, redirect, render
from gateway.console.pages.watchlists.lists import entry_of
from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.views.lists.entries import title_of
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_service_pb2 import GetEntryResponse, ProposedWithdrawal


async def ask_withdrawal(request: Request) -> Response:
    """The form."""
    found = await _entry(request)
    first = {"request_id": new_request_id(), "revision": str(found.entry.revision)}
    return _page(request, found, Form.with_values(first))


async def withdraw(request: Request) -> Response:
    """Shows who will be told, and on the second time proposes the withdrawal."""
    sent, found = form(request), await _entry(request)
    reason = sent.required("reason", _("Say why the entry ends; partners that have it read it."))
    revision = sent.whole_number("revision")
    if not sent.is_good:
        return _page(request, found, sent)
    reference = entry_of(request)
    if not sent.text("confirmed"):
        return render(
            request,
            "watchlists/withdraw_check.html",
            title=_("Check what will be sent"),
            found=found,
            reference=reference,
            entry_title=title_of(found.entry.content, reference.id),
            reason=reason,
            partners=list(found.entry.content.releasable_to),
            hidden={name: values for name, values in sent.values.items() if name != "csrf"},
            back=entry_path(reference),
        )
    try:
        response = await client(request).watchlist.propose(
            reference.list,
            withdrawals=[ProposedWithdrawal(id=reference.id, revision=revision, reason=reason)],
            request_id=sent.text("request_id"),
        )
    except InvalidRequestError as error:
        sent.add_violations(error, {"withdrawals[0].reason": "reason"})
        return _page(request, found, sent)
    done = "proposed" if response.proposal_id else "withdrawn"
    return redirect(f"{entry_path(reference)}?done={done}")


async def _entry(request: Request) -> GetEntryResponse:
    found = await client(request).watchlist.get(entry_of(request))
    if not found.HasField("entry"):
        raise NotFoundError(_("This entry has ended already."))
    return found


def _page(request: Request, found: GetEntryResponse, sent: Form) -> Response:
    reference = entry_of(request)
    return render(
        request,
        "watchlists/withdraw.html",
        title=_("Withdraw an entry"),
        status=200 if sent.is_good else 422,
        form=sent,
        found=found,
        reference=reference,
        entry_title=title_of(found.entry.content, reference.id),
        back=entry_path(reference),
    )
