"""A new person who enrols at a console in a window of the test, with a passkey."""

from __future__ import annotations

import uuid

from playwright.sync_api import expect

from tests.support.console.authenticator import Authenticator
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial

PASSWORD = "seven green apples"


def new_name() -> str:
    return f"person-{uuid.uuid4().hex[:8]}"


def link_for(trial: ConsoleTrial, node: str, name: str, *roles: str) -> str:
    """The path of an enrolment link of a new person."""

    async def add() -> str:
        async with trial.federation.client(node, "operator") as operator:
            added = await operator.persons.add(name, f"Officer {name[-4:]}", roles)
        return f"/enrol/{added.enrolment_token}"

    return trial.run(add())


def enrol(
    desk: Desks, trial: ConsoleTrial, *roles: str, node: str = "hk", name: str = ""
) -> tuple[Desk, Authenticator, str]:
    """A window of a new person who has just enrolled, with a passkey."""
    name = name or new_name()
    window = desk(node)
    page = window.open(link_for(trial, node, name, *roles))
    authenticator = Authenticator.plug_into(page)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_label("A name for it").fill("blue key")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("status").first).to_contain_text("The passkey was registered")
    return window, authenticator, name
