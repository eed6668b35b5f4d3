"""Sign-in by the authority's identity provider: the node itself verifies its tokens, with its keys."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from gateway.client import GatewayClient
from gateway.errors import InvalidRequestError, OverloadedError, SessionEndedError, SignInRefusedError
from gateway.v1.person_pb2 import PERSON_SOURCE_IDENTITY_PROVIDER, SignedIn
from tests.support.federation import Federation, eventually, with_logs
from tests.support.node_processes import SLOW_PASSWORDS
from tests.support.oidc_issuer import OidcIssuer
from tests.support.persons import SETTINGS, SYSTEMS, desk, new_name

NONCE = "n" * 32

GUESSES = 5
"""Wrong passwords that are answered meanwhile: about one a second beside others who call."""


@dataclass
class Provided:
    nodes: Federation
    issuer: OidcIssuer


@pytest.fixture(scope="module")
def provided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provided]:
    with OidcIssuer(tmp_path_factory.mktemp("issuer")) as issuer:
        settings = f"""{SETTINGS}
[persons.oidc]
issuer = "{issuer.url}"
client_id = "{issuer.client_id}"
name = "Customs login"
ca = "{issuer.ca}"
roles_claim = "realm_access.roles"
[persons.oidc.roles]
customs-officers = ["officer"]
customs-heads = ["officer", "supervisor"]
"""
        folder = tmp_path_factory.mktemp("provider")
        for made in with_logs(folder, settings=settings, systems=SYSTEMS):
            made["cn"].start(**{SLOW_PASSWORDS: "1"})  # a flood of sign-ins is one
            yield Provided(made, issuer)


def somebody(provided: Provided, *groups: str) -> str:
    name = f"lei-{uuid.uuid4().hex[:8]}"
    provided.issuer.people[name] = {"realm_access": {"roles": list(groups)}, "name": "Lei Ka Man"}
    return name


def test_a_person_of_the_provider_signs_in_with_the_roles_of_its_groups(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, operator):
            offered = await console.persons.sign_in_methods()
            assert (offered.oidc_issuer, offered.oidc_name) == (provided.issuer.url, "Customs login")
            name = somebody(provided, "customs-heads", "everybody")
            token = provided.issuer.id_token(name, NONCE)
            signed_in = await console.persons.sign_in_with_id_token(token, NONCE)
            assert (signed_in.person, signed_in.display_name) == (name, "Lei Ka Man")
            assert list(signed_in.roles) == ["officer", "supervisor"]
            shown = (await operator.persons.get(name)).person
            assert shown.source == PERSON_SOURCE_IDENTITY_PROVIDER
            with pytest.raises(InvalidRequestError, match="identity provider"):
                await operator.persons.change(name, roles=["operator"])
            provided.issuer.people[name]["realm_access"] = {"roles": ["customs-officers"]}  # moved to another desk
            again = await console.persons.sign_in_with_id_token(provided.issuer.id_token(name, NONCE), NONCE)
            assert list(again.roles) == ["officer"]
            before = await console.acting_for(signed_in.assertion).persons.own_account()
            assert list(before.roles) == ["officer"]
            await operator.persons.change(name, disabled=True)
            with pytest.raises(SignInRefusedError):
                await console.persons.sign_in_with_id_token(provided.issuer.id_token(name, NONCE), NONCE)
            with pytest.raises(SessionEndedError):
                await console.acting_for(again.assertion).persons.own_account()

    provided.nodes.run(run())


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "another client": {"aud": "another-client"},
    "two clients without azp": {"aud": ["customs-console", "another-client"]},
    "asked for by another": {"azp": "another-client"},
    "expired": {"exp": 1_700_000_000},
    "old": {"iat": 1_700_000_000},
    "of the future": {"iat": 4_000_000_000, "exp": 4_000_000_300},
    "no subject": {"sub": None},
    "no name": {"preferred_username": None},
    "a strange name": {"preferred_username": "../root"},
    "no role here": {"realm_access": {"roles": ["guests"]}},
    "roles of another form": {"realm_access": "customs-officers"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_isnt_right_signs_nobody_in(provided: Provided, wrong: str) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, _):
            name = somebody(provided, "customs-officers")
            token = provided.issuer.id_token(name, NONCE, **WRONG[wrong])
            with pytest.raises(SignInRefusedError):
                await console.persons.sign_in_with_id_token(token, NONCE)
            right = provided.issuer.id_token(name, NONCE)
            with pytest.raises(SignInRefusedError):  # it answers another sign-in
                await console.persons.sign_in_with_id_token(right, "m" * 32)
            assert (await console.persons.sign_in_with_id_token(right, NONCE)).person == name

    provided.nodes.run(run())


def test_a_token_that_another_key_signed_or_nobody_is_refused(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, _):
            name = somebody(provided, "customs-officers")
            right = provided.issuer.id_token(name, NONCE)
            head, body, _signature = right.split(".")
            header = json.loads(base64.urlsafe_b64decode(head + "=="))
            payload = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            stranger = ECKey.generate_key("P-256")
            symmetric = OctKey.import_key(b"customs-console-secret-of-the-client")
            hs256 = jws.serialize_compact(
                {"alg": "HS256", "kid": header["kid"]}, payload, symmetric, algorithms=["HS256"]
            )
            none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
            for wrong in (
                jws.serialize_compact(header, payload, stranger, algorithms=["ES256"]),
                hs256,
                f"{none}.{body}.",
                right[:-4] + "AAAA",
                "a" * 40,
            ):
                with pytest.raises(SignInRefusedError):
                    await console.persons.sign_in_with_id_token(wrong, NONCE)

    provided.nodes.run(run())


def test_a_name_that_is_somebody_elses_isnt_taken_over(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, operator):
            name = somebody(provided, "customs-officers")
            await operator.persons.add(name, "A local one", ["auditor"])
            with pytest.raises(SignInRefusedError):
                await console.persons.sign_in_with_id_token(provided.issuer.id_token(name, NONCE), NONCE)
            other = somebody(provided, "customs-officers")
            await console.persons.sign_in_with_id_token(provided.issuer.id_token(other, NONCE), NONCE)
            impostor = provided.issuer.id_token(other, NONCE, sub="another-subject")
            with pytest.raises(SignInRefusedError):
                await console.persons.sign_in_with_id_token(impostor, NONCE)

    provided.nodes.run(run())


def test_keys_are_fetched_once_and_again_when_the_provider_has_new_ones(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, _):
            name = somebody(provided, "customs-officers")
            await console.persons.sign_in_with_id_token(provided.issuer.id_token(name, NONCE), NONCE)
            fetched = provided.issuer.requests.count("/jwks")
            await console.persons.sign_in_with_id_token(provided.issuer.id_token(name, NONCE), NONCE)
            assert provided.issuer.requests.count("/jwks") == fetched
            provided.issuer.rotate_key()
            token, ends_s = provided.issuer.id_token(name, NONCE), time.monotonic() + 60
            while time.monotonic() < ends_s:  # unknown keys are looked for every 30 seconds at most
                try:
                    assert (await console.persons.sign_in_with_id_token(token, NONCE)).person == name
                    break
                except SignInRefusedError:
                    await asyncio.sleep(1)
            assert provided.issuer.requests.count("/jwks") == fetched + 1

    provided.nodes.run(run())


async def all_signed_in(provided: Provided, console: GatewayClient, count: int) -> list[SignedIn]:
    """Persons who have come to work: by ID tokens, since a password takes 0.2 s each."""

    async def one() -> SignedIn:
        token = provided.issuer.id_token(somebody(provided, "customs-officers"), NONCE)
        return await console.persons.sign_in_with_id_token(token, NONCE)

    at_door = asyncio.Semaphore(32)

    async def in_turn() -> SignedIn:
        async with at_door:
            return await one()

    return await asyncio.gather(*[in_turn() for _ in range(count)])


async def leave(person: GatewayClient) -> None:
    """Opens what a page does and leaves it before it has begun."""

    async def read() -> None:
        async for _change in person.watch():
            continue

    pages = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.sleep(0.05)
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)


async def work(console: GatewayClient, person: SignedIn, until: asyncio.Event) -> int:
    """Calls as somebody who goes on does; raises when one is refused."""
    done = 0
    while not until.is_set() or not done:
        signed_in = await console.persons.renew(person.session_token)
        await console.acting_for(signed_in.assertion).persons.own_account()
        done += 1
    return done


def test_200_persons_leave_at_once_and_the_others_at_their_console_go_on(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, _):
            leaving, staying = await all_signed_in(provided, console, 200), await all_signed_in(provided, console, 3)
            all_left = asyncio.Event()
            working = [asyncio.create_task(work(console, person, all_left)) for person in staying]
            for _ in range(3):
                await asyncio.gather(*[leave(console.acting_for(person.assertion)) for person in leaving])
            all_left.set()
            assert all(await asyncio.gather(*working))
            assert (await all_signed_in(provided, console, 1))[0].person

    provided.nodes.run(run())


def test_a_person_who_leaves_again_and_again_is_shut_out_alone(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, _):
            flooding, other = await all_signed_in(provided, console, 2)
            person = console.acting_for(flooding.assertion)

            async def shut_out() -> bool:
                try:
                    await asyncio.gather(*[leave(person) for _ in range(8)])
                    await person.persons.own_account()
                except OverloadedError as error:
                    return "left too many calls" in error.message
                return False

            await eventually(shut_out, within_s=60)
            await console.acting_for(other.assertion).persons.own_account()
            await console.persons.renew(flooding.session_token)

    provided.nodes.run(run())


def test_a_flood_of_sign_ins_leaves_those_who_are_signed_in_at_work(provided: Provided) -> None:
    async def run() -> None:
        async with desk(provided.nodes) as (console, _):
            staying = await all_signed_in(provided, console, 3)
            answers: Counter[type[Exception]] = Counter()
            enough = asyncio.Event()

            async def guess() -> None:
                while not enough.is_set():
                    try:
                        await console.persons.sign_in(new_name(), "not the password")
                    except (SignInRefusedError, OverloadedError) as error:
                        answers[type(error)] += 1

            guessing = [asyncio.create_task(guess()) for _ in range(300)]
            working = [asyncio.create_task(work(console, person, enough)) for person in staying]

            async def flooded() -> bool:
                return answers[SignInRefusedError] >= GUESSES and answers[OverloadedError] > 0

            try:
                await eventually(flooded, within_s=120)
            finally:
                enough.set()
                for task in guessing:
                    task.cancel()
            rounds = await asyncio.gather(*working)
            await asyncio.gather(*guessing, return_exceptions=True)
            assert min(rounds) > GUESSES  # behind the sign-ins of the same console it would be none

    provided.nodes.run(run())
