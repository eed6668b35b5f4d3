"""Writes and verifies assertions: compact JWS, Ed25519, of type `gateway-person+jwt` (RFC 7515, 8037, 8705)."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.errors import SessionEndedError
from gateway.persons.rules.assertions import (
    MAX_ASSERTION_CHARS,
    AssertionClaims,
    fingerprint,
    thumbprint,
)

ALGORITHM: Final = "Ed25519"
TYPE: Final = "gateway-person+jwt"
SEED_BYTES: Final = 32


class AssertionKey:
    """The key of one node's assertions; `seed` is its 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        private = Ed25519PrivateKey.from_private_bytes(seed)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = OKPKey.import_key(pem)
        self.key_id = self._key.thumbprint()

    def sign(self, claims: AssertionClaims) -> str:
        """A compact JWS."""
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self.key_id}
        body = {
            "iss": claims.issuer,
            "aud": claims.audience,
            "sub": claims.subject,
            "sid": claims.session,
            "cnf": {"x5t#S256": thumbprint(claims.certificate)},
            "iat": claims.issued_at,
            "exp": claims.expires_at,
        }
        return jws.serialize_compact(header, json.dumps(body, separators=(",", ":")), self._key, algorithms=[ALGORITHM])

    def verify(self, unverified: str) -> AssertionClaims:
        """Claims of an assertion that this key signed.

        1. Its length and algorithm are ours: no other is tried.
        2. This key signed its bytes.
        3. It is of the type, and has all claims.

        Raises:
            SessionEndedError: a step fails; its message is for the audit log.
        """
        if len(unverified) > MAX_ASSERTION_CHARS:  # 1
            raise SessionEndedError(f"assertion: has {len(unverified)} characters")
        try:
            verified = jws.deserialize_compact(unverified.encode("ascii"), self._key, algorithms=[ALGORITHM])  # 2
            if verified.headers().get("typ") != TYPE:  # 3
                raise SessionEndedError("assertion: is a token of another type")
            return _claims(json.loads(verified.payload))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SessionEndedError(f"assertion: {type(error).__name__}") from error


def claimed_key_id(unverified: str) -> str:
    """The key that an assertion says it is signed by; empty where it says nothing that can be read."""
    try:
        encoded = unverified[:MAX_ASSERTION_CHARS].partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        return str(header.get("kid", "")) if isinstance(header, dict) else ""
    except (ValueError, RecursionError):
        return ""


def _claims(body: dict[str, Any]) -> AssertionClaims:
    texts = {name: body[key] for name, key in _TEXTS.items()}
    times = {name: body[key] for name, key in _TIMES.items()}
    if not all(isinstance(text, str) for text in texts.values()) or not all(type(at) is int for at in times.values()):
        raise ValueError("a claim isn't of its kind")
    return AssertionClaims(**texts, **times, certificate=fingerprint(body["cnf"]["x5t#S256"]))


_TEXTS = {"issuer": "iss", "audience": "aud", "subject": "sub", "session": "sid"}
_TIMES = {"issued_at": "iat", "expires_at": "exp"}
