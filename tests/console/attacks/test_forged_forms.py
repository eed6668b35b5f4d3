"""Forms that another page, another session or nobody made change nothing at any address that takes a form."""

from __future__ import annotations

import re

import pytest
from starlette.routing import Route

from gateway.console.pages import ROUTES
from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import HOME, Visitor

REFUSED = 403


def addresses() -> list[str]:
    """Every address that takes a form, with something for each parameter."""
    forms = [route.path for route in ROUTES if isinstance(route, Route) and "POST" in (route.methods or ())]
    return [re.sub(r"\{[^}]+\}", "0190f3d4-5a3c-7c00-8000-000000000001", path) for path in forms]


@pytest.fixture(scope="module")
def visitor(trial: ConsoleTrial) -> Visitor:
    return Visitor.with_session(trial["hk"], trial.session("hk", "officer"))


def test_there_are_forms() -> None:
    assert "/sign-in" in addresses()
    assert "/sign-out" in addresses()


def test_a_form_without_the_right_token_is_refused_everywhere(trial: ConsoleTrial, visitor: Visitor) -> None:
    of_another = Visitor.with_session(trial["hk"], trial.session("hk", "supervisor")).csrf(HOME)
    before_sign_in = Visitor(trial["hk"]).csrf("/sign-in")
    own = visitor.csrf(HOME)
    tokens = {
        "none": None,
        "empty": "",
        "made up": "A" * len(own),
        "of another session": of_another,
        "of a visit before sign-in": before_sign_in,
        "changed": own[:-6] + ("AAAAA=" if own[-6:] != "AAAAA=" else "BBBBB="),
        "too long": own * 50,
        "the session's own": visitor.cookies[trial["hk"].cookie],
    }
    for path in addresses():
        for what, token in tokens.items():
            form = {} if token is None else {"csrf": token}
            assert visitor.post(path, form).status == REFUSED, (path, what)
            assert visitor.post(path, {}, X_CSRF_Token=token or "").status == REFUSED, (path, what)
    assert visitor.get(HOME).status == 200, "signed out by one of them"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},
        {"Origin": "", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "", "Sec_Fetch_Site": "same-site"},
        {"Origin": "", "Sec_Fetch_Site": "none"},
        {"Origin": "", "Sec_Fetch_Site": ""},
    ],
    ids=str,
)
def test_a_form_from_elsewhere_is_refused_with_the_right_token(visitor: Visitor, headers: dict[str, str]) -> None:
    """Nor is it shown as if the person had written it."""
    token = visitor.csrf(HOME)
    sent = {"Sec_Fetch_Site": ""} | headers
    for path in addresses():
        answer = visitor.post(path, {"csrf": token, "remarks": "Call this number, and say the code."}, **sent)
        assert answer.status == REFUSED, path
        assert "Call this number" not in answer.text, path


def test_no_other_method_changes_anything(visitor: Visitor) -> None:
    token = visitor.csrf(HOME)
    for path in addresses():
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "CONNECT"):
            answer = visitor.send(method, path, b"", X_CSRF_Token=token, Origin=visitor.office.origin)
            assert answer.status in (400, 403, 404, 405, 501), (method, path)


def test_a_session_of_another_authority_is_none_here(trial: ConsoleTrial) -> None:
    stranger = Visitor(trial["hk"], {trial["hk"].cookie: trial.session("cn", "officer")})
    assert stranger.get(HOME).location.startswith("/sign-in")


@pytest.mark.parametrize("headers", [{"X_Background": "live"}, {"Sec_Fetch_Dest": "empty"}], ids=str)
def test_a_part_of_a_page_begins_no_visit(trial: ConsoleTrial, headers: dict[str, str]) -> None:
    """It may be answered after the page of sign-in, whose forms would be of another visit then and be refused."""
    late = Visitor(trial["hk"])
    for path in ("/notifications/bell", "/live/notifications", HOME, "/sign-in"):
        assert late.get(path, **headers).set_cookies == [], path
    assert late.get("/sign-in", Sec_Fetch_Dest="document").set_cookies
