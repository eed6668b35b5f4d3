"""Persons at a gateway: they sign in through a console over real mutual TLS, and act in their own name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import AlertReference, GatewayClient
from gateway.errors import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    SessionEndedError,
    SignInRefusedError,
)
from gateway.v1.person_pb2 import PasskeyChallenge, SignedIn
from tests.support.federation import Federation, alert, with_logs
from tests.support.passkeys import DOMAIN, padless
from tests.support.persons import PASSWORD, SETTINGS, SYSTEMS, audited, desk, enrolled, new_name


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("persons"), settings=SETTINGS, systems=SYSTEMS):
        made.start("cn", "hk")
        yield made


def test_a_console_without_a_person_can_do_nothing_but_sign_in(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, _):
            assert (await console.persons.sign_in_methods()).passkey_domain == DOMAIN
            for refused in (
                console.publish(alert(), ["hk"]),
                console.node.status(),
                console.persons.own_account(),
                console.persons.get("chan"),
                console.watchlist.proposals_page(),
            ):
                with pytest.raises(PermissionDeniedError):
                    await refused

    nodes.run(run())


def test_a_person_enrols_signs_in_and_acts_in_its_own_name(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            name = new_name()
            added = await operator.persons.add(name, "Chan Tai Man", ["publisher"], email="chan@customs.example")
            assert (await console.persons.enrolment(added.enrolment_token)).display_name == "Chan Tai Man"
            with pytest.raises(InvalidRequestError, match="at least 12"):
                await console.persons.enrol(added.enrolment_token, "short")
            await console.persons.enrol(added.enrolment_token, PASSWORD)
            with pytest.raises(NotFoundError):  # it works once
                await console.persons.enrol(added.enrolment_token, PASSWORD)

            signed_in = await console.persons.sign_in(name, PASSWORD, device="Firefox on Linux")
            assert isinstance(signed_in, SignedIn)
            assert list(signed_in.roles) == ["publisher"]
            chan = console.acting_for(signed_in.assertion)
            published = await chan.publish(alert(), ["hk"])
            shown = await chan.get_alert(AlertReference(publisher="cn", alert_id=published.alert_id))
            assert shown.history[0].event.actor == f"person/{name}"
            (event,) = await audited(
                nodes, f"principal = person/cn/{name} AND method = /gateway.v1.AlertService/PublishAlert"
            )
            assert (event.result, event.system) == ("allow", "system/cn/console")
            with pytest.raises(PermissionDeniedError):
                await chan.node.status()

    nodes.run(run())


def test_a_wrong_password_and_an_unknown_person_are_refused_alike_and_locked_alike(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            officer = await enrolled(console, operator, "officer")
            for name in (officer.name, new_name()):
                for _ in range(5):
                    with pytest.raises(SignInRefusedError) as refused:
                        await console.persons.sign_in(name, "not the password")
                    assert refused.value.retry_after_s is None
                with pytest.raises(SignInRefusedError) as locked:
                    await console.persons.sign_in(name, PASSWORD)
                assert locked.value.retry_after_s is not None
                assert 0 < locked.value.retry_after_s <= 30
            shown = (await operator.persons.get(officer.name)).person
            assert shown.HasField("locked_until")
            events = await audited(nodes, "method = /gateway.v1.PersonService/SignIn AND result = deny")
            assert f"person/{officer.name}" in {one for event in events for one in _subjects(event)}

    nodes.run(run())


def _subjects(event: Any) -> list[str]:
    return str(event.details.get("subject_ids", "")).split(", ")


def test_a_passkey_is_asked_for_beside_the_password_and_is_a_sign_in_alone(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            officer = await enrolled(console, operator, "officer")
            await officer.add_passkey()
            asked = await console.persons.sign_in(officer.name, PASSWORD)
            assert isinstance(asked, PasskeyChallenge)
            answer = officer.authenticator.get(asked.options_json)
            second = await console.persons.finish_passkey_sign_in(asked.challenge_id, answer)
            assert (second.person, second.passkeys) == (officer.name, 1)
            with pytest.raises(SignInRefusedError):  # an answer works once
                await console.persons.finish_passkey_sign_in(asked.challenge_id, answer)
            alone = await console.persons.begin_passkey_sign_in()
            third = await console.persons.finish_passkey_sign_in(
                alone.challenge_id, officer.authenticator.get(alone.options_json)
            )
            assert third.person == officer.name

    nodes.run(run())


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"verifies": False}, "without user verification"),
        ({"origin": "https://evil.test"}, "another page"),
        ({"domain": "evil.test"}, "another domain"),
    ],
)
def test_a_passkey_that_doesnt_fit_is_refused(nodes: Federation, wrong: dict[str, Any], reason: str) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            officer = await enrolled(console, operator, "officer")
            await officer.add_passkey()
            for key, value in wrong.items():
                setattr(officer.authenticator, key, value)
            asked = await console.persons.begin_passkey_sign_in()
            with pytest.raises(SignInRefusedError):
                await console.persons.finish_passkey_sign_in(
                    asked.challenge_id, officer.authenticator.get(asked.options_json)
                )

    nodes.run(run())


def test_a_copied_passkey_whose_counter_goes_back_is_refused(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            officer = await enrolled(console, operator, "officer")
            await officer.add_passkey()
            for counter, fits in ((5, True), (3, False)):
                officer.authenticator.counter = counter
                asked = await console.persons.begin_passkey_sign_in()
                answer = officer.authenticator.get(asked.options_json)
                if fits:
                    await console.persons.finish_passkey_sign_in(asked.challenge_id, answer)
                else:
                    with pytest.raises(SignInRefusedError):
                        await console.persons.finish_passkey_sign_in(asked.challenge_id, answer)

    nodes.run(run())


def test_an_assertion_works_with_its_consoles_certificate_alone(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator), nodes.client("cn", "console2") as other:
            officer = await enrolled(console, operator, "officer")
            for thief in (other, operator):
                with pytest.raises(SessionEndedError):
                    await thief.acting_for(officer.signed_in.assertion).persons.own_account()
            with pytest.raises(SessionEndedError):  # nor the session
                await other.persons.renew(officer.signed_in.session_token)
            assert (await officer.client().persons.own_account()).person.name == officer.name

    nodes.run(run())


def test_a_tampered_assertion_and_one_of_another_node_are_refused(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            officer = await enrolled(console, operator, "officer")
            head, body, signature = officer.signed_in.assertion.split(".")
            forged = json.dumps({"alg": "none", "typ": "gateway-person+jwt"})
            for wrong in (
                f"{head}.{body[:-4]}AAAA.{signature}",
                f"{head}.{body}.{signature[:-6]}AAAAAA",
                f"{padless(forged.encode())}.{body}.",
                "x" * 2_000,
                "not a token",
            ):
                with pytest.raises(SessionEndedError):
                    await console.acting_for(wrong).persons.own_account()
            async with nodes.client("hk", "console") as at_hk, nodes.client("hk", "operator") as hk_operator:
                foreign = await enrolled(at_hk, hk_operator, "officer")
                with pytest.raises(SessionEndedError):
                    await console.acting_for(foreign.signed_in.assertion).persons.own_account()

    nodes.run(run())


def test_a_disabled_persons_session_ends_at_once_and_so_do_its_streams(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            officer = await enrolled(console, operator, "officer")
            reading = asyncio.create_task(_read_all(officer.client()))
            assert (await officer.client().persons.own_account()).person.name == officer.name
            await operator.persons.change(officer.name, disabled=True)
            with pytest.raises(SessionEndedError):
                await officer.client().persons.own_account()
            with pytest.raises(SessionEndedError):  # the stream is checked every five seconds
                await asyncio.wait_for(reading, 15)
            with pytest.raises(SessionEndedError):
                await console.persons.renew(officer.signed_in.session_token)
            with pytest.raises(SignInRefusedError):
                await console.persons.sign_in(officer.name, PASSWORD)

    nodes.run(run())


async def _read_all(client: GatewayClient) -> None:
    async for _change in client.watch():
        continue


def test_in_an_emergency_an_operator_ends_all_assertions_and_sessions_at_once(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            chan, wong = await enrolled(console, operator, "officer"), await enrolled(console, operator, "officer")
            invited = await operator.persons.add(new_name(), "Lei", ["officer"])
            page = await chan.client().list_alerts_page()
            assert page is not None
            ended = await operator.persons.rotate_assertion_key(end_everything=True)
            assert ended.ended_sessions >= 2
            for person in (chan, wong):
                with pytest.raises(SessionEndedError):
                    await person.client().list_alerts_page()
                with pytest.raises(SessionEndedError):
                    await console.persons.renew(person.signed_in.session_token)
            with pytest.raises(NotFoundError):
                await console.persons.enrol(invited.enrolment_token, PASSWORD)
            again = await console.persons.sign_in(chan.name, PASSWORD)
            assert isinstance(again, SignedIn)
            await console.acting_for(again.assertion).list_alerts_page()
            (event, *_) = await audited(nodes, "method = /gateway.v1.PersonService/RotateAssertionKey")
            assert event.reason == "ASSERTIONS_ENDED"

    nodes.run(run())


def test_where_passkeys_can_be_registered_nobody_goes_on_without_one(tmp_path: Path) -> None:
    by_default = SETTINGS.replace("require_passkey = false\n", "")
    for nodes in with_logs(tmp_path, settings=by_default, systems=SYSTEMS):
        nodes.start("cn")

        async def run(nodes: Federation = nodes) -> None:
            async with desk(nodes) as (console, operator):
                officer = await enrolled(console, operator, "publisher")
                assert officer.signed_in.must_enrol_passkey
                with pytest.raises(PermissionDeniedError):
                    await officer.client().publish(alert(), ["hk"])
                await officer.add_passkey()
                await officer.client().publish(alert(), ["hk"])

        nodes.run(run())
