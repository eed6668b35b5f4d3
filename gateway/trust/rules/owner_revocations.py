"""What an authority revokes by itself, and what of it counts beside versions of the directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.trust.rules.directory import Directory
from gateway.trust.rules.revocations import Revocations


@dataclass(frozen=True, slots=True)
class OwnerRevocation:
    """An authority's statement that certificates and signing keys of its nodes don't count. It can't say that they do.

    Attributes:
        issued_at: UTC, the authority's own word.
        reason: for people.
        certificates: PEM, in order; leaves under the CAs of its nodes, or these CAs.
        keys: by Ed25519 public key: signatures from this time on don't count. UTC. Second keys can't be named: without
            one that counts, the first would be enough.
    """

    federation: str
    authority: str
    issued_at: datetime
    reason: str
    certificates: tuple[str, ...] = ()
    keys: Mapping[bytes, datetime] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate that an authority revokes.

    Attributes:
        fingerprint: hexadecimal SHA-256 of the DER.
        issuer: the CA's fingerprint; a CA's own is its own.
        owner: a SPIFFE id; of a CA its node.
        not_after: last second of validity, UTC.
    """

    fingerprint: str
    issuer: str
    owner: str
    not_after: datetime

    @property
    def is_ca(self) -> bool:
        return self.fingerprint == self.issuer


@dataclass(frozen=True, slots=True)
class RevokedItems:
    """What of an authority's revocations counts beside the directory: no version in force so far says it.

    Attributes:
        keys: as in OwnerRevocation, of keys that the directory names.
    """

    certificates: tuple[OwnCertificate, ...] = ()
    keys: Mapping[bytes, datetime] = field(default_factory=dict, hash=False)

    def __bool__(self) -> bool:
        return bool(self.certificates or self.keys)

    @property
    def revocations(self) -> Revocations:
        return Revocations(frozenset(certificate.fingerprint for certificate in self.certificates), self.keys)


def outstanding(
    certificates: Sequence[OwnCertificate],
    keys: Mapping[bytes, datetime],
    *,
    in_force: Directory,
    said: Revocations,
    cas: frozenset[str],
) -> RevokedItems:
    """What of a revocation has an effect: a certificate whose CA counts, a key that the directory names.

    Args:
        said: all that versions which are or were in force here revoke; once one of them has said it, versions decide.
        cas: fingerprints of the CAs that the version in force names.
    """
    named = {
        record.public_key: record for node in in_force.nodes.values() for record in (*node.log_keys, *node.cosign_keys)
    }
    counting = cas - said.certificates
    return RevokedItems(
        tuple(one for one in certificates if one.issuer in counting and one.fingerprint not in said.certificates),
        {
            key: since
            for key, since in keys.items()
            if key in named and (key not in said.keys or since < said.keys[key])
        },
    )
