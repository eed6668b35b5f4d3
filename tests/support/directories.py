"""Directories and keys for tests: sound ones, with real certificates and real signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.tlog.note import Verifier, sign_note
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.issuance import CertificateAuthority, create_ca
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.rules.directory import Authority, Directory, FederationNode, KeyRecord, NodeCard, directory_key_name
from gateway.trust.service.agreement_terms import TRIAL_TERMS, agreements_among
from gateway.trust.service.directory_drafts import draft_directory
from gateway.trust.service.directory_versions import RootOfTrust

FEDERATION = "gba.customs.example"
NOW = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
NODES = ("cn", "hk", "mo")


def signer(name: str, seed: int) -> Ed25519Signer:
    """A key that is the same at each call with the same seed."""
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big")))


@cache
def authority(node: str) -> CertificateAuthority:
    with TemporaryDirectory() as folder:
        return create_ca(node=node, federation=FEDERATION, key_path=Path(folder) / "ca.key", now=NOW)


def ca_pem(node: str) -> str:
    return authority(node).certificate_pem.decode()


def authority_signer(name: str, generation: int = 0) -> Ed25519Signer:
    return signer(directory_key_name(FEDERATION, name), 1000 + 100 * generation + NODES.index(name))


def card(name: str, *, generation: int = 0) -> NodeCard:
    number = NODES.index(name)
    directory_key = authority_signer(name, generation)
    node = FederationNode(
        authority=name,
        endpoints=(f"{name}.example:7443", "[::1]:7443"),
        tls_ca_pems=(ca_pem(name),),
        tls_server_name=f"{name}.{FEDERATION}",
        log_keys=(_record(2000 + number),),
        cosign_keys=(_record(3000 + number),),
    )
    vkey = Verifier(directory_key.name, directory_key.public_key).to_vkey()
    return NodeCard(FEDERATION, name, node, vkey, {"en": f"Customs {name}", "zh-Hant": "海關"})


def directory(**changes: object) -> Directory:
    """A directory of three nodes that may send each other everything; keyword arguments go to `draft_directory`."""
    agreements = agreements_among(NODES, TRIAL_TERMS, valid_from=NOW, valid_until=NOW + timedelta(days=700))
    arguments = {"agreements": agreements, "issued_at": NOW, "threshold": 2, **changes}
    return draft_directory([card(name) for name in NODES], **arguments)  # type: ignore[arg-type]


def rotated(version: Directory) -> Directory:
    """The version with other directory keys for everybody."""
    cards = {name: card(name, generation=1) for name in NODES}
    named = {
        name: Authority(name, cards[name].directory_key, authority.display_names)
        for name, authority in version.authorities.items()
    }
    return replace(version, authorities=named)


def signed(version: Directory, signers: Sequence[Ed25519Signer] | None = None) -> bytes:
    return sign_note(encode_directory(version), signers or [authority_signer(name) for name in NODES])


def anchors(threshold: int = 2) -> RootOfTrust:
    keys = [authority_signer(name) for name in NODES]
    vkeys = [Verifier(key.name, key.public_key).to_vkey() for key in keys]
    return RootOfTrust.from_vkeys(vkeys, federation=FEDERATION, threshold=threshold)


def _record(seed: int) -> KeyRecord:
    return KeyRecord(signer("any", seed).public_key, NOW, NOW + timedelta(days=1000))
