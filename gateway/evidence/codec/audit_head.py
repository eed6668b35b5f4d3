"""Signed heads of the audit log: entries of the node's own feed, and files that auditors keep.

A file is a C2SP tlog-proof of the entry; its extra data is the serialised Entry, from which the leaf is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import MalformedError, SignatureInvalidError
from gateway.feed.codec import EntryFormat, check_entry, parse_header
from gateway.feed.tables.feeds import StoredEntry
from gateway.tlog.checkpoint import parse_checkpoint_body
from gateway.tlog.note import first_verified, parse_note
from gateway.tlog.proof_file import TlogProof, parse_proof, verify_proof
from gateway.trust.rules.audit import AuditHead
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import audit_log_pb2, feed_pb2

AUDIT_ENTRIES = EntryFormat(channel=Channel.AUDIT, message=audit_log_pb2.AuditLogEvent)


@dataclass(frozen=True, slots=True)
class SignedAuditHead:
    """A head of the audit log that was signed in an entry of the node's own feed.

    Attributes:
        index: of the entry.
        signed_at: by the node's clock.
        export: what was exported under it; None for a head alone.
    """

    head: AuditHead
    origin: FeedOrigin
    index: int
    signed_at: datetime
    export: audit_log_pb2.AuditExport | None = None


def audit_feed(federation: str, node: str) -> FeedOrigin:
    """The node's feed of audit heads."""
    return FeedOrigin(federation, node, node, Channel.AUDIT)


def head_event(head: AuditHead, export: audit_log_pb2.AuditExport | None = None) -> audit_log_pb2.AuditLogEvent:
    """The payload of an entry."""
    return audit_log_pb2.AuditLogEvent(head=audit_log_pb2.AuditHead(sequence=head.seq, hash=head.hash, export=export))


def read_head_entry(origin: FeedOrigin, entry: StoredEntry) -> SignedAuditHead | None:
    """A head from its stored entry, whose signature the caller verifies; None for events of other kinds.

    Raises:
        MalformedError: the entry can't be read.
    """
    event = AUDIT_ENTRIES.parse(entry.header, entry.payload)
    if not isinstance(event, audit_log_pb2.AuditLogEvent) or not event.HasField("head"):
        return None
    recorded_at_ms = parse_header(entry.header).recorded_at_unix_ms
    head = AuditHead(event.head.sequence, event.head.hash)
    export = event.head.export if event.head.HasField("export") else None
    return SignedAuditHead(head, origin, entry.index, _time(recorded_at_ms), export)


def encode_head_file(entry: StoredEntry, hashes: tuple[bytes, ...], checkpoint_note: bytes) -> bytes:
    """The file of a head: its entry, the inclusion proof, and the signed checkpoint."""
    extra = feed_pb2.Entry(header=entry.header, salt=entry.salt, payload=entry.payload)
    return TlogProof(entry.index, hashes, checkpoint_note, extra.SerializeToString(deterministic=True)).encode()


def verify_head_file(file: bytes, trust: TrustedDirectory, node: str) -> SignedAuditHead:
    """Verifies a head's file.

    1. The file is a proof whose extra data is an entry with header, salt and payload that belong together.
    2. The checkpoint is of this node's feed of audit heads.
    3. A log key of the node, valid when the entry was recorded, has signed it, and the proof leads from the entry to
       it.
    4. The entry is a head.

    Raises:
        MalformedError: step 1 or 4.
        VerificationError: step 2 or 3.
    """
    proof = parse_proof(file)  # 1
    entry = _entry_of(proof)
    encoded = check_entry(entry)
    line = parse_checkpoint_body(parse_note(proof.checkpoint_note).unverified_text).origin
    origin = audit_feed(trust.federation, node)
    if line != origin.line:  # 2
        raise SignatureInvalidError(f"the head is of {line}, not of {origin}", step="2 feed")
    recorded_at = _time(parse_header(entry.header).recorded_at_unix_ms)
    verified = first_verified(  # 3
        trust.log_verifiers(origin, recorded_at, alone=True),
        lambda verifier: verify_proof(file, encoded.leaf, verifier, (), 0),
        lambda: SignatureInvalidError("the directory names no log key that was valid then", step="3 key"),
    )
    signed = read_head_entry(origin, StoredEntry(verified.index, entry.header, entry.salt, entry.payload))  # 4
    if signed is None:
        raise MalformedError("the entry isn't a head of the audit log")
    return signed


def _entry_of(proof: TlogProof) -> feed_pb2.Entry:
    extra = proof.extra or b""
    try:
        entry = feed_pb2.Entry.FromString(extra)
    except DecodeError as error:
        raise MalformedError("the proof's extra data isn't an entry") from error
    if not entry.payload or entry.SerializeToString(deterministic=True) != extra:
        raise MalformedError("the proof's extra data isn't an entry in canonical form")
    return entry


def _time(unix_ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedError(f"{unix_ms} isn't a time in milliseconds since 1970") from error
