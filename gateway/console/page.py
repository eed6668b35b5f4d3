"""Answers requests of pages: person, form, language, handler, errors; and what handlers use for it.

async def show(request: Request) -> Response:
    alert = await client(request).get_alert(reference(request))
    return render(request, "alert/show.html", title=_("Alert"), alert=alert)

routes = [page_route("/alerts/{publisher}/{alert_id}", show)]
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.client import GatewayClient
from gateway.console.current import CurrentPage, set_current_page
from gateway.console.drafts import draft_id_of, keep_or_forget, way_back
from gateway.console.form import LOST_FILE, MAX_FILES, Form, is_prose
from gateway.console.languages import (
    LANGUAGE_COOKIE,
    ReaderLocale,
    chosen_language,
    chosen_theme,
    zone_named,
)
from gateway.console.navigation import NavigationEntry, shown_entries
from gateway.console.problems import PageProblem, defect, problem_of, refused_form, unreadable_form
from gateway.console.reading.reader import ListReader
from gateway.console.server.security import SAFE_METHODS, csrf_token, is_csrf_token, is_same_origin
from gateway.console.session import Cookies, Session, Sessions, new_visit
from gateway.console.settings import ConsoleSettings
from gateway.console.shown import ShownPages, new_token
from gateway.console.spool import PartialFiles, Spool
from gateway.errors import GatewayError, Kind, PermissionDeniedError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import in_language, language

if TYPE_CHECKING:
    from gateway.console.live import Live

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

SIGN_IN: Final = "/sign-in"

ACCOUNT: Final = "/account"
"""Where somebody can go who must register a passkey first."""

LIVE: Final = "/live/"
"""Begins the paths of event streams."""

ENDED: Final = "event: ended\ndata: {}\n\n"
"""The last event of a stream whose session has ended; pages then stop asking."""

MAX_FIELDS: Final = 2_000
"""Most fields of a form: an alert of 200 goods has about 1,600."""

_PASSING: Final = frozenset({Kind.UNAVAILABLE, Kind.RESOURCE_EXHAUSTED, Kind.DEADLINE_EXCEEDED})
"""Kinds of errors after which the same form may be sent again: its request id makes it one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What one console is put together from; handlers have it as `console_of(request)`."""

    settings: ConsoleSettings
    client: GatewayClient
    sessions: Sessions
    cookies: Cookies
    environment: Environment
    live: Live
    navigation: Sequence[NavigationEntry]
    spool: Spool
    coming: PartialFiles
    lists: ListReader = field(default_factory=ListReader)
    shown: ShownPages = field(default_factory=ShownPages)

    @property
    def authority(self) -> str:
        """Name of the authority on the pages."""
        return self.settings.title_in(language()) or self.client.node_name.upper()


def console_of(request: Request) -> ConsoleParts:
    """The console that answers."""
    console: ConsoleParts = request.app.state.console
    return console


def client(request: Request) -> GatewayClient:
    """The gateway's client that acts for the person of the request."""
    return session(request).client


def session(request: Request) -> Session:
    """The session of the request; pages that need no person use `session_or_none`."""
    present: Session = request.state.session
    return present


def session_or_none(request: Request) -> Session | None:
    """The session of the request, None before sign-in."""
    present: Session | None = request.state.session
    return present


def reader_locale(request: Request) -> ReaderLocale:
    """Language, locale and time zone of the reader."""
    present: ReaderLocale = request.state.place
    return present


def form(request: Request) -> Form:
    """The form that was sent; an empty one with GET."""
    sent: Form = request.state.form
    return sent


def has_role(request: Request, *roles: str) -> bool:
    """Whether the person has one of the roles; the gateway decides, this only spares a page what it would refuse."""
    present = session_or_none(request)
    return present is not None and not present.roles.isdisjoint(roles)


def require_role(request: Request, roles: frozenset[str]) -> None:
    """Raises PermissionDeniedError for a person from whom the gateway wouldn't take what the page sends."""
    if not has_role(request, *roles):
        raise PermissionDeniedError(_("Your roles don't open this page."))


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def is_background(request: Request) -> bool:
    """Whether a part of a page asks by itself, since something has changed: the person did nothing."""
    return request.headers.get("x-background") == "live"


def redirect(path: str) -> Response:
    """Sends the browser to a page of this console after a form, so that reloading it sends nothing again."""
    return RedirectResponse(path, status_code=303)


def render(
    request: Request, template: str, *, title: str, status: int = 200, refresh: str = "", **context: Any
) -> Response:
    """A page, or for htmx the part of it that its template is.

    Args:
        request: what is answered.
        template: its file below `templates`; pages extend `base.html`.
        title: of the page, before the console's name in the browser's tab.
        status: of HTTP.
        refresh: unused by pages with live parts; path that a button "reload" leads to where there is no script.
        **context: what the template uses.
    """
    return HTMLResponse(rendered(request, template, title=title, refresh=refresh, **context), status_code=status)


def rendered(request: Request, template: str, **context: Any) -> Markup:
    """A template's HTML, with what every page has."""
    console, present = console_of(request), session_or_none(request)
    text = console.environment.get_template(template).render(
        {
            "request": request,
            "path": request.url.path,
            "session": present,
            "has_role": partial(has_role, request),
            "place": reader_locale(request),
            "authority": console.authority,
            "navigation": shown_entries(console.navigation, present.roles) if present else (),
            "theme": chosen_theme(present.signed_in.preferences if present else None, request.cookies),
            "nonce": request.state.nonce,
            "form": request.state.form,
            "title": "",
            "refresh": "",
            "here": _here(request),
            "way_back": way_back(request),
            "draft_id": draft_id_of(request),
            "kept": (),
            **context,
        }
    )
    return Markup(text)  # noqa: S704  # the environment escapes


def show_problem(request: Request, problem: PageProblem, *, kept: Sequence[tuple[str, str]] = ()) -> Response:
    """A page that says what went wrong, and the way out; with `kept` the fields of a form to send once more.

    A part of a page that can't be had stays as it is: a page in its place would be nested in the one that is open.
    """
    if is_fragment(request):
        return Response(status_code=problem.status, headers={"HX-Reswap": "none"})
    files = any(name == LOST_FILE for name, _value in kept)
    return render(
        request, "problem.html", title=problem.title, status=problem.status, problem=problem, kept=kept, files=files
    )


def page_route(
    path: str,
    handler: Handler,
    *,
    methods: Sequence[str] = ("GET",),
    public: bool = False,
    roles: frozenset[str] | None = None,
) -> Route:
    """A route of a page.

    Args:
        path: with parameters as Starlette writes them.
        handler: called with a person (unless public), a checked form and the reader's language.
        methods: of HTTP; forms are sent by POST.
        public: also before sign-in.
        roles: who may send from this page, and so may open it; None: everybody.
    """

    async def for_roles(request: Request) -> Response:
        if roles is not None:
            require_role(request, roles)
        return await handler(request)

    async def answer(request: Request) -> Response:
        return await _answered(request, for_roles, public=public)

    answer.__name__ = handler.__name__
    return Route(path, answer, methods=list(methods))


async def _answered(request: Request, handler: Handler, *, public: bool) -> Response:
    """The response of a handler.

    1. Whose session it is, by the cookie.
    2. Language, zone and the form's token of the page.
    3. The person, unless the page is public: a stranger's form isn't read.
    4. A changing request comes from a page of this console and has the token of its session or visit.
    5. The handler; errors become pages.
    """
    outage = await _find_session(request)  # 1
    visit = console_of(request).cookies.visit(request)
    new = "" if visit or request.state.session or not _is_page(request) else new_visit()
    _begin_page(request, visit or new)  # 2
    with in_language(reader_locale(request).language):
        response = await _handled(request, handler, visit, outage=outage, public=public)
    if new:
        console_of(request).cookies.begin_visit(response, new)
    return response


async def _handled(
    request: Request, handler: Handler, visit: str, *, outage: GatewayError | None, public: bool
) -> Response:
    try:
        refusal = await _refusal(request, visit, outage=outage, public=public)
        return refusal or _kept_page(request, await keep_or_forget(request, await handler(request)))  # 5
    except GatewayError as error:
        return _failed(request, error, public=public)
    except HTTPException as error:  # a form that can't be read, or has too many fields
        return show_problem(request, unreadable_form(error.detail))
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception:
        log.exception("a page of the console failed", extra={"path": request.url.path})
        return show_problem(request, defect())


def _kept_page(request: Request, response: Response) -> Response:
    """The way to the page that a person's form has led to, so that Back and a reload send nothing again."""
    present = session_or_none(request)
    if present is None or request.method in SAFE_METHODS or is_fragment(request):
        return response
    return console_of(request).shown.keep(request.state.shown, present.token, response, nonce=request.state.nonce)


async def _refusal(request: Request, visit: str, *, outage: GatewayError | None, public: bool) -> Response | None:
    """The answer instead of the handler's, None where it may run."""
    if request.method not in SAFE_METHODS and not await _is_own_form(request, visit):  # 3
        return _unproven_form(request, outage=outage, public=public)
    if outage is not None:
        return show_problem(request, problem_of(outage), kept=_kept(request, public=public))
    if not public and request.state.session is None:  # 4
        return _to_sign_in(request)
    if not public and session(request).signed_in.must_enrol_passkey and not request.url.path.startswith(ACCOUNT):
        return redirect(f"{ACCOUNT}/passkeys/new")
    return None


def _unproven_form(request: Request, *, outage: GatewayError | None, public: bool) -> Response:
    """A form without the session's token: nothing is done, and a person gets back what was written on this console.

    The session has ended, or began later, or can't be asked for. Only the person sends the form again, from a page with
    the token of that time. Of another site's form nothing comes back: it wasn't read.
    """
    kept = _kept(request, public=public)
    if outage is not None:
        return show_problem(request, problem_of(outage), kept=kept)
    return _kept_form(request, kept) if kept else show_problem(request, refused_form())


def _kept_form(request: Request, kept: Sequence[tuple[str, str]]) -> Response:
    """What somebody wrote in a session that has ended, to go on with in another."""
    status = 401 if request.state.session is None else 403
    written = [value for name, value in kept if name != LOST_FILE and is_prose(value)]
    files, title = any(name == LOST_FILE for name, _value in kept), _("What you wrote is still here")
    return render(request, "kept_form.html", title=title, status=status, kept=kept, written=written, files=files)


def _is_page(request: Request) -> bool:
    """Whether a page is asked for, and not a part or picture of one, which may come after the next page.

    Such a part after a session's end would begin a visit that the forms of the next page don't belong to.
    """
    return not is_background(request) and request.headers.get("sec-fetch-dest", "document") == "document"


def _kept(request: Request, *, public: bool) -> list[tuple[str, str]]:
    """Fields of a form that a person may send once more; none of those with passwords."""
    closed = public or request.url.path.startswith(ACCOUNT)
    return [] if closed or request.method in SAFE_METHODS else form(request).kept()


def _here(request: Request) -> str:
    """The path and query that were asked for."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _find_session(request: Request) -> GatewayError | None:
    console = console_of(request)
    request.state.session = None
    request.state.form = Form()
    request.state.shown = new_token()
    try:
        token = console.cookies.session_token(request)
        request.state.session = await console.sessions.session_of(token, background=is_background(request))
    except GatewayError as error:
        return error
    return None


def _begin_page(request: Request, visit: str) -> None:
    present: Session | None = request.state.session
    preferences = present.signed_in.preferences if present else None
    language = chosen_language(
        person=preferences.language if preferences else "",
        cookie=request.cookies.get(LANGUAGE_COOKIE, ""),
        accepted=request.headers.get("accept-language", ""),
    )
    zone = (preferences.zone if preferences else "") or console_of(request).settings.zone
    request.state.place = ReaderLocale(language, zone_named(zone))
    secret = present.token if present else visit
    set_current_page(CurrentPage(request.state.place, csrf_token(secret), request.state.nonce))


async def _is_own_form(request: Request, visit: str) -> bool:
    if not is_same_origin(request.headers, console_of(request).settings.public_origin):
        return False
    present: Session | None = request.state.session
    secret = present.token if present else visit
    token = request.headers.get("x-csrf-token")
    if token is None:
        request.state.form = Form.of(await request.form(max_fields=MAX_FIELDS, max_files=MAX_FILES))
        token = request.state.form.raw("csrf")
    return is_csrf_token(secret, token)


def _failed(request: Request, error: GatewayError, *, public: bool) -> Response:
    kept = _kept(request, public=public)
    if error.kind is Kind.UNAUTHENTICATED and request.state.session is not None:
        console_of(request).sessions.forget(session(request).token)
        request.state.session = None
        return _kept_form(request, kept) if kept else _to_sign_in(request)
    return show_problem(request, problem_of(error), kept=kept if error.kind in _PASSING else [])


def _to_sign_in(request: Request) -> Response:
    """To the page of sign-in, which comes back here; a part of a page makes htmx go there."""
    back = _here(request) if request.method in SAFE_METHODS else "/"
    if request.url.path.startswith(LIVE):
        return Response(ENDED, media_type="text/event-stream")
    if is_fragment(request):  # a part that asked by itself stays as it is: somebody may be writing beside it
        return Response(status_code=204, headers={} if is_background(request) else {"HX-Refresh": "true"})
    return redirect(f"{SIGN_IN}?next={quote(back, safe='')}" if back != "/" else SIGN_IN)
