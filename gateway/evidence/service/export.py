"""Exports evidence of an alert from the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from gateway.alerts.service import require_not_erased
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events as alert_events
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import (
    ErasedError,
    InvalidRequestError,
    MalformedError,
    NotFoundError,
    SignatureInvalidError,
    TooLargeError,
    VerificationError,
    Violation,
)
from gateway.evidence.codec.bundle import (
    MAX_BUNDLE_BYTES,
    MAX_EVENTS,
    Bundle,
    EvidenceEntry,
    EvidenceParts,
    EvidenceTimeStamp,
)
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.service.check import examine
from gateway.evidence.service.time_stamp_check import STEP as TIME_STAMP_STEP
from gateway.evidence.service.witness_check import STEP as WITNESS_STEP
from gateway.feed.service.witnessing import policy_of, third_witnesses
from gateway.feed.tables import dispositions, feeds, heads, journal, time_stamps, witnesses
from gateway.feed.tables.heads import StoredTiles
from gateway.tlog.checkpoint import Checkpoint, unverified_checkpoint
from gateway.tlog.consistency_file import ConsistencyProof
from gateway.tlog.merkle import consistency_proof, inclusion_proof
from gateway.tlog.note import parse_note
from gateway.tlog.proof_file import TlogProof, parse_proof
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.trust.service.verified_lines import verified_lines

log = logging.getLogger(__name__)

_WITNESSED_SIZES: Final = 100
"""Most cosigned checkpoints that are looked at for one with enough witnesses."""


@dataclass(frozen=True, slots=True)
class EvidencePart:
    """A bundle that holds as many of an alert's later steps as it has room for.

    Attributes:
        next_after: steps up to its end, for the next part; 0 if it is the last.
        more: steps that are left.
    """

    bundle: Bundle
    next_after: int
    more: int


@dataclass(frozen=True, slots=True, order=True)
class _EntryPlace:
    """An entry's position in the local log and in its feed."""

    position: int
    feed_id: int
    index: int


_Step = dict[_EntryPlace, EvidenceEntry | None]
"""An entry and its disposition, which a bundle never separates; None: erased."""


def export_parts(
    database: Database,
    trust: TrustedDirectory,
    *,
    publisher: str,
    alert_id: str,
    recipient: str = "",
    most_events: int = MAX_EVENTS,
) -> Iterator[Bundle]:
    """All bundles of an alert; arguments and errors as `export`."""
    after = 0
    while True:
        part = export(
            database,
            trust,
            publisher=publisher,
            alert_id=alert_id,
            recipient=recipient,
            after_steps=after,
            most_events=most_events,
        )
        yield part.bundle
        after = part.next_after
        if not after:
            return


def export(
    database: Database,
    trust: TrustedDirectory,
    *,
    publisher: str,
    alert_id: str,
    recipient: str = "",
    after_steps: int = 0,
    most_events: int = MAX_EVENTS,
    most_bytes: int = MAX_BUNDLE_BYTES,
) -> EvidencePart:
    """Makes a bundle of a recipient's copy of an alert, own or a partner's, and verifies it.

    `recipient` may be empty if there is one copy. The bundle has the later steps after `after_steps`, as many as fit.

    Raises:
        NotFoundError: no such copy here.
        InvalidRequestError: several copies, and no recipient.
        ErasedError: the alert's content was erased.
        VerificationError: the stored alert doesn't verify: database damaged, or a key missing in the directory.
        TooLargeError, MalformedError: the alert itself exceeds a limit.
    """
    with database.read() as conn:
        row = copy_of(conn, publisher, alert_id, recipient)
        alert = _entry(conn, trust, row.feed_id, row.first_idx)
        if alert is None:
            raise ErasedError(f"the content of alert {publisher}/{alert_id} was erased")
        left = _later(conn, row)[after_steps:]
        steps = _read(conn, trust, left, min(most_events, MAX_EVENTS))
        proved = unverified_checkpoint(parse_proof(alert.proof).checkpoint_note)
        stamp = _time_stamp(conn, row.feed_id, proved.size)
        witnessed = _witnessed(conn, trust, row.feed_id, proved)
    parts = EvidenceParts(trust.note, alert, (), stamp, witnessed)
    bundle, count = _fitting(parts, steps, most_bytes)
    examination = examine(bundle, directory_note=trust.note, require_receipt=False)
    for number, without in _OTHERS_WORD.items():
        if examination.evidence is None and examination.steps[-1].number == number:
            log.warning("evidence of alert %s without what others say: %s", alert_id, examination.steps[-1].detail)
            parts = without(parts)
            bundle, count = _fitting(parts, steps, most_bytes)
            examination = examine(bundle, directory_note=trust.note, require_receipt=False)
    if examination.evidence is None:
        last = examination.steps[-1]
        raise VerificationError(
            f"what is stored of alert {alert_id} doesn't verify: {last.detail}", step=f"{last.number} {last.name}"
        )
    more = len(left) - count
    return EvidencePart(bundle, after_steps + count if more else 0, more)


_OTHERS_WORD: Mapping[int, Callable[[EvidenceParts], EvidenceParts]] = {
    TIME_STAMP_STEP: lambda parts: replace(parts, time_stamp=None),
    WITNESS_STEP: lambda parts: replace(parts, witnessed=b""),
}
"""What a bundle does without where it doesn't verify, by the step that fails."""


def _fitting(parts: EvidenceParts, steps: Sequence[_Step], most_bytes: int) -> tuple[Bundle, int]:
    """A bundle of the first steps that fit, halved until they do, and their number."""
    count = len(steps)
    while True:
        entries = {place: entry for step in steps[:count] for place, entry in step.items() if entry is not None}
        in_order = tuple(entries[place] for place in sorted(entries))  # one disposition may answer several steps
        try:
            bundle = render(replace(parts, events=in_order))
            if sum(map(len, bundle.files.values())) <= most_bytes or count <= 1:
                return bundle, count
        except TooLargeError:
            if count <= 1:
                raise
        count //= 2


def copy_of(conn: Connection, publisher: str, alert_id: str, recipient: str) -> AlertRow:
    """A recipient's copy of an alert; arguments and errors as `export`."""
    rows = alerts.copies(conn, publisher, alert_id)
    copies = [row for row in rows if recipient in ("", row.key.recipient)]
    if not copies:
        require_not_erased(conn, publisher, alert_id)
        to = f" for {recipient}" if recipient else ""
        raise NotFoundError(f"there is no alert {publisher}/{alert_id}{to} here")
    if len(copies) > 1:
        known = ", ".join(row.key.recipient for row in copies)
        raise InvalidRequestError([Violation("recipient", "recipient.required", f"name one of: {known}")])
    return copies[0]


def _read(
    conn: Connection, trust: TrustedDirectory, steps: Sequence[Sequence[_EntryPlace]], most_events: int
) -> list[_Step]:
    """The first steps, at least one, as many as a bundle may hold."""
    read: list[_Step] = []
    count = size = 0
    for places in steps:
        step = {place: _entry(conn, trust, place.feed_id, place.index) for place in places}
        count += len(step)
        size += sum(len(entry.payload) for entry in step.values() if entry is not None)
        if read and (count > most_events or size > MAX_BUNDLE_BYTES):
            break
        read.append(step)
    return read


def _later(conn: Connection, row: AlertRow) -> list[list[_EntryPlace]]:
    """Later steps of the alert in local order, each with its disposition; first that of the alert, if there is one."""
    steps = []
    for event, _, _ in alert_events.of_alert(conn, row.key.publisher, row.key.alert_id):
        if event.key.recipient != row.key.recipient:
            continue
        is_alert = (event.feed_id, event.idx) == (row.feed_id, row.first_idx)
        places = [] if is_alert else [_EntryPlace(event.position, event.feed_id, event.idx)]
        disposition = dispositions.find(conn, event.feed_id, event.idx)
        places += [] if disposition is None else [_place_of(conn, disposition.position)]
        steps += [places] if places else []
    return steps


def _place_of(conn: Connection, position: int) -> _EntryPlace:
    run = journal.runs_after(conn, position - 1, 1)[0]
    return _EntryPlace(position, run.feed_id, run.first_index + position - run.first_position)


def _entry(conn: Connection, trust: TrustedDirectory, feed_id: int, index: int) -> EvidenceEntry | None:
    """An entry with its proof; None if its payload was erased."""
    (stored,) = feeds.read_entries(conn, feed_id, index, index + 1)
    if not stored.payload:
        return None
    checkpoint = heads.receipted_over(conn, feed_id, index)
    if checkpoint is None:
        checkpoint = heads.checkpoint_between(conn, feed_id, index, index + 1)
    if checkpoint is None:
        raise VerificationError(f"no checkpoint covers entry {index} of feed {feed_id}", step="6 checkpoint")
    hashes = inclusion_proof(index, checkpoint.size, StoredTiles(conn, feed_id))
    proof = TlogProof(index, tuple(hashes), verified_lines(trust, checkpoint.cosigned_note)).encode()
    return EvidenceEntry(stored.header, stored.salt, stored.payload, proof)


def _time_stamp(conn: Connection, feed_id: int, size: int) -> EvidenceTimeStamp | None:
    """The earliest stamp on a checkpoint that covers the alert's; None without one."""
    stored = time_stamps.first_over(conn, feed_id, size)
    checkpoint = None if stored is None else heads.checkpoint_at(conn, feed_id, stored.size)
    if stored is None or checkpoint is None:
        return None
    hashes = consistency_proof(size, stored.size, StoredTiles(conn, feed_id))
    return EvidenceTimeStamp(ConsistencyProof(size, tuple(hashes), checkpoint.cosigned_note).encode(), stored.stamp)


def _witnessed(conn: Connection, trust: TrustedDirectory, feed_id: int, proved: Checkpoint) -> bytes:
    """A receipted checkpoint that covers the alert's, cosigned by enough witnesses or else by some; empty without one.

    Of those that are enough it is the smallest.
    """
    best = b""
    try:
        policy = policy_of(trust.directory)
        if policy is None:
            return b""
        third = third_witnesses(policy, FeedOrigin.parse(proved.origin))
        for size in witnesses.sizes_over(conn, feed_id, proved.size, _WITNESSED_SIZES):
            checkpoint = heads.checkpoint_at(conn, feed_id, size)
            if checkpoint is None or not checkpoint.cosignature:
                continue
            note = checkpoint.cosigned_note + witnesses.lines_at(conn, feed_id, size)
            parsed = parse_note(note)
            is_enough = policy.is_met(third & policy.verified(parsed.unverified_text, parsed.signatures).keys())
            if is_enough or not best:
                hashes = consistency_proof(proved.size, size, StoredTiles(conn, feed_id))
                best = ConsistencyProof(proved.size, tuple(hashes), note).encode()
            if is_enough:
                break
    except (MalformedError, SignatureInvalidError) as error:  # evidence without witnesses proves all the rest
        log.warning("evidence of %s without more witnesses: %s", proved.origin, error.message)
    return best
