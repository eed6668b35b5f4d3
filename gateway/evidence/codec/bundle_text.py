"""Renders a bundle's texts from its originals: README.txt, manifest.json, entries as JSON.

Evidence is verified years later by rendering it again and comparing bytes, so nothing here changes under the name
`customs-gateway-evidence/v1`, except that JSON made before has characters that don't print as they are; both forms
verify. Texts are claims until evidence.service.check has verified them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from gateway.alerts import codec as alerts
from gateway.contract.ids import FeedOrigin, is_uuid
from gateway.contract.json_document import JsonValue, dump_json, format_time, format_time_ms
from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import (
    DIRECTORY,
    MANIFEST,
    MAX_EVENTS,
    README,
    Bundle,
    EvidenceEntry,
    EvidenceParts,
    alert_files,
    event_files,
    event_folder,
)
from gateway.feed.codec import parse_header
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body
from gateway.tlog.note import NoteSignature, SignatureType, Verifier, parse_note
from gateway.tlog.proof_file import TlogProof, parse_proof
from gateway.translation.plain_text import printable_json
from gateway.trust.codec.directory import decode_directory
from gateway.trust.rules.directory import Directory, KeyRecord, receipts_key_name
from gateway.v1 import alert_pb2

FORMAT = "customs-gateway-evidence/v1"

_TIMESTAMP_BYTES = 8
_MOST_SIGNATURES = 2
_MAX_UNIX_S = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class ClaimedEntry:
    """The content of an entry and its proof, unverified.

    Attributes:
        kind: name of the event in the contract.
        origin: the feed in the checkpoint.
        index: of the entry, in the proof.
        recorded_at: by the publisher's clock.
        received_at: by the recipient's clock, in whole seconds; None without a receipt.
        leaf: SHA-256(0x00 ‖ header), 32 bytes.
    """

    kind: str
    event: alert_pb2.AlertEvent
    origin: FeedOrigin
    index: int
    recorded_at: datetime
    received_at: datetime | None
    leaf: bytes
    proof: TlogProof
    checkpoint: Checkpoint


def read_entry(entry: EvidenceEntry) -> ClaimedEntry:
    """Parses an entry's originals without verifying them; raises MalformedError if not canonical."""
    header = parse_header(entry.header)
    event = alerts.parse_event(entry.payload)
    proof = parse_proof(entry.proof)
    note = parse_note(proof.checkpoint_note)
    checkpoint = parse_checkpoint_body(note.unverified_text)
    return ClaimedEntry(
        kind=event.WhichOneof("event") or "unknown",
        event=event,
        origin=FeedOrigin.parse(checkpoint.origin),
        index=proof.index,
        recorded_at=_time(header.recorded_at_unix_ms),
        received_at=_claimed_receipt(note.signatures),
        leaf=sha256(b"\x00" + entry.header).digest(),
        proof=proof,
        checkpoint=checkpoint,
    )


def render(parts: EvidenceParts, *, as_before: bool = False) -> Bundle:
    """Renders the bundle of these originals.

    Args:
        as_before: JSON has characters that don't print as they are, as bundles that were made before.

    Raises:
        MalformedError: one isn't in canonical form, or the first entry doesn't publish an alert.
        TooLargeError: the bundle would exceed a limit.
    """
    if len(parts.events) > MAX_EVENTS:
        raise MalformedError(f"a bundle has at most {MAX_EVENTS} later events")
    directory = decode_directory(parse_note(parts.directory_note).unverified_text)
    alert = read_entry(parts.alert)
    if alert.kind != "published" or not is_uuid(alert.event.published.id):
        raise MalformedError("the entry doesn't publish an alert")
    files = {DIRECTORY: parts.directory_note, **alert_files(parts.alert, _event_json(alert, as_before))}
    events: list[tuple[str, ClaimedEntry]] = []
    for number, entry in enumerate(parts.events, 1):
        claimed = read_entry(entry)
        folder = event_folder(number, claimed.kind)
        events.append((folder, claimed))
        files |= event_files(folder, entry, _event_json(claimed, as_before))
    files[README] = _readme(directory, alert, events).encode()
    files[MANIFEST] = dump_json(_manifest(directory, alert, events, files))
    return Bundle(files)


def has_unknown_fields(event: Message) -> bool:
    """Whether the message is of a newer contract, so that its JSON can't be compared."""
    if len(UnknownFieldSet(event)):
        return True
    return any(has_unknown_fields(below) for field, value in event.ListFields() for below in _messages(field, value))


def _messages(field: FieldDescriptor, value: Any) -> Iterable[Message]:
    if field.message_type is None or field.message_type.GetOptions().map_entry:  # the contract's maps hold text
        return ()
    return value if field.is_repeated else (value,)


def _claimed_receipt(signatures: tuple[NoteSignature, ...]) -> datetime | None:
    """Time on the second signature line, the recipient's cosignature."""
    if len(signatures) < _MOST_SIGNATURES:
        return None
    return _time(int.from_bytes(signatures[1].signature[:_TIMESTAMP_BYTES], "big") * 1000)


def _time(unix_ms: int) -> datetime:
    if not 0 <= unix_ms <= _MAX_UNIX_S * 1000:
        raise MalformedError(f"{unix_ms} ms since 1970 isn't a time that this format can have")
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def printing_json(message: Message, *, as_before: bool) -> bytes:
    """A message as JSON, in which foreign text repaints no terminal and hides no words."""
    document = dump_json(MessageToDict(message, preserving_proto_field_name=True))
    return document if as_before else printable_json(document.decode()).encode()


def _event_json(claimed: ClaimedEntry, as_before: bool) -> bytes:
    try:
        return printing_json(claimed.event, as_before=as_before)
    except (ValueError, Error) as error:  # e.g. a time beyond the year 9999
        raise MalformedError(f"the payload has no JSON form: {error}") from None


def _manifest(
    directory: Directory, alert: ClaimedEntry, events: Iterable[tuple[str, ClaimedEntry]], files: dict[str, bytes]
) -> dict[str, JsonValue]:
    published = alert.event.published
    return {
        "format": FORMAT,
        "federation": directory.federation,
        "directory_version": directory.version,
        "alert": {"id": published.id, "publisher": published.publisher, "recipient": published.recipient},
        "entries": [_entry_json(folder, claimed) for folder, claimed in [("", alert), *events]],
        "files": [
            {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
    }


def _entry_json(folder: str, claimed: ClaimedEntry) -> dict[str, JsonValue]:
    return {
        "folder": folder,
        "event": claimed.kind,
        "origin": claimed.origin.line,
        "index": claimed.index,
        "leaf_hash": claimed.leaf.hex(),
        "checkpoint_size": claimed.checkpoint.size,
        "recorded_at": format_time_ms(claimed.recorded_at),
        "received_at": format_time(claimed.received_at) if claimed.received_at else None,
    }


def _readme(directory: Directory, alert: ClaimedEntry, events: list[tuple[str, ClaimedEntry]]) -> str:
    published, origin = alert.event.published, alert.origin
    return _README.format(
        format=FORMAT,
        id=published.id,
        publisher=origin.publisher,
        recipient=origin.recipient,
        federation=directory.federation,
        version=directory.version,
        origin=origin.line,
        number=alert.index,
        recorded=format_time_ms(alert.recorded_at),
        receipt=_receipt_line(alert),
        proves=(_PROVES_BOTH if alert.received_at else _PROVES_ORIGIN).format(
            publisher=origin.publisher, recipient=origin.recipient
        ),
        events="".join(_event_line(folder, claimed) for folder, claimed in events) or "  None.\n",
        leaf=alert.leaf.hex(),
        log_key=_vkey(directory, alert, 0),
        receipts_key=_vkey(directory, alert, 1) if alert.received_at else "(no receipt, no key)",
    )


def _receipt_line(claimed: ClaimedEntry) -> str:
    recipient = claimed.origin.recipient
    if claimed.received_at is None:
        return f"NO RECEIPT: this bundle doesn't show that {recipient} has received the alert"
    return f"{format_time(claimed.received_at)} by the clock of {recipient}"


def _event_line(folder: str, claimed: ClaimedEntry) -> str:
    received = format_time(claimed.received_at) if claimed.received_at else "no receipt"
    return (
        f"  {folder.removeprefix('events/')}: said by {claimed.origin.publisher} at "
        f"{format_time_ms(claimed.recorded_at)}, received by {claimed.origin.recipient}: {received}\n"
    )


def _vkey(directory: Directory, claimed: ClaimedEntry, line: int) -> str:
    """The directory's key for a signature line; verified elsewhere."""
    origin = claimed.origin
    signatures = parse_note(claimed.proof.checkpoint_note).signatures
    publisher, recipient = directory.nodes.get(origin.publisher), directory.nodes.get(origin.recipient)
    if publisher is None or recipient is None or line >= len(signatures):
        return _UNNAMED
    if line == 0:
        keys = _verifiers(origin.line, publisher.log_keys, SignatureType.ED25519)
    else:
        name = receipts_key_name(origin.federation, origin.recipient)
        keys = _verifiers(name, recipient.cosign_keys, SignatureType.COSIGNATURE)
    return next((key.to_vkey() for key in keys if key.key_id == signatures[line].key_id), _UNNAMED)


def _verifiers(name: str, records: Iterable[KeyRecord], algorithm: SignatureType) -> list[Verifier]:
    return [Verifier(name, record.public_key, algorithm) for record in records]


_UNNAMED = "(none that this directory names)"

_PROVES_BOTH = """\
  1. {publisher} published exactly this alert: its signature covers it and can't be disowned.
  2. {recipient} had it at the latest at the time given above: it has signed for it.
  3. Neither side has changed it since: one changed bit and nothing here verifies."""

_PROVES_ORIGIN = """\
  1. {publisher} published exactly this alert: its signature covers it and can't be disowned.
  2. It does NOT prove that {recipient} received it: there was no receipt when this was exported. Export it again later.
  3. It hasn't been changed since: one changed bit and nothing here verifies."""

_README = """\
EVIDENCE OF AN ALERT BETWEEN CUSTOMS AUTHORITIES
{format}

  Alert       {id}
  From        {publisher}
  To          {recipient}
  Federation  {federation}, directory version {version}
  Feed        {origin}, entry number {number}
  Published   {recorded} by the clock of {publisher}
  Received    {receipt}

WHAT IT PROVES
{proves}

WHAT IT DOESN'T PROVE
  That what the alert says is true; that a clock was right; that nothing more was said later than is included here.

WHAT WAS SAID LATER ABOUT THE ALERT
{events}
HOW TO VERIFY IT
  gateway evidence verify THIS --directory directory.note

  THIS is the folder or .zip file. It needs no network. Take the directory from an authority that you trust, or name
  the authorities' directory keys with --anchor: the directory in here is only the claim of whoever gave you this.

HOW TO VERIFY IT BY HAND, WITH OTHER TOOLS
  1. The payload is what the header commits to. This prints 32 bytes that stand in header.binpb (field 3):
       cat salt.bin payload.binpb | sha256sum
  2. The leaf hash is that of the header. This prints {leaf}:
       (printf '\\000'; cat header.binpb) | sha256sum
  3. alert.tlog-proof (c2sp.org/tlog-proof@v1) holds the inclusion proof, the checkpoint signed by {publisher} and, when
     it was received, the cosignature of {recipient}. Any tool for this format verifies it, from that leaf hash and
     these keys (c2sp.org/signed-note, c2sp.org/tlog-cosignature):
       log key       {log_key}
       receipts key  {receipts_key}
  4. Those keys stand in directory.note, a signed note in JSON, with the times in which they count.
  5. header.binpb and payload.binpb are protobuf messages EntryHeader and AlertEvent of package gateway.v1;
     alert.json says in JSON what payload.binpb says. manifest.json lists all files with their SHA-256.
"""
