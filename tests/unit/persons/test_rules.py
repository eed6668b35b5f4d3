"""Rules of persons: accounts, lock-out, sessions, assertions, pseudonyms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError, PermissionDeniedError, SessionEndedError
from gateway.persons.rules.accounts import (
    AccountSource,
    PersonAccount,
    require_other,
    require_preferences,
    roles_of,
)
from gateway.persons.rules.assertions import AssertionClaims, fingerprint, require_for_call, thumbprint
from gateway.persons.rules.lockout import FIRST_LOCK_MS, FREE_FAILURES, LONGEST_LOCK_MS, lock_ms
from gateway.persons.rules.pseudonyms import PSEUDONYM_PREFIX, pseudonym
from gateway.persons.rules.sessions import GrantRow, LiveSession, SessionRow, SignInWay
from gateway.trust.rules.permissions import PERSON_ROLES, Role

CHAN = PersonAccount(
    name="chan", display_name="Chan", roles=frozenset({Role.OFFICER}), source=AccountSource.LOCAL, added_at=1
)
SESSION = SessionRow(
    session_id="s",
    person="chan",
    system="console",
    device="",
    way=SignInWay.PASSWORD,
    token_digest=b"",
    started_at=1_000,
    used_at=1_000,
    ends_at=50_000,
)
CLAIMS = AssertionClaims(
    issuer="gateway/cn",
    audience="gateway/cn",
    subject="person/cn/chan",
    session="s",
    certificate="ab" * 32,
    issued_at=1_000,
    expires_at=1_120,
)


def test_a_console_isnt_a_role_of_persons_and_the_wrong_ones_are_all_named() -> None:
    assert roles_of(["officer", "auditor"]) == {Role.OFFICER, Role.AUDITOR}
    assert Role.CONSOLE not in PERSON_ROLES
    with pytest.raises(InvalidRequestError) as refused:
        roles_of(["console", "officer", "king"])
    assert [violation.field for violation in refused.value.violations] == ["roles[0]", "roles[2]"]


@pytest.mark.parametrize(
    ("language", "zone", "theme"), [("xx", "", ""), ("", "../etc/passwd", ""), ("", "", "pink"), ("", "A" * 65, "")]
)
def test_preferences_that_pages_dont_know_are_refused(language: str, zone: str, theme: str) -> None:
    with pytest.raises(InvalidRequestError):
        require_preferences(language, zone, theme)


def test_preferences_that_pages_know() -> None:
    require_preferences("", "", "")
    require_preferences("zh-Hant", "America/Argentina/Buenos_Aires", "dark")


def test_nobody_changes_the_own_account() -> None:
    require_other("chan", "wong")
    with pytest.raises(PermissionDeniedError):
        require_other("chan", "chan")


def test_locks_double_from_the_fifth_failure_to_an_hour() -> None:
    assert [lock_ms(failures) for failures in range(FREE_FAILURES)] == [0] * FREE_FAILURES
    assert [lock_ms(FREE_FAILURES + step) for step in range(4)] == [FIRST_LOCK_MS << step for step in range(4)]
    assert lock_ms(10**6) == LONGEST_LOCK_MS


@given(st.integers(min_value=0, max_value=10**9))
def test_a_further_failure_never_shortens_a_lock(failures: int) -> None:
    assert 0 <= lock_ms(failures) <= lock_ms(failures + 1) <= LONGEST_LOCK_MS


@pytest.mark.parametrize(
    ("live", "now", "problem"),
    [
        (LiveSession(SESSION, CHAN, None, 0), 10_999, ""),
        (LiveSession(SESSION, CHAN, None, 0), 11_000, "idle"),
        (LiveSession(replace(SESSION, used_at=49_999), CHAN, None, 0), 49_999, ""),
        (LiveSession(replace(SESSION, used_at=49_999), CHAN, None, 0), 50_000, "time is over"),
        (LiveSession(replace(SESSION, ended_at=1_500), CHAN, None, 0), 1_600, "was ended"),
        (LiveSession(SESSION, replace(CHAN, disabled=True), None, 0), 1_600, "disabled"),
    ],
)
def test_when_a_session_has_ended(live: LiveSession, now: int, problem: str) -> None:
    said = live.problem(now, idle_ms=10_000)
    assert problem in said
    assert bool(said) is bool(problem)


def test_roles_of_a_grant_count_while_it_lasts() -> None:
    grant = GrantRow(
        grant_id="g",
        person="chan",
        roles=frozenset({Role.OPERATOR}),
        reason="night",
        granted_at=1_000,
        expires_at=2_000,
    )
    live = LiveSession(SESSION, CHAN, grant, 0)
    assert live.roles_at(1_999) == {Role.OFFICER, Role.OPERATOR}
    assert live.roles_at(2_000) == {Role.OFFICER}
    ended = LiveSession(SESSION, CHAN, replace(grant, ended_at=1_100), 0)
    assert ended.roles_at(1_200) == {Role.OFFICER}


def held(claims: AssertionClaims, *, certificate: str = "ab" * 32, now_s: int = 1_060) -> None:
    require_for_call(claims, audience="gateway/cn", certificate=certificate, now_s=now_s, longest_s=120)


def test_an_assertion_holds_for_its_node_its_time_and_its_certificate() -> None:
    held(CLAIMS)
    held(CLAIMS, now_s=996)  # another replica's clock
    for wrong in (
        replace(CLAIMS, issuer="gateway/hk"),
        replace(CLAIMS, audience="gateway/hk"),
        replace(CLAIMS, expires_at=1_121),
        replace(CLAIMS, issued_at=1_066, expires_at=1_100),
    ):
        with pytest.raises(SessionEndedError):
            held(wrong)
    with pytest.raises(SessionEndedError, match="expired"):
        held(CLAIMS, now_s=1_120)
    with pytest.raises(SessionEndedError, match="another certificate"):
        held(CLAIMS, certificate="cd" * 32)


@given(st.binary(min_size=32, max_size=32))
def test_thumbprints_are_fingerprints_in_another_spelling(digest: bytes) -> None:
    assert fingerprint(thumbprint(digest.hex())) == digest.hex()


def test_a_pseudonym_is_one_for_each_person_partner_and_node() -> None:
    key = b"k" * 32
    chan = pseudonym(key, partner="hk", person="chan")
    assert chan == pseudonym(key, partner="hk", person="chan")
    assert chan.startswith(PSEUDONYM_PREFIX)
    others = {
        pseudonym(key, partner="mo", person="chan"),
        pseudonym(key, partner="hk", person="wong"),
        pseudonym(b"x" * 32, partner="hk", person="chan"),
    }
    assert len(others | {chan}) == 4
    assert "chan" not in chan
