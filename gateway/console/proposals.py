"""Decides about a change that waits for a second person, with the person's passkey where there is one.

Pages of each kind of change say what it would do, and how the decision is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.approvals import approving_client
from gateway.console.filters import PERSON
from gateway.console.form import Form
from gateway.console.page import form, redirect, session_or_none
from gateway.console.views.alerts.field_names import error_text
from gateway.errors import GatewayError, NotFoundError
from gateway.translation.messages import gettext as _


class DecisionRequest(Protocol):
    """The type of a request that decides."""

    def __call__(self, *, request_id: str, proposal_id: str, approve: bool, remarks: str) -> Message: ...


class Decide(Protocol):
    """A client's method that sends it."""

    def __call__(self, proposal_id: str, *, approve: bool, remarks: str, request_id: str) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """How a kind of change is decided.

    Attributes:
        method: its full name, e.g. "/gateway.v1.WatchlistService/DecideProposal".
        message: type of the method's request.
        of: the client's method that sends it.
        page: the page of the change with a form.
        done: path of the page of those that wait.
    """

    method: str
    message: DecisionRequest
    of: Callable[[GatewayClient], Decide]
    page: Callable[[Request, Form], Awaitable[Response]]
    done: str


def is_proposer(request: Request, proposer: str) -> bool:
    """Whether the person whom the page is for has proposed the change: another one has to approve it."""
    present = session_or_none(request)
    return present is not None and proposer == PERSON + present.person


async def decided(request: Request, decision: Decision, *, approval: str, rejection: str) -> Response:
    """The answer to a form that approves or rejects; both in words, for the page that asks for a passkey."""
    sent = form(request)
    approve = sent.text("decision") == "approve"
    if sent.text("decision") not in ("approve", "reject"):
        sent.problems["decision"] = _("Choose what becomes of the proposal.")
    if not approve:
        sent.required("remarks", _("Say why it is rejected; its proposer reads it."))
    if not sent.is_good:
        return await decision.page(request, sent)
    proposal_id = request.path_params["proposal_id"]
    remarks, request_id = sent.text("remarks"), sent.text("request_id")
    message = decision.message(request_id=request_id, proposal_id=proposal_id, approve=approve, remarks=remarks)
    what = approval if approve else rejection
    acting = await approving_client(request, decision.method, message, what=what, back=request.url.path)
    if isinstance(acting, Response):
        return acting
    try:
        await decision.of(acting)(proposal_id, approve=approve, remarks=remarks, request_id=request_id)
    except GatewayError as error:
        if not error.message or isinstance(error, NotFoundError):
            raise
        sent.problems[""] = error_text(error)
        return await decision.page(request, sent)
    return redirect(f"{decision.done}?done={'approved' if approve else 'rejected'}")
