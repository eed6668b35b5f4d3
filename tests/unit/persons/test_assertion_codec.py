"""Bytes of assertions and approvals: what isn't exactly ours is refused, and never escapes as another error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from gateway.errors import ApprovalRequiredError, MalformedError, SessionEndedError, SignInRefusedError
from gateway.persons.codec.approvals import parse_approval
from gateway.persons.codec.assertions import AssertionKey
from gateway.persons.codec.id_tokens import key_id, mapped_roles
from gateway.persons.codec.passkeys import claimed_passkey
from gateway.persons.rules.assertions import AssertionClaims
from gateway.persons.rules.policy import OidcPolicy
from gateway.trust.rules.permissions import Role

KEY = AssertionKey(b"\x07" * 32)
CLAIMS = AssertionClaims(
    issuer="gateway/cn",
    audience="gateway/cn",
    subject="person/cn/chan",
    session="0b6cfd40-6d4b-4a51-8a5e-4a6f9c5d1f10",
    certificate="ab" * 32,
    issued_at=1_000,
    expires_at=1_120,
)
BODY = {
    "iss": "gateway/cn",
    "aud": "gateway/cn",
    "sub": "person/cn/chan",
    "sid": "s",
    "cnf": {"x5t#S256": "q" * 43},
    "iat": 1,
    "exp": 2,
}


def signed(body: Any, *, typ: str = "gateway-person+jwt") -> str:
    """What our own key signed, but another form."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    key = OKPKey.import_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return jws.serialize_compact({"alg": "Ed25519", "typ": typ}, json.dumps(body), key, algorithms=["Ed25519"])


def test_an_assertion_comes_back_as_it_went() -> None:
    assert KEY.verify(KEY.sign(CLAIMS)) == CLAIMS


def test_another_key_signs_for_nobody_here() -> None:
    with pytest.raises(SessionEndedError):
        KEY.verify(AssertionKey(b"\x08" * 32).sign(CLAIMS))


@given(st.integers(min_value=0, max_value=478), st.integers(min_value=1, max_value=255))
def test_a_changed_assertion_is_refused(at: int, change: int) -> None:
    token = KEY.sign(CLAIMS)
    at %= len(token)
    changed = token[:at] + chr((ord(token[at]) ^ change) % 128) + token[at + 1 :]
    if _same_bytes(changed, token):
        return  # base64's last letter has bits that mean nothing
    with pytest.raises(SessionEndedError):
        KEY.verify(changed)


def _same_bytes(one: str, other: str) -> bool:
    def parts(token: str) -> list[bytes]:
        try:
            return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
        except ValueError:
            return []

    return parts(one) == parts(other)


@given(st.text(max_size=600))
def test_any_text_is_refused_as_one(text: str) -> None:
    with pytest.raises(SessionEndedError):
        KEY.verify(text)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        BODY | {"iat": "1"},
        BODY | {"iat": True},
        BODY | {"exp": 2.5},
        BODY | {"sub": None},
        BODY | {"cnf": {}},
        BODY | {"cnf": "q" * 43},
        BODY | {"cnf": {"x5t#S256": "***"}},
    ],
)
def test_a_body_of_another_form_is_refused_though_the_key_is_ours(body: Any) -> None:
    with pytest.raises(SessionEndedError):
        KEY.verify(signed(body))


def test_a_token_of_another_type_is_refused_though_the_key_is_ours() -> None:
    KEY.verify(signed(BODY))
    with pytest.raises(SessionEndedError, match="another type"):
        KEY.verify(signed(BODY, typ="JWT"))


def test_no_other_algorithm_is_tried() -> None:
    public = OctKey.import_key(b"the public key as a secret, 32 bytes at least")
    confused = jws.serialize_compact(
        {"alg": "HS256", "typ": "gateway-person+jwt"}, json.dumps(BODY), public, algorithms=["HS256"]
    )
    with pytest.raises(SessionEndedError):
        KEY.verify(confused)


@given(st.text(max_size=300) | st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps))
def test_any_approval_that_isnt_one_is_refused_as_that(text: str) -> None:
    with pytest.raises(ApprovalRequiredError):
        parse_approval(text)


@given(st.text(max_size=300) | st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps))
def test_any_answer_that_isnt_an_authenticators_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        claimed_passkey(text)


@given(st.text(max_size=300))
def test_a_token_without_a_form_names_no_key(text: str) -> None:
    with pytest.raises(SignInRefusedError):
        key_id(text)


POLICY = OidcPolicy(
    issuer="https://login.example",
    client_id="console",
    roles_claim="realm.roles",
    roles={"heads": frozenset({Role.SUPERVISOR, Role.OFFICER}), "desk": frozenset({Role.OFFICER})},
)


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"realm": {"roles": ["heads", "guests"]}}, {Role.SUPERVISOR, Role.OFFICER}),
        ({"realm": {"roles": "desk"}}, {Role.OFFICER}),
        ({"realm": {"roles": [["desk"], {"a": 1}, 5, None]}}, set()),
        ({"realm": {"roles": {"desk": True}}}, set()),
        ({"realm": ["desk"]}, set()),
        ({"roles": ["heads"]}, set()),
        ({}, set()),
    ],
)
def test_roles_come_from_the_mapping_alone(claims: dict[str, Any], roles: set[Role]) -> None:
    assert mapped_roles(claims, POLICY) == roles
