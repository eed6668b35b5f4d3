"""When files go: at the end of their retention, never while an alert that names them is valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.attachments.commands.held import FileHolds
from gateway.attachments.commands.storing import KeepFileCommand, PurgeFilesCommand
from gateway.attachments.rules.limits import FileLimits
from gateway.attachments.rules.states import StoredState
from gateway.attachments.tables import files
from gateway.attachments.tables.files import FileRow
from gateway.db.database import Database
from gateway.history.tables import holds
from gateway.history.tables.holds import LegalHold
from gateway.v1 import alert_pb2, goods_pb2
from gateway.v1.history_pb2 import SearchCriteria, SearchReference
from tests.support.nodes import PaperNode, exchange, paper_nodes

DAY_MS = 24 * 3600 * 1000
LIMITS = FileLimits(
    max_file_bytes=100, max_total_bytes=1000, media_types=frozenset({"image/png"}), retention_ms=10 * DAY_MS
)
DECLARATION = goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION
NAMED, ALONE = "a" * 64, "b" * 64


def row(sha256: str) -> FileRow:
    return FileRow(sha256, 5, "image/png", "x.png", "", "", StoredState.CLEAN, "", own=True, added_at=0, added_by="me")


@pytest.fixture
def cn(tmp_path: Path, make_database: Callable[[], Database]) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (node,):
        yield node


def states(node: PaperNode) -> dict[str, StoredState]:
    with node.database.read() as conn:
        return {sha256: found.state for sha256, found in files.find_all(conn, [NAMED, ALONE]).items()}


def test_a_file_is_kept_until_after_the_last_alert_that_names_it(cn: PaperNode) -> None:
    for sha256 in (NAMED, ALONE):
        cn.writer.run(KeepFileCommand(row(sha256), LIMITS))
    cn.publish("hk", evidence=[evidence()])  # valid for some days
    cn.settle()
    cn.clock.forward(11 * DAY_MS)
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == [ALONE]
    assert states(cn) == {NAMED: StoredState.CLEAN, ALONE: StoredState.ERASED}
    cn.clock.forward(400 * DAY_MS)
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == [NAMED]
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == []


def holding(node: PaperNode, sha256: str) -> list[str]:
    with node.database.read() as conn:
        return [hold.hold_id for hold in FileHolds.read(conn).on(conn, sha256)]


def put_hold(node: PaperNode, *, case: str = "other", **criteria: Any) -> LegalHold:
    hold = LegalHold(hold_id="h1", case_reference=case, criteria=SearchCriteria(**criteria))
    with node.database.write() as conn:
        holds.add(conn, hold)
    return hold


def evidence() -> alert_pb2.EvidenceDigest:
    return alert_pb2.EvidenceDigest(sha256=bytes.fromhex(NAMED), media_type="image/png")


@pytest.mark.both_databases
def test_a_hold_on_an_alert_keeps_its_files_until_it_ends(cn: PaperNode) -> None:
    for sha256 in (NAMED, ALONE):
        cn.writer.run(KeepFileCommand(row(sha256), LIMITS))
    cn.publish("hk", evidence=[evidence()])
    cn.settle()
    hold = put_hold(cn, containers=["CSQU3054383"])
    cn.clock.forward(400 * DAY_MS)
    result = cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms))
    assert (result.erased, result.held) == ([ALONE], 1)
    assert states(cn) == {NAMED: StoredState.CLEAN, ALONE: StoredState.ERASED}
    with cn.database.write() as conn:
        holds.release(conn, hold)
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == [NAMED]


@pytest.mark.parametrize(
    ("keeps", "case", "criteria"),
    [
        (True, "CASE-2026-0001", {"containers": ["MSKU0000000"]}),  # the alert's case
        (True, "other", {"containers": ["csqu 305438-3"]}),
        (True, "other", {"containers": ["CSQU3054383"], "seals": ["SEAL1"]}),  # of two revisions
        (True, "other", {"record_ids": ["531620260000000017"]}),  # a declaration's number
        (True, "other", {"references": [SearchReference(value="531620260000000017")]}),
        (False, "other", {"containers": ["CSQU3054383"], "seals": ["SEAL2"]}),
        (False, "other", {"containers": ["MSKU0000000"]}),
    ],
)
def test_what_a_hold_matches_in_an_alert(cn: PaperNode, keeps: bool, case: str, criteria: dict[str, Any]) -> None:
    alert_id = cn.publish("hk", "mo", evidence=[evidence()])
    subject = alert_pb2.Subject(
        references=[goods_pb2.ShipmentReference(kind=DECLARATION, value="531620260000000017")],
        equipment=[goods_pb2.Equipment(id="TGHU7654321", seals=["SEAL1"])],
    )
    cn.settle()
    cn.amend(alert_id, 2, subject=subject)
    cn.settle()
    put_hold(cn, case=case, **criteria)
    assert holding(cn, NAMED) == (["h1"] if keeps else [])
    assert holding(cn, ALONE) == []


@pytest.mark.both_databases
def test_a_finding_s_file_is_held_with_its_alert_and_an_echo_takes_nothing_over(
    tmp_path: Path, make_database: Callable[[], Database]
) -> None:
    """hk's finding names the digest that cn named before it uploaded the file: it stays cn's, and is held at both."""
    with paper_nodes(tmp_path, make_database, ["cn", "hk"]) as (cn, hk):
        alert_id = cn.publish("hk", evidence=[evidence()])
        exchange(cn, hk)
        finding = alert_pb2.AlertFinding(
            result=alert_pb2.FINDING_RESULT_CONFIRMED,
            evidence=[evidence(), alert_pb2.EvidenceDigest(sha256=bytes.fromhex(ALONE), media_type="image/png")],
        )
        finding.inspected_at.FromMilliseconds(cn.clock.now)
        hk.step("cn", alert_id, finding=finding)
        exchange(cn, hk)
        for node in (cn, hk):
            put_hold(node, containers=["CSQU3054383"])
            assert (holding(node, NAMED), holding(node, ALONE)) == (["h1"], ["h1"])
        kept = {
            (node.name, sha256): node.writer.run(KeepFileCommand(row(sha256), LIMITS)).own
            for node in (cn, hk)
            for sha256 in (NAMED, ALONE)
        }
        own = {place for place, is_own in kept.items() if is_own}
        assert own == {("cn", NAMED), ("hk", ALONE)}
