"""Sign-in at the authority's identity provider, against a small one of the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.console.desk import Desk, Desks, desks
from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import Visitor
from tests.support.oidc_issuer import OidcIssuer
from tests.support.programs import CHROMIUM

BUTTON = "Sign in with Customs ID"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcIssuer]:
    CHROMIUM.require()
    with OidcIssuer(tmp_path_factory.mktemp("issuer")) as made:
        made.people = {
            "chan": {"name": "Chan Tai Man", "groups": ["customs-officers"]},
            "clerk": {"name": "A clerk", "groups": ["canteen"]},
        }
        yield made


@pytest.fixture(scope="module")
def provided(issuer: OidcIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleTrial]:
    """hk alone, whose persons are the provider's."""
    url, ca, client = (json.dumps(str(value)) for value in (issuer.url, issuer.ca, issuer.client_id))
    node = f"""
[persons.oidc]
issuer = {url}
client_id = {client}
name = "Customs ID"
ca = {ca}
roles_claim = "groups"
[persons.oidc.roles]
customs-officers = ["officer"]
"""
    console = f'[oidc]\nissuer = {url}\nclient_id = {client}\nlabel = "Customs ID"\nca = {ca}\n'
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("provided")
        trial = stack.enter_context(ConsoleTrial(folder, settings=node, console_settings=console))
        trial.start("hk")
        yield trial


@pytest.fixture
def desk(provided: ConsoleTrial, browser: Browser) -> Iterator[Desks]:
    with desks(provided, browser) as made:
        yield made


def window(desk: Desks, issuer: OidcIssuer) -> Desk:
    """A window that trusts the provider's certificate and may go there."""
    made = desk("hk", ignore_https_errors=True)
    made.guard.origins.add(issuer.url)
    return made


def test_a_person_of_the_provider_works_in_its_name(desk: Desks, issuer: OidcIssuer) -> None:
    officer = window(desk, issuer)
    page = officer.open("/sign-in?next=/account")
    officer.assert_accessible()
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_role("link", name="chan").click()
    expect(page).to_have_url(f"{officer.office.origin}/account")
    expect(page.get_by_text("Chan Tai Man").first).to_be_visible()


def test_whose_groups_give_no_role_isnt_let_in(desk: Desks, issuer: OidcIssuer) -> None:
    clerk = window(desk, issuer)
    page = clerk.open("/sign-in")
    with clerk.expecting("status of 401"):
        page.get_by_role("link", name=BUTTON).click()
        page.get_by_role("link", name="clerk").click()
        expect(page.get_by_role("alert")).to_contain_text("didn't sign you in")


def test_an_answer_of_the_provider_works_once_and_in_one_browser(desk: Desks, issuer: OidcIssuer) -> None:
    officer = window(desk, issuer)
    page = officer.open("/sign-in")
    answers: list[str] = []
    page.on("request", lambda request: answers.append(request.url) if "/back?" in request.url else None)
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_role("link", name="chan").click()
    page.wait_for_url(f"{officer.office.origin}/**")
    path = answers[0].removeprefix(officer.office.origin)
    for thief in (window(desk, issuer), officer):
        thief.context.clear_cookies()
        with thief.expecting("status of 401"):
            thief.open(path)
            expect(thief.page.get_by_role("alert")).to_contain_text("didn't sign you in")


def test_a_provider_that_is_down_is_said(desk: Desks, issuer: OidcIssuer) -> None:
    officer = window(desk, issuer)
    page = officer.open("/sign-in")

    def break_it(route: Route) -> None:
        issuer.broken = True
        route.continue_()

    page.route("**/sign-in/provider/back?*", break_it)
    try:
        page.get_by_role("link", name=BUTTON).click()
        with officer.expecting(r"status of 50\d"):
            page.get_by_role("link", name="chan").click()
            expect(page.get_by_role("heading", level=1)).to_be_visible()
    finally:
        issuer.broken = False


def test_the_provider_is_asked_for_its_addresses_once(provided: ConsoleTrial, issuer: OidcIssuer) -> None:
    visitor = Visitor(provided["hk"])
    assert visitor.get("/sign-in/provider").status == 303
    before = len(issuer.requests)
    assert {visitor.get("/sign-in/provider").status for _ in range(20)} == {303}
    assert issuer.requests[before:] == []
