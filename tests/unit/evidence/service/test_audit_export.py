"""An export of the audit log verifies offline, and any changed byte of it is found."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.errors import TooLargeError
from gateway.evidence.codec import audit_export as codec
from gateway.evidence.codec.audit_export import HEAD
from gateway.evidence.codec.audit_head import audit_feed
from gateway.evidence.codec.bundle import Bundle, decode_zip
from gateway.evidence.rpc import _event
from gateway.evidence.service import audit_export
from gateway.evidence.service.audit_export import SignAuditExportCommand, collect, signed_files
from gateway.evidence.service.audit_export_check import AuditExportExamination, examine_audit_export
from gateway.evidence.service.audit_heads import SignAuditHeadCommand, export_head
from gateway.evidence.service.verification import verify_database
from gateway.files import stored_zip
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.service.trial_federation import FEDERATION
from gateway.trust.tables import AuditFilter, StoredEvent
from gateway.v1 import audit_log_pb2
from gateway.v1.evidence_service_pb2 import AuditEvent
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

ORIGIN = audit_feed(FEDERATION, "cn")
CSV, JSON_LINES = audit_log_pb2.AUDIT_EXPORT_FORM_CSV, audit_log_pb2.AUDIT_EXPORT_FORM_JSON_LINES


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (node,):
        for number in range(12):
            node.audit.record(
                AuditEntry(
                    time_ms=node.clock(),
                    principal=f"person/cn/{'li.wei' if number % 3 else 'chan'}",
                    method="/s/M",
                    result=AuditResult.ALLOW,
                    case_reference="=1+1",
                    detail='says "so", 行',
                )
            )
        node.writer.flush_audit()
        yield node


def messages(events: list[StoredEvent]) -> Iterator[AuditEvent]:
    return (_event(stored, stored.event) for stored in events)


def export(
    node: PaperNode,
    form: audit_log_pb2.AuditExportForm.ValueType = CSV,
    where: AuditFilter | None = None,
    filter: str = "",
) -> dict[str, bytes]:
    collected = collect(
        node.database,
        where or AuditFilter(),
        filter=filter,
        form=form,
        message_of=messages,
        without_hidden_lists=False,
    )
    index = node.writer.run(SignAuditExportCommand(ORIGIN, collected.export))
    return signed_files(node.database, collected, node.trust, ORIGIN, index)


def examine(node: PaperNode, files: Mapping[str, bytes]) -> AuditExportExamination:
    return examine_audit_export(Bundle(files), directory_note=node.trust.note)


@pytest.mark.both_databases
def test_an_export_says_which_events_were_signed_and_when(cn: PaperNode) -> None:
    where = AuditFilter(principal="person/cn/chan")
    files = export(cn, JSON_LINES, where, "person = chan")
    proved = examine(cn, decode_zip(stored_zip(files)).files).evidence
    assert proved is not None
    assert proved.told.startswith("cn has signed at ")
    assert "of its audit log up to event 12 these are all that person = chan leaves, 4 events." in proved.told
    lines = [json.loads(line) for line in files["events-001.jsonl"].splitlines()]
    assert [line["sequence"] for line in lines] == [1, 4, 7, 10]
    assert {line["principal"] for line in lines} == {"person/cn/chan"}
    assert proved.signed.head.seq == 12
    assert b"cat events-*.jsonl | sha256sum" in files["README.txt"]


def test_a_table_has_every_event_and_nothing_that_a_spreadsheet_takes_for_a_formula(cn: PaperNode) -> None:
    files = export(cn)
    rows = list(csv.DictReader(io.StringIO(files["events-001.csv"].decode())))
    assert [int(row["sequence"]) for row in rows] == list(range(1, 13))
    assert {row["case_reference"] for row in rows} == {"\\u003d1+1"}
    assert json.loads(rows[0]["details"]) == {"detail": 'says "so", 行'}
    assert len(bytes.fromhex(rows[0]["hash"])) == 32
    assert examine(cn, files).evidence is not None


def test_any_changed_byte_is_found(cn: PaperNode) -> None:
    files = export(cn, JSON_LINES)
    for name, content in files.items():
        for at in range(0, len(content), max(1, len(content) // 40)):
            changed = bytearray(content)
            changed[at] ^= 1
            examination = examine(cn, files | {name: bytes(changed)})
            assert examination.evidence is None, (name, at)
    shorter = files["events-001.jsonl"].rsplit(b"\n", 2)[0] + b"\n"
    assert examine(cn, files | {"events-001.jsonl": shorter}).steps[-1].name == "events"


def test_another_head_another_form_and_foreign_files_are_refused(cn: PaperNode) -> None:
    files = export(cn)
    cn.audit.record(AuditEntry(time_ms=cn.clock(), principal="x", method="/s/M", result=AuditResult.ALLOW))
    cn.writer.flush_audit()
    cn.writer.run(SignAuditHeadCommand(ORIGIN))
    alone = export_head(cn.database, ORIGIN)
    assert "for no export" in examine(cn, files | {HEAD: alone}).steps[-1].detail
    events = files.pop("events-001.csv")
    assert examine(cn, files | {"events-001.jsonl": events}).steps[-1].name == "events"
    assert examine(cn, files | {"events-002.csv": events}).steps[-1].name == "files"
    assert examine(cn, files | {"events-001.csv": events, "more.txt": b""}).steps[-1].name == "files"
    without_readme = {name: content for name, content in files.items() if name != "README.txt"}
    assert examine(cn, without_readme | {"events-001.csv": events}).steps[-1].name == "files"


def test_the_log_still_verifies_and_the_next_head_too(cn: PaperNode) -> None:
    export(cn)
    export(cn, JSON_LINES)
    cn.audit.record(AuditEntry(time_ms=cn.clock(), principal="x", method="/s/M", result=AuditResult.ALLOW))
    cn.writer.flush_audit()
    assert cn.writer.run(SignAuditHeadCommand(ORIGIN)) is not None
    report = verify_database(cn.database, cn.trust, node="cn", progress=lambda _: None)
    assert report.findings == ()


def test_large_exports_are_several_files_and_larger_ones_refused(
    cn: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "PART_BYTES", 1_000)
    files = export(cn, JSON_LINES)
    assert len([name for name in files if name.startswith("events-")]) > 3
    assert examine(cn, files).evidence is not None
    swapped = files | {"events-001.jsonl": files["events-002.jsonl"], "events-002.jsonl": files["events-001.jsonl"]}
    assert examine(cn, swapped).evidence is None
    monkeypatch.setattr(audit_export, "MAX_EVENTS", 5)
    monkeypatch.setattr(audit_export, "PAGE", 2)
    with pytest.raises(TooLargeError):
        export(cn)
    assert examine(cn, export(cn, where=AuditFilter(principal="person/cn/chan"))).evidence is not None
