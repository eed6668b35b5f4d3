"""Projections are compared with what a rebuild gives, on both databases."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, select, update

from gateway.alerts.tables.schema import alerts
from gateway.evidence.service.projection_verification import Rebuilding
from gateway.evidence.service.verification import DatabaseReport, verify_database
from gateway.history.tables.schema import shipments
from tests.support.databases import MakeDatabase
from tests.support.histories import random_history
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import index, record, retention
from tests.support.shipments import shipment


def verified(node: PaperNode, folder: Path) -> DatabaseReport:
    rebuilding = Rebuilding(node.projector, retention, folder)
    return verify_database(node.database, node.trust, node=node.name, progress=lambda _: None, rebuilding=rebuilding)


def test_a_changed_and_a_missing_row_are_named(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as nodes:
        random_history(nodes, seed=11, steps=40)
        cn = nodes[0]
        record(cn, *(shipment(f"R-{number}") for number in range(5)))
        index(cn)
        sound = verified(cn, tmp_path)
        assert sound.findings == ()
        assert sound.projected > 20
        with cn.database.write() as conn:
            key = conn.execute(select(alerts.c.alert_id, alerts.c.publisher, alerts.c.recipient).limit(1)).one()
            conn.execute(
                update(alerts)
                .where(alerts.c.alert_id == key[0], alerts.c.publisher == key[1], alerts.c.recipient == key[2])
                .values(case_reference="CASE-OF-NOBODY")
            )
            conn.execute(delete(shipments).where(shipments.c.record_id == "R-3"))
        found = {(finding.place, finding.problem) for finding in verified(cn, tmp_path).findings}
        assert found == {
            ("alerts", f"the row {', '.join(key)} isn't what a rebuild gives: case_reference"),
            ("shipments", "the row R-3 is missing"),
        }
        assert not list(tmp_path.glob("verify-*"))
