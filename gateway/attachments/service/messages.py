"""Says what is known of files, as messages of the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from gateway.alerts import codec as alerts_wire
from gateway.alerts.tables.events import MentionWithPayload
from gateway.attachments.codec.classes import text_of, values_of
from gateway.attachments.rules.states import StoredState
from gateway.attachments.tables.fetches import FetchRow, FetchState
from gateway.attachments.tables.files import FileRow, TransferRow
from gateway.contract.findings import step_evidence
from gateway.contract.messages import to_timestamp
from gateway.v1 import alert_pb2, file_pb2

_STATES = {
    StoredState.UNSCANNED: file_pb2.FILE_STATE_UNSCANNED,
    StoredState.CLEAN: file_pb2.FILE_STATE_HERE,
    StoredState.QUARANTINED: file_pb2.FILE_STATE_QUARANTINED,
    StoredState.ERASED: file_pb2.FILE_STATE_ERASED,
}

ReceivedBytes = Callable[[FetchRow], int]
"""Bytes of a fetch that are here."""


def evidence_in(mention: MentionWithPayload) -> alert_pb2.EvidenceDigest | None:
    """What a step says of a file; None where the step was erased."""
    if not mention.payload:
        return None
    evidence = step_evidence(alerts_wire.parse_event(mention.payload))
    return evidence[mention.row.number] if mention.row.number < len(evidence) else None


def classes_in(mention: MentionWithPayload) -> str:
    """The classes that a step names for a file, as a column has them."""
    evidence = evidence_in(mention)
    return "" if evidence is None else text_of(evidence.classes)


def mention_value(mention: MentionWithPayload) -> file_pb2.FileMention:
    """A mention as a message."""
    value = file_pb2.FileMention(speaker=mention.row.speaker, recipient=mention.row.key.recipient)
    if mention.payload:
        event = alerts_wire.parse_event(mention.payload)
        value.event = event.WhichOneof("event") or ""
        value.occurred_at.CopyFrom(event.occurred_at)
    evidence = evidence_in(mention)
    value.evidence.CopyFrom(evidence or alert_pb2.EvidenceDigest(sha256=bytes.fromhex(mention.row.sha256)))
    return value


def file_value(
    sha256: str,
    *,
    own_node: str,
    row: FileRow | None,
    fetches: Sequence[FetchRow] = (),
    mentions: Sequence[MentionWithPayload] = (),
    speakers: Collection[str] = (),
    transfers: Iterable[TransferRow] = (),
    received: ReceivedBytes = lambda _: 0,
) -> file_pb2.AttachedFile:
    """A file as a message.

    Args:
        fetches: newest first.
        mentions: oldest first; the newest describes a file whose bytes aren't here.
        speakers: nodes that named it.
    """
    value = file_pb2.AttachedFile(given_to=[_transfer_value(one) for one in transfers])
    newest = fetches[0] if fetches else None
    _describe(value, sha256, row, newest, mentions)
    _set_state(value, row, newest, partners=set(speakers) - {own_node}, received=received)
    if row is None or not row.own:
        came_from = {one.partner for one in fetches if one.state is FetchState.DONE}
        value.obtained_from.extend(sorted(came_from | (set(speakers) - {own_node})))
    if row is not None:
        value.added_at.CopyFrom(to_timestamp(row.added_at))
        value.added_by = row.added_by
        if row.erased_at:
            value.erased_at.CopyFrom(to_timestamp(row.erased_at))
            value.erased_by = row.erased_by
    elif newest is not None:
        value.added_by = newest.asked_by
    return value


def _describe(
    value: file_pb2.AttachedFile,
    sha256: str,
    row: FileRow | None,
    fetch: FetchRow | None,
    mentions: Sequence[MentionWithPayload],
) -> None:
    signed = next((found for found in map(evidence_in, reversed(mentions)) if found is not None), None)
    about = row or fetch
    if about is not None:
        value.evidence.media_type, value.evidence.file_name = about.media_type, about.file_name
        value.evidence.size_bytes, value.evidence.description = about.size, about.description
        value.evidence.classes.extend(values_of(about.classes))
    elif signed is not None:
        value.evidence.CopyFrom(signed)
    value.evidence.sha256 = bytes.fromhex(sha256)


def _set_state(
    value: file_pb2.AttachedFile,
    row: FileRow | None,
    fetch: FetchRow | None,
    *,
    partners: Collection[str],
    received: ReceivedBytes,
) -> None:
    if row is not None and row.state is not StoredState.ERASED:
        value.state, value.reason, value.received_bytes = _STATES[row.state], row.reason, row.size
    elif fetch is not None and fetch.state is FetchState.WAITING:
        value.state, value.reason = file_pb2.FILE_STATE_FETCHING, fetch.reason
        value.received_bytes = received(fetch)
    elif row is not None and (fetch is None or fetch.ended_at <= row.erased_at):
        value.state, value.reason = file_pb2.FILE_STATE_ERASED, row.reason
    elif fetch is not None and fetch.state is FetchState.REFUSED:
        value.state, value.reason = file_pb2.FILE_STATE_REFUSED, fetch.reason
    else:
        value.state = file_pb2.FILE_STATE_AT_PARTNER if partners else file_pb2.FILE_STATE_MISSING


def _transfer_value(row: TransferRow) -> file_pb2.FileTransfer:
    value = file_pb2.FileTransfer(
        node=row.partner,
        started_at=to_timestamp(row.started_at),
        purpose=row.purpose,
        case_reference=row.case_reference,
    )
    if row.finished_at:
        value.finished_at.CopyFrom(to_timestamp(row.finished_at))
    return value
