"""Sign-in by password, and sign-out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import own_path
from gateway.console.page import (
    SIGN_IN,
    console_of,
    form,
    page_route,
    redirect,
    render,
    session_or_none,
)
from gateway.errors import SignInRefusedError
from gateway.translation.messages import gettext as _
from gateway.v1.person_pb2 import SignedIn

MAX_DEVICE_CHARS = 200


async def show(request: Request) -> Response:
    """The form."""
    if session_or_none(request) is not None:
        return redirect(own_path(request.query_params.get("next", "/")))
    return await sign_in_page(request)


async def sign_in(request: Request) -> Response:
    """Begins a session, or asks for the person's passkey too."""
    from gateway.console.pages.passkeys import ask_for_passkey  # noqa: PLC0415  it signs in by this module

    sent = form(request)
    name, password = sent.required("person", _("Enter your name.")), sent.raw("password")
    if not password:
        sent.problems["password"] = _("Enter your password.")
    if not sent.is_good:
        return await sign_in_page(request, status=422)
    console = console_of(request)
    try:
        known = console.cookies.known_devices(request)
        result = await console.client.persons.sign_in(name, password, device=device_of(request), known_devices=known)
    except SignInRefusedError as error:
        sent.problems[""] = refusal_of(error)
        return await sign_in_page(request, status=401)
    return begin(request, result) if isinstance(result, SignedIn) else ask_for_passkey(request, result)


def begin(request: Request, signed_in: SignedIn, *, where: str = "") -> Response:
    """Sets the session's cookie and goes on to `where`, or to `next` of the form."""
    console = console_of(request)
    console.sessions.keep(signed_in)
    response = redirect(own_path(where or form(request).text("next")))
    console.cookies.set_session(response, signed_in.session_token)
    console.cookies.know_device(request, response, signed_in.known_device)
    return response


def refusal_of(error: SignInRefusedError) -> str:
    """What a person is told; not why."""
    if error.retry_after_s:
        minutes = max(1, round(error.retry_after_s / 60))
        return _("Sign-in is locked after several failures. Try again in {minutes} minutes.", minutes=minutes)
    return _("Name or password isn't right.")


def device_of(request: Request) -> str:
    """The browser, for the person's list of sessions."""
    return request.headers.get("user-agent", "")[:MAX_DEVICE_CHARS]


async def sign_out(request: Request) -> Response:
    """Ends the session here and at the node."""
    console = console_of(request)
    present = session_or_none(request)
    if present is not None:
        console.sessions.forget(present.token)
        await console.client.persons.sign_out(present.token)
    response = redirect(SIGN_IN)
    console.cookies.end_session(response)
    return response


async def sign_in_page(request: Request, *, status: int = 200) -> Response:
    """The page with the ways that the node offers and this console can do."""
    console = console_of(request)
    where = form(request).text("next") or request.query_params.get("next", "/")
    methods = await console.client.persons.sign_in_methods()
    oidc = console.settings.oidc
    return render(
        request,
        "sign_in/show.html",
        title=_("Sign in"),
        status=status,
        next=own_path(where),
        methods=methods,
        provider=(oidc.label or methods.oidc_name or methods.oidc_issuer) if oidc and methods.oidc_issuer else "",
    )


routes = [
    page_route(SIGN_IN, show, public=True),
    page_route(SIGN_IN, sign_in, methods=("POST",), public=True),
    page_route("/sign-out", sign_out, methods=("POST",), public=True),
]
