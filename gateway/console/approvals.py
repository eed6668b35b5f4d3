"""Asks the person's passkey for the approval of one request, where the gateway wants it.

    message = DecideProposalRequest(request_id=form(request).text("request_id"), …)
    acting = await approving_client(request, DECIDE, message, what=_("Approve the proposal"))
    if isinstance(acting, Response):
        return acting
    await acting.watchlist.decide(…)

The page that asks sends the same form again, with the authenticator's answer in two more fields: so the request must be
made of the form alone, and its `request_id` be a field of it.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient, approval_of
from gateway.console.form import own_path
from gateway.console.page import client, console_of, form, render, session
from gateway.contract.validation import validate
from gateway.translation.messages import gettext as _

CHALLENGE: Final = "approval-challenge"
RESPONSE: Final = "approval-response"
"""Fields with the answer of the authenticator."""


async def approving_client(
    request: Request, method: str, message: Message, *, what: str, back: str = ""
) -> GatewayClient | Response:
    """The client that carries the person's approval of a request, or the page that asks for it.

    Args:
        request: a form that was sent.
        method: full name, e.g. "/gateway.v1.WatchlistService/DecideProposal".
        message: what will be sent, byte for byte.
        what: the step in words, for the page.
        back: where somebody goes who doesn't approve; the start without it.

    Raises:
        InvalidRequestError: the message breaks a rule of the contract; nobody is asked to approve it.
        MalformedError: the authenticator's answer isn't JSON.
    """
    sent = form(request)
    validate(message)
    if sent.text(CHALLENGE) and sent.raw(RESPONSE):
        approval = approval_of(sent.text(CHALLENGE), sent.raw(RESPONSE))
        return console_of(request).client.acting_for(session(request).signed_in.assertion, approval)
    asked = await client(request).persons.begin_approval(method, message)
    if asked is None:
        return client(request)
    hidden = {name: values for name, values in sent.values.items() if name not in ("csrf", CHALLENGE, RESPONSE)}
    return render(
        request,
        "passkeys/approve.html",
        title=_("Approve"),
        what=what,
        challenge=asked,
        hidden=hidden,
        action=request.url.path,
        back=own_path(back),
    )


def approval_hint(passkeys: int) -> str:
    """How a person approves a form: by a passkey, or by the password of one who has none."""
    if passkeys:
        return _("Your passkey is asked for.")
    return _("You have no passkey: your password alone stands for it.")
