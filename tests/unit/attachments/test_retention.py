"""When files go: at the end of their retention, never while an alert that names them is valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.attachments.commands.storing import KeepFileCommand, PurgeFilesCommand
from gateway.attachments.rules.limits import FileLimits
from gateway.attachments.rules.states import StoredState
from gateway.attachments.tables import files
from gateway.attachments.tables.files import FileRow
from gateway.db.database import Database
from gateway.v1 import alert_pb2
from tests.support.nodes import PaperNode, paper_nodes

DAY_MS = 24 * 3600 * 1000
LIMITS = FileLimits(
    max_file_bytes=100, max_total_bytes=1000, media_types=frozenset({"image/png"}), retention_ms=10 * DAY_MS
)
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
    evidence = alert_pb2.EvidenceDigest(sha256=bytes.fromhex(NAMED), media_type="image/png")
    cn.publish("hk", evidence=[evidence])  # valid for some days
    cn.settle()
    cn.clock.forward(11 * DAY_MS)
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == [ALONE]
    assert states(cn) == {NAMED: StoredState.CLEAN, ALONE: StoredState.ERASED}
    cn.clock.forward(400 * DAY_MS)
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == [NAMED]
    assert cn.writer.run(PurgeFilesCommand(LIMITS.retention_ms)).erased == []
