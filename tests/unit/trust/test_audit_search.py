"""Audit events by person, partner, method and case: by an index, however long the log is."""

from __future__ import annotations

import pytest

from gateway.db.database import Database
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.tables import AuditFilter

pytestmark = pytest.mark.both_databases


def entry(number: int, **values: str) -> AuditEntry:
    given = {"principal": "system/cn/engine", "method": "/gateway.v1.AlertService/PublishAlert"} | values
    return AuditEntry(time_ms=number, result=AuditResult.ALLOW, **given)


def test_a_case_and_a_person_are_found(database: Database) -> None:
    with database.write() as conn:
        audit.append(conn, [entry(n) for n in range(500)])
        audit.append(conn, [entry(500, principal="person/cn/li.wei", case_reference="CASE-1"), entry(501)])
        audit.append(conn, [entry(502, principal="gateway/hk"), entry(503, case_reference="CASE-2")])
    with database.read() as conn:
        audit.verify_chain(conn)
        for where, expected in (
            (AuditFilter(principal="person/cn/li.wei"), [501]),
            (AuditFilter(case_reference="CASE-1"), [501]),
            (AuditFilter(case_reference="CASE-2", principal="system/cn/engine"), [504]),
            (AuditFilter(principal="gateway/hk"), [503]),
            (AuditFilter(case_reference=""), []),
        ):
            assert [event.seq for event in audit.list_events(conn, where=where)] == expected


def test_each_search_reads_an_index(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from sqlalchemy import event

    from tests.support.databases import new_database

    database = new_database(f"sqlite:///{tmp_path}/audit.sqlite3")
    seen: list[tuple[str, tuple[object, ...]]] = []
    event.listen(
        database.readers, "before_cursor_execute", lambda _c, _u, text, values, *_: seen.append((text, values))
    )
    for where, index in (
        (AuditFilter(principal="person/cn/li"), "ix_audit_events_principal_seq"),
        (AuditFilter(method="/x/Y"), "ix_audit_events_method_seq"),
        (AuditFilter(method="/x/Y", principal="person/cn/li"), "ix_audit_events_principal_seq"),
        (AuditFilter(method="/x/Y", case_reference="C"), "ix_audit_events_case_reference_seq"),
        (AuditFilter(case_reference="C"), "ix_audit_events_case_reference_seq"),
    ):
        with database.read() as conn:
            audit.list_events(conn, where=where, limit=50)
            text, values = seen[-1]
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
        assert any(index in str(step) for step in plan), plan
        assert not any("TEMP B-TREE" in str(step) for step in plan), plan
    database.close()
