"""Whatever damage to a database changes anything that can be seen, `gateway verify` finds."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.evidence.codec.audit_head import audit_feed
from gateway.evidence.service.audit_heads import SignAuditHeadCommand
from gateway.evidence.service.projection_verification import Rebuilding
from gateway.evidence.service.verification import DatabaseFinding, verify_database
from gateway.feed.projection.projector import Projector
from gateway.node.projections import registry
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from tests.support.answers import KEEP_MS, Pair, one_pair
from tests.support.histories import random_history
from tests.support.nodes import exchange, listed_content
from tests.support.shipments import shipment
from tests.unit.watchlists.commands.test_matches import Desk, subject

DAMAGES = 24
DAMAGE_BYTES = 64


@dataclass
class StoredNode:
    """hk's database at rest, with something in every table that a node fills."""

    path: Path
    trust: TrustedDirectory
    folder: Path

    def findings(self, path: Path) -> list[DatabaseFinding]:
        """What is found in a copy; an error that ends the command counts as one."""
        projector = Projector(registry(federation=FEDERATION, node="hk", directory=lambda: self.trust.directory))
        rebuilding = Rebuilding(projector, lambda given, declared_at: ("standard", declared_at + KEEP_MS), self.folder)
        database = Database(f"sqlite:///{path}")
        try:
            report = verify_database(database, self.trust, node="hk", progress=lambda _: None, rebuilding=rebuilding)
        except GatewayError as error:
            return [DatabaseFinding("database", None, "0 database", error.message)]
        finally:
            database.close()
        assert report.unchecked == () or report.findings
        return list(report.findings)


def _listed(pair: Pair) -> None:
    """A list of cn that hk has, and matches of it at hk."""
    pair.cn.policies["minerals"] = ListPolicy(four_eyes=False)
    for number in range(20):
        content = listed_content(f"Placeholder Metals {number} Limited", releasable_to=["hk"])
        entry = pb.ProposedEntry(id=f"E{number}", content=content)
        request = pb.ProposeEntriesRequest(
            entries=[entry], list="minerals", request_id=f"019bbef3-b003-7000-8000-{number:012x}"
        )
        pair.cn.lists.check(request)
        pair.cn.writer.run(ProposeCommand(pair.cn.lists, request, "system/cn/x", "x"))
    pair.cn.publish("hk", subject=subject("Placeholder Metals 3 Limited", "Placeholder Metals 4 Limited"))
    exchange(pair.cn, pair.hk)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredNode:
    folder = tmp_path_factory.mktemp("damaged")
    with one_pair(folder) as pair:
        random_history([pair.cn, pair.hk], seed=5, steps=120)
        _listed(pair)
        pair.record(*(shipment(f"HK-{at:03}") for at in range(60)))
        pair.ask()
        pair.hk.settle()
        Desk(pair.hk, folder).run()
        for number in range(30):
            pair.hk.audit.record(
                AuditEntry(time_ms=number, principal="system/hk/x", method="/s/M", result=AuditResult.ALLOW)
            )
        pair.hk.writer.flush_audit()
        pair.hk.writer.run(SignAuditHeadCommand(audit_feed(FEDERATION, "hk")))
        pair.hk.settle()
        source = Path(str(pair.hk.database.engine.url.database))
        trust = pair.hk.trust
    path = folder / "at-rest.sqlite3"
    with closing(sqlite3.connect(source)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(source, path)
    return StoredNode(path, trust, folder)


def visible(path: Path) -> object:
    """Everything that a reader can see; None where it can't be read."""
    try:
        with closing(sqlite3.connect(path)) as conn:
            conn.text_factory = bytes
            names = conn.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            tables = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            rows = {name: conn.execute(f"SELECT * FROM {name.decode()}").fetchall() for (name,) in tables}
            return names, {name: sorted(content, key=repr) for name, content in rows.items()}
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def damaged_copy(stored: StoredNode, seed: int) -> Path:
    """A copy with 64 other bytes somewhere, mostly where there is something."""
    chance = random.Random(seed)
    path = stored.folder / f"damaged-{seed}.sqlite3"
    data = bytearray(stored.path.read_bytes())
    at = chance.randrange(len(data) - DAMAGE_BYTES)
    while seed % 4 and data.count(0, at, at + DAMAGE_BYTES) > DAMAGE_BYTES / 2:
        at = chance.randrange(len(data) - DAMAGE_BYTES)
    data[at : at + DAMAGE_BYTES] = chance.randbytes(DAMAGE_BYTES)
    path.write_bytes(data)
    return path


def test_a_sound_database_is_sound(stored: StoredNode) -> None:
    assert stored.findings(stored.path) == []


def test_random_damages_are_found_or_change_nothing(stored: StoredNode) -> None:
    """What isn't found lies in free pages, in free space of pages, or in fields of the header that nobody reads."""
    before = visible(stored.path)
    found, seen, missed = 0, 0, []
    for seed in range(DAMAGES):
        path = damaged_copy(stored, seed)
        findings, after = stored.findings(path), visible(path)
        found += bool(findings)
        if after != before:
            seen += 1
            if not findings:
                missed.append(seed)
        path.unlink()
    assert missed == []
    assert found >= seen > DAMAGES / 2
