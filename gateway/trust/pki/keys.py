"""Signing keys in files, the log key under each feed's name; `repr` and errors show no key material.

A signing key is of Ed25519. Beside it may stand a second one, of ML-DSA-44, which signs the same checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gateway.contract.ids import FeedOrigin
from gateway.errors import CredentialsError
from gateway.tlog.ml_dsa import MlDsaSigner
from gateway.tlog.note import Signer
from gateway.tls.private_keys import load_private_key, private_key_pem
from gateway.tls.secret_files import write_secret


class PrivateKey(Protocol):
    """An Ed25519 private key: one in memory, or in a token (`tokens.TokenKey`). Thread-safe."""

    def public_key(self) -> Ed25519PublicKey:
        """The public key."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """A signature (RFC 8032, pure), 64 bytes; raises SigningKeyUnavailableError where a token isn't ready."""
        ...


class Ed25519Signer:
    """A private key under a key name, e.g. a feed's origin.

    Attributes:
        public_key: 32 bytes, RFC 8032 encoding.
        second: the key of the second algorithm, under the same name; None without one.
    """

    __slots__ = ("_private_key", "name", "public_key", "second")

    def __init__(self, name: str, private_key: PrivateKey, second: MlDsa44Signer | None = None) -> None:
        self.name = name
        self.public_key = private_key.public_key().public_bytes_raw()
        self.second = second.named(name) if second is not None else None
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature (RFC 8032, pure), 64 bytes."""
        return self._private_key.sign(message)

    def named(self, name: str) -> Ed25519Signer:
        """The key alone under another name."""
        return Ed25519Signer(name, self._private_key)

    def beside(self, second: MlDsa44Signer | None) -> Ed25519Signer:
        """The key with a second one, which gets its name."""
        return Ed25519Signer(self.name, self._private_key, second)

    def __repr__(self) -> str:
        return f"Ed25519Signer(name={self.name!r}, public_key={self.public_key.hex()})"


class MlDsa44Signer:
    """A private key of the second algorithm under a key name; implements MlDsaSigner.

    Attributes:
        public_key: 1,312 bytes, FIPS 204 encoding.
    """

    __slots__ = ("_private_key", "name", "public_key")

    def __init__(self, name: str, private_key: MLDSA44PrivateKey) -> None:
        self.name = name
        self.public_key = private_key.public_key().public_bytes_raw()
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """ML-DSA-44 signature (FIPS 204, pure, empty context), 2,420 bytes."""
        return self._private_key.sign(message)

    def named(self, name: str) -> MlDsa44Signer:
        """The key under another name."""
        return MlDsa44Signer(name, self._private_key)

    def __repr__(self) -> str:
        return f"MlDsa44Signer(name={self.name!r}, public_key={self.public_key[:8].hex()}…)"


SecondCounts = Callable[[bytes], bool]
"""Whether a public key of the second algorithm counts now: only then it signs too."""


def no_second(_key: bytes) -> bool:
    """SecondCounts where a directory doesn't say."""
    return False


class CountedSigner:
    """A signer that counts its signatures; implements Signer."""

    def __init__(self, signer: Signer, count: Callable[[], None], second_counts: SecondCounts = no_second) -> None:
        self._signer = signer
        self._count = count
        self._second_counts = second_counts

    @property
    def name(self) -> str:
        return self._signer.name

    @property
    def public_key(self) -> bytes:
        return self._signer.public_key

    @property
    def second(self) -> MlDsaSigner | None:
        second = self._signer.second
        return second if second is not None and self._second_counts(second.public_key) else None

    def sign(self, message: bytes) -> bytes:
        """As the signer does."""
        self._count()
        return self._signer.sign(message)


class LogKey:
    """The log key under each feed's name; implements LogSigners.

    Args:
        key: the one to sign with now.
        count: called for each signature.
    """

    def __init__(
        self,
        key: Callable[[], Ed25519Signer],
        count: Callable[[], None] = lambda: None,
        second_counts: SecondCounts = no_second,
    ) -> None:
        self._key = key
        self._count = count
        self._second_counts = second_counts
        self._by_feed: dict[tuple[FeedOrigin, Ed25519Signer], Signer] = {}

    def for_feed(self, origin: FeedOrigin) -> Signer:
        """The key named as the feed's log."""
        key = self._key()
        signer = self._by_feed.get((origin, key))
        if signer is None:
            named = key.named(origin.line).beside(key.second)
            signer = self._by_feed[origin, key] = CountedSigner(named, self._count, self._second_counts)
        return signer

    def named(self, name: str) -> Signer:
        """The key under another name, without its second one: questions and answers have one signature."""
        return CountedSigner(self._key().named(name), self._count)


def create_signing_key(path: Path, *, name: str, passphrase: bytes | None = None) -> Ed25519Signer:
    """Makes a key as PKCS#8 PEM with mode 0600, encrypted if a passphrase is given.

    Raises:
        ConfigurationError: the file exists or can't be written.
    """
    private_key = Ed25519PrivateKey.generate()
    write_secret(path, private_key_pem(private_key, passphrase))
    return Ed25519Signer(name, private_key)


SECOND_LOG_KEY, SECOND_RECEIPTS_KEY = "log.ml-dsa-44.pem", "receipts.ml-dsa-44.pem"
"""Names of files with second keys."""


def create_second_keys(folder: Path, passphrase: bytes | None = None) -> tuple[MlDsa44Signer, MlDsa44Signer]:
    """Makes the second keys of a log and of receipts; files and errors as of `create_signing_key`."""
    log, receipts = MLDSA44PrivateKey.generate(), MLDSA44PrivateKey.generate()
    for name, private_key in ((SECOND_LOG_KEY, log), (SECOND_RECEIPTS_KEY, receipts)):
        write_secret(folder / name, private_key_pem(private_key, passphrase))
    return MlDsa44Signer("log", log), MlDsa44Signer("receipts", receipts)


NEXT_LOG_KEY, NEXT_RECEIPTS_KEY = "log.next.pem", "receipts.next.pem"
"""Names of files with the keys that take the place of those in use."""


def load_second_key(path: Path, *, name: str, passphrase: bytes | None = None) -> MlDsa44Signer:
    """Loads a key made by `create_second_keys`; raises as `load_signing_key` does."""
    private_key = load_private_key(path, passphrase)
    if not isinstance(private_key, MLDSA44PrivateKey):
        raise CredentialsError(f"{path} isn't an ML-DSA-44 key; make one with `gateway pki second-keys`")
    return MlDsa44Signer(name, private_key)


def load_signing_key(path: Path, *, name: str, passphrase: bytes | None = None) -> Ed25519Signer:
    """Loads a key made by `create_signing_key` or `openssl genpkey -algorithm ed25519`.

    Raises:
        ConfigurationError: missing, readable by others, not PKCS#8 PEM or Ed25519, or a wrong passphrase.
    """
    private_key = load_private_key(path, passphrase)
    if not isinstance(private_key, Ed25519PrivateKey):
        raise CredentialsError(f"{path} isn't an Ed25519 key; make one with `gateway pki signing-keys`")
    return Ed25519Signer(name, private_key)
