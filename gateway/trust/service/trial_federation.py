"""Makes a whole federation in one folder, for demos, tests and trials.

Real authorities make keys where they are used, with `gateway pki` and `gateway directory` (certs/README.md).

    <root>/directory.note                     the directory, signed by all authorities
    <root>/<node>/pki/ca.pem                  the node's CA certificate
    <root>/<node>/pki/gateway.pem|.key        the gateway's certificate and key, for both ports and outgoing links
    <root>/<node>/pki/systems/<name>.pem|.key certificates and keys of its local systems
    <root>/<node>/pki/keys/log.pem            Ed25519 key that signs the node's feeds
    <root>/<node>/pki/keys/receipts.pem       Ed25519 key that cosigns received checkpoints
    <root>/offline/<authority>/directory.pem  the authority's directory key; directory.vkey has the public part
    <root>/offline/<authority>/ca.key         key of the node's CA
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from gateway.contract.ids import GatewayIdentity, SystemIdentity, server_name
from gateway.errors import OptionError
from gateway.files import replace_file
from gateway.tlog.note import Verifier, sign_note
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.issuance import DEFAULT_LEAF_DAYS, CertificateAuthority, create_ca, create_request
from gateway.trust.pki.keys import Ed25519Signer, MlDsa44Signer, create_second_keys, create_signing_key
from gateway.trust.rules.directory import (
    Agreement,
    FederationNode,
    KeyAlgorithm,
    KeyRecord,
    NodeCard,
    directory_key_name,
    receipts_key_name,
)
from gateway.trust.service.agreement_terms import ALERTS_ALONE, AgreementTerms, agreements_among
from gateway.trust.service.directory_drafts import DEFAULT_DAYS, DEFAULT_GRACE_DAYS, draft_directory
from gateway.trust.service.directory_versions import RootOfTrust

SIGNING_KEY_DAYS = 3 * 365
BACKDATED = timedelta(minutes=5)
"""Keys count this much earlier, for slow clocks."""
FEDERATION = "gba.customs.example"


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """A node to make, with its local systems and their roles.

    Attributes:
        node: its name, and its authority's.
        host: DNS name or IP address for partners.
        second_keys: whether it signs with ML-DSA-44 too.
    """

    node: str
    host: str = "127.0.0.1"
    peer_port: int = 0
    local_port: int = 0
    systems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    display_names: Mapping[str, str] = field(default_factory=dict)
    second_keys: bool = False


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """Paths in `<root>/<node>`."""

    path: Path

    @property
    def ca(self) -> Path:
        return self.path / "pki" / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.path / "pki" / "gateway.pem"

    @property
    def key(self) -> Path:
        return self.path / "pki" / "gateway.key"

    @property
    def log_key(self) -> Path:
        return self.path / "pki" / "keys" / "log.pem"

    @property
    def receipts_key(self) -> Path:
        return self.path / "pki" / "keys" / "receipts.pem"

    def system_certificate(self, name: str) -> Path:
        return self.path / "pki" / "systems" / f"{name}.pem"

    def system_key(self, name: str) -> Path:
        return self.path / "pki" / "systems" / f"{name}.key"


@dataclass(frozen=True, slots=True)
class FederationFolder:
    """Paths in a federation's folder, and the keys to pin."""

    path: Path
    anchors: RootOfTrust

    @property
    def directory(self) -> Path:
        return self.path / "directory.note"

    @property
    def anchor_vkeys(self) -> tuple[str, ...]:
        return tuple(verifier.to_vkey() for verifier in self.anchors.verifiers)

    def node(self, name: str) -> NodeFolder:
        return NodeFolder(self.path / name)

    def directory_key(self, authority: str) -> Path:
        return self.path / "offline" / authority / "directory.pem"

    def ca_key(self, authority: str) -> Path:
        return self.path / "offline" / authority / "ca.key"


def create_federation(
    root: Path,
    members: Sequence[MemberSpec],
    federation: str = FEDERATION,
    *,
    now: datetime,
    terms: AgreementTerms = ALERTS_ALONE,
    agreements: Sequence[Agreement] | None = None,
    threshold: int | None = None,
    leaf_days: int = DEFAULT_LEAF_DAYS,
    directory_days: int = DEFAULT_DAYS,
    grace_days: int = DEFAULT_GRACE_DAYS,
) -> FederationFolder:
    """Makes keys, certificates and a signed directory for all members; existing keys are never overwritten.

    Args:
        now: start of validity, with zone.
        terms: of everybody with everybody; `TRIAL_TERMS` allow everything.
        agreements: these instead of an agreement under `terms` for each direction.
        threshold: authorities that must sign; None for all.

    Raises:
        ConfigurationError: a federation exists, or the folder can't be written.
        MalformedError: a wrong name.
        DocumentInvalidError: the directory breaks its rules.
    """
    if (root / "directory.note").exists():
        raise OptionError(f"{root / 'directory.note'} exists already: choose another folder or remove this one")
    now = now.replace(microsecond=0)
    cards: list[NodeCard] = []
    signers: list[Ed25519Signer] = []
    for member in members:
        card, signer = _create_member(root, member, federation, now, leaf_days)
        cards.append(card)
        signers.append(signer)
    if agreements is None:
        until = now + timedelta(days=directory_days + grace_days)
        agreements = agreements_among(
            [member.node for member in members], terms, valid_from=now - BACKDATED, valid_until=until
        )
    directory = draft_directory(
        cards,
        agreements=agreements,
        issued_at=now - BACKDATED,
        threshold=threshold,
        days=directory_days,
        grace_days=grace_days,
    )
    replace_file(root / "directory.note", sign_note(encode_directory(directory), signers))
    anchors = tuple(Verifier(signer.name, signer.public_key) for signer in signers)
    return FederationFolder(root, RootOfTrust(federation, anchors, directory.threshold))


class HasPublicKey(Protocol):
    """A signing key, or the public key of one: Ed25519 unless it is a MlDsa44Signer."""

    @property
    def public_key(self) -> bytes:
        """As the directory has it."""
        ...


def key_record(key: HasPublicKey, now: datetime, days: int = SIGNING_KEY_DAYS) -> KeyRecord:
    """A signing key's directory entry."""
    now = now.replace(microsecond=0)
    algorithm = KeyAlgorithm.ML_DSA_44 if isinstance(key, MlDsa44Signer) else KeyAlgorithm.ED25519
    return KeyRecord(key.public_key, now - BACKDATED, now + timedelta(days=days), algorithm=algorithm)


def _create_member(
    root: Path, member: MemberSpec, federation: str, now: datetime, leaf_days: int
) -> tuple[NodeCard, Ed25519Signer]:
    folder, offline = NodeFolder(root / member.node), root / "offline" / member.node
    ca = create_ca(node=member.node, federation=federation, key_path=offline / "ca.key", now=now)
    log = create_signing_key(folder.log_key, name=f"{federation}/{member.node}/log")
    receipts = create_signing_key(folder.receipts_key, name=receipts_key_name(federation, member.node))
    seconds = create_second_keys(folder.log_key.parent) if member.second_keys else ()
    signer = create_signing_key(offline / "directory.pem", name=directory_key_name(federation, member.node))
    vkey = Verifier(signer.name, signer.public_key).to_vkey()
    replace_file(offline / "directory.vkey", f"{vkey}\n".encode())
    replace_file(folder.ca, ca.certificate_pem)
    _issue_certificates(ca, folder, member, now, leaf_days)
    node = FederationNode(
        authority=member.node,
        endpoints=(_endpoint(member.host, member.peer_port),) if member.peer_port else (),
        tls_ca_pems=(ca.certificate_pem.decode(),),
        tls_server_name=server_name(federation, member.node),
        log_keys=tuple(key_record(key, now) for key in (log, *seconds[:1])),
        cosign_keys=tuple(key_record(key, now) for key in (receipts, *seconds[1:])),
    )
    names = member.display_names or {"en": f"Customs authority {member.node}"}
    return NodeCard(federation, member.node, node, vkey, names), signer


def _issue_certificates(
    ca: CertificateAuthority, folder: NodeFolder, member: MemberSpec, now: datetime, leaf_days: int
) -> None:
    identity = GatewayIdentity(ca.federation, member.node)
    dns_names, ip_addresses = [server_name(ca.federation, member.node), "localhost"], ["127.0.0.1", "::1"]
    _add_host(member.host, dns_names, ip_addresses)
    request = create_request(identity, key_path=folder.key, dns_names=dns_names, ip_addresses=ip_addresses)
    certificate = ca.issue(
        request, identity=identity, dns_names=dns_names, ip_addresses=ip_addresses, now=now, days=leaf_days
    )
    replace_file(folder.certificate, certificate)
    for name in member.systems:
        system = SystemIdentity(ca.federation, member.node, name)
        request = create_request(system, key_path=folder.system_key(name))
        certificate = ca.issue(request, identity=system, now=now, days=leaf_days)
        replace_file(folder.system_certificate(name), certificate)


def _add_host(host: str, dns_names: list[str], ip_addresses: list[str]) -> None:
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        if host not in dns_names:
            dns_names.append(host)
        return
    if address not in ip_addresses:
        ip_addresses.append(address)


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
