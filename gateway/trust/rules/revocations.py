"""What a version of the directory revokes, as a value that can restrict another version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.trust.rules.directory import Directory, FederationNode, KeyAlgorithm, KeyRecord


@dataclass(frozen=True, slots=True)
class Revocations:
    """Certificates and keys that don't count.

    Attributes:
        certificates: hexadecimal SHA-256 of the DER, of leaves and CAs.
        keys: by public key, 32 bytes: signatures from this time on don't count. UTC.
    """

    certificates: frozenset[str] = frozenset()
    keys: Mapping[bytes, datetime] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, versions: Iterable[Directory]) -> Revocations:
        """All that these versions revoke; of a key's times the earliest."""
        certificates: set[str] = set()
        keys: dict[bytes, datetime] = {}
        for version in versions:
            certificates |= version.revoked_certificates
            for node in version.signers().values():
                for record in (*node.log_keys, *node.cosign_keys):
                    if record.revoked_at is not None:
                        earlier = keys.get(record.public_key, record.revoked_at)
                        keys[record.public_key] = min(record.revoked_at, earlier)
        return cls(frozenset(certificates), keys)

    def joined(self, *others: Revocations) -> Revocations:
        """All that these and others revoke; of a key's times the earliest."""
        keys = dict(self.keys)
        for other in others:
            for key, since in other.keys.items():
                keys[key] = min(since, keys.get(key, since))
        return Revocations(self.certificates.union(*(other.certificates for other in others)), keys)

    def restrict(self, directory: Directory) -> Directory:
        """The directory without what these revoke: nothing that it refuses is accepted by the result.

        So second keys stay: where none counts, the first key's signature would be enough.
        """
        return replace(
            directory,
            revoked_certificates=directory.revoked_certificates | self.certificates,
            nodes={name: self._restricted(node) for name, node in directory.nodes.items()},
            former_members={
                name: replace(former, node=self._restricted(former.node))
                for name, former in directory.former_members.items()
            },
        )

    def _restricted(self, node: FederationNode) -> FederationNode:
        return replace(
            node,
            log_keys=tuple(map(self._ended, node.log_keys)),
            cosign_keys=tuple(map(self._ended, node.cosign_keys)),
        )

    def _ended(self, record: KeyRecord) -> KeyRecord:
        since = self.keys.get(record.public_key) if record.algorithm is KeyAlgorithm.ED25519 else None
        if since is None or (record.revoked_at is not None and record.revoked_at <= since):
            return record
        return replace(record, revoked_at=since)
