"""Persons where two replicas of a node share one PostgreSQL database: an assertion of one holds at the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.errors import SessionEndedError, SignInRefusedError
from tests.support.command_line import Cli
from tests.support.federation import Federation, eventually, with_logs
from tests.support.persons import PASSWORD, SETTINGS, SYSTEMS, enrolled, new_name
from tests.support.postgres import PostgresServer
from tests.support.replicas import ReplicaProcess, add_replicas


@pytest.fixture(scope="module")
def replicas(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[tuple[Federation, list[ReplicaProcess]]]:
    url = postgres_server.url_of(postgres_server.create())
    for made in with_logs(tmp_path_factory.mktemp("person-replicas"), settings=SETTINGS, systems=SYSTEMS):
        both = add_replicas(made, "cn", url, 2)
        for replica in both:
            replica.start()
        yield made, both


def test_sessions_passkeys_lock_outs_and_the_disabled_are_the_same_at_both(
    replicas: tuple[Federation, list[ReplicaProcess]],
) -> None:
    nodes, (one, other) = replicas

    async def run() -> None:
        async with (
            nodes.client_at(one.local_port, "cn", "console") as here,
            nodes.client_at(other.local_port, "cn", "console") as there,
            nodes.client_at(one.local_port, "cn", "operator") as operator,
        ):
            officer = await enrolled(here, operator, "officer")
            await officer.add_passkey()
            elsewhere = there.acting_for(officer.signed_in.assertion)
            assert (await elsewhere.persons.own_account()).person.passkeys == 1
            asked = await here.persons.begin_passkey_sign_in()
            answer = officer.authenticator.get(asked.options_json)
            assert (await there.persons.finish_passkey_sign_in(asked.challenge_id, answer)).person == officer.name
            with pytest.raises(SignInRefusedError):
                await here.persons.finish_passkey_sign_in(asked.challenge_id, answer)
            await operator.persons.change(officer.name, disabled=True)

            async def refused() -> bool:
                try:
                    await elsewhere.persons.own_account()
                except SessionEndedError:
                    return True
                return False

            await eventually(refused, within_s=3)
            name = new_name()
            for at in (here, there, here, there, here):
                with pytest.raises(SignInRefusedError):
                    await at.persons.sign_in(name, "wrong")
            with pytest.raises(SignInRefusedError) as locked:
                await there.persons.sign_in(name, PASSWORD)
            assert locked.value.retry_after_s

    nodes.run(run())


def test_a_replaced_key_signs_at_both_and_what_the_old_one_signed_holds(
    replicas: tuple[Federation, list[ReplicaProcess]],
) -> None:
    nodes, (one, other) = replicas

    async def run() -> None:
        async with (
            nodes.client_at(one.local_port, "cn", "console") as here,
            nodes.client_at(other.local_port, "cn", "console") as there,
            nodes.client_at(one.local_port, "cn", "operator") as operator,
        ):
            officer = await enrolled(here, operator, "officer")
            before, token = officer.signed_in.assertion, officer.signed_in.session_token
            rotated = await operator.persons.rotate_assertion_key()
            assert rotated.signs_from.ToSeconds() < rotated.old_ends_at.ToSeconds()

            async def renewed() -> str | None:
                assertions = {(await at.persons.renew(token)).assertion for at in (here, there)}
                headers = {assertion.partition(".")[0] for assertion in (before, *assertions)}
                return assertions.pop() if len(headers) == 2 and len(assertions) == 1 else None

            new = await eventually(renewed, within_s=30)
            for at in (here, there):
                for assertion in (before, new):
                    assert (await at.acting_for(assertion).persons.own_account()).person.name == officer.name

    nodes.run(run())


def test_the_command_looks_after_persons(replicas: tuple[Federation, list[ReplicaProcess]]) -> None:
    nodes, _ = replicas
    cli, name = Cli(nodes, "cn"), new_name()
    added = cli.json("operator", "person", "add", name, "--name", "Ho Mei", "--role", "officer")
    assert added["person"]["enrolment_open"] is True
    told = cli.run("operator", "person", "reset", name, "--console", "https://console.test").output
    assert "https://console.test/enrol/" in told
    assert cli.json("operator", "person", "roles", name, "--role", "analyst")["roles"] == ["analyst"]
    assert cli.json("operator", "person", "show", name)["person"]["display_name"] == "Ho Mei"
    assert "invited" in cli.run("operator", "person", "list").output
    assert cli.json("operator", "person", "disable", name)["disabled"] is True
    assert cli.json("operator", "person", "disable", name, "--undo")["disabled"] is False
    assert cli.json("operator", "person", "sessions") is not None
    assert cli.json("operator", "person", "sessions", name, "--end")["sessions"] == 0
    assert (
        "isn't one of this node's"
        in cli.run("auditor", "person", "whois", "person/~abc", "--reason", "Case 17", code=2).output
    )
    cli.run("operator", "person", "add", name, "--role", "officer", code=2)
    assert cli.json("operator", "person", "rotate-key")["old_ends_at"]
    cli.run("auditor", "person", "rotate-key", code=1)
