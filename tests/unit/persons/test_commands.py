"""Accounts, sign-ins and sessions in the writer's transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.db.database import Database
from gateway.errors import NotFoundError, PermissionDeniedError, SessionEndedError
from gateway.persons.commands import administration, signing_in
from gateway.persons.rules.accounts import AccountSource, PersonAccount
from gateway.persons.rules.lockout import FIRST_LOCK_MS, FREE_FAILURES
from gateway.persons.rules.policy import PersonPolicy
from gateway.persons.rules.sessions import SignInWay, known_device
from gateway.persons.tables import accounts
from gateway.persons.tables.sessions import digest_of_token
from gateway.trust.rules.permissions import Role
from gateway.v1 import person_service_pb2 as pb
from tests.support.databases import new_database

POLICY = PersonPolicy(node="cn")
SYSTEM = "console"


@dataclass
class Authority:
    """Accounts of chan, wong and lei on one database and one clock."""

    database: Database
    now_ms: int = 1_800_000_000_000

    def run(self, work: Callable[..., Any], **arguments: Any) -> Any:
        with self.database.write() as conn:
            return work(conn, self.now_ms, **arguments)

    def sign_in(self, person: str, *, counted: str = "") -> str:
        begin = {"policy": POLICY, "person": person, "system": SYSTEM, "device": "", "way": SignInWay.PASSWORD}
        token, _ = self.run(signing_in.begin_session, **begin, counted=counted)
        return str(token)

    def renew(self, token: str, system: str = SYSTEM) -> str:
        live = self.run(signing_in.renew, policy=POLICY, token=token, system=system, background=False)
        return str(live.account.name)

    def change(self, caller: str, request: pb.ChangePersonRequest) -> None:
        self.run(administration.change_person, request=request, caller=caller)

    def account(self, name: str) -> PersonAccount:
        with self.database.read() as conn:
            account = accounts.find(conn, name)
        assert account is not None
        return account


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    database = new_database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with database.write() as conn:
        for name in ("chan", "wong", "lei"):
            officer = frozenset({Role.OFFICER})
            accounts.add(conn, PersonAccount(name=name, display_name=name, roles=officer, source=AccountSource.LOCAL))
    yield Authority(database)
    database.close()


@pytest.mark.parametrize("change", [{"roles": ["supervisor"]}, {"disabled": True}])
def test_another_operator_changes_roles_and_disables(authority: Authority, change: dict[str, Any]) -> None:
    request = pb.ChangePersonRequest(name="chan", **change)
    before = authority.account("chan")
    with pytest.raises(PermissionDeniedError):
        authority.change("chan", request)
    assert authority.account("chan") == before
    authority.change("wong", request)
    assert authority.account("chan") != before


def test_an_enrolment_link_sets_one_password_within_its_time(authority: Authority) -> None:
    opened = authority.run(administration.reset_person, name="chan", caller="wong", policy=POLICY)
    token = opened.enrolment_token
    authority.now_ms += POLICY.enrolment_ms - 1
    assert authority.run(administration.use_enrolment, token=token, password_hash="first") == "chan"
    with pytest.raises(NotFoundError):
        authority.run(administration.use_enrolment, token=token, password_hash="second")
    assert authority.account("chan").password_hash == "first"
    late = authority.run(administration.reset_person, name="chan", caller="wong", policy=POLICY)
    authority.now_ms += POLICY.enrolment_ms
    with pytest.raises(NotFoundError):
        authority.run(administration.use_enrolment, token=late.enrolment_token, password_hash="third")


def test_sessions_from_before_somebody_was_disabled_stay_ended(authority: Authority) -> None:
    token, other = authority.sign_in("chan"), authority.sign_in("lei")
    for disabled in (True, False):
        authority.change("wong", pb.ChangePersonRequest(name="chan", disabled=disabled))
        with pytest.raises(SessionEndedError):
            authority.renew(token)
    assert authority.renew(other) == "lei"


def test_a_changed_password_ends_the_sessions_elsewhere(authority: Authority) -> None:
    here, there = authority.sign_in("chan"), authority.sign_in("chan")
    live = authority.run(signing_in.renew, policy=POLICY, token=here, system=SYSTEM, background=False)
    session_id = live.session.session_id
    ended = authority.run(administration.set_password, name="chan", password_hash="new", session_id=session_id)
    assert ended == 1
    assert authority.renew(here) == "chan"
    with pytest.raises(SessionEndedError):
        authority.renew(there)


def test_a_session_is_renewed_through_its_console_alone(authority: Authority) -> None:
    token = authority.sign_in("chan")
    with pytest.raises(SessionEndedError):
        authority.renew(token, system="other-console")
    assert authority.run(signing_in.sign_out, token=token, system="other-console") == ""
    assert authority.renew(token) == "chan"


def test_a_sign_in_removes_only_sessions_that_are_long_over(authority: Authority) -> None:
    token = authority.sign_in("chan")
    authority.sign_in("lei")
    assert authority.renew(token) == "chan"
    authority.now_ms += POLICY.session_ms + signing_in.KEEP_SESSIONS_MS
    for forward_ms, problem in ((0, "chan"), (1, "no session")):
        authority.now_ms += forward_ms
        authority.sign_in("lei")
        with pytest.raises(SessionEndedError, match=problem):
            authority.renew(token)


def test_the_fifth_failure_in_a_row_locks_the_name(authority: Authority) -> None:
    attempts = [attempt(authority) for _ in range(FREE_FAILURES + 1)]
    assert attempts == [0] * FREE_FAILURES + [FIRST_LOCK_MS]
    authority.now_ms += FIRST_LOCK_MS
    assert attempt(authority) == 0
    assert attempt(authority) == 2 * FIRST_LOCK_MS


def attempt(authority: Authority, *known_devices: str, name: str = "chan") -> int:
    """Milliseconds for which nothing may be tried."""
    made: signing_in.SignInAttempt = authority.run(signing_in.count_attempt, name=name, known_devices=known_devices)
    return made.locked_ms


def device(token: str) -> str:
    return known_device(digest_of_token(token))


def test_a_known_device_is_locked_for_its_own_failures_alone(authority: Authority) -> None:
    token = authority.sign_in("chan")
    mine, others = device(token), device(authority.sign_in("lei"))
    authority.run(signing_in.sign_out, token=token, system=SYSTEM)
    while not attempt(authority):
        pass
    assert attempt(authority, others, "A" * 43) == FIRST_LOCK_MS, "somebody else's device is none of chan's"
    assert [attempt(authority, others, mine) for _ in range(FREE_FAILURES)] == [0] * FREE_FAILURES
    assert attempt(authority, mine) == FIRST_LOCK_MS
    assert attempt(authority, others, name="lei") == 0


def test_a_sign_in_on_a_known_device_forgets_its_failures_and_no_strangers(authority: Authority) -> None:
    token = authority.sign_in("chan")
    while not attempt(authority):
        pass
    for _ in range(FREE_FAILURES):
        made: signing_in.SignInAttempt = authority.run(
            signing_in.count_attempt, name="chan", known_devices=[device(token)]
        )
        assert not made.locked_ms
        authority.sign_in("chan", counted=made.counted)
    assert attempt(authority, device(token)) == 0
    assert attempt(authority), "strangers get no new attempts by it"
    authority.sign_in("chan")
    assert attempt(authority) == 0


def test_a_device_is_known_as_long_as_its_session_is_kept(authority: Authority) -> None:
    mine = device(authority.sign_in("chan"))
    authority.now_ms += POLICY.session_ms + signing_in.KEEP_SESSIONS_MS + 1
    authority.sign_in("lei")
    while not attempt(authority):
        pass
    assert attempt(authority, mine) == FIRST_LOCK_MS
