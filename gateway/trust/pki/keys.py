"""Ed25519 signing keys in files: made where they are used, loaded with or without a passphrase.

Nothing here shows key material: not `repr`, not an error.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from gateway.errors import ConfigurationError
from gateway.trust.pki.secret_files import read_secret, write_secret


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


def private_key_pem(private_key: PrivateKeyTypes, passphrase: bytes | None) -> bytes:
    """PKCS#8 PEM; with a passphrase, encrypted (PBES2: PBKDF2 and AES-256-CBC)."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def load_private_key(path: Path, passphrase: bytes | None = None) -> PrivateKeyTypes:
    """Loads a PKCS#8 PEM private key of any kind.

    Raises:
        ConfigurationError: missing, open to others, not a key, or the passphrase doesn't fit.
    """
    pem = read_secret(path)
    encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem
    if encrypted and passphrase is None:
        raise ConfigurationError(f"{path} is encrypted: name its passphrase file or environment variable")
    if passphrase is not None and not encrypted:
        # taking it would hide that a key which should be protected lies open
        raise ConfigurationError(f"{path} isn't encrypted although a passphrase is given: make a new key with it")
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "its passphrase is wrong or the file is damaged" if encrypted else "it isn't a PKCS#8 PEM private key"
        raise ConfigurationError(f"{path} can't be loaded: {why}") from None
