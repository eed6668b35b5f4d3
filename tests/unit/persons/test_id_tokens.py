"""Tokens of the identity provider, verified step by step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from gateway.errors import SignInRefusedError
from gateway.persons.codec.id_tokens import MAX_AGE_S, SKEW_S, ProvidedIdentity, verify_id_token
from gateway.persons.rules.policy import OidcPolicy
from gateway.trust.rules.permissions import Role

NOW_S = 1_800_000_000
NONCE = "n" * 32
KEY = ECKey.generate_key("P-256")
POLICY = OidcPolicy(
    issuer="https://login.example", client_id="console", roles={"desk": frozenset({Role.OFFICER})}, display_name="Login"
)
CLAIMS = {
    "iss": POLICY.issuer,
    "aud": POLICY.client_id,
    "sub": "17",
    "preferred_username": "chan",
    "roles": ["desk"],
    "nonce": NONCE,
    "iat": NOW_S,
    "exp": NOW_S + 300,
}


def verified(now_s: int = NOW_S, **claims: Any) -> ProvidedIdentity:
    token = jws.serialize_compact({"alg": "ES256"}, json.dumps(CLAIMS | claims), KEY, algorithms=["ES256"])
    return verify_id_token(token, KeySet([KEY]), policy=POLICY, nonce=NONCE, now_s=now_s)


def test_a_right_token_names_the_person_and_the_roles() -> None:
    assert verified() == ProvidedIdentity("17", "chan", "chan", "", frozenset({Role.OFFICER}))
    assert verified(aud=["console", "another"], azp="console").name == "chan"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["console", "another"]},
        {"azp": "another"},
        {"nonce": "m" * 32},
        {"nonce": None},
        {"roles": ["guests"]},
    ],
)
def test_a_token_for_another_client_or_sign_in_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SignInRefusedError):
        verified(**wrong)


def test_a_token_holds_to_its_end_and_for_some_minutes_with_a_minute_for_clocks() -> None:
    made_s, end_s = NOW_S - MAX_AGE_S - SKEW_S, NOW_S - SKEW_S
    assert verified(iat=made_s)
    assert verified(exp=end_s + 1)
    assert verified(iat=NOW_S + SKEW_S)
    for wrong in ({"iat": made_s - 1}, {"exp": end_s}, {"iat": NOW_S + SKEW_S + 1}):
        with pytest.raises(SignInRefusedError):
            verified(**wrong)
    with pytest.raises(SignInRefusedError, match="expired"):
        verified(now_s=NOW_S + 300 + 3600)
