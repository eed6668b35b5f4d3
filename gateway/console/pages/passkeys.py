"""Sign-in by passkey, alone or beside the password, and registration of passkeys."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.approvals import approving_client
from gateway.console.form import own_path
from gateway.console.page import client, console_of, form, page_route, redirect, render, session
from gateway.console.pages.sign_in import begin, device_of, refusal_of, sign_in_page
from gateway.errors import InvalidRequestError, SignInRefusedError
from gateway.translation.messages import gettext as _
from gateway.v1.person_pb2 import PasskeyChallenge
from gateway.v1.person_service_pb2 import BeginPasskeyRegistrationRequest, RemovePasskeyRequest

_REGISTER = "/gateway.v1.PersonService/BeginPasskeyRegistration"
_REMOVE = "/gateway.v1.PersonService/RemovePasskey"

MAX_LABEL_CHARS = 64


async def begin_sign_in(request: Request) -> Response:
    """Asks for any passkey of this authority."""
    return ask_for_passkey(request, await console_of(request).client.persons.begin_passkey_sign_in())


def ask_for_passkey(request: Request, challenge: PasskeyChallenge) -> Response:
    """The page that asks an authenticator, to sign in."""
    where = own_path(form(request).text("next"))
    return render(request, "passkeys/sign_in.html", title=_("Use your passkey"), challenge=challenge, next=where)


async def finish_sign_in(request: Request) -> Response:
    """Signs in whose passkey answered."""
    sent = form(request)
    persons = console_of(request).client.persons
    try:
        signed_in = await persons.finish_passkey_sign_in(
            sent.text("challenge"), sent.raw("response"), device=device_of(request)
        )
    except (SignInRefusedError, InvalidRequestError) as error:
        if isinstance(error, SignInRefusedError) and error.retry_after_s:
            sent.problems[""] = refusal_of(error)
        else:
            sent.problems[""] = _("The passkey didn't sign you in. Try again, or use your password.")
        return await sign_in_page(request, status=401)
    return begin(request, signed_in)


async def new(request: Request) -> Response:
    """The page before a registration."""
    account = await client(request).persons.own_account()
    return render(request, "passkeys/new.html", title=_("Register a passkey"), passkeys=len(account.passkeys))


async def register(request: Request) -> Response:
    """Asks the authenticator to make a passkey; a person who has one approves it with that."""
    label = form(request).text("label")[:MAX_LABEL_CHARS]
    acting = await approving_client(
        request, _REGISTER, BeginPasskeyRegistrationRequest(), what=_("Register another passkey"), back="/account"
    )
    if isinstance(acting, Response):
        return acting
    challenge = await acting.persons.begin_passkey_registration()
    return render(request, "passkeys/register.html", title=_("Register a passkey"), challenge=challenge, label=label)


async def finish_registration(request: Request) -> Response:
    """Keeps what the authenticator made."""
    sent = form(request)
    try:
        await client(request).persons.finish_passkey_registration(
            sent.text("challenge"), sent.raw("response"), label=sent.text("label")[:MAX_LABEL_CHARS]
        )
    except InvalidRequestError as error:
        sent.add_violations(error, {})
        return render(request, "passkeys/new.html", title=_("Register a passkey"), passkeys=0, status=422)
    console_of(request).sessions.forget(session(request).token)
    return redirect("/account?done=passkey")


async def remove(request: Request) -> Response:
    """Removes a passkey."""
    credential_id = form(request).text("credential_id")
    acting = await approving_client(
        request,
        _REMOVE,
        RemovePasskeyRequest(credential_id=credential_id),
        what=_("Remove a passkey"),
        back="/account",
    )
    if isinstance(acting, Response):
        return acting
    await acting.persons.remove_passkey(credential_id)
    console_of(request).sessions.forget(session(request).token)
    return redirect("/account?done=passkey-removed")


routes = [
    page_route("/sign-in/passkey", begin_sign_in, methods=("POST",), public=True),
    page_route("/sign-in/passkey/finish", finish_sign_in, methods=("POST",), public=True),
    page_route("/account/passkeys/new", new),
    page_route("/account/passkeys/new", register, methods=("POST",)),
    page_route("/account/passkeys/finish", finish_registration, methods=("POST",)),
    page_route("/account/passkeys/remove", remove, methods=("POST",)),
]
