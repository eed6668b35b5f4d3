"""Checks rules across a directory's parts: known names, keys used once, agreements without contradiction."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from gateway.errors import Violation
from gateway.trust.rules.directory import Agreement, Directory, KeyAlgorithm, KeyRecord, directory_key_name

MAX_GRACE_DAYS = 90
"""Longest grace period in days; beyond a quarter, expiry would mean nothing."""
MAX_VALIDITY_DAYS = 800
"""Longest validity in days: two years and time to renew."""


def broken_rules(directory: Directory) -> tuple[Violation, ...]:
    """All broken rules, with paths; empty for a sound directory."""
    return (*_times(directory), *_members(directory), *_keys(directory), *_agreements(directory))


def _times(directory: Directory) -> Iterator[Violation]:
    if directory.expires_at <= directory.issued_at:
        yield Violation("expires_at", "directory.period", "must be after issued_at")
    elif (directory.expires_at - directory.issued_at).days > MAX_VALIDITY_DAYS:
        yield Violation("expires_at", "directory.period", f"must be within {MAX_VALIDITY_DAYS} days of issued_at")


def _members(directory: Directory) -> Iterator[Violation]:
    if directory.threshold > len(directory.authorities):
        yield Violation(
            "threshold", "directory.threshold", f"can't exceed the number of authorities, {len(directory.authorities)}"
        )
    for name, authority in directory.authorities.items():
        node = directory.nodes.get(authority.node)
        if node is None or node.authority != name:
            yield Violation(
                f"authorities.{name}.node", "directory.authority_node", f"nodes.{authority.node} must exist and name it"
            )
        expected = directory_key_name(directory.federation, name)
        if authority.directory_key.partition("+")[0] != expected:
            yield Violation(
                f"authorities.{name}.directory_key", "directory.key_name", f"the key's name must be {expected}"
            )
    for name, former in sorted(directory.former_members.items()):
        path = f"extensions.former_members.{name}"
        if name in directory.nodes:
            yield Violation(path, "directory.former_member", f"nodes.{name} is a member")
        if former.version > directory.version:
            yield Violation(f"{path}.version", "directory.former_member", "can't be later than the directory's")
        for index, agreement in enumerate(former.agreements):
            if name not in (agreement.sender, agreement.recipient):
                yield Violation(f"{path}.agreements[{index}]", "directory.agreement_party", f"must name {name}")
    for name, node in directory.nodes.items():
        if node.authority not in directory.authorities:
            yield Violation(
                f"nodes.{name}.authority", "directory.node_authority", f"unknown authority {node.authority}"
            )


def _keys(directory: Directory) -> Iterator[Violation]:
    """Each key has one use, or a signature could count as another party's or another kind."""
    places = list(_key_places(directory))
    uses = Counter(key for _, key in places)
    for path, key in places:
        if uses[key] > 1:
            yield Violation(path, "directory.key_once", "stands in another place too; each use has its own key")
    for name, node in directory.nodes.items():
        for kind, records in (("log_keys", node.log_keys), ("cosign_keys", node.cosign_keys)):
            for index, record in enumerate(records):
                if record.not_after <= record.not_before:
                    yield Violation(
                        f"nodes.{name}.{kind}[{index}].not_after", "directory.period", "must be after not_before"
                    )


def _key_places(directory: Directory) -> Iterator[tuple[str, str]]:
    for name, authority in directory.authorities.items():
        yield (
            f"authorities.{name}.directory_key",
            authority.directory_key.split("+", 2)[-1],
        )  # base64 has plus signs too
    former = {f"extensions.former_members.{name}.node": one.node for name, one in directory.former_members.items()}
    for path, node in ({f"nodes.{name}": node for name, node in directory.nodes.items()} | former).items():
        for index, record in enumerate(node.log_keys):
            yield f"{path}.log_keys[{index}].public_key", _material(record)
        for index, record in enumerate(node.cosign_keys):
            yield f"{path}.cosign_keys[{index}].public_key", _material(record)
        for index, pem in enumerate(node.tls_ca_pems):
            yield f"{path}.tls_ca_pems[{index}]", pem


def _material(record: KeyRecord) -> str:
    # the end of a verifier key, to recognise a directory key
    kind = b"\x01" if record.algorithm is KeyAlgorithm.ED25519 else b"\x06"
    return b64encode(kind + record.public_key).decode()


def _agreements(directory: Directory) -> Iterator[Violation]:
    ids = Counter(agreement.id for agreement in directory.agreements)
    for index, agreement in enumerate(directory.agreements):
        path = f"agreements[{index}]"
        if ids[agreement.id] > 1:
            yield Violation(f"{path}.id", "directory.agreement_id", f"{agreement.id} stands twice")
        for role, node in (("sender", agreement.sender), ("recipient", agreement.recipient)):
            if node not in directory.nodes:
                yield Violation(f"{path}.{role}", "directory.agreement_party", f"unknown node {node}")
        if agreement.sender == agreement.recipient:
            yield Violation(f"{path}.recipient", "directory.agreement_party", "must be another node than the sender")
        if agreement.valid_until <= agreement.valid_from:
            yield Violation(f"{path}.valid_until", "directory.period", "must be after valid_from")
    for (_, first), (index, second) in combinations(enumerate(directory.agreements), 2):
        if first.id != second.id and _meet(first, second):
            yield from _contradictions(first, second, f"agreements[{index}]")


def _meet(first: Agreement, second: Agreement) -> bool:
    """Whether both apply to one message type between the same parties at one time."""
    return (
        (first.sender, first.recipient) == (second.sender, second.recipient)
        and first.valid_from < second.valid_until
        and second.valid_from < first.valid_until
        and not first.message_types.isdisjoint(second.message_types)
    )


def _contradictions(first: Agreement, second: Agreement, path: str) -> Iterator[Violation]:
    """Two agreements for the same direction, period and message type must not share a purpose.

    One without purposes allows nothing and must stand alone, or it could be read as allowing all other purposes.
    """
    types = _listed(first.message_types & second.message_types)
    same = f"{first.id} covers the same parties, times and types {types}"
    if purposes := first.purposes & second.purposes:
        message = f"{same} as {second.id}, and both name {_listed(purposes)}; only one may name a purpose"
        yield Violation(f"{path}.purposes", "directory.agreement_once", message)
    elif not (first.purposes and second.purposes):
        message = f"{same} as {second.id}: then both must name purposes, each its own"
        yield Violation(f"{path}.purposes", "directory.agreement_once", message)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
