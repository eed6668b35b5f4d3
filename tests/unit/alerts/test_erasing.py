"""Erasing a copy of an alert on both databases: what goes, what stays, and what a partner can't make a node erase."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.alerts.commands.erasing import AlertEraser, AnswerErasuresCommand, EraseAlertCommand
from gateway.attachments.commands.held import holds_on_alert
from gateway.db.schema import metadata
from gateway.errors import ErasedError, IllegalTransitionError, NotFoundError
from gateway.feed.projection.rebuild import rebuild
from gateway.v1 import alert_pb2, alert_service_pb2
from tests.support.databases import MakeDatabase
from tests.support.desk import Desk, reference
from tests.support.nodes import PaperNode, exchange, paper_nodes

SECRET = "Quandorvex"
LAW = "Customs Act, article 12"


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def eraser(node: PaperNode) -> AlertEraser:
    return AlertEraser(node.publisher, lambda: node.trust.directory, holds_on_alert)


def erase(node: PaperNode, alert_id: str) -> alert_service_pb2.EraseAlertResponse:
    request = alert_service_pb2.EraseAlertRequest(
        request_id=str(uuid.uuid4()), alert=reference("cn", alert_id), legal_basis=LAW
    )
    return node.writer.run(EraseAlertCommand(request, principal="system/cn/boss", actor="boss", eraser=eraser(node)))


def closed_alert(cn: PaperNode, hk: PaperNode, text: str = SECRET) -> str:
    narratives = [alert_pb2.Narrative(language="en", text=text)]
    alert_id = cn.publish("hk", narratives=narratives)
    exchange(cn, hk)
    closing = alert_pb2.AlertClosed(revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED, remarks=text)
    cn.step("cn", alert_id, closed=closing)
    return alert_id


def rows_with(node: PaperNode, word: str) -> list[str]:
    """Tables with rows that have a word."""
    with node.database.read() as conn:
        return [
            table.name
            for table in metadata.sorted_tables
            for row in conn.execute(select(table))
            if any(word.lower() in _text(value) for value in row)
        ]


def _text(value: object) -> str:
    shown = bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
    return shown.lower()


def test_an_erased_alert_is_in_no_row_and_stays_so_after_a_rebuild(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = closed_alert(cn, hk)
    with pytest.raises(IllegalTransitionError, match="no receipt yet"):
        erase(cn, alert_id)
    exchange(cn, hk)
    Desk(cn).settle()
    assert set(rows_with(cn, SECRET)) == {"entries", "alert_documents"}
    response = erase(cn, alert_id)
    assert (response.erased, list(response.asked)) == (2, [])
    cn.settle()
    assert rows_with(cn, SECRET) == []
    for _ in range(2):
        with pytest.raises(ErasedError, match=f"under rule request, legal basis {LAW}"):
            cn.queries.get("cn", alert_id)
        rebuild(cn.writer, report_progress=lambda _: None)
    exchange(cn, hk)
    assert "entries" in rows_with(hk, SECRET)
    assert hk.queries.get("cn", alert_id).alert.id == alert_id  # no agreement has hk erase it


def test_without_the_extension_a_request_is_refused_once(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = closed_alert(cn, hk)
    exchange(cn, hk)
    ask(cn, alert_id, [(cn.origin("hk").line, [0])])
    exchange(cn, hk)
    assert hk.writer.run(AnswerErasuresCommand(eraser(hk))) == 1
    hk.settle()
    assert hk.writer.run(AnswerErasuresCommand(eraser(hk))) == 0
    exchange(cn, hk)
    request = alert_service_pb2.ListErasuresRequest(alert=reference("cn", alert_id))
    (refused, _asked) = cn.queries.erasures(request).erasures
    assert (refused.node, refused.refusal) == ("hk", alert_pb2.ERASURE_REFUSAL_AGREEMENT)
    assert "entries" in rows_with(hk, SECRET)


def test_a_statement_erases_entries_of_its_own_alert_alone(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    other = closed_alert(cn, hk, "Zilbrantic")
    exchange(cn, hk)
    alert_id = closed_alert(cn, hk)
    exchange(cn, hk)
    ask(cn, alert_id, [(cn.origin("hk").line, list(range(10)))])
    cn.settle()
    assert rows_with(cn, SECRET) == []
    assert cn.queries.get("cn", other).alert.content.narratives[-1].text == "Zilbrantic"


def test_nothing_is_said_of_an_alert_that_never_was(nodes: list[PaperNode]) -> None:
    cn, _hk = nodes
    with pytest.raises(NotFoundError):
        erase(cn, str(uuid.uuid4()))


def ask(cn: PaperNode, alert_id: str, entries: list[tuple[str, list[int]]]) -> None:
    """Appends a request as a publisher's gateway might, whatever the agreement says."""

    class _Ask:
        weight = 1

        def execute(self, tx: object) -> None:
            named = [alert_pb2.ErasedEntries(origin=origin, indexes=indexes) for origin, indexes in entries]
            event = alert_pb2.AlertEvent(actor="gateway")
            event.occurred_at.FromMilliseconds(cn.clock.now)
            event.erased.CopyFrom(
                alert_pb2.AlertErased(
                    alert=reference("cn", alert_id), rule="request", legal_basis=LAW, entries=named, asks=True
                )
            )
            tx.append(cn.origin("hk"), cn.publisher.entry(event, cn.clock.now))  # type: ignore[attr-defined]

    cn.writer.run(_Ask())
