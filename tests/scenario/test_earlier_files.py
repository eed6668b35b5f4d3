"""What earlier software wrote can be used: its evidence verifies, its databases open and rebuild to what they held."""

from __future__ import annotations

import json
import lzma
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.db.database import Database
from gateway.db.migrate import schema_version, upgrade
from gateway.trust.pki.keys import create_signing_key
from gateway.trust.service.directory_versions import unsafe_reopen

FILES = Path(__file__).parents[1] / "fixtures/first_release_candidate"
NEWEST = max(path.name[:4] for path in (Path(__file__).parents[2] / "gateway/db/migrations/versions").glob("[0-9]*.py"))
FEDERATION = "gba.customs.example"

PROJECTED = {
    "alerts": "alert_id, publisher, recipient, direction, revision, status, priority, purpose, case_reference",
    "alert_events": "position, alert_id, publisher, recipient, status, committed_at",
    "dispositions": "feed_id, first_idx, count, outcome, reason",
    "list_entries": "publisher, list, entry_id, kind, revision, ended, valid_until, digest",
    "list_hits": "hit_id, reporter, publisher, list, entry_id, outcome",
    "shipments": "record_id, revision, additions, declared_at, procedure, digest, retention_class",
    "party_names": "text",
}
INDEXED = ("shipments", "party_names")
"""Emptied by a migration of their keys; the running node builds them again, as a rebuild does."""

KEPT = {
    "entries": "feed_id, idx, header, salt, payload",
    "journal": "first_position, feed_id, first_index, count, committed_at",
    "record_log": "position, record_id, kind, salt, content",
    "matches": "match_id, source, source_id, list, entry_id, status",
    "history_answers": "side, query_id, partner, outcome, count, statement",
}

SETTINGS = """
node = "hk"
federation = "gba.customs.example"
data_dir = "data"
peer_bind = "127.0.0.1:0"
local_bind = "127.0.0.1:0"

[tls]
certificate = "pki/gateway.pem"
key = "pki/gateway.key"
ca = "pki/ca.pem"

[keys]
log = "log.pem"
receipts = "receipts.pem"

[directory]
file = "directory.note"
anchors = {anchors}
threshold = {threshold}
"""


def gateway(*arguments: object) -> str:
    result = CliRunner(env={"GATEWAY_CONFIG": "", "GATEWAY_SYSTEM": ""}).invoke(app, [str(word) for word in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings of a node with the earlier database, and with keys that sign nothing here."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "gateway.sqlite3").write_bytes(lzma.decompress((FILES / "hk-database.xz").read_bytes()))
    for name in ("directory.note", "data/directory.accepted.note"):
        (tmp_path / name).write_bytes((FILES / "directory.note").read_bytes())
    create_signing_key(tmp_path / "log.pem", name=f"{FEDERATION}/hk")
    file = tmp_path / "gateway.toml"
    signers = unsafe_reopen((FILES / "directory.note").read_bytes()).directory
    vkeys = [authority.directory_key for authority in signers.authorities.values()]
    file.write_text(SETTINGS.format(anchors=json.dumps(vkeys), threshold=signers.threshold))
    return file


def rows(config: Path, tables: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(config.parent / "data/gateway.sqlite3")) as connection:
        return {
            table: sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
            for table, columns in tables.items()
        }


@pytest.mark.parametrize(("name", "steps"), [("alert-evidence.zip", 11), ("answer-evidence.zip", 7)])
def test_earlier_evidence_verifies(name: str, steps: int) -> None:
    told = json.loads(gateway("evidence", "verify", FILES / name, "--directory", FILES / "directory.note", "--json"))

    assert told["verified"] is True
    shown = [step["status"] for step in told["steps"] if step["name"] != "time stamp"]
    assert shown == ["passed"] * steps


def test_an_earlier_database_is_migrated_and_keeps_everything(config: Path) -> None:
    before = rows(config, PROJECTED | KEPT)
    assert len(before["alerts"]) == 481
    assert len(before["entries"]) == 585
    database = Database(f"sqlite:///{config.parent / 'data/gateway.sqlite3'}")

    upgrade(database)

    with database.read() as conn:
        assert schema_version(conn) == NEWEST
    database.close()
    after = rows(config, PROJECTED | KEPT)
    assert {name: after.pop(name) for name in INDEXED} == {name: [] for name in INDEXED}
    assert after == {name: kept for name, kept in before.items() if name not in INDEXED}
    verified = gateway("verify", "--config", config)
    assert "Every root, signature, receipt and digest holds." in verified
    assert "No signed head vouches for the audit log." in verified  # until the gateway has run


def test_an_earlier_database_rebuilds_to_what_it_held(config: Path) -> None:
    before = rows(config, PROJECTED | KEPT)

    gateway("rebuild", "--config", config)

    assert rows(config, PROJECTED | KEPT) == before
    assert "Every root, signature, receipt and digest holds." in gateway("verify", "--config", config)
