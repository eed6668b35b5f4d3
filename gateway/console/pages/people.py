"""Persons of this authority, for those who look after their accounts."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.approvals import approving_client
from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, console_of, form, has_role, page_route, redirect, render
from gateway.console.views.roles import role_options, role_texts, way_text
from gateway.errors import InvalidRequestError, PermissionDeniedError
from gateway.translation.messages import gettext as _
from gateway.v1.person_pb2 import PERSON_SOURCE_LOCAL, Person
from gateway.v1.person_service_pb2 import AddPersonRequest, ChangePersonRequest, ResetPersonRequest

_SERVICE = "/gateway.v1.PersonService/"
_READERS = ("operator", "supervisor", "auditor")
_PAGE_SIZE = 50


async def show(request: Request) -> Response:
    """Everybody, by name."""
    token = request.query_params.get("after", "")[:64]
    page = await client(request).persons.list_page(page_size=_PAGE_SIZE, page_token=token)
    return render(
        request,
        "people/list.html",
        title=_("People"),
        persons=page.persons,
        texts_of=role_texts,
        next_token=page.next_page_token,
        is_first=not token,
    )


async def person(request: Request) -> Response:
    """One person."""
    return await _person_page(request, Form())


async def _person_page(request: Request, sent: Form, *, status: int = 200) -> Response:
    persons = client(request).persons
    found = await persons.get(request.path_params["name"])
    shown = found.person
    if not sent.values:
        sent = Form({"roles": list(shown.roles), "display_name": [shown.display_name], "email": [shown.email]})
    sees_sessions = has_role(request, "operator", "supervisor")
    return render(
        request,
        "people/show.html",
        title=shown.display_name,
        status=status,
        person=shown,
        is_local=shown.source == PERSON_SOURCE_LOCAL,
        passkeys=found.passkeys,
        break_glass=found.break_glass if found.HasField("break_glass") else None,
        role_names=role_texts(shown.roles),
        roles=role_options(),
        form=sent,
        sessions=await persons.sessions(shown.name) if sees_sessions else (),
        way_text=way_text,
    )


async def new(request: Request) -> Response:
    """The form for another person."""
    _require_operator(request)
    return render(request, "people/new.html", title=_("Add a person"), roles=role_options())


async def add(request: Request) -> Response:
    """Adds a person and shows the enrolment link, once."""
    sent = form(request)
    message = AddPersonRequest(
        name=sent.required("name", _("Enter a name for sign-in.")).casefold(),
        display_name=sent.required("display_name", _("Enter the name that colleagues see.")),
        roles=sent.all("roles"),
        email=sent.text("email"),
    )
    if not message.roles:
        sent.problems["roles"] = _("Choose at least one role.")
    if not sent.is_good:
        return _new_page(request)
    what = _("Add {name}", name=message.display_name)
    try:
        acting = await approving_client(request, f"{_SERVICE}AddPerson", message, what=what, back="/people")
        if isinstance(acting, Response):
            return acting
        added = await acting.persons.add(message.name, message.display_name, message.roles, email=message.email)
    except InvalidRequestError as error:
        sent.add_violations(error, {name: name for name in ("name", "display_name", "roles", "email")})
        return _new_page(request)
    return _link_page(request, added.person, added.enrolment_token)


def _new_page(request: Request) -> Response:
    return render(request, "people/new.html", title=_("Add a person"), roles=role_options(), status=422)


def _link_page(request: Request, person: Person, token: str) -> Response:
    link = f"{console_of(request).settings.public_origin}/enrol/{token}" if token else ""
    return render(request, "people/link.html", title=_("Enrolment link"), person=person, link=link)


async def change(request: Request) -> Response:
    """Changes name, e-mail or roles."""
    sent, name = form(request), request.path_params["name"]
    before = (await client(request).persons.get(name)).person
    chosen = sent.all("roles")
    roles = chosen if set(chosen) != set(before.roles) else []
    if not chosen and before.source == PERSON_SOURCE_LOCAL:
        sent.problems["roles"] = _("Choose at least one role.")
        return await _person_page(request, sent, status=422)
    display_name, email = sent.text("display_name"), sent.text("email")
    message = ChangePersonRequest(name=name, display_name=display_name, roles=roles, email=email)
    what = _("Change {name}", name=name)
    try:
        acting = await approving_client(request, f"{_SERVICE}ChangePerson", message, what=what, back=_path(name))
        if isinstance(acting, Response):
            return acting
        await acting.persons.change(name, display_name=display_name, roles=roles, email=email)
    except InvalidRequestError as error:
        sent.add_violations(error, {field: field for field in ("display_name", "roles", "email")})
        return await _person_page(request, sent, status=422)
    return redirect(_path(name))


async def switch(request: Request) -> Response:
    """Disables or enables an account."""
    name, disabled = request.path_params["name"], form(request).text("disabled") == "yes"
    message = ChangePersonRequest(name=name, disabled=disabled)
    what = _("Disable {name}", name=name) if disabled else _("Enable {name}", name=name)
    acting = await approving_client(request, f"{_SERVICE}ChangePerson", message, what=what, back=_path(name))
    if isinstance(acting, Response):
        return acting
    await acting.persons.change(name, disabled=disabled)
    return redirect(_path(name))


async def ask_reset(request: Request) -> Response:
    """Says what a reset does before it is done."""
    _require_operator(request)
    found = await client(request).persons.get(request.path_params["name"])
    return render(request, "people/reset.html", title=_("Reset sign-in"), person=found.person)


async def reset(request: Request) -> Response:
    """Takes password and passkeys away and shows a new link, once."""
    name = request.path_params["name"]
    acting = await approving_client(
        request,
        f"{_SERVICE}ResetPerson",
        ResetPersonRequest(name=name),
        what=_("Reset the sign-in of {name}", name=name),
        back=_path(name),
    )
    if isinstance(acting, Response):
        return acting
    done = await acting.persons.reset(name)
    return _link_page(request, (await client(request).persons.get(name)).person, done.enrolment_token)


async def end_sessions(request: Request) -> Response:
    """Ends all sessions of a person."""
    name = request.path_params["name"]
    await client(request).persons.end_session(person=name)
    return redirect(_path(name))


def _path(name: str) -> str:
    return f"/people/{name}"


def _require_operator(request: Request) -> None:
    if not has_role(request, "operator"):
        raise PermissionDeniedError(_("Only an operator looks after accounts."))


routes = [
    page_route("/people", show),
    page_route("/people/new", new),
    page_route("/people/new", add, methods=("POST",)),
    page_route("/people/{name}", person),
    page_route("/people/{name}", change, methods=("POST",)),
    page_route("/people/{name}/switch", switch, methods=("POST",)),
    page_route("/people/{name}/reset", ask_reset),
    page_route("/people/{name}/reset", reset, methods=("POST",)),
    page_route("/people/{name}/sessions/end", end_sessions, methods=("POST",)),
]
navigation = NavigationEntry(
    path="/people", title=lambda: _("People"), icon="person", order=80, roles=frozenset(_READERS)
)
