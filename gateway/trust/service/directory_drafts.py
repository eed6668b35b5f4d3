"""Drafts directory versions, from node cards or from the previous version with one change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta

from gateway.contract.json_document import JsonValue
from gateway.errors import OptionError
from gateway.plurals import counted
from gateway.tls.certificates import CaCertificate, inspect_ca
from gateway.trust.codec.directory import MAX_CAS_PER_NODE
from gateway.trust.rules.directory import (
    FEED_EPOCHS,
    Agreement,
    Authority,
    Directory,
    FederationNode,
    FormerMember,
    KeyRecord,
    NodeCard,
)

DEFAULT_DAYS = 365
DEFAULT_GRACE_DAYS = 30
"""Time to collect offline signatures."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between versions; None stands for absent."""

    path: str
    old: object
    new: object


def draft_directory(
    cards: Sequence[NodeCard],
    *,
    agreements: Iterable[Agreement],
    issued_at: datetime,
    threshold: int | None = None,
    days: int = DEFAULT_DAYS,
    grace_days: int = DEFAULT_GRACE_DAYS,
    version: int = 1,
) -> Directory:
    """A directory of these nodes. Default threshold: all authorities.

    Raises:
        ConfigurationError: no cards, two of a node or authority, or different federations.
    """
    if not cards:
        raise OptionError("a directory needs at least one node card; `gateway directory card` makes one")
    federations = sorted({card.federation for card in cards})
    if len(federations) > 1:
        raise OptionError(f"the node cards are of different federations: {', '.join(federations)}")
    nodes = {card.name: card.node for card in cards}
    authorities = {card.node.authority: Authority(card.name, card.directory_key, card.display_names) for card in cards}
    if len(nodes) != len(cards) or len(authorities) != len(cards):
        raise OptionError("two node cards are of the same node or authority; give only the newer one")
    issued_at = issued_at.replace(microsecond=0)
    return Directory(
        federation=federations[0],
        version=version,
        issued_at=issued_at,
        expires_at=issued_at + timedelta(days=days),
        grace_days=grace_days,
        threshold=len(authorities) if threshold is None else threshold,
        authorities=authorities,
        nodes=nodes,
        agreements=tuple(sorted(agreements, key=lambda agreement: agreement.id)),
    )


def next_version(
    previous: Directory,
    *,
    issued_at: datetime,
    days: int = DEFAULT_DAYS,
    cards: Iterable[NodeCard] = (),
    new_epochs: Iterable[tuple[str, str]] = (),
    drop_old_cas: Collection[str] = (),
) -> Directory:
    """The next version, with new dates and newer cards.

    Args:
        new_epochs: pairs of nodes whose feeds begin anew, since one of them was forked.
        drop_old_cas: nodes of whose CAs only those stay that their card names; of others the old ones count as well.

    Keys that a newer card omits stay, to verify old signatures; revoke them to end that. Where a former member is back,
    its earlier agreements stay for what was sent under them, with the version that ended them at the end of their ids.

    Raises:
        OptionError: two cards of a node, a card of another federation, too many CAs, or old CAs without a card.
    """
    nodes, authorities = dict(previous.nodes), dict(previous.authorities)
    cards = tuple(cards)
    if len({card.name for card in cards}) != len(cards):
        raise OptionError("two node cards are of the same node; give only the newer one")
    for card in cards:
        if card.federation != previous.federation:
            raise OptionError(f"the card of {card.name} is of another federation, {card.federation}")
        before = previous.signers().get(card.name)
        made = _with_past_keys(card.node, before, issued_at)
        past_cas = None if card.name in drop_old_cas else previous.nodes.get(card.name)
        nodes[card.name] = _with_past_cas(made, past_cas)
        authorities[card.node.authority] = Authority(card.name, card.directory_key, card.display_names)
    if cardless := sorted(set(drop_old_cas) - {card.name for card in cards}):
        raise OptionError(f"{cardless[0]}: give its card, which names the CAs that stay")
    issued_at = issued_at.replace(microsecond=0)
    former = {name: one for name, one in previous.former_members.items() if name not in nodes}
    returned = [
        replace(agreement, id=f"{agreement.id}.{one.version}")
        for one in (one for name, one in previous.former_members.items() if name in nodes)
        for agreement in _agreed_until(one.agreements, issued_at)
        if {agreement.sender, agreement.recipient} <= nodes.keys()
    ]
    return replace(
        previous,
        version=previous.version + 1,
        issued_at=issued_at,
        expires_at=issued_at + timedelta(days=days),
        nodes=nodes,
        authorities=authorities,
        agreements=tuple(sorted((*previous.agreements, *returned), key=lambda one: one.id)),
        former_members=former,
        extensions=_with_epochs(previous, new_epochs),
    )


def remove_member(
    previous: Directory,
    node: str,
    *,
    issued_at: datetime,
    keys_until: datetime,
    threshold: int | None = None,
) -> Directory:
    """The next version, without a node, its authority and its agreements; its validity stays as it is.

    Args:
        previous: the version in force.
        keys_until: signatures by its keys from then on don't count.
        threshold: None for the previous one.

    Raises:
        OptionError: it is no member or the last one, the remaining authorities can't meet the threshold, or its keys
            would end before this version is issued.
    """
    if node not in previous.nodes:
        raise OptionError(
            previous.why_no_member(node)
            or f"version {previous.version} names no node {node!r}, only {', '.join(sorted(previous.nodes))}"
        )
    removed = previous.nodes[node]
    authorities = {name: one for name, one in previous.authorities.items() if name != removed.authority}
    needed = previous.threshold if threshold is None else threshold
    if not authorities:
        raise OptionError(f"{node} is the only member: a directory needs at least one")
    if needed > len(authorities):
        raise OptionError(
            f"the threshold of {needed} can't be met any more: without {removed.authority} the directory has "
            f"{counted(len(authorities), 'authority')}",
            way_out=f"Give --threshold, at most {len(authorities)}.",
        )
    left = _successor(previous, issued_at)
    if keys_until <= left.issued_at:
        raise OptionError(
            f"its keys would count until {keys_until:%Y-%m-%dT%H:%M:%SZ}, before this version is issued: what {node} "
            "signed meanwhile would be lost",
            way_out="Give --keys-until a time by which every node has this version.",
        )
    ended = tuple(one for one in previous.agreements if node in (one.sender, one.recipient))
    former = FormerMember(
        version=left.version,
        removed_at=left.issued_at,
        node=replace(
            removed,
            endpoints=(),
            log_keys=_until(removed.log_keys, keys_until),
            cosign_keys=_until(removed.cosign_keys, keys_until),
        ),
        display_names=previous.authorities[removed.authority].display_names,
        agreements=_agreed_until(ended, keys_until),
    )
    return replace(
        left,
        threshold=needed,
        authorities=authorities,
        nodes={name: one for name, one in previous.nodes.items() if name != node},
        agreements=tuple(one for one in previous.agreements if one not in ended),
        former_members={**previous.former_members, node: former},
    )


@dataclass(frozen=True, slots=True)
class Removal:
    """A member that a version leaves out.

    Attributes:
        agreements: how many end with it.
        keys_until: from then on no signature by its keys counts; None where the version doesn't name it: none does.
    """

    node: str
    agreements: int
    keys_until: datetime | None


def removals(before: Directory, after: Directory) -> list[Removal]:
    """Members that a version leaves out, by name."""
    return [
        Removal(node, sum(node in (one.sender, one.recipient) for one in before.agreements), _last_key_end(after, node))
        for node in sorted(before.nodes.keys() - after.nodes.keys())
    ]


def _last_key_end(directory: Directory, node: str) -> datetime | None:
    former = directory.signers().get(node)
    return None if former is None else max((one.not_after for one in former.log_keys), default=None)


def _until(records: tuple[KeyRecord, ...], end: datetime) -> tuple[KeyRecord, ...]:
    """The keys that had begun to count by then, and no longer than until then."""
    end = end.replace(microsecond=0)
    return tuple(replace(one, not_after=min(one.not_after, end)) for one in records if one.not_before < end)


def _agreed_until(agreements: Iterable[Agreement], end: datetime) -> tuple[Agreement, ...]:
    """The agreements that had begun by then, in force no longer than until then."""
    end = end.replace(microsecond=0)
    return tuple(replace(one, valid_until=min(one.valid_until, end)) for one in agreements if one.valid_from < end)


def _with_epochs(previous: Directory, pairs: Iterable[tuple[str, str]]) -> Mapping[str, JsonValue]:
    epochs: dict[str, JsonValue] = {}
    for pair in pairs:
        if len(set(pair)) != 2 or not set(pair) <= previous.nodes.keys():
            raise OptionError(f"{'/'.join(pair)} isn't a pair of nodes of this directory")
        epochs["/".join(sorted(pair))] = previous.feed_epoch(*pair) + 1
    if not epochs:
        return previous.extensions
    before = previous.extensions.get(FEED_EPOCHS)
    return {**previous.extensions, FEED_EPOCHS: {**(before if isinstance(before, dict) else {}), **epochs}}


def revoke(
    previous: Directory,
    *,
    issued_at: datetime,
    since: datetime,
    fingerprints: Iterable[str] = (),
    public_keys: Iterable[bytes] = (),
) -> Directory:
    """The next version, with certificates and signing keys revoked.

    Args:
        previous: the version in force.
        issued_at: of the next one.
        since: for keys: signatures from then on don't count.
        fingerprints: of certificates, SHA-256 of their DER in hexadecimal.
        public_keys: of log or cosigning keys.

    Raises:
        ConfigurationError: one is unknown or revoked already, a key from an earlier time.
    """
    revoked = previous
    for fingerprint in fingerprints:
        revoked = _without_certificate(revoked, fingerprint)
    for public_key in public_keys:
        revoked = _without_key(revoked, public_key, since.replace(microsecond=0))
    return _successor(revoked, issued_at)


def differences(old: Directory, new: Directory) -> tuple[Difference, ...]:
    """All differences, with paths as in the text form."""
    return tuple(_differences("", old, new))


def _without_certificate(directory: Directory, fingerprint: str) -> Directory:
    if directory.is_revoked(fingerprint):
        raise OptionError(f"certificate {fingerprint} is revoked already, by version {directory.version}")
    return replace(directory, revoked_certificates=directory.revoked_certificates | {fingerprint})


def _without_key(directory: Directory, public_key: bytes, since: datetime) -> Directory:
    nodes: dict[str, FederationNode] = {}
    for name, node in directory.signers().items():
        for record in (*node.log_keys, *node.cosign_keys):
            if record.public_key == public_key and record.revoked_at is not None and record.revoked_at <= since:
                raise OptionError(f"this key of {name} is revoked already, from {record.revoked_at} on")
        nodes[name] = replace(
            node,
            log_keys=_revoked(node.log_keys, public_key, since),
            cosign_keys=_revoked(node.cosign_keys, public_key, since),
        )
    if nodes == directory.signers():
        raise OptionError("no node of this directory has this log or cosigning key")
    return replace(
        directory,
        nodes={name: nodes[name] for name in directory.nodes},
        former_members={name: replace(one, node=nodes[name]) for name, one in directory.former_members.items()},
    )


def _successor(previous: Directory, issued_at: datetime) -> Directory:
    # a revocation must not prolong validity
    issued_at = min(issued_at.replace(microsecond=0), previous.expires_at - timedelta(seconds=1))
    return replace(previous, version=previous.version + 1, issued_at=issued_at)


def _with_past_keys(node: FederationNode, before: FederationNode | None, issued_at: datetime) -> FederationNode:
    if before is None:
        return node
    return replace(
        node,
        log_keys=_merged(node.log_keys, before.log_keys, issued_at),
        cosign_keys=_merged(node.cosign_keys, before.cosign_keys, issued_at),
    )


def _with_past_cas(node: FederationNode, before: FederationNode | None) -> FederationNode:
    """The old CAs first: certificates that they issued go on to work while new ones are put in place."""
    if before is None:
        return node
    pems = tuple(dict.fromkeys((*before.tls_ca_pems, *node.tls_ca_pems)))
    if len(pems) > MAX_CAS_PER_NODE:
        raise OptionError(
            f"{node.tls_server_name}: with those in force that would be {len(pems)} CAs, at most {MAX_CAS_PER_NODE} "
            "can be named; drop old ones"
        )
    return replace(node, tls_ca_pems=pems)


def dropped_cas(before: Directory, after: Directory) -> list[tuple[str, CaCertificate]]:
    """Nodes and their CAs that a version names no more: no certificate that these issued works under it."""
    return [
        (name, inspect_ca(pem))
        for name, node in sorted(before.nodes.items())
        if name in after.nodes
        for pem in node.tls_ca_pems
        if pem not in after.tls_ca_pems(name)
    ]


def _merged(newer: tuple[KeyRecord, ...], older: tuple[KeyRecord, ...], issued_at: datetime) -> tuple[KeyRecord, ...]:
    """The newer records and those that they omit. A revocation outlives newer cards, and so does a beginning that has
    passed: what was signed since counts."""
    known = {record.public_key: record for record in older}
    names = {record.public_key for record in newer}
    return (
        *(_after(record, known.get(record.public_key), issued_at) for record in newer),
        *(record for record in older if record.public_key not in names),
    )


def _after(record: KeyRecord, before: KeyRecord | None, issued_at: datetime) -> KeyRecord:
    if before is None:
        return record
    begun = min(record.not_before, before.not_before) if before.not_before <= issued_at else record.not_before
    return replace(record, revoked_at=before.revoked_at, not_before=begun)


def _revoked(records: tuple[KeyRecord, ...], public_key: bytes, since: datetime) -> tuple[KeyRecord, ...]:
    return tuple(replace(record, revoked_at=since) if record.public_key == public_key else record for record in records)


def _differences(path: str, old: object, new: object) -> Iterator[Difference]:
    if old == new:
        return
    before, after = _parts(old), _parts(new)
    if before is None or after is None:
        yield Difference(path, old, new)
        return
    for name in sorted({*before, *after}):
        yield from _differences(f"{path}.{name}" if path else name, before.get(name), after.get(name))


def _parts(value: object) -> Mapping[str, object] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and value and all(isinstance(item, Agreement) for item in value):
        return {item.id: item for item in value}
    if isinstance(value, tuple) and value and all(isinstance(item, KeyRecord) for item in value):
        return {item.public_key.hex(): item for item in value}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None
