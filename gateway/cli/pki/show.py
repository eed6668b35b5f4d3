"""What a file of the public key infrastructure contains, as facts for `gateway pki show`.

Judges nothing: a certificate shown here isn't thereby believed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import ConfigurationError, MalformedError, UnauthenticatedError
from gateway.tlog.note import Verifier
from gateway.trust.pki.certificates import inspect_ca, inspect_certificate
from gateway.trust.pki.issuance import inspect_request
from gateway.trust.pki.keys import load_private_key

_DAY_S = 86_400


def describe(path: Path, data: bytes, passphrase: bytes | None, now: datetime) -> Mapping[str, object]:
    """Facts about a file, by name; `Kind` is always among them.

    Raises:
        ConfigurationError: it is of no kind that is known here, or damaged; the message names the file.
    """
    if b"PRIVATE KEY-----" in data:
        return _private_key(path, data, passphrase)
    try:
        if b"-----BEGIN CERTIFICATE REQUEST-----" in data:
            return _request(data)
        if b"-----BEGIN CERTIFICATE-----" in data:
            return _certificate(data, now)
        return _verifier_key(data)
    except (ConfigurationError, UnauthenticatedError, MalformedError) as error:
        raise ConfigurationError(f"{path}: {error.message}") from None


def _private_key(path: Path, data: bytes, passphrase: bytes | None) -> Mapping[str, object]:
    encrypted = b"BEGIN ENCRYPTED" in data
    if encrypted and passphrase is None:
        return {"Kind": "private key", "Encrypted": True, "Public key": "give its passphrase to see it"}
    key = load_private_key(path, passphrase if encrypted else None)
    if isinstance(key, Ed25519PrivateKey):
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return {"Kind": "signing key, Ed25519", "Encrypted": encrypted, "Public key": public}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"Kind": f"TLS key, ECDSA {key.curve.name}", "Encrypted": encrypted}
    raise ConfigurationError(f"{path} is a key of a kind that isn't used here")


def _request(data: bytes) -> Mapping[str, object]:
    asked = inspect_request(data)
    return {
        "Kind": "certificate signing request",
        "Identity": asked.identity.uri,
        "DNS names": list(asked.dns_names),
        "IP addresses": list(asked.ip_addresses),
    }


def _certificate(data: bytes, now: datetime) -> Mapping[str, object]:
    try:
        stated = inspect_certificate(data)
    except UnauthenticatedError as error:
        if "certificate of a CA" not in error.message:
            raise
        ca = inspect_ca(data)
        return {
            "Kind": "CA certificate",
            "Subject": ca.subject,
            "Fingerprint": ca.fingerprint_sha256,
            **_period(ca.not_before, ca.not_after, now),
        }
    return {
        "Kind": "gateway certificate" if stated.server_auth else "system certificate",
        "Identity": stated.identity.uri,
        "DNS names": list(stated.dns_names),
        "IP addresses": list(stated.ip_addresses),
        "Serial": f"{stated.serial:x}",
        "Fingerprint": stated.fingerprint_sha256,
        **_period(stated.not_before, stated.not_after, now),
    }


def _verifier_key(data: bytes) -> Mapping[str, object]:
    try:
        verifier = Verifier.from_vkey(data.decode("ascii").strip())
    except (UnicodeDecodeError, MalformedError):
        raise ConfigurationError("neither certificate, request, private key nor verifier key") from None
    return {
        "Kind": "verifier key",
        "Name": verifier.name,
        "Type": f"0x{verifier.algorithm:02x}",
        "Key id": verifier.key_id.hex(),
        "Public key": base64.b64encode(verifier.public_key).decode(),
    }


def _period(not_before: datetime, not_after: datetime, now: datetime) -> Mapping[str, object]:
    days = int((not_after - now).total_seconds() // _DAY_S)
    status = "not valid yet" if now < not_before else "expired" if now > not_after else f"valid, {days} days left"
    return {"Valid from": not_before, "Valid until": not_after, "Status": status}
