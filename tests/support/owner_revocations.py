"""Revocations by their owners: real signatures, and certificates under the CAs of tests.support.directories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.tlog.note import sign_note
from gateway.tls.certificates import inspect_certificate
from gateway.trust.codec.owner_revocation import encode_revocation
from gateway.trust.pki.issuance import create_request
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.rules.owner_revocations import OwnerRevocation
from tests.support.directories import FEDERATION, NOW, authority, authority_signer


def certificate(node: str, name: str = "") -> str:
    """A certificate of a node's gateway, or of a system, PEM; the same at each call."""
    return _certificate(node, name)


@cache
def _certificate(node: str, name: str) -> str:
    identity = SystemIdentity(FEDERATION, node, name) if name else GatewayIdentity(FEDERATION, node)
    with TemporaryDirectory() as folder:
        request = create_request(identity, key_path=Path(folder) / "key.pem")
        return authority(node).issue(request, identity=identity, now=NOW).decode()


def fingerprint(node: str, name: str = "") -> str:
    return inspect_certificate(certificate(node, name).encode()).fingerprint_sha256


def revocation(
    authority: str, *certificates: str, keys: Mapping[bytes, datetime] | None = None, reason: str = "stolen"
) -> OwnerRevocation:
    return OwnerRevocation(
        federation=FEDERATION,
        authority=authority,
        issued_at=NOW,
        reason=reason,
        certificates=tuple(sorted(certificates)),
        keys=dict(keys or {}),
    )


def revoked(made: OwnerRevocation, *signers: Ed25519Signer) -> bytes:
    """The note, signed by its authority unless others are named."""
    return sign_note(encode_revocation(made), signers or [authority_signer(made.authority)])
