"""Every page of the console: which address each route is opened at, and by whom. Made from the console's own routes.

A route without parameters is visited by itself. One with parameters has its addresses in ADDRESSES; what isn't a page
for people stands in NOT_PAGES with the reason; pages behind forms stand in `behind_forms`. tests/console/test_walk.py
fails for a route that is in none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from functools import cache

from playwright.sync_api import Page
from starlette.routing import Route

from gateway.client import AlertReference
from gateway.console.pages import ROUTES
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.console.behind_forms import form_places
from tests.support.console.case import Case
from tests.support.console.chromium import settle
from tests.support.console.desk import Desk
from tests.support.console.trial import ConsoleTrial

READERS = ("officer", "supervisor", "analyst", "operator", "auditor", "")
"""A page is opened by the first of these who may; the last is somebody who isn't signed in."""

OK = 200

NODES = ("hk", "cn")
"""And at the first of these authorities that has what it shows."""


Addresses = Callable[[Case], Sequence[str]]


def _of(alert: AlertReference) -> str:
    return f"/alerts/{alert.publisher}/{alert.alert_id}"


_RECIPIENTS_STEPS, _PUBLISHERS_STEPS = ("acknowledge", "flag", "ask", "finding"), ("withdraw", "close", "amend")


def _of_unread(step: str) -> Addresses:
    return lambda case: [f"{_of(case.unread)}/{step}"]


def _of_own(step: str) -> Addresses:
    return lambda case: [f"{_of(case.from_hk)}/{step}"]


def _of_finding(change: str) -> Addresses:
    return lambda case: [f"{_of(case.closed)}/{change}/1"]


ADDRESSES: Mapping[str, Addresses] = {
    "/alerts/{publisher}/{alert_id}": lambda case: [
        _of(alert) for alert in (case.from_cn, case.from_hk, case.unread, case.of_a_consignee)
    ],
    **{f"/alerts/{{publisher}}/{{alert_id}}/{step}": _of_unread(step) for step in _RECIPIENTS_STEPS},
    **{f"/alerts/{{publisher}}/{{alert_id}}/{step}": _of_own(step) for step in _PUBLISHERS_STEPS},
    "/alerts/{publisher}/{alert_id}/answer/{question_id}": lambda case: [
        f"{_of(case.unread)}/answer/{case.question_id}"
    ],
    **{
        f"/alerts/{{publisher}}/{{alert_id}}/{change}/{{finding}}": _of_finding(change)
        for change in ("correct-finding", "withdraw-finding")
    },
    "/alerts/{publisher}/{alert_id}/files/{digest}": lambda case: [
        f"/alerts/{case.with_file.publisher}/{case.with_file.alert_id}/files/{case.file}"
    ],
    "/alerts/{publisher}/{alert_id}/files": lambda case: [
        f"/alerts/{case.with_file.publisher}/{case.with_file.alert_id}/files"
    ],
    "/why": lambda case: [f"/why?alert={case.closed.publisher}/{case.closed.alert_id}"],
    "/history/records/{record_id}": lambda case: [f"/history/records/{case.records['hk']}"],
    "/figures/sheets/{alert_id}": lambda case: [f"/figures/sheets/{case.closed.alert_id}"],
    "/watchlists/of/{publisher}/{list_name}": lambda case: [
        "/watchlists/of/cn/minerals",
        "/watchlists/of/cn/minerals?name=Exemplo",
    ],
    "/watchlists/entry/{publisher}/{list_name}/{entry_id:path}": lambda case: [
        f"/watchlists/entry/cn/minerals/{case.entry_id}"
    ],
    "/watchlists/proposals/{proposal_id}": lambda case: [f"/watchlists/proposals/{case.proposal_id}"],
    "/watchlists/matches/alike/{by}": lambda _case: [f"/watchlists/matches/alike/{by}" for by in ("entry", "party")],
    "/watchlists/hits/{reporter}/{hit_id}": lambda case: [
        f"/watchlists/hits/mo/{case.hit_of_mo}",
        f"/watchlists/hits/hk/{case.hit_of_hk}",
    ],
    "/watchlists/amend/{list_name}/{entry_id:path}": lambda case: [f"/watchlists/amend/minerals/{case.entry_id}"],
    "/watchlists/withdraw/{list_name}/{entry_id:path}": lambda case: [f"/watchlists/withdraw/minerals/{case.entry_id}"],
    "/licences/proposals/{proposal_id}": lambda case: [f"/licences/proposals/{case.licence_proposal}"],
    "/risk-profiles/proposals/{proposal_id}": lambda case: [f"/risk-profiles/proposals/{case.profile_proposal}"],
    "/risk-profiles/{offerer}/{profile_id}": lambda case: [f"/risk-profiles/cn/{case.profile}"],
    "/licences/{issuer}/{number:path}": lambda case: [f"/licences/cn/{case.licence}"],
    "/notifications/rules/{scope}/{at}": lambda case: [
        "/notifications/rules/own/new",
        "/notifications/rules/shared/new",
    ],
    "/operations/link": lambda case: [f"/operations/link?origin={FEDERATION}%2Fhk%2Fcn%2Falerts"],
    "/operations/link/{action}": lambda case: [
        f"/operations/link/{action}?origin={FEDERATION}%2Fhk%2Fcn%2Falerts" for action in ("suspend", "resume")
    ],
    "/people/{name}": lambda case: ["/people/officer"],
    "/people/{name}/reset": lambda case: ["/people/officer/reset"],
}
"""Addresses of the routes that have parameters."""

_PART, _STREAM, _DOWNLOAD = "a part that a page asks for", "a stream of changes for open pages", "a file to keep"

NOT_PAGES: Mapping[str, str] = {
    "/live/inbox": _STREAM,
    "/inbox/body": _PART,
    "/inbox/tabs": _PART,
    "/alerts/{publisher}/{alert_id}/glance": _PART,
    "/shown/{token}": "a page that a form leads to; tests/console/test_back_and_reload.py",
    "/live/alerts": _STREAM,
    "/live/alerts/{publisher}/{alert_id}": _STREAM,
    "/alerts/{publisher}/{alert_id}/body": _PART,
    "/alerts/{publisher}/{alert_id}/evidence": _DOWNLOAD,
    "/alerts/{publisher}/{alert_id}/evidence/page": _DOWNLOAD,
    "/figures/download": _DOWNLOAD,
    "/watchlists/matches/alike/{by}/{match_id}": "tests/support/console/behind_forms.py opens one of hk's",
    "/watchlists/matches/{match_id}": "tests/support/console/behind_forms.py opens one of those that the gateway found",
    "/watchlists/changes/{number:int}": "tests/console/test_watchlists.py opens one that a list's change has made",
    "/alerts/{publisher}/{alert_id}/files/{digest}/picture": "part of a page; tests/console/test_files.py",
    "/alerts/{publisher}/{alert_id}/files/{digest}/thumbnail": "part of a page; tests/console/test_files.py",
    "/files/{token}/upload": "how much of a file is here, for a script; tests/console/test_uploads.py",
    "/alerts/{publisher}/{alert_id}/files/{digest}/download": "a download; tests/console/test_files.py",
    "/alerts/new/check": "a line beside a field; tests/console/test_new_alert.py",
    "/": "goes to the first page of the menu",
    "/enrol/{token}": "each link works once; tests/console/test_persons.py opens it",
    "/sign-in/provider": "goes to the identity provider",
    "/sign-in/provider/back": "comes from the identity provider",
    "/live/notifications": _STREAM,
    "/notifications/bell": _PART,
    "/watchlists/proposals/{proposal_id}/file": _DOWNLOAD,
    "/drafts/{draft_id}": "tests/console/test_drafts.py opens some of its own",
    "/operations/link/evidence": _DOWNLOAD,
    "/operations/directory/note": _DOWNLOAD,
    "/operations/expires/calendar": _DOWNLOAD,
    "/notifications/rows": _PART,
}
"""Routes that nobody opens as a page, each with the reason."""


@dataclass(frozen=True)
class Place:
    """A page as somebody opens it.

    Attributes:
        title: a name for files and lists, e.g. `alerts-publisher-alert_id-2`.
        reach: goes on from the page at `path` to the one that is meant, by a form.
        provokes: what the guard notes meanwhile, and is meant.
    """

    route: str
    title: str
    node: str
    person: str
    path: str
    reach: Callable[[Page], None] | None = None
    provokes: Sequence[str] = ()

    def open_in(self, window: Desk) -> Page:
        """Opens it in a window of the person who may see it."""
        with window.expecting(*self.provokes) if self.provokes else nullcontext():
            page = window.open(self.path)
            if self.reach is not None:
                self.reach(page)
            if self.provokes:
                settle(page)
        return page


def behind_forms(trial: ConsoleTrial) -> list[Place]:
    """Pages that only a form leads to."""
    return [
        Place("", **{field.name: getattr(place, field.name) for field in fields(place)})
        for place in form_places(trial.play_case())
    ]


def routes() -> list[str]:
    """Paths of the console's routes that answer GET, in their order."""
    return [route.path for route in ROUTES if isinstance(route, Route) and "GET" in (route.methods or ())]


def unplaced() -> list[str]:
    """Routes with parameters that nobody gave an address."""
    return [path for path in routes() if "{" in path and path not in ADDRESSES and path not in NOT_PAGES]


def addresses(case: Case) -> Iterator[tuple[str, str]]:
    """Each route that is a page, with each address that it is opened at."""
    for route in routes():
        if route not in NOT_PAGES:
            for path in ADDRESSES[route](case) if route in ADDRESSES else [route]:
                yield route, path


@cache
def places(trial: ConsoleTrial) -> tuple[Place, ...]:
    """Every page, with the person who opens it; looked for once.

    Raises:
        AssertionError: nobody may open some addresses: they show nothing to anybody.
    """
    found, unread, counted = [], dict[str, object](), dict[str, int]()
    for route, path in addresses(trial.play_case()):
        counted[route] = counted.get(route, 0) + 1
        name = route.strip("/").replace("/", "-").replace("{", "").replace("}", "") or "start"
        title = name if counted[route] == 1 else f"{name}-{counted[route]}"
        answers = _answers(trial, path)
        reader = next((reader for reader, status in answers.items() if status == OK), None)
        if reader is None:
            unread[path] = sorted(set(answers.values()))
        else:
            found.append(Place(route, title, *reader, path))
    assert unread == {}, f"nobody may open {unread}"
    return tuple(found)


def _answers(trial: ConsoleTrial, path: str) -> dict[tuple[str, str], int]:
    """What readers get, up to the first who may open an address."""
    answers: dict[tuple[str, str], int] = {}
    for node in NODES:
        office = trial[node]
        for person in READERS:
            token = trial.session(node, person) if person else ""
            answers[node, person] = office.get(path, Cookie=f"{office.cookie}={token}")
            if answers[node, person] == OK:
                return answers
    return answers
