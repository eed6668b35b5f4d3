"""Ed25519 signing keys in files: made where they are used, loaded with or without a passphrase.

Nothing here shows key material: not `repr`, not an error.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import ConfigurationError
from gateway.tls.private_keys import load_private_key, private_key_pem
from gateway.tls.secret_files import write_secret


class Ed25519Signer:
    """A private key under a key name; signs note texts and checkpoints.

    Attributes:
        name: key name as signed notes have it, e.g. a feed's origin.
        public_key: 32 bytes, RFC 8032 encoding.
    """

    __slots__ = ("_private_key", "name", "public_key")

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self.name = name
        self.public_key = private_key.public_key().public_bytes_raw()
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 signature (RFC 8032, pure) over `message`."""
        return self._private_key.sign(message)

    def named(self, name: str) -> Ed25519Signer:
        """The same key under another key name: a node's log key signs each feed under the feed's origin."""
        return Ed25519Signer(name, self._private_key)

    def __repr__(self) -> str:
        return f"Ed25519Signer(name={self.name!r}, public_key={self.public_key.hex()})"


def create_signing_key(path: Path, *, name: str, passphrase: bytes | None = None) -> Ed25519Signer:
    """Makes a new key and writes it as PKCS#8 PEM with mode 0600, encrypted when a passphrase is given.

    Raises:
        ConfigurationError: the file exists already or can't be written.
    """
    private_key = Ed25519PrivateKey.generate()
    write_secret(path, private_key_pem(private_key, passphrase))
    return Ed25519Signer(name, private_key)


def load_signing_key(path: Path, *, name: str, passphrase: bytes | None = None) -> Ed25519Signer:
    """Loads a key that `create_signing_key` or `openssl genpkey -algorithm ed25519` wrote.

    Raises:
        ConfigurationError: missing, open to others, not PKCS#8 PEM, not Ed25519, or the passphrase doesn't fit.
    """
    private_key = load_private_key(path, passphrase)
    if not isinstance(private_key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} isn't an Ed25519 key; make one with `gateway pki signing-keys`")
    return Ed25519Signer(name, private_key)
