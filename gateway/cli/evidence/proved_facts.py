"""Facts that evidence other than an alert's and an answer's proves, for people and --json."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.evidence.service.audit_export_check import ProvedAuditExport
    from gateway.evidence.service.claim_check import ProvedDenial
    from gateway.evidence.service.cose_check import ProvedInclusion
    from gateway.evidence.service.quarantine_check import ProvedFork


def export_facts(proved: ProvedAuditExport) -> dict[str, object]:
    """Of an export of the audit log; the sentence comes first."""
    signed, export = proved.signed, proved.export
    return {
        "told": proved.told,
        "node": signed.origin.publisher,
        "filter": export.filter,
        "events": export.events,
        "upto": export.upto,
        "head": signed.head.seq,
        "head_hash": signed.head.hash.hex(),
        "signed_at": signed.signed_at,
        "directory_version": proved.directory_version,
    }


def fork_facts(fork: ProvedFork) -> dict[str, object]:
    """Of a feed's two histories; the sentence comes first."""
    return {
        "told": fork.told,
        "publisher": fork.origin.publisher,
        "feed": fork.origin.line,
        "size": fork.received.size,
        "held_root": fork.held_root.hex(),
        "received_root": fork.received.root.hex(),
        "directory_version": fork.directory_version,
    }


def denial_facts(denial: ProvedDenial) -> dict[str, object]:
    """Of a denied receipt; the sentence comes first."""
    return {
        "told": denial.told,
        "recipient": denial.origin.recipient,
        "feed": denial.origin.line,
        "receipted_size": denial.receipt.checkpoint.size,
        "receipted_at": denial.received_at,
        "claimed_size": denial.claim.size,
        "claimed_at": denial.claimed_at,
        "directory_version": denial.directory_version,
    }


def inclusion_facts(proved: ProvedInclusion) -> dict[str, object]:
    """Of a COSE receipt."""
    receipt = proved.receipt
    return {
        "told": proved.told,
        "issuer": receipt.issuer,
        "feed": receipt.origin,
        "entry": receipt.index,
        "size": receipt.size,
        "key_id": receipt.key_id.hex(),
        "signed_at": proved.signed_at,
        "recorded_at": proved.recorded_at,
        "payload_type": proved.header.type,
        "payload_digest": proved.header.payload_digest.hex(),
        "directory_version": proved.directory_version,
    }
