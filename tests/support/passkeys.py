"""An authenticator of passkeys in software (WebAuthn 3): ECDSA P-256 and CBOR, not by the product's library."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ORIGIN = "https://console.test"
DOMAIN = "console.test"

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftAuthenticator:
    """One authenticator with one passkey.

    Attributes:
        verifies: whether it says that it knows its person (a PIN or a finger).
        counts: whether its counter goes up with each use, as that of a security key.
    """

    origin: str = ORIGIN
    domain: str = DOMAIN
    verifies: bool = True
    counts: bool = True
    counter: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options_json: str) -> str:
        """Answers `navigator.credentials.create`."""
        options = json.loads(options_json)
        self.user_handle = unpadded(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)
        data = self._data(_ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            {
                "clientDataJSON": padless(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": padless(attestation),
            }
        )

    def get(self, options_json: str, *, handle: bool = True) -> str:
        """Answers `navigator.credentials.get`."""
        options = json.loads(options_json)
        if self.counts:
            self.counter += 1
        client_data, data = self._client_data("webauthn.get", options["challenge"]), self._data()
        signature = self.key.sign(data + sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": padless(client_data),
            "authenticatorData": padless(data),
            "signature": padless(signature),
        }
        if handle and self.user_handle:
            response["userHandle"] = padless(self.user_handle)
        return self._credential(response)

    def _data(self, flags: int = 0) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        return sha256(self.domain.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        document = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(document).encode()

    def _credential(self, response: dict[str, Any]) -> str:
        name = padless(self.credential_id)
        return json.dumps(
            {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
        )


def padless(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
