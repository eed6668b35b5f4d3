"""Lists what a node trusts for its operators: certificates with their ends, signing keys, and the directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.messages import to_timestamp
from gateway.tlog.note import SignatureType
from gateway.tls.certificates import PeerCertificate, inspect_ca
from gateway.trust.codec.directory import verifier_of
from gateway.trust.rules.directory import Directory, KeyRecord, Validity, receipts_key_name
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import directory_pb2
from gateway.v1 import node_service_pb2 as pb


def certificate_rows(
    node: str, own: PeerCertificate, directory: Directory, callers: Mapping[str, datetime]
) -> Iterator[pb.CertificateStatus]:
    """The node's certificate, those of callers, then the CAs of all nodes.

    Args:
        callers: when the certificates of partners and own systems end, by principal id.
    """
    yield pb.CertificateStatus(
        owner=node,
        use="gateway",
        subject=str(own.identity),
        fingerprint_sha256=own.fingerprint_sha256,
        not_before=_timestamp(own.not_before),
        not_after=_timestamp(own.not_after),
    )
    for principal, end in sorted(callers.items(), reverse=True):  # systems before gateways
        kind, _slash, rest = principal.partition("/")
        yield pb.CertificateStatus(owner=rest.split("/")[0], use=kind, subject=principal, not_after=_timestamp(end))
    for name, listed in sorted(directory.nodes.items()):
        for pem in listed.tls_ca_pems:
            ca = inspect_ca(pem)
            yield pb.CertificateStatus(
                owner=name,
                use="ca",
                subject=ca.subject,
                fingerprint_sha256=ca.fingerprint_sha256,
                not_before=_timestamp(ca.not_before),
                not_after=_timestamp(ca.not_after),
            )


def key_rows(directory: Directory) -> Iterator[pb.KeyStatus]:
    """Signing keys of all nodes."""
    for name, node in sorted(directory.nodes.items()):
        yield from _keys(name, "log", f"{directory.federation}/{name}", SignatureType.ED25519, node.log_keys)
        receipts = receipts_key_name(directory.federation, name)
        yield from _keys(name, "receipts", receipts, SignatureType.COSIGNATURE, node.cosign_keys)


def former_member_rows(directory: Directory) -> Iterator[pb.FormerMember]:
    """Nodes that are no members any more."""
    for name, former in sorted(directory.former_members.items()):
        yield pb.FormerMember(node=name, version=former.version, removed_at=_timestamp(former.removed_at))


def directory_status(trusted: TrustedDirectory, now: datetime) -> directory_pb2.DirectoryStatus:
    """The directory in force."""
    return directory_pb2.DirectoryStatus(
        federation=trusted.federation,
        version=trusted.version,
        expires_at=_timestamp(trusted.directory.expires_at),
        in_grace=trusted.validity(now) is not Validity.CURRENT,
        nodes=sorted(trusted.directory.nodes),
        note=trusted.note,
    )


def _keys(
    node: str, use: str, name: str, algorithm: SignatureType, records: Iterable[KeyRecord]
) -> Iterator[pb.KeyStatus]:
    for record in records:
        status = pb.KeyStatus(
            node=node,
            use=use,
            vkey=verifier_of(name, record, algorithm).to_vkey(),
            not_before=_timestamp(record.not_before),
            not_after=_timestamp(record.not_after),
        )
        if record.revoked_at is not None:
            status.revoked_at.CopyFrom(_timestamp(record.revoked_at))
        yield status


def _timestamp(time: datetime) -> Timestamp:
    return to_timestamp(int(time.timestamp() * 1000))
