"""Reads entries of a bundle, and what it shows of each step of the alert; claims until they are verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from gateway.alerts import codec as alerts
from gateway.contract.enum_words import word_of
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import clipped_moment, to_ms
from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import EvidenceEntry, event_folder
from gateway.feed.codec import parse_header
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body
from gateway.tlog.note import NoteSignature, parse_note
from gateway.tlog.proof_file import TlogProof, parse_proof
from gateway.v1 import alert_pb2, feed_pb2
from gateway.v1.feed_pb2 import DispositionOutcome

_TIMESTAMP_BYTES = 8
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
        received_at=claimed_receipt(checkpoint.origin, note.signatures),
        leaf=sha256(b"\x00" + entry.header).digest(),
        proof=proof,
        checkpoint=checkpoint,
    )


def claimed_receipt(log: str, signatures: tuple[NoteSignature, ...]) -> datetime | None:
    """Time on the first line that isn't the log's, the recipient's cosignature."""
    cosignature = next((one.signature for one in signatures if one.name != log), None)
    return _time(int.from_bytes(cosignature[:_TIMESTAMP_BYTES], "big") * 1000) if cosignature else None


def _time(unix_ms: int) -> datetime:
    if not 0 <= unix_ms <= _MAX_UNIX_S * 1000:
        raise MalformedError(f"{unix_ms} ms since 1970 isn't a time that this format can have")
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


class StatedEntry(Protocol):
    """An entry of a bundle, claimed or verified."""

    @property
    def kind(self) -> str: ...
    @property
    def event(self) -> alert_pb2.AlertEvent: ...
    @property
    def origin(self) -> FeedOrigin: ...
    @property
    def index(self) -> int: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def received_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class StepProof:
    """What a bundle shows of one step of an alert: who said it, and what the other node has signed about it.

    Attributes:
        folder: of its entry in the bundle; empty for the alert.
        event: name of the event in the contract.
        by, to: nodes.
        recorded_at: by the clock of `by`.
        received_at: by the clock of `to`; None without a receipt.
        outcome: applied, rejected or held; empty where `to` hasn't said so.
        decided_at: when it did, by its clock.
        reason: why it wasn't applied.
        said_in: folder of the disposition; empty without one.
    """

    folder: str
    event: str
    by: str
    to: str
    recorded_at: datetime
    received_at: datetime | None
    outcome: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    said_in: str = ""

    @property
    def name(self) -> str:
        """The step's name: `published`, or its folder's, `001-withdrawn`."""
        return self.folder.removeprefix("events/") or self.event


def step_proofs(alert: StatedEntry, events: Sequence[StatedEntry]) -> tuple[StepProof, ...]:
    """What is shown of each step, in the bundle's order."""
    folders = ["", *(event_folder(number, event.kind) for number, event in enumerate(events, 1))]
    entries = list(zip(folders, [alert, *events], strict=True))
    said = [(folder, entry) for folder, entry in entries if alerts.disposition_of(entry.event) is not None]
    return tuple(_proof(folder, entry, said) for folder, entry in entries if (folder, entry) not in said)


def _proof(folder: str, entry: StatedEntry, said: Iterable[tuple[str, StatedEntry]]) -> StepProof:
    origin = entry.origin
    proof = StepProof(folder, entry.kind, origin.publisher, origin.recipient, entry.recorded_at, entry.received_at)
    for said_in, disposition in _about(entry, said):
        proof = replace(
            proof,
            outcome=word_of(DispositionOutcome, disposition.outcome),
            decided_at=clipped_moment(to_ms(disposition.decided_at)) if disposition.HasField("decided_at") else None,
            reason=disposition.reason,
            said_in=said_in,
        )
    return proof


def _about(entry: StatedEntry, said: Iterable[tuple[str, StatedEntry]]) -> Iterator[tuple[str, feed_pb2.Disposition]]:
    """Dispositions of an entry by its recipient, in order: the last one counts."""
    for folder, stating in said:
        if is_about(stating, entry):
            yield folder, stating.event.disposition


def is_about(stating: StatedEntry, entry: StatedEntry) -> bool:
    """Whether an entry with a disposition speaks of another one, in the feed that leads back."""
    disposition = stating.event.disposition
    speaks = entry.index in range(disposition.index, disposition.index + disposition.count)
    return speaks and disposition.origin == entry.origin.line and stating.origin == entry.origin.reverse
