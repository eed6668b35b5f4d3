"""The person's own account: passkeys, password, sessions, time zone, break-glass."""

from __future__ import annotations

from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.approvals import approving_client
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, has_role, page_route, redirect, render, session
from gateway.console.pages.sign_in import refusal_of
from gateway.console.views.roles import role_options, role_texts, way_text
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, SignInRefusedError
from gateway.translation.messages import gettext as _
from gateway.v1.person_service_pb2 import BreakGlassRequest

_BREAK_GLASS = "/gateway.v1.PersonService/BreakGlass"
_MINUTES = ("15", "30", "60")


async def show(request: Request) -> Response:
    """Everything of the person's account."""
    persons = client(request).persons
    methods = await console_of(request).client.persons.sign_in_methods()
    account = await persons.own_account()
    return render(
        request,
        "account/show.html",
        title=_("Your account"),
        account=account,
        roles=role_texts(account.roles),
        sessions=await persons.sessions(),
        way_text=way_text,
        passkeys_offered=bool(methods.passkey_domain),
        done=_done(request.query_params.get("done", "")),
        zones=[(zone, zone) for zone in sorted(available_timezones())],
        zone_form=Form.with_values({"zone": account.preferences.zone}),
        may_break_glass=has_role(request, "supervisor"),
    )


def _done(step: str) -> str:
    said = {
        "password": _("Your password was changed. Your other sessions have ended."),
        "passkey": _("The passkey was registered."),
        "passkey-removed": _("The passkey was removed."),
        "session": _("The session has ended."),
        "zone": _("The time zone was changed."),
        "break-glass-ended": _("You act within your own roles again."),
    }
    return said.get(step, "")


async def password(request: Request) -> Response:
    """The form for another password."""
    return render(request, "account/password.html", title=_("Change your password"))


async def change_password(request: Request) -> Response:
    """Sets another password."""
    sent = form(request)
    present, new = sent.raw("present"), sent.raw("new")
    if not present:
        sent.problems["present"] = _("Enter your password.")
    if not new:
        sent.problems["new"] = _("Choose a password.")
    elif new != sent.raw("again"):
        sent.problems["again"] = _("The two aren't the same.")
    if sent.is_good:
        try:
            await client(request).persons.change_password(present, new)
            return redirect("/account?done=password")
        except SignInRefusedError as error:
            sent.problems["present"] = refusal_of(error) if error.retry_after_s else _("This isn't your password.")
        except InvalidRequestError as error:
            sent.add_violations(error, {"new_password": "new"})
    return render(request, "account/password.html", title=_("Change your password"), status=422)


async def end_session(request: Request) -> Response:
    """Ends one of the person's sessions."""
    await client(request).persons.end_session(form(request).text("session_id"))
    return redirect("/account?done=session")


async def set_zone(request: Request) -> Response:
    """Keeps the time zone."""
    zone, own = form(request).text("zone"), session(request).signed_in.preferences
    if zone and zone not in available_timezones():
        raise NotFoundError(_("There is no time zone of this name."))
    await client(request).persons.set_preferences(language=own.language, zone=zone, theme=own.theme)
    console_of(request).sessions.forget(session(request).token)
    return redirect("/account?done=zone")


async def break_glass(request: Request) -> Response:
    """The form for roles beyond their own."""
    _require_supervisor(request)
    return _break_glass_page(request, Form.with_values({"minutes": "30", "request_id": new_request_id()}))


async def take_roles(request: Request) -> Response:
    """Takes roles for a time."""
    _require_supervisor(request)
    sent = form(request)
    roles, reason = sent.all("roles"), sent.required("reason", _("Say what has happened."))
    if not roles:
        sent.problems["roles"] = _("Choose what you need.")
    minutes = sent.whole_number("minutes")
    if not sent.is_good:
        return _break_glass_page(request, sent, status=422)
    message = BreakGlassRequest(request_id=sent.text("request_id"), roles=roles, reason=reason, minutes=minutes)
    what = _("Break the glass: {roles}", roles=", ".join(role_texts(roles)))
    try:
        acting = await approving_client(request, _BREAK_GLASS, message, what=what)
        if isinstance(acting, Response):
            return acting
        await acting.persons.break_glass(roles, reason, minutes=minutes, request_id=message.request_id)
    except InvalidRequestError as error:
        sent.add_violations(error, {"reason": "reason", "minutes": "minutes", "roles": "roles"})
        return _break_glass_page(request, sent, status=422)
    console_of(request).sessions.forget(session(request).token)
    return redirect("/account")


async def end_break_glass(request: Request) -> Response:
    """Gives the roles back."""
    await client(request).persons.end_break_glass()
    console_of(request).sessions.forget(session(request).token)
    return redirect("/account?done=break-glass-ended")


def _break_glass_page(request: Request, sent: Form, *, status: int = 200) -> Response:
    own = session(request).roles
    return render(
        request,
        "account/break_glass.html",
        title=_("Break the glass"),
        status=status,
        form=sent,
        roles=[option for option in role_options() if option[0] not in own],
        minutes=[(minutes, _("{minutes} minutes", minutes=minutes), "") for minutes in _MINUTES],
    )


def _require_supervisor(request: Request) -> None:
    if not has_role(request, "supervisor"):
        raise PermissionDeniedError(_("Only a supervisor breaks the glass."))


routes = [
    page_route("/account", show),
    page_route("/account/password", password),
    page_route("/account/password", change_password, methods=("POST",)),
    page_route("/account/sessions/end", end_session, methods=("POST",)),
    page_route("/account/zone", set_zone, methods=("POST",)),
    page_route("/break-glass", break_glass),
    page_route("/break-glass", take_roles, methods=("POST",)),
    page_route("/break-glass/end", end_break_glass, methods=("POST",)),
]
