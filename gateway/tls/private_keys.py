"""Reads and writes private keys as PKCS#8 PEM; no error shows key material."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from gateway.errors import CredentialsError
from gateway.tls.secret_files import read_secret


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
        raise CredentialsError(f"{path} is encrypted: name its passphrase file or environment variable")
    if passphrase is not None and not encrypted:
        # accepting it would hide that a key meant to be protected lies open
        raise CredentialsError(f"{path} isn't encrypted although a passphrase is given: make a new key with it")
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "its passphrase is wrong or the file is damaged" if encrypted else "it isn't a PKCS#8 PEM private key"
        raise CredentialsError(f"{path} can't be loaded: {why}") from None


def load_tls_key_pem(path: Path, passphrase: bytes | None = None) -> bytes:
    """The TLS key as unencrypted PEM for the TLS stack; never write it to disk. Raises as `load_ecdsa_key` does."""
    return private_key_pem(load_ecdsa_key(path, passphrase), None)


def load_ecdsa_key(path: Path, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    """Loads an ECDSA P-256 key; raises as `load_private_key` does, and for another kind of key."""
    private_key = load_private_key(path, passphrase)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or not isinstance(private_key.curve, ec.SECP256R1):
        raise CredentialsError(f"{path} isn't an ECDSA P-256 key; make one with `gateway pki request`")
    return private_key
