"""Reads certificates, requests and keys into facts for `gateway pki show`; verifies nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gateway.errors import ConfigurationError, MalformedError, OptionError, UnauthenticatedError
from gateway.tlog.note import Verifier
from gateway.tls.certificates import inspect_ca, inspect_certificate
from gateway.tls.private_keys import load_private_key
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.trust.pki.issuance import inspect_request

_DAY_S = 86_400


def describe(path: Path, data: bytes, passphrase: bytes | None, now: datetime) -> Mapping[str, object]:
    """Facts about a file, by names in English; `Kind` is always among them.

    Raises:
        ConfigurationError: unknown kind, or damaged; the message names the file.
    """
    if b"PRIVATE KEY-----" in data:
        return _private_key(path, data, passphrase)
    try:
        if b"-----BEGIN CERTIFICATE REQUEST-----" in data:
            return _request(data)
        if b"-----BEGIN CERTIFICATE-----" in data:
            return _certificate(data, now)
        return _verifier_key(data)
    except (ConfigurationError, OptionError, UnauthenticatedError, MalformedError) as error:
        raise OptionError(
            f"{path}: {error.message}", way_out=_("Give a certificate, request, private key or .vkey, in PEM or text.")
        ) from None


def _private_key(path: Path, data: bytes, passphrase: bytes | None) -> Mapping[str, object]:
    encrypted = b"BEGIN ENCRYPTED" in data
    if encrypted and passphrase is None:
        return {
            N_("Kind"): _("private key"),
            N_("Encrypted"): True,
            N_("Public key"): _("give its passphrase to see it"),
        }
    key = load_private_key(path, passphrase if encrypted else None)
    if isinstance(key, Ed25519PrivateKey):
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return {N_("Kind"): _("signing key, Ed25519"), N_("Encrypted"): encrypted, N_("Public key"): public}
    if isinstance(key, MLDSA44PrivateKey):
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return {N_("Kind"): _("second signing key, ML-DSA-44"), N_("Encrypted"): encrypted, N_("Public key"): public}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {N_("Kind"): _("TLS key, ECDSA {curve}", curve=key.curve.name), N_("Encrypted"): encrypted}
    raise OptionError(_("{path} is a key of a kind that isn't used here", path=path))


def _request(data: bytes) -> Mapping[str, object]:
    asked = inspect_request(data)
    return {
        N_("Kind"): _("certificate signing request"),
        N_("Identity"): asked.identity.uri,
        N_("DNS names"): list(asked.dns_names),
        N_("IP addresses"): list(asked.ip_addresses),
    }


def _certificate(data: bytes, now: datetime) -> Mapping[str, object]:
    try:
        stated = inspect_certificate(data)
    except UnauthenticatedError as error:
        if "certificate of a CA" not in error.message:
            raise
        ca = inspect_ca(data)
        return {
            N_("Kind"): _("CA certificate"),
            N_("Subject"): ca.subject,
            N_("Fingerprint"): ca.fingerprint_sha256,
            **_period(ca.not_before, ca.not_after, now),
        }
    return {
        N_("Kind"): _("gateway certificate") if stated.server_auth else _("system certificate"),
        N_("Identity"): stated.identity.uri,
        N_("DNS names"): list(stated.dns_names),
        N_("IP addresses"): list(stated.ip_addresses),
        N_("Serial"): f"{stated.serial:x}",
        N_("Fingerprint"): stated.fingerprint_sha256,
        **_period(stated.not_before, stated.not_after, now),
    }


def _verifier_key(data: bytes) -> Mapping[str, object]:
    try:
        verifier = Verifier.from_vkey(data.decode("ascii").strip())
    except (UnicodeDecodeError, MalformedError):
        raise OptionError(_("neither certificate, request, private key nor verifier key")) from None
    return {
        N_("Kind"): _("verifier key"),
        N_("Name"): verifier.name,
        N_("Type"): f"0x{verifier.algorithm:02x}",
        N_("Key id"): verifier.key_id.hex(),
        N_("Public key"): base64.b64encode(verifier.public_key).decode(),
    }


def _period(not_before: datetime, not_after: datetime, now: datetime) -> Mapping[str, object]:
    days = int((not_after - now).total_seconds() // _DAY_S)
    if now < not_before:
        status = _("not valid yet")
    elif now > not_after:
        status = _("expired")
    else:
        status = ngettext("valid, {number} day left", "valid, {number} days left", days)
    return {N_("Valid from"): not_before, N_("Valid until"): not_after, N_("Status"): status}
