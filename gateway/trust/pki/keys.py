"""Keeps Ed25519 signing keys in files, the log key under each feed's name; `repr` and errors show no key material."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.contract.ids import FeedOrigin
from gateway.errors import CredentialsError
from gateway.tlog.note import Signer
from gateway.tls.private_keys import load_private_key, private_key_pem
from gateway.tls.secret_files import write_secret


class Ed25519Signer:
    """A private key under a key name, e.g. a feed's origin.

    Attributes:
        public_key: 32 bytes, RFC 8032 encoding.
    """

    __slots__ = ("_private_key", "name", "public_key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self.name = name
        self.public_key = private_key.public_key().public_bytes_raw()
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature (RFC 8032, pure), 64 bytes."""
        return self._private_key.sign(message)

    def named(self, name: str) -> Ed25519Signer:
        """The key under another name: a log key signs each feed under its origin."""
        return Ed25519Signer(name, self._private_key)

    def __repr__(self) -> str:
        return f"Ed25519Signer(name={self.name!r}, public_key={self.public_key.hex()})"


class CountedSigner:
    """A signer that counts its signatures; implements Signer."""

    def __init__(self, signer: Signer, count: Callable[[], None]) -> None:
        self._signer = signer
        self._count = count

    @property
    def name(self) -> str:
        return self._signer.name

    @property
    def public_key(self) -> bytes:
        return self._signer.public_key

    def sign(self, message: bytes) -> bytes:
        """As the signer does."""
        self._count()
        return self._signer.sign(message)


class LogKey:
    """The log key under each feed's name; implements LogSigners. `count` is called for each signature."""

    def __init__(self, key: Ed25519Signer, count: Callable[[], None] = lambda: None) -> None:
        self._key = key
        self._count = count
        self._by_feed: dict[FeedOrigin, Signer] = {}

    def for_feed(self, origin: FeedOrigin) -> Signer:
        """The key named as the feed's log."""
        signer = self._by_feed.get(origin)
        if signer is None:
            signer = self._by_feed[origin] = self.named(origin.line)
        return signer

    def named(self, name: str) -> Signer:
        """The key under another name."""
        return CountedSigner(self._key.named(name), self._count)


def create_signing_key(path: Path, *, name: str, passphrase: bytes | None = None) -> Ed25519Signer:
    """Makes a key as PKCS#8 PEM with mode 0600, encrypted if a passphrase is given.

    Raises:
        ConfigurationError: the file exists or can't be written.
    """
    private_key = Ed25519PrivateKey.generate()
    write_secret(path, private_key_pem(private_key, passphrase))
    return Ed25519Signer(name, private_key)


def load_signing_key(path: Path, *, name: str, passphrase: bytes | None = None) -> Ed25519Signer:
    """Loads a key made by `create_signing_key` or `openssl genpkey -algorithm ed25519`.

    Raises:
        ConfigurationError: missing, readable by others, not PKCS#8 PEM or Ed25519, or a wrong passphrase.
    """
    private_key = load_private_key(path, passphrase)
    if not isinstance(private_key, Ed25519PrivateKey):
        raise CredentialsError(f"{path} isn't an Ed25519 key; make one with `gateway pki signing-keys`")
    return Ed25519Signer(name, private_key)
