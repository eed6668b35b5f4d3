"""Sessions can't be fixed, guessed, kept after their end, or read by scripts; passwords can't be tried without end."""

from __future__ import annotations

import secrets

import pytest

from tests.support.console.trial import ConsoleTrial, Office
from tests.support.console.visitor import HOME, Answer, Visitor


@pytest.fixture(scope="module")
def hk(trial: ConsoleTrial) -> Office:
    trial.session("hk", "analyst")  # adds the person
    return trial["hk"]


def begins_session(answer: Answer, office: Office) -> str:
    """The line that sets the session's cookie."""
    assert answer.status == 303, answer.text[:500]
    [line] = [line for line in answer.set_cookies if line.startswith(office.cookie)]
    return line


def test_a_token_that_was_there_before_sign_in_isnt_the_session(hk: Office) -> None:
    planted = secrets.token_urlsafe(32)
    victim = Visitor(hk, {hk.cookie: planted})
    begins_session(victim.sign_in("analyst", hk.passwords["analyst"]), hk)
    assert victim.cookies[hk.cookie] != planted
    assert Visitor.with_session(hk, planted).get(HOME).location.startswith("/sign-in")


def test_forms_of_before_sign_in_are_worth_nothing_afterwards(hk: Office) -> None:
    victim = Visitor(hk)
    planted = victim.csrf("/sign-in")
    begins_session(victim.sign_in("analyst", hk.passwords["analyst"]), hk)
    assert victim.post("/sign-out", {"csrf": planted}).status == 403


def test_the_cookie_is_out_of_reach_of_scripts_hosts_and_plain_networks(hk: Office) -> None:
    line = begins_session(Visitor(hk).sign_in("analyst", hk.passwords["analyst"]), hk).lower()
    attributes = {part.strip() for part in line.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith(("domain", "expires", "max-age")) for part in attributes)
    assert line.startswith("__host-")


def test_two_sign_ins_are_two_sessions_with_tokens_that_cant_be_guessed(hk: Office) -> None:
    tokens = set()
    for _ in range(2):
        visitor = Visitor(hk)
        begins_session(visitor.sign_in("analyst", hk.passwords["analyst"]), hk)
        tokens.add(visitor.cookies[hk.cookie])
    assert len(tokens) == 2
    assert all(len(token) >= 43 for token in tokens)


def test_after_sign_out_the_token_is_worth_nothing(hk: Office) -> None:
    visitor = Visitor(hk)
    begins_session(visitor.sign_in("analyst", hk.passwords["analyst"]), hk)
    stolen = visitor.cookies[hk.cookie]
    assert Visitor.with_session(hk, stolen).get(HOME).status == 200
    assert visitor.post("/sign-out", {"csrf": visitor.csrf(HOME)}).status == 303
    assert hk.cookie not in visitor.cookies
    assert Visitor.with_session(hk, stolen).get(HOME).location.startswith("/sign-in")


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 10_000, "'; DROP TABLE sessions; --", "%00", "é" * 20])
def test_made_up_tokens_lead_to_sign_in(hk: Office, token: str) -> None:
    answer = Visitor(hk).send("GET", HOME, Cookie=f"{hk.cookie}={token}")
    assert answer.location.startswith("/sign-in")


def test_guessing_locks_the_name_alone_and_tells_nothing(hk: Office, trial: ConsoleTrial) -> None:
    name = trial.run(hk.newcomer("officer"))
    guessing = Visitor(hk)
    said = [guessing.sign_in(name, f"wrong password {number}") for number in range(8)]
    assert {answer.status for answer in said} <= {401, 429}
    assert "locked" in said[-1].text
    right = Visitor(hk).sign_in(name, hk.passwords[name])
    assert right.status in (401, 429)
    assert hk.cookie not in Visitor(hk).cookies
    begins_session(Visitor(hk).sign_in("analyst", hk.passwords["analyst"]), hk)


def test_guessing_does_not_lock_a_persons_own_browser_out(hk: Office, trial: ConsoleTrial) -> None:
    name = trial.run(hk.newcomer("officer"))
    own = Visitor(hk)
    begins_session(own.sign_in(name, hk.passwords[name]), hk)
    assert own.post("/sign-out", {"csrf": own.csrf(HOME)}).status == 303
    (cookie,) = (each for each in own.cookies if each.startswith("__Host-devices-"))
    assert Visitor.with_session(hk, own.cookies[cookie]).get(HOME).location.startswith("/sign-in"), "it opens nothing"
    guessing = Visitor(hk)
    assert "locked" in [guessing.sign_in(name, f"wrong password {number}") for number in range(8)][-1].text
    begins_session(own.sign_in(name, hk.passwords[name]), hk)
    assert Visitor(hk).sign_in(name, hk.passwords[name]).status in (401, 429), "strangers stay locked out"


@pytest.mark.parametrize(
    "known", ["", "x", "A" * 43, ".".join(["A" * 43] * 500), "'; DROP TABLE sessions; --", "é" * 43]
)
def test_made_up_devices_change_nothing(hk: Office, known: str) -> None:
    visitor = Visitor(hk)
    visitor.cookies[f"__Host-devices-{hk.cookie.rpartition('-')[2]}"] = known
    begins_session(visitor.sign_in("analyst", hk.passwords["analyst"]), hk)


def test_a_name_that_nobody_has_is_answered_like_a_wrong_password(hk: Office) -> None:
    def seen(name: str) -> str:
        text = Visitor(hk).sign_in(name, "not the password at all").text.replace(name, "NAME")
        return "".join(line for line in text.splitlines() if "csrf" not in line and "nonce" not in line)

    assert seen("nobody") == seen("analyst")
