"""Verifies ID tokens of the authority's identity provider (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.errors import SignInRefusedError
from gateway.persons.rules.accounts import MAX_NAME_CHARS, PERSON_NAME
from gateway.persons.rules.policy import OidcPolicy
from gateway.trust.rules.permissions import Role

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519")
"""Asymmetric ones only: with HS256 the client's secret could sign."""

MAX_AGE_S = 600
"""Oldest token in seconds since it was made: a sign-in takes minutes."""

SKEW_S = 60
"""Seconds that the provider's clock may differ."""


@dataclass(frozen=True, slots=True)
class ProvidedIdentity:
    """Whom the provider has signed in."""

    subject: str
    name: str
    display_name: str
    email: str
    roles: frozenset[Role]


def key_id(unverified: str) -> str:
    """Id of the key that a token names; empty where it names none. Raises SignInRefusedError."""
    try:
        header = jws.extract_compact(unverified.encode("ascii")).headers()
    except (JoseError, ValueError) as error:
        raise SignInRefusedError(f"id token: {type(error).__name__}") from error
    kid = header.get("kid", "")
    return kid if isinstance(kid, str) else ""


def verify_id_token(unverified: str, keys: KeySet, *, policy: OidcPolicy, nonce: str, now_s: int) -> ProvidedIdentity:
    """Verifies a token and reads who it is for.

    1. One of the provider's keys signed it, by an asymmetric algorithm.
    2. The issuer is ours.
    3. It is for this client; if for others too, this one asked for it.
    4. It is in force, and was made lately.
    5. It answers the console's request: the nonce.
    6. Name and roles can be read from it.

    Raises:
        SignInRefusedError: a step fails; its message is for the audit log.
    """
    try:
        claims = json.loads(
            jws.deserialize_compact(unverified.encode("ascii"), keys, algorithms=ALGORITHMS).payload
        )  # 1
    except (JoseError, ValueError, RecursionError) as error:
        raise SignInRefusedError(f"id token: {type(error).__name__}: {error}") from error
    if not isinstance(claims, dict):
        raise SignInRefusedError("id token: isn't an object")
    if claims.get("iss") != policy.issuer:  # 2
        raise SignInRefusedError(f"id token: is of {claims.get('iss')!r}")
    _require_audience(claims, policy.client_id)  # 3
    _require_time(claims, now_s)  # 4
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):  # 5
        raise SignInRefusedError("id token: answers another sign-in (nonce)")
    return _identity(claims, policy)  # 6


def _require_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences or (len(audiences) > 1 and claims.get("azp") != client_id):
        raise SignInRefusedError(f"id token: is for {audience!r}")
    if claims.get("azp", client_id) != client_id:
        raise SignInRefusedError(f"id token: {claims.get('azp')!r} asked for it")


def _require_time(claims: Mapping[str, Any], now_s: int) -> None:
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    if not isinstance(expires_at, (int, float)) or not isinstance(issued_at, (int, float)):
        raise SignInRefusedError("id token: lacks exp or iat")
    if now_s >= expires_at + SKEW_S:
        raise SignInRefusedError("id token: has expired")
    if not now_s - MAX_AGE_S - SKEW_S <= issued_at <= now_s + SKEW_S:
        raise SignInRefusedError("id token: wasn't made lately")


def _identity(claims: Mapping[str, Any], policy: OidcPolicy) -> ProvidedIdentity:
    subject, name = claims.get("sub"), claims.get(policy.name_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise SignInRefusedError("id token: lacks sub")
    if not isinstance(name, str):
        raise SignInRefusedError(f"id token: lacks the claim {policy.name_claim} with the name")
    name = name.casefold().partition("@")[0].replace("_", "-")
    if len(name) > MAX_NAME_CHARS or not PERSON_NAME.fullmatch(name):
        raise SignInRefusedError(f"id token: {name[:MAX_NAME_CHARS]!r} can't be a person's name here")
    display_name, email = claims.get(policy.display_name_claim), claims.get(policy.email_claim)
    roles = mapped_roles(claims, policy)
    if not roles:
        raise SignInRefusedError(f"id token: the claim {policy.roles_claim} gives {name} no role here")
    shown = display_name if isinstance(display_name, str) and display_name.strip() else name
    return ProvidedIdentity(subject, name, shown[:128], email[:254] if isinstance(email, str) else "", roles)


def mapped_roles(claims: Mapping[str, Any], policy: OidcPolicy) -> frozenset[Role]:
    """Roles that the settings give for the values of the claim; none for what they don't name."""
    value: Any = claims
    for part in policy.roles_claim.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    given = [policy.roles.get(one, frozenset()) for one in values if isinstance(one, str)]
    return frozenset().union(*given)
