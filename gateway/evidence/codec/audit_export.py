"""Files of an export of the audit log: events as CSV or JSON lines, under a signed head that names their digest.

    README.txt  directory.note  head.tlog-proof  events-001.csv  events-002.csv

The digest is of all files of events, one after the other.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from gateway.contract.json_document import format_time_ms
from gateway.contract.json_form import json_of
from gateway.errors import MalformedError
from gateway.evidence.codec.audit_head import SignedAuditHead
from gateway.evidence.codec.bundle import DIRECTORY, MAX_FILE_BYTES, README
from gateway.formats.tables.notation import guarded
from gateway.v1.audit_log_pb2 import AUDIT_EXPORT_FORM_CSV, AUDIT_EXPORT_FORM_JSON_LINES, AuditExportForm
from gateway.v1.evidence_service_pb2 import AuditEvent

HEAD: Final = "head.tlog-proof"

PART_BYTES: Final = MAX_FILE_BYTES // 2
"""Bytes after which a file of events ends: a line more still fits."""

ENDINGS: Final[Mapping[AuditExportForm.ValueType, str]] = {
    AUDIT_EXPORT_FORM_CSV: "csv",
    AUDIT_EXPORT_FORM_JSON_LINES: "jsonl",
}

COLUMNS: Final = (
    *("sequence", "time", "last_time", "occurrences", "principal", "system", "method", "result", "reason", "purpose"),
    *("case_reference", "details", "hash"),
)


def event_lines(form: AuditExportForm.ValueType, events: Iterable[AuditEvent]) -> Iterator[bytes]:
    """Events in a form, a table with its heads first."""
    if form == AUDIT_EXPORT_FORM_CSV:
        yield _csv(COLUMNS)
    for event in events:
        document = json_of(event)
        if form == AUDIT_EXPORT_FORM_CSV:
            cells = document | {
                "hash": event.hash.hex(),
                "details": _json(dict(event.details)) if event.details else "",
            }
            yield _csv(["" if cells[name] is None else guarded(str(cells[name])) for name in COLUMNS])
        else:
            yield f"{_json(document)}\n".encode()


def event_files(form: AuditExportForm.ValueType, lines: Iterable[bytes]) -> dict[str, bytes]:
    """Lines in files that a bundle takes, one at least."""
    parts = [bytearray()]
    for line in lines:
        if len(parts[-1]) + len(line) > PART_BYTES:
            parts.append(bytearray())
        parts[-1] += line
    return {f"events-{number:03}.{ENDINGS[form]}": bytes(part) for number, part in enumerate(parts, 1)}


def digest_of(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 of the files of events in the order of their names."""
    digest = sha256()
    for _name, content in sorted(files.items()):
        digest.update(content)
    return digest.digest()


def events_in(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of events of an export; raises MalformedError for any that an export doesn't have."""
    events = {name: content for name, content in files.items() if name not in (README, DIRECTORY, HEAD)}
    ending = next((name.rpartition(".")[2] for name in events), "")
    if ending not in ENDINGS.values() or set(events) != {
        f"events-{number:03}.{ending}" for number in range(1, len(events) + 1)
    }:
        raise MalformedError("the files of events aren't events-001, -002 and so on, all as .csv or as .jsonl")
    return events


def is_audit_export(files: Mapping[str, bytes]) -> bool:
    """Whether these are the files of an export of the audit log."""
    return HEAD in files


def readme(signed: SignedAuditHead) -> bytes:
    """What the files are, for who has them without this software."""
    export = signed.export
    if export is None:
        raise MalformedError("the head says of no export")
    ending = ENDINGS[export.form]
    return _README.format(
        node=signed.origin.publisher,
        events=export.events,
        filter=export.filter or "(none: all events)",
        upto=export.upto,
        sequence=signed.head.seq,
        hash=signed.head.hash.hex(),
        at=format_time_ms(signed.signed_at),
        ending=ending,
        digest=export.sha256.hex(),
        hidden=_HIDDEN if export.without_hidden_lists else "",
    ).encode()


_HIDDEN = "Names of lists that were hidden from who has exported the events were left out.\n"

_README = """\
Events of the audit log of {node}

Events: {events}, the oldest first
Filter: {filter}
Of the log up to event {upto}
Signed at {at} by the clock of {node}, under the head {sequence} {hash}
{hidden}
events-*.{ending} are the events. head.tlog-proof is a C2SP tlog-proof: an entry of the feed in which {node} signs
heads of its audit log, with its inclusion proof and the signed checkpoint. The entry names the SHA-256 of the events'
files, one after the other:

  cat events-*.{ending} | sha256sum
  {digest}

Verify all of it without a network:  gateway evidence verify FOLDER --directory directory.note
Take directory.note from an authority that you trust, not from here.

`hash` of an event is that of the log's chain up to it: two exports, and a backup of the log, must agree in it.
"""


def _csv(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
