"""The page of an enrolment link: a new person sets a password and is signed in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.page import console_of, form, page_route, render
from gateway.console.pages.sign_in import begin, device_of
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.messages import gettext as _

_MAX_TOKEN_CHARS = 64


async def show(request: Request) -> Response:
    """Asks for a password."""
    return await _page(request)


async def enrol(request: Request) -> Response:
    """Uses the link; a passkey comes next where the node knows them."""
    sent, own = form(request), _own_client(request)
    password, again = sent.raw("password"), sent.raw("again")
    if not password:
        sent.problems["password"] = _("Choose a password.")
    elif password != again:
        sent.problems["again"] = _("The two aren't the same.")
    if not sent.is_good:
        return await _page(request, status=422)
    try:
        signed_in = await own.persons.enrol(_token(request), password, device=device_of(request))
    except InvalidRequestError as error:
        sent.add_violations(error, {"password": "password"})
        return await _page(request, status=422)
    methods = await own.persons.sign_in_methods()
    return begin(request, signed_in, where="/account/passkeys/new" if methods.passkey_domain else "/")


async def _page(request: Request, *, status: int = 200) -> Response:
    try:
        enrolment = await _own_client(request).persons.enrolment(_token(request))
    except (NotFoundError, InvalidRequestError):
        return render(request, "sign_in/link_ended.html", title=_("This link has ended"), status=404)
    return render(request, "sign_in/enrol.html", title=_("Welcome"), status=status, enrolment=enrolment)


def _own_client(request: Request) -> GatewayClient:
    return console_of(request).client


def _token(request: Request) -> str:
    return str(request.path_params["token"])[:_MAX_TOKEN_CHARS]


routes = [
    page_route("/enrol/{token}", show, public=True),
    page_route("/enrol/{token}", enrol, methods=("POST",), public=True),
]
