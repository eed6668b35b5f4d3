"""The directory's content: federation, authorities, nodes with their keys, and the agreements among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.contract.json_document import JsonValue
from gateway.errors import DirectoryError


class FieldClass(StrEnum):
    """Classes of information that an agreement may allow; the contract's DisclosureClass without its prefix."""

    PERSONAL = "PERSONAL"
    COMMERCIAL = "COMMERCIAL"
    INVESTIGATIVE = "INVESTIGATIVE"


class Validity(StrEnum):
    """Where a directory stands in its time."""

    CURRENT = "current"
    GRACE = "grace"
    """Expired, and within the declared grace period: the exchange goes on, with a loud warning."""
    EXPIRED = "expired"


def directory_key_name(federation: str, authority: str) -> str:
    """Key name of an authority's offline directory key: `<federation>/<authority>/directory`."""
    return f"{federation}/{authority}/directory"


def receipts_key_name(federation: str, node: str) -> str:
    """Key name of a node's cosigning key: `<federation>/<node>/receipts`."""
    return f"{federation}/{node}/receipts"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An Ed25519 public key of a node and the time in which its signatures count.

    Attributes:
        public_key: 32 bytes, RFC 8032 encoding.
        not_before: from this time on, UTC.
        not_after: before this time, UTC.
        revoked_at: signatures from this time on don't count; None while it isn't revoked.
    """

    public_key: bytes
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None

    def usable(self, at: datetime) -> bool:
        """Whether a signature made at this time counts."""
        revoked = self.revoked_at is not None and at >= self.revoked_at
        return self.not_before <= at < self.not_after and not revoked


@dataclass(frozen=True, slots=True)
class Authority:
    """A customs authority: the node it runs, its offline directory key and what it is called.

    Attributes:
        node: name of its node.
        directory_key: verifier key (C2SP signed-note) named `<federation>/<authority>/directory`, Ed25519.
        display_names: BCP 47 language tag to name, at least `en`.
    """

    node: str
    directory_key: str
    display_names: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class FederationNode:
    """A gateway.

    Attributes:
        authority: who runs it.
        endpoints: `host:port` of its peer port, the preferred first; none when it only connects outwards.
        tls_ca_pems: CA certificates whose certificates for this node count; two during a change of CA.
        tls_server_name: name to find in its certificate; None to use the endpoint's host.
        log_keys: keys that sign its feeds.
        cosign_keys: keys that sign its receipts.
        extensions: members that this version of the format doesn't know.
    """

    authority: str
    endpoints: tuple[str, ...]
    tls_ca_pems: tuple[str, ...]
    tls_server_name: str | None
    log_keys: tuple[KeyRecord, ...]
    cosign_keys: tuple[KeyRecord, ...]
    extensions: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a node's operator hands to the others for the directory: public material alone.

    Attributes:
        federation: name of the federation it wants to be in.
        name: the node's name.
        node: its entry.
        directory_key: its authority's verifier key.
        display_names: its authority's names by language tag, at least `en`.
    """

    federation: str
    name: str
    node: FederationNode
    directory_key: str
    display_names: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one node may send to another, for which purposes and on which legal ground.

    Several may hold for the same type of message at once; then each purpose is in one of them alone, and what that one
    says counts: personal data may go for one purpose and not for another.

    Attributes:
        id: stable id, unique in the directory.
        sender, recipient: node names.
        message_types: names of entry types, as in EntryHeader.type, e.g. `AlertEvent`.
        purposes: purposes for which information may be sent, e.g. `export_control`; none: nothing may be sent.
        field_classes: classes of information that may be sent; fields of other classes are removed.
        clause: the article and text that the authorities agreed on.
        valid_from, valid_until: from the first time on, before the second, UTC.
        hit_reports: whether the recipient reports watchlist hits back to the sender.
        extensions: members that this version of the format doesn't know, e.g. modes of history queries.
    """

    id: str
    sender: str
    recipient: str
    message_types: frozenset[str]
    purposes: frozenset[str]
    field_classes: frozenset[FieldClass]
    clause: str
    valid_from: datetime
    valid_until: datetime
    hit_reports: bool = False
    extensions: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)

    def in_force(self, on: datetime) -> bool:
        """Whether it is valid at this time."""
        return self.valid_from <= on < self.valid_until


@dataclass(frozen=True, slots=True)
class Directory:
    """One version of the directory. Every question about what it doesn't name is answered with no.

    Attributes:
        federation: its name, a DNS name; the SPIFFE trust domain as well.
        version: 1 or more, only upwards.
        issued_at, expires_at: UTC.
        grace_days: days after `expires_at` in which the exchange still runs.
        threshold: number of authorities that must sign a version and its successor.
        authorities, nodes: by name.
        agreements: in order of id.
        revoked_certificates: SHA-256 of the DER in hexadecimal, of leaves and CAs.
        extensions: members that this version of the format doesn't know.
    """

    federation: str
    version: int
    issued_at: datetime
    expires_at: datetime
    grace_days: int
    threshold: int
    authorities: Mapping[str, Authority] = field(hash=False)
    nodes: Mapping[str, FederationNode] = field(hash=False)
    agreements: tuple[Agreement, ...] = ()
    revoked_certificates: frozenset[str] = frozenset()
    extensions: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)

    @property
    def grace_ends_at(self) -> datetime:
        """End of the grace period; from then on nothing may rely on this version."""
        return self.expires_at + timedelta(days=self.grace_days)

    def validity(self, at: datetime) -> Validity:
        """Whether it is current, in its grace period, or expired for good."""
        if at < self.expires_at:
            return Validity.CURRENT
        return Validity.GRACE if at < self.grace_ends_at else Validity.EXPIRED

    def node(self, name: str) -> FederationNode:
        """A node by name.

        Raises:
            DirectoryError: the directory doesn't name it.
        """
        try:
            return self.nodes[name]
        except KeyError:
            known = ", ".join(sorted(self.nodes))
            raise DirectoryError(f"version {self.version} names no node {name!r}, only {known}") from None

    def log_keys(self, node: str, at: datetime) -> tuple[bytes, ...]:
        """Public keys whose signatures on the node's feeds count at this time; none for an unknown node."""
        return (
            tuple(key.public_key for key in self.nodes[node].log_keys if key.usable(at)) if node in self.nodes else ()
        )

    def cosign_keys(self, node: str, at: datetime) -> tuple[bytes, ...]:
        """Public keys whose receipts for the node count at this time; none for an unknown node."""
        return _usable(self.nodes[node].cosign_keys, at) if node in self.nodes else ()

    def tls_ca_pems(self, node: str) -> tuple[str, ...]:
        """CAs whose certificates for this node count; none for an unknown node."""
        return self.nodes[node].tls_ca_pems if node in self.nodes else ()

    def is_revoked(self, fingerprint: str) -> bool:
        """Whether a certificate (hexadecimal SHA-256 of its DER) is revoked."""
        return fingerprint in self.revoked_certificates

    def partners(self, node: str, on: datetime) -> frozenset[str]:
        """Nodes that this one sends to or receives from at this time."""
        in_force = [agreement for agreement in self.agreements if agreement.in_force(on)]
        return frozenset({agreement.recipient for agreement in in_force if agreement.sender == node}) | frozenset(
            {agreement.sender for agreement in in_force if agreement.recipient == node}
        )

    def agreements_on(self, sender: str, recipient: str, on: datetime, *, message_type: str) -> tuple[Agreement, ...]:
        """Agreements that let `sender` send this type of message to `recipient` at this time, each for its purposes."""
        return tuple(
            agreement
            for agreement in self.agreements
            if (agreement.sender, agreement.recipient) == (sender, recipient)
            and message_type in agreement.message_types
            and agreement.in_force(on)
        )

    def agreement(
        self, sender: str, recipient: str, on: datetime, *, message_type: str, purpose: str
    ) -> Agreement | None:
        """The one agreement that lets `sender` send this type of message to `recipient` at this time for this purpose.

        None where none names the purpose; and where several did, which a sound directory doesn't have: what may be sent
        would hang on their order.
        """
        possible = self.agreements_on(sender, recipient, on, message_type=message_type)
        found = [agreement for agreement in possible if purpose in agreement.purposes]
        return found[0] if len(found) == 1 else None

    def allows(
        self,
        sender: str,
        recipient: str,
        on: datetime,
        *,
        message_type: str,
        purpose: str,
        field_classes: Collection[str] = (),
    ) -> bool:
        """Whether this type of message may go from `sender` to `recipient` at this time, for this purpose, with these
        classes of information."""
        allowed = self.allowed_field_classes(sender, recipient, on, message_type=message_type, purpose=purpose)
        return allowed is not None and all(field_class in allowed for field_class in field_classes)

    def allowed_field_classes(
        self, sender: str, recipient: str, on: datetime, *, message_type: str, purpose: str
    ) -> frozenset[FieldClass] | None:
        """Classes of information that may be sent for this purpose; None when nothing may be sent at all."""
        agreement = self.agreement(sender, recipient, on, message_type=message_type, purpose=purpose)
        return agreement.field_classes if agreement is not None else None


def _usable(records: tuple[KeyRecord, ...], at: datetime) -> tuple[bytes, ...]:
    return tuple(record.public_key for record in records if record.usable(at))
