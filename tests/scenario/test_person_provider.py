"""Sign-in by the authority's identity provider: the node itself verifies its tokens, with its keys."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from gateway.errors import InvalidRequestError, SessionEndedError, SignInRefusedError
from gateway.v1.person_pb2 import PERSON_SOURCE_IDENTITY_PROVIDER
from tests.support.federation import Federation, with_logs
from tests.support.oidc_issuer import OidcIssuer
from tests.support.persons import SETTINGS, SYSTEMS, desk

NONCE = "n" * 32


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
            made.start("cn")
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
