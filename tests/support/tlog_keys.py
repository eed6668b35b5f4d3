"""Keys for tests, from a seed; the same seed is the same key."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gateway.tlog.note import SignatureType, Verifier


@dataclass(frozen=True)
class SecondTestKey:
    """An `MlDsaSigner` in memory."""

    __test__ = False

    name: str
    seed: str = "1"

    @property
    def private_key(self) -> MLDSA44PrivateKey:
        return MLDSA44PrivateKey.from_seed_bytes(sha256(self.seed.encode()).digest())

    @property
    def public_key(self) -> bytes:
        return self.private_key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def verifier(self) -> Verifier:
        return Verifier(self.name, self.public_key, SignatureType.ML_DSA_44)


@dataclass(frozen=True)
class TestKey:
    """A `Signer` in memory."""

    __test__ = False

    name: str
    seed: str = "1"
    second: SecondTestKey | None = None

    @property
    def private_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(self.seed.encode()).digest())

    @property
    def public_key(self) -> bytes:
        return self.private_key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private_key.sign(message)

    def verifier(self) -> Verifier:
        return Verifier(self.name, self.public_key)

    def cosigner(self) -> Verifier:
        return Verifier(self.name, self.public_key, SignatureType.COSIGNATURE)
