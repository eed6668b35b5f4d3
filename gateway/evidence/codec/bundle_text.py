"""Renders a bundle's texts from its originals: README.txt, manifest.json, entries as JSON.

Evidence is verified years later by rendering it again and comparing bytes, so nothing here changes under the name of a
format, except that in v1 JSON made before has characters that don't print as they are; both forms verify. Texts are
claims until evidence.service.check has verified them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from gateway.contract.ids import is_uuid
from gateway.contract.json_document import JsonValue, dump_json, format_time, format_time_ms
from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import (
    DIRECTORY,
    MANIFEST,
    MAX_EVENTS,
    README,
    WITNESSED,
    Bundle,
    EvidenceParts,
    alert_files,
    event_files,
    event_folder,
    time_stamp_files,
)
from gateway.evidence.codec.bundle_entries import ClaimedEntry, StepProof, read_entry, step_proofs
from gateway.evidence.codec.bundle_readme import (
    FORMAT,
    FORMAT_WITH_TIME_STAMP,
    FORMAT_WITH_WITNESSES,
    FORMAT_WITHOUT_STEPS,
    readme,
    readme_without_steps,
)
from gateway.tlog.note import parse_note
from gateway.translation.plain_text import printable_json
from gateway.trust.codec.directory import decode_directory
from gateway.trust.rules.directory import Directory


@dataclass(frozen=True, slots=True)
class BundleForm:
    """A format of bundles.

    Attributes:
        format: in the manifest; with a time stamp or witnesses FORMAT becomes another one.
        as_before: JSON has characters that don't print as they are.
    """

    format: str = FORMAT
    as_before: bool = False


FORMS = (BundleForm(), BundleForm(FORMAT_WITHOUT_STEPS), BundleForm(FORMAT_WITHOUT_STEPS, as_before=True))
"""All that verify, the newest first."""


def render(parts: EvidenceParts, form: BundleForm = FORMS[0]) -> Bundle:
    """Renders the bundle of these originals.

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
    stamp = time_stamp_files(parts.time_stamp)
    files = {DIRECTORY: parts.directory_note, **stamp, **alert_files(parts.alert, _event_json(alert, form.as_before))}
    events: list[tuple[str, ClaimedEntry]] = []
    for number, entry in enumerate(parts.events, 1):
        claimed = read_entry(entry)
        folder = event_folder(number, claimed.kind)
        events.append((folder, claimed))
        files |= event_files(folder, entry, _event_json(claimed, form.as_before))
    if parts.witnessed:
        files[WITNESSED] = parts.witnessed
    is_newest = form.format == FORMAT
    name = _format_of(parts) if is_newest else form.format
    if is_newest:
        files[README] = readme(directory, alert, events, form=name, is_stamped=bool(stamp)).encode()
    else:
        files[README] = readme_without_steps(directory, alert, events).encode()
    entries = [_entry_json(folder, claimed) for folder, claimed in [("", alert), *events]]
    if is_newest:
        _add_outcomes(entries, step_proofs(alert, [claimed for _, claimed in events]))
    files[MANIFEST] = dump_json(_manifest(name, directory, alert, entries, files))
    return Bundle(files)


def _format_of(parts: EvidenceParts) -> str:
    """The newest format of these parts."""
    if parts.witnessed:
        return FORMAT_WITH_WITNESSES
    return FORMAT if parts.time_stamp is None else FORMAT_WITH_TIME_STAMP


def has_unknown_fields(event: Message) -> bool:
    """Whether the message is of a newer contract, so that its JSON can't be compared."""
    if len(UnknownFieldSet(event)):
        return True
    return any(has_unknown_fields(below) for field, value in event.ListFields() for below in _messages(field, value))


def _messages(field: FieldDescriptor, value: Any) -> Iterable[Message]:
    if field.message_type is None or field.message_type.GetOptions().map_entry:  # the contract's maps hold text
        return ()
    return value if field.is_repeated else (value,)


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
    form: str,
    directory: Directory,
    alert: ClaimedEntry,
    entries: Sequence[dict[str, JsonValue]],
    files: dict[str, bytes],
) -> dict[str, JsonValue]:
    published = alert.event.published
    return {
        "format": form,
        "federation": directory.federation,
        "directory_version": directory.version,
        "alert": {"id": published.id, "publisher": published.publisher, "recipient": published.recipient},
        "entries": list(entries),
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


def _add_outcomes(entries: Iterable[dict[str, JsonValue]], steps: Iterable[StepProof]) -> None:
    """Adds to the entries of steps what their recipient has said that it made of them."""
    by_folder = {step.folder: step for step in steps}
    for entry in entries:
        step = by_folder.get(str(entry["folder"]))
        if step is not None:
            entry["outcome"] = _outcome_json(step) if step.outcome else None


def _outcome_json(step: StepProof) -> dict[str, JsonValue]:
    return {
        "outcome": step.outcome,
        "decided_at": format_time(step.decided_at) if step.decided_at else None,
        "reason": step.reason,
        "said_in": step.said_in,
    }
