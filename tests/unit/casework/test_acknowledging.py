"""Acknowledgements that leave later: once, with the rights and the alert of that moment, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.commands.step_requests import StepRequests
from gateway.casework.commands.acknowledging import (
    UNDO_MS,
    Acknowledger,
    Departure,
    ScheduleCommand,
    SendCommand,
    UndoCommand,
    due,
)
from gateway.casework.commands.cases import EraseOldNotesCommand
from gateway.casework.tables import acknowledgements
from gateway.casework.tables.acknowledgements import AcknowledgementRow
from gateway.trust.service.audit_queue import AuditQueue
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service
from tests.support.databases import MakeDatabase
from tests.support.desk import Desk, reference
from tests.support.nodes import PaperNode, exchange, paper_nodes

Alert = tuple[str, str]


class Acknowledging:
    """Persons at hk who acknowledge alerts of cn."""

    def __init__(self, cn: PaperNode, hk: PaperNode) -> None:
        self.cn, self.hk = cn, hk
        self.entitled = {"wong", "chan"}
        steps = StepRequests(node="hk", new_id=hk.publisher.new_id, who_asked=hk.queries.who_asked)
        self.acknowledger = Acknowledger(hk.publisher, steps, self._may_acknowledge)

    def _may_acknowledge(self, _conn: Any, principal: str, _now_ms: int) -> bool:
        return principal.rpartition("/")[2] in self.entitled

    def alert(self) -> Alert:
        """A new alert, in hk's inbox."""
        alert_id = self.cn.publish("hk")
        exchange(self.cn, self.hk)
        Desk(self.hk).settle()
        return "cn", alert_id

    def schedule(
        self, *alerts: Alert, person: str = "wong", revision: int = 1, request_id: str = ""
    ) -> list[service.ScheduleOutcome]:
        request = service.ScheduleAcknowledgementsRequest(
            request_id=request_id or str(uuid.uuid4()),
            alerts=[service.ReadAlert(alert=reference(*alert), revision=revision) for alert in alerts],
        )
        command = ScheduleCommand(
            request,
            acknowledger=self.acknowledger,
            person=person,
            principal=f"person/hk/{person}",
            actor=f"person/{person}",
            system="system/hk/console",
        )
        return list(self.hk.writer.run(command).outcomes)

    def undo(self, *alerts: Alert, person: str = "wong", any_person: bool = False) -> list[str]:
        """Reasons why not, empty for an acknowledgement that was removed."""
        request = service.UndoAcknowledgementsRequest(
            request_id=str(uuid.uuid4()), alerts=[reference(*alert) for alert in alerts]
        )
        command = UndoCommand(request, person=person, principal=f"person/hk/{person}", may_undo_any=any_person)
        return [one.refused.reason for one in self.hk.writer.run(command).outcomes]

    def waiting(self) -> list[AcknowledgementRow]:
        with self.hk.database.read() as conn:
            return acknowledgements.waiting(conn, 10)

    def send(self, row: AcknowledgementRow) -> tuple[Departure, str]:
        return self.hk.writer.run(SendCommand(row, self.acknowledger))

    def said(self, alert: Alert) -> list[alert_pb2.AlertEvent]:
        """Acknowledgements in the alert's history."""
        self.hk.settle()
        history = self.hk.queries.get(*alert).history
        return [change.event for change in history if change.event.HasField("acknowledged")]

    def row(self, alert: Alert, person: str = "wong") -> service.InboxRow:
        (row,) = [one for one in Desk(self.hk, person).rows() if one.summary.alert.id == alert[1]]
        return row


@pytest.fixture
def hk(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Acknowledging]:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        yield Acknowledging(cn, hk)


@pytest.mark.both_databases
def test_an_acknowledgement_waits_ten_seconds_and_leaves_once(hk: Acknowledging) -> None:
    alert = hk.alert()
    (outcome,) = hk.schedule(alert)
    assert outcome.scheduled.person == "wong"
    assert outcome.scheduled.leaves_at.ToMilliseconds() - outcome.scheduled.asked_at.ToMilliseconds() == UNDO_MS
    assert hk.row(alert).acknowledgement == outcome.scheduled
    assert Desk(hk.hk).cases.case(reference(*alert), person="chan").acknowledgement == outcome.scheduled
    (row,) = hk.waiting()
    assert not due([row], row.leaves_at - 1)
    assert due([row], row.leaves_at) == [row]
    assert not hk.said(alert), "no partner hears of it while it waits"
    assert hk.send(row) == (Departure.SENT, "")
    assert hk.send(row) == (Departure.GONE, "")
    (event,) = hk.said(alert)
    assert event.acknowledged.revision == 1
    Desk(hk.hk).settle()
    case = Desk(hk.hk).cases.case(reference(*alert), person="wong")
    assert not case.HasField("acknowledgement")
    assert [one.kind for one in case.actions] == [service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_SCHEDULED]
    assert not hk.waiting()


@pytest.mark.both_databases
def test_what_is_undone_doesnt_leave_and_what_has_left_isnt_undone(hk: Acknowledging) -> None:
    undone, sent = hk.alert(), hk.alert()
    hk.schedule(undone, sent)
    first, second = sorted(hk.waiting(), key=lambda row: row.alert != undone)
    assert hk.undo(undone) == [""]
    assert hk.send(first) == (Departure.GONE, "")
    assert hk.send(second) == (Departure.SENT, "")
    assert hk.undo(undone, sent) == ["NOT_FOUND", "NOT_FOUND"]
    assert not hk.said(undone)
    assert len(hk.said(sent)) == 1
    (again,) = hk.schedule(undone)
    assert again.HasField("scheduled")
    assert hk.send(first) == (Departure.GONE, ""), "the one that was undone"
    kinds = [one.kind for one in Desk(hk.hk).cases.case(reference(*undone), person="wong").actions]
    assert kinds == [
        service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_SCHEDULED,
        service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_UNDONE,
        service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_SCHEDULED,
    ]


def test_a_second_click_is_the_first_and_a_colleagues_is_told(hk: Acknowledging) -> None:
    alert, request_id = hk.alert(), str(uuid.uuid4())
    (first,) = hk.schedule(alert, request_id=request_id)
    assert hk.schedule(alert, request_id=request_id) == [first]
    assert hk.schedule(alert, alert) == [first]
    (theirs,) = hk.schedule(alert, person="chan")
    assert theirs.refused.message == "wong has acknowledged it already"
    assert hk.undo(alert, person="chan") == ["PERMISSION_DENIED"]
    assert hk.undo(alert, person="chan", any_person=True) == [""]


def test_of_several_each_is_told_why_not(hk: Acknowledging) -> None:
    good, own = hk.alert(), ("hk", hk.hk.publish("cn"))
    taken = hk.alert()
    hk.hk.step(*taken, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    outcomes = hk.schedule(good, own, taken, ("cn", str(uuid.uuid4())))
    assert [one.alert.alert_id for one in outcomes][:3] == [good[1], own[1], taken[1]]
    reasons = [one.refused.reason for one in outcomes]
    assert reasons == ["", "ILLEGAL_TRANSITION", "ILLEGAL_TRANSITION", "NOT_FOUND"]
    (late,) = hk.schedule(hk.alert(), revision=2)
    assert late.refused.reason == "REVISION_CONFLICT"


@pytest.mark.both_databases
def test_of_a_replica_that_sends_and_one_that_undoes_one_wins(hk: Acknowledging) -> None:
    replica = replace(hk.hk, audit=AuditQueue())  # a second writer on the same database
    replica.writer.start()
    try:
        alerts = [hk.alert() for _ in range(6)]
        hk.schedule(*alerts)
        with ThreadPoolExecutor(2) as threads:
            for row in hk.waiting():
                undone = threads.submit(hk.undo, row.alert)
                sent = threads.submit(replica.writer.run, SendCommand(row, hk.acknowledger))
                (refusal,), (what, _reason) = undone.result(60), sent.result(60)
                assert (refusal, what) in (("", Departure.GONE), ("NOT_FOUND", Departure.SENT))
                assert len(hk.said(row.alert)) == (what is Departure.SENT)
    finally:
        replica.writer.stop()
    assert not hk.waiting()


@pytest.mark.both_databases
def test_without_the_right_or_on_an_ended_alert_it_stays_and_the_person_is_told(hk: Acknowledging) -> None:
    demoted, withdrawn, amended = hk.alert(), hk.alert(), hk.alert()
    hk.schedule(demoted, withdrawn, amended)
    rows = {row.alert: row for row in hk.waiting()}
    hk.entitled.remove("wong")
    assert hk.send(rows[demoted]) == (Departure.REFUSED, "PERMISSION_DENIED")
    hk.entitled.add("wong")
    hk.cn.step(*withdrawn, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="Wrong container"))
    hk.cn.amend(amended[1], 2)
    exchange(hk.cn, hk.hk)
    assert hk.send(rows[withdrawn]) == (Departure.REFUSED, "ILLEGAL_TRANSITION")
    assert hk.send(rows[amended]) == (Departure.REFUSED, "REVISION_CONFLICT")
    assert not any(map(hk.said, rows))
    assert not hk.waiting(), "it isn't tried again"
    Desk(hk.hk).settle()
    unsent = {row.summary.alert.id: row.acknowledgement.refusal.reason for row in Desk(hk.hk).page().unsent}
    assert unsent == {
        demoted[1]: "PERMISSION_DENIED",
        withdrawn[1]: "ILLEGAL_TRANSITION",
        amended[1]: "REVISION_CONFLICT",
    }
    assert not Desk(hk.hk, "chan").page().unsent
    (anew,) = hk.schedule(amended, revision=2)
    assert anew.HasField("scheduled")
    assert hk.undo(withdrawn, demoted) == ["", ""]
    assert not Desk(hk.hk).page().unsent
    kinds = [one.kind for one in Desk(hk.hk).cases.case(reference(*withdrawn), person="wong").actions]
    assert kinds[-2:] == [
        service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_UNSENT,
        service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_UNDONE,
    ]


def test_retention_removes_what_wasnt_sent_and_nobody_dismissed(hk: Acknowledging) -> None:
    refused, waits = hk.alert(), hk.alert()
    hk.schedule(refused, waits)
    hk.entitled.clear()
    (row,) = [one for one in hk.waiting() if one.alert == refused]
    hk.send(row)
    hk.hk.writer.run(EraseOldNotesCommand(row.asked_at))
    assert len(Desk(hk.hk).page().unsent) == 1
    hk.hk.writer.run(EraseOldNotesCommand(row.asked_at + UNDO_MS))
    assert not Desk(hk.hk).page().unsent
    assert [one.alert for one in hk.waiting()] == [waits]


@pytest.mark.both_databases
def test_a_row_says_what_was_found_and_which_questions_nobody_answered(hk: Acknowledging) -> None:
    alert = hk.alert()
    for mass in (40.0, 100.0):
        measure = alert_pb2.MeasureTaken(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=mass)
        finding = alert_pb2.AlertFinding(
            result=alert_pb2.FINDING_RESULT_CONFIRMED, revision=1, measures=[measure], mass_confirmed=True
        )
        finding.inspected_at.FromMilliseconds(hk.hk.clock.now)
        hk.hk.step(*alert, finding=finding)
    question = alert_pb2.AlertQuestion(question_id=str(uuid.uuid4()), text="Which seal?")
    question.deadline.FromMilliseconds(hk.hk.clock.now + 60_000)
    hk.hk.step(*alert, question=question)
    exchange(hk.hk, hk.cn)
    for node in (hk.hk, hk.cn):
        Desk(node).settle()
        (row,) = Desk(node).rows(scope=service.INBOX_SCOPE_ALL)
        assert [measure.net_mass_kg for measure in row.finding.measures] == [100.0]
        assert row.unanswered == 0, "it may be answered yet"
    hk.cn.step(*alert, closed=alert_pb2.AlertClosed(revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED))
    exchange(hk.cn, hk.hk)
    for node in (hk.hk, hk.cn):
        Desk(node).settle()
        (row,) = Desk(node).rows(scope=service.INBOX_SCOPE_ALL)
        assert row.unanswered == 1
