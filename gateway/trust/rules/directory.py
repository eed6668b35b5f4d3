"""Defines the directory: federation, authorities, nodes with keys, agreements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.contract.ids import MAX_EPOCH, Channel, FeedOrigin
from gateway.contract.json_document import JsonValue
from gateway.errors import DirectoryError


class MessageType(StrEnum):
    """A message type that this version knows. A directory may name others, which allow nothing here."""

    ALERT = "AlertEvent"
    """Alerts, with all later steps on them, in both directions of one alert."""
    LIST_EVENT = "WatchlistEvent"
    """Entries of watchlists; reports of hits on them go the other way (`Agreement.hit_reports`)."""
    HISTORY_QUERY = "HistoryQuery"
    """Queries about shipments: the sender may ask the recipient."""
    HISTORY_RECORD = "HistoryRecord"
    """Answers with records, from the sender to the recipient."""
    HISTORY_HIT = "HistoryHit"
    """Answers with hit or no hit alone."""
    LICENCE_EVENT = "LicenceEvent"
    """Licences, uses of them, and what followed; whole, so with all classes that they have."""
    LICENCE_QUERY = "LicenceQuery"
    """Queries whether a licence covers goods: the sender may ask the recipient."""
    LICENCE_ANSWER = "LicenceAnswer"
    """Answers to that with yes, no or partly alone, from the sender to the recipient."""
    RISK_PROFILE_EVENT = "RiskProfileEvent"
    """Risk profiles that the sender offers; in return their adoption, and what their hits came to."""
    FILE = "AttachedFile"
    """Evidence files, from the sender to the recipient, when the recipient asks for one."""


AGREED_CHANNELS: Mapping[Channel, MessageType] = {
    Channel.LICENCES: MessageType.LICENCE_EVENT,
    Channel.RISK_PROFILES: MessageType.RISK_PROFILE_EVENT,
}
"""Channels that gateways of earlier versions don't know, by the message type whose agreement says that both do."""

FEED_EPOCHS = "feed_epochs"
"""Extension of the directory: epochs of feeds, by pair of nodes."""


class FieldClass(StrEnum):
    """Classes of information in agreements: DisclosureClass without prefix."""

    PERSONAL = "PERSONAL"
    COMMERCIAL = "COMMERCIAL"
    INVESTIGATIVE = "INVESTIGATIVE"


class Validity(StrEnum):
    """State of a directory's validity."""

    CURRENT = "current"
    GRACE = "grace"
    """Expired, but within the declared grace period: exchange goes on, with a warning."""
    EXPIRED = "expired"


def directory_key_name(federation: str, authority: str) -> str:
    """Name of an authority's directory key."""
    return f"{federation}/{authority}/directory"


def receipts_key_name(federation: str, node: str) -> str:
    """Name of a node's cosigning key."""
    return f"{federation}/{node}/receipts"


class KeyAlgorithm(StrEnum):
    """Algorithm of a node's signing key."""

    ED25519 = "ed25519"
    """32 bytes, RFC 8032 encoding."""
    ML_DSA_44 = "ml-dsa-44"
    """1,312 bytes, FIPS 204 encoding: a second key, whose signature checkpoints and receipts need beside the first."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A node's public key and when its signatures count.

    Attributes:
        public_key: as the algorithm encodes it.
        not_before, not_after: UTC, end exclusive.
        revoked_at: signatures from then on don't count.
    """

    public_key: bytes
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None
    algorithm: KeyAlgorithm = KeyAlgorithm.ED25519

    def usable(self, at: datetime) -> bool:
        """Whether a signature of this time counts."""
        revoked = self.revoked_at is not None and at >= self.revoked_at
        return self.not_before <= at < self.not_after and not revoked

    def usable_as_told(self, at: datetime) -> bool:
        """Whether a signature counts whose time its signer alone states: a thief of a revoked key could backdate it."""
        return self.revoked_at is None and self.usable(at)


@dataclass(frozen=True, slots=True)
class Authority:
    """A customs authority.

    Attributes:
        directory_key: Ed25519 verifier key (C2SP signed-note) named `<federation>/<authority>/directory`.
        display_names: by BCP 47 language tag, at least `en`.
    """

    node: str
    directory_key: str
    display_names: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class FederationNode:
    """A gateway.

    Attributes:
        authority: its operator.
        endpoints: `host:port`, preferred first; none if it only connects outwards.
        tls_ca_pems: its CA certificates; two during a change.
        tls_server_name: None for the endpoint's host.
        log_keys, cosign_keys: they sign its feeds and its receipts; those of the second algorithm come last.
        extensions: members unknown to this format version.
    """

    authority: str
    endpoints: tuple[str, ...]
    tls_ca_pems: tuple[str, ...]
    tls_server_name: str | None
    log_keys: tuple[KeyRecord, ...]
    cosign_keys: tuple[KeyRecord, ...]
    extensions: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_keys", _in_order(self.log_keys))
        object.__setattr__(self, "cosign_keys", _in_order(self.cosign_keys))


@dataclass(frozen=True, slots=True)
class FormerMember:
    """A node that an earlier version named.

    Attributes:
        version: the first one without it.
        removed_at: when that was issued, UTC.
        node: its keys, which count no longer than they say; its CAs, by which its own gateway admits its own systems
            and nobody else admits anything; no endpoint.
        display_names: its authority's.
        agreements: with it, no longer in force than its keys count: under them stays what was sent.
    """

    version: int
    removed_at: datetime
    node: FederationNode
    display_names: Mapping[str, str] = field(hash=False)
    agreements: tuple[Agreement, ...] = ()

    def sentence(self, name: str) -> str:
        """What an operator is told of it."""
        return f"{name} is no member since version {self.version} of the directory ({self.removed_at:%Y-%m-%d})"


@dataclass(frozen=True, slots=True)
class NodeCard:
    """A node's public material for the directory, from its operator.

    Attributes:
        directory_key, display_names: its authority's.
    """

    federation: str
    name: str
    node: FederationNode
    directory_key: str
    display_names: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one node may send another, for which purposes, on which legal ground.

    Several may apply to one message type; each purpose is in only one of them, which decides. So personal data may go
    for one purpose and not for another.

    Attributes:
        message_types: as in EntryHeader.type, e.g. `AlertEvent`.
        purposes: e.g. `export_control`; none: nothing may be sent.
        field_classes: classes that may be sent; other fields are removed.
        clause: agreed article and text.
        valid_from, valid_until: UTC, end exclusive.
        hit_reports: whether the recipient may report hits on the sender's list entries to it.
        extensions: members unknown to this format version; `erasure`, `onward_recipients`, `persons` and
            `trace_context` are read.
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
        return self.valid_from <= on < self.valid_until

    @property
    def trace_context(self) -> bool:
        """Whether trace contexts of entries may travel beside them.

        The extension `trace_context` is `true`; anything else means no.
        """
        return self.extensions.get("trace_context") is True

    @property
    def erasure(self) -> bool:
        """Whether the recipient erases its copies of alerts on the sender's request.

        The extension `erasure` is `true`; anything else means no.
        """
        return self.extensions.get("erasure") is True

    @property
    def hides_persons(self) -> bool:
        """Whether the recipient sees pseudonyms in place of the sender's persons.

        The extension `persons` is `pseudonyms`; anything else means no.
        """
        return self.extensions.get("persons") == "pseudonyms"

    @property
    def onward_recipients(self) -> frozenset[str]:
        """Nodes to which the recipient may pass on answers that it got under this agreement.

        A list of names in the extension `onward_recipients`; anything else means none.
        """
        names = self.extensions.get("onward_recipients")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return frozenset()
        return frozenset(name for name in names if isinstance(name, str))


@dataclass(frozen=True, slots=True)
class Directory:
    """A version of the directory. It answers no for unknown names.

    Attributes:
        federation: a DNS name, and the SPIFFE trust domain.
        version: from 1 upwards.
        issued_at, expires_at: UTC.
        grace_days: days of exchange after `expires_at`.
        threshold: authorities that must sign a version and its successor.
        agreements: in order of id.
        revoked_certificates: hexadecimal SHA-256 of the DER, of leaves and CAs.
        former_members: nodes of earlier versions: what they signed as members still verifies.
        extensions: members unknown to this format version.
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
    former_members: Mapping[str, FormerMember] = field(default_factory=dict, hash=False)
    extensions: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)

    @property
    def grace_ends_at(self) -> datetime:
        return self.expires_at + timedelta(days=self.grace_days)

    def validity(self, at: datetime) -> Validity:
        if at < self.expires_at:
            return Validity.CURRENT
        return Validity.GRACE if at < self.grace_ends_at else Validity.EXPIRED

    def node(self, name: str) -> FederationNode:
        """A node by name; raises DirectoryError if unknown."""
        try:
            return self.nodes[name]
        except KeyError:
            known = ", ".join(sorted(self.nodes))
            problem = self.why_no_member(name) or f"version {self.version} names no node {name!r}, only {known}"
            raise DirectoryError(problem) from None

    def signers(self) -> Mapping[str, FederationNode]:
        """Nodes whose keys verify what they signed: members, and former ones. Only `nodes` says who is a member."""
        return {**{name: former.node for name, former in self.former_members.items()}, **self.nodes}

    def signer(self, name: str) -> FederationNode:
        """A member or former one by name; raises DirectoryError if unknown."""
        former = self.former_members.get(name)
        return former.node if former is not None else self.node(name)

    def why_no_member(self, name: str) -> str:
        """A sentence on a node that was a member; empty for others."""
        former = self.former_members.get(name)
        return former.sentence(name) if former is not None else ""

    def former_partners(self, node: str) -> frozenset[str]:
        """Nodes that `node` exchanges with no more since one of the two is no member: all, if it is none itself."""
        former = frozenset(self.former_members)
        return frozenset(self.signers()) - {node} if node in former else former

    def with_ended_agreements(self) -> Directory:
        """With what former members agreed on too: by that entries are judged which were sent then."""
        ended = (agreement for former in self.former_members.values() for agreement in former.agreements)
        return replace(self, agreements=(*self.agreements, *ended))

    def own_ca_pems(self, node: str) -> tuple[str, ...]:
        """CAs of a node, a former member's too: for its own systems at its own gateway alone."""
        return self.signers()[node].tls_ca_pems if node in self.signers() else ()

    def log_keys(self, node: str, at: datetime) -> tuple[bytes, ...]:
        """Ed25519 keys that count for the node's feeds."""
        return _usable(of_algorithm(self.signer(node).log_keys), at) if node in self.signers() else ()

    def cosign_keys(self, node: str, at: datetime) -> tuple[bytes, ...]:
        """Ed25519 keys that count for the node's receipts."""
        return _usable(of_algorithm(self.signer(node).cosign_keys), at) if node in self.signers() else ()

    def second_keys(self, node: str, at: datetime) -> frozenset[bytes]:
        """ML-DSA-44 keys of either use with which the node signs: from when they are listed, before they are needed."""
        if node not in self.signers():
            return frozenset()
        signer = self.signer(node)
        records = of_algorithm((*signer.log_keys, *signer.cosign_keys), KeyAlgorithm.ML_DSA_44)
        return frozenset(record.public_key for record in records if record.usable(max(at, record.not_before)))

    def tls_ca_pems(self, node: str) -> tuple[str, ...]:
        return self.nodes[node].tls_ca_pems if node in self.nodes else ()

    def is_revoked(self, fingerprint: str) -> bool:
        """By hexadecimal SHA-256 of the DER."""
        return fingerprint in self.revoked_certificates

    def partners(self, node: str, on: datetime) -> frozenset[str]:
        """Nodes that this one exchanges with."""
        in_force = [agreement for agreement in self.agreements if agreement.in_force(on)]
        return frozenset({agreement.recipient for agreement in in_force if agreement.sender == node}) | frozenset(
            {agreement.sender for agreement in in_force if agreement.recipient == node}
        )

    def feed_epoch(self, node: str, other: str) -> int:
        """The epoch of the feeds between two nodes, both ways; 1 unless the extension `feed_epochs` says another.

        It has numbers by pair, e.g. `{"cn/hk": 2}`, in the order of names; anything else means 1.
        """
        epochs = self.extensions.get(FEED_EPOCHS)
        epoch = epochs.get("/".join(sorted((node, other)))) if isinstance(epochs, dict) else None
        valid = isinstance(epoch, int) and not isinstance(epoch, bool) and 1 <= epoch <= MAX_EPOCH
        return int(epoch) if valid and isinstance(epoch, int) else 1

    def feed(self, publisher: str, recipient: str, channel: Channel) -> FeedOrigin:
        """The feed between two nodes in its present epoch."""
        return FeedOrigin(self.federation, publisher, recipient, channel, self.feed_epoch(publisher, recipient))

    def carries(self, channel: Channel, publisher: str, recipient: str) -> bool:
        """Whether the feeds of a channel between two nodes are opened; see AGREED_CHANNELS.

        An agreement counts whether it is in force or not: what has been sent is still compared and delivered.
        """
        needed = AGREED_CHANNELS.get(channel)
        return needed is None or any(
            {agreement.sender, agreement.recipient} == {publisher, recipient} and needed in agreement.message_types
            for agreement in self.agreements
        )

    def agreements_on(self, sender: str, recipient: str, on: datetime, *, message_type: str) -> tuple[Agreement, ...]:
        """Agreements under which `sender` may send this message type to `recipient`."""
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
        """The agreement for this direction, message type and purpose.

        None if none names the purpose, or several do: the result would depend on their order.
        """
        possible = self.agreements_on(sender, recipient, on, message_type=message_type)
        allowing = [agreement for agreement in possible if purpose in agreement.purposes]
        return allowing[0] if len(allowing) == 1 else None

    def may_trace(self, sender: str, recipient: str, on: datetime, *, purpose: str | None = None) -> bool:
        """Whether trace contexts of the sender's alerts may travel beside them; without a purpose: for any of them."""
        if purpose is not None:
            one = self.agreement(sender, recipient, on, message_type=MessageType.ALERT, purpose=purpose)
            return one is not None and one.trace_context
        several = self.agreements_on(sender, recipient, on, message_type=MessageType.ALERT)
        return any(agreement.trace_context for agreement in several)

    def hides_persons(self, sender: str, recipient: str, on: datetime, *, purpose: str) -> bool:
        """Whether the recipient of the sender's alerts sees pseudonyms in place of persons.

        Where no one agreement decides for the purpose: whether any of them says so.
        """
        one = self.agreement(sender, recipient, on, message_type=MessageType.ALERT, purpose=purpose)
        several = self.agreements_on(sender, recipient, on, message_type=MessageType.ALERT)
        return one.hides_persons if one is not None else any(agreement.hides_persons for agreement in several)

    def takes_hit_reports(self, owner: str, reporter: str, on: datetime, *, purpose: str) -> bool:
        """Whether `reporter` may report hits on the owner's list entries for this purpose.

        The owner's agreement on list events with the reporter must say so; what a report may hold, the agreement in the
        other direction says.
        """
        agreement = self.agreement(owner, reporter, on, message_type=MessageType.LIST_EVENT, purpose=purpose)
        return agreement is not None and agreement.hit_reports

    def may_pass_on(
        self, source: str, holder: str, recipient: str, on: datetime, *, message_type: str, purpose: str
    ) -> bool:
        """Whether `holder` may pass on to `recipient` what `source` sent it for this purpose.

        The source's agreement with the holder must list the recipient, and its agreement with the recipient must allow
        each class that the holder gets: nobody gets through another what it can't get from the source.
        """
        received = self.agreement(source, holder, on, message_type=message_type, purpose=purpose)
        direct = self.agreement(source, recipient, on, message_type=message_type, purpose=purpose)
        if received is None or direct is None:
            return False
        return recipient in received.onward_recipients and direct.field_classes >= received.field_classes

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
        """Whether a message with these classes of information may be sent."""
        allowed = self.allowed_field_classes(sender, recipient, on, message_type=message_type, purpose=purpose)
        return allowed is not None and all(field_class in allowed for field_class in field_classes)

    def allowed_field_classes(
        self, sender: str, recipient: str, on: datetime, *, message_type: str, purpose: str
    ) -> frozenset[FieldClass] | None:
        """Classes of information that may be sent; None if nothing may."""
        agreement = self.agreement(sender, recipient, on, message_type=message_type, purpose=purpose)
        return agreement.field_classes if agreement is not None else None


def of_algorithm(records: Iterable[KeyRecord], algorithm: KeyAlgorithm = KeyAlgorithm.ED25519) -> tuple[KeyRecord, ...]:
    """The records of one algorithm."""
    return tuple(record for record in records if record.algorithm is algorithm)


def _in_order(records: tuple[KeyRecord, ...]) -> tuple[KeyRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.algorithm is not KeyAlgorithm.ED25519))


def _usable(records: tuple[KeyRecord, ...], at: datetime) -> tuple[bytes, ...]:
    return tuple(record.public_key for record in records if record.usable(at))
