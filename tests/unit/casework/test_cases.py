"""Assignments, notes, marks and views: who may do what, once, and what a watcher hears of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.casework.commands.cases import (
    DeleteViewCommand,
    EraseNoteCommand,
    EraseOldNotesCommand,
    SaveViewCommand,
    SetMarkCommand,
)
from gateway.casework.service.case_queries import InboxPositions
from gateway.casework.tables import cases, views
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, PositionUnknownError
from gateway.trust.rules.permissions import Role
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service
from tests.support.databases import MakeDatabase
from tests.support.desk import Desk, reference
from tests.support.nodes import PaperNode, exchange, paper_nodes

Alert = tuple[str, str]


@pytest.fixture
def hk(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database) as nodes:
        cn, hk = nodes
        cn.publish("hk")
        exchange(cn, hk)
        yield hk


@pytest.fixture
def alert(hk: PaperNode) -> Alert:
    desk = Desk(hk)
    desk.settle()
    (alert_id,) = desk.ids()
    return "cn", alert_id


def erase(desk: Desk, alert: Alert, note_id: str, *, any_note: bool = False) -> service.CaseNote:
    request = service.EraseNoteRequest(request_id=str(uuid.uuid4()), alert=reference(*alert), note_id=note_id)
    command = EraseNoteCommand(request, person=desk.person, principal="x", may_erase_any=any_note)
    note: service.CaseNote = desk.node.writer.run(command).note
    return note


def test_an_alert_is_somebodys_until_it_is_anothers_or_nobodys(hk: PaperNode, alert: Alert) -> None:
    wong = Desk(hk)
    request_id = str(uuid.uuid4())
    assert wong.assign("wong", alert, request_id=request_id) == 1
    assert wong.assign("wong", alert, request_id=request_id) == 1, "answered as the first time"
    assert wong.assign("wong", alert) == 0, "nothing to change"
    case = wong.cases.case(reference(*alert), person="wong")
    assert (case.assignment.assignee, case.assignment.assigned_by) == ("wong", "wong")
    (row,) = wong.rows(assignees=service.ASSIGNEE_SCOPE_ME)
    assert row.assignment == case.assignment
    assert wong.assign("chan", alert) == 1
    with hk.database.read() as conn:
        assert cases.assignee(conn, *alert) == "chan"
    assert wong.assign("", alert) == 1
    with hk.database.read() as conn:
        assert cases.assignee(conn, *alert) == ""
    kinds = [(one.kind, one.person, one.assignee) for one in wong.cases.case(reference(*alert), person="x").actions]
    assert kinds == [(service.CASE_ACTION_KIND_ASSIGNED, "wong", to) for to in ("wong", "chan", "")]


def test_an_alert_isnt_given_to_who_isnt_there_nor_one_that_isnt_there_to_anybody(hk: PaperNode, alert: Alert) -> None:
    desk = Desk(hk)
    with pytest.raises(InvalidRequestError, match="no active person"):
        desk.assign("nobody", alert)
    with pytest.raises(NotFoundError):
        desk.assign("chan", alert, ("cn", str(uuid.uuid4())))
    assert desk.ids(assignees=service.ASSIGNEE_SCOPE_PERSON, assignee="chan") == []


@pytest.mark.both_databases
def test_notes_keep_their_order_and_lose_their_text_alone(hk: PaperNode, alert: Alert) -> None:
    wong, chan = Desk(hk), Desk(hk, "chan")
    first, second = wong.note("The seal <b>looks</b> new.", alert), chan.note("封条很新", alert)
    (row,) = wong.rows()
    assert row.notes == 2
    case = wong.cases.case(reference(*alert), person="wong")
    assert [(one.author, one.text) for one in case.notes] == [("wong", first.text), ("chan", second.text)]
    with pytest.raises(PermissionDeniedError):
        erase(wong, alert, second.note_id)
    with pytest.raises(NotFoundError):
        erase(wong, ("cn", str(uuid.uuid4())), first.note_id)
    erased = erase(wong, alert, first.note_id)
    assert (erased.text, erased.erased_by, erased.author) == ("", "wong", "wong")
    erase(wong, alert, second.note_id, any_note=True)
    (row,) = wong.rows()
    assert row.notes == 0
    notes = wong.cases.case(reference(*alert), person="wong").notes
    assert [(one.author, one.text, one.HasField("erased_at")) for one in notes] == [
        ("wong", "", True),
        ("chan", "", True),
    ]


@pytest.mark.both_databases
def test_retention_erases_old_notes(hk: PaperNode, alert: Alert) -> None:
    desk = Desk(hk)
    desk.note("old", alert)
    hk.clock.forward(1_000)
    before = hk.clock.now
    desk.note("new", alert)
    assert hk.writer.run(EraseOldNotesCommand(before)) == 1
    assert hk.writer.run(EraseOldNotesCommand(before)) == 0
    notes = desk.cases.case(reference(*alert), person="wong").notes
    assert [(one.text, one.erased_by) for one in notes] == [("", ""), ("new", "")]


@pytest.mark.both_databases
def test_marks_are_a_persons_own(hk: PaperNode, alert: Alert) -> None:
    wong, chan = Desk(hk), Desk(hk, "chan")
    request = service.SetWatchMarkRequest(alert=reference(*alert), watched=True)
    for _ in range(2):
        hk.writer.run(SetMarkCommand(request, "wong"))
    assert wong.ids(watched=True) == [alert[1]]
    assert chan.ids(watched=True) == []
    assert (wong.rows()[0].watched, chan.rows()[0].watched) == (True, False)
    assert list(wong.cases.case(request.alert, person="chan").watchers) == ["wong"]
    hk.writer.run(SetMarkCommand(service.SetWatchMarkRequest(alert=request.alert), "wong"))
    assert wong.ids(watched=True) == []


@pytest.mark.both_databases
def test_views_are_shared_with_a_role_and_changed_by_their_owner(hk: PaperNode) -> None:
    desk = Desk(hk)
    mine = service.SavedView(view_id=str(uuid.uuid4()), name="Night shift", shared_with="officer")
    mine.filter.priorities.append(alert_pb2.PRIORITY_A)
    saved = hk.writer.run(SaveViewCommand(mine, "wong")).view
    assert saved.owner == "wong"
    private = service.SavedView(view_id=str(uuid.uuid4()), name="Mine")
    hk.writer.run(SaveViewCommand(private, "wong"))
    assert [one.name for one in desk.cases.views("wong", {Role.OFFICER}).views] == ["Mine", "Night shift"]
    assert [one.name for one in desk.cases.views("chan", {Role.OFFICER}).views] == ["Night shift"]
    assert list(desk.cases.views("chan", {Role.ANALYST}).views) == []
    for refused in (SaveViewCommand(mine, "chan"), DeleteViewCommand(mine.view_id, "chan", False)):
        with pytest.raises(PermissionDeniedError):
            hk.writer.run(refused)
    with pytest.raises(PermissionDeniedError):
        hk.writer.run(DeleteViewCommand(private.view_id, "chan", True))
    mine.name = "Day shift"
    hk.writer.run(SaveViewCommand(mine, "wong"))
    hk.writer.run(DeleteViewCommand(mine.view_id, "chan", True))
    assert [one.name for one in desk.cases.views("wong", {Role.OFFICER}).views] == ["Mine"]
    with pytest.raises(NotFoundError):
        hk.writer.run(DeleteViewCommand(mine.view_id, "wong", True))
    for _ in range(views.MOST_VIEWS - 1):
        hk.writer.run(SaveViewCommand(service.SavedView(view_id=str(uuid.uuid4()), name="x"), "wong"))
    with pytest.raises(InvalidRequestError, match="at most"):
        hk.writer.run(SaveViewCommand(service.SavedView(view_id=str(uuid.uuid4()), name="x"), "wong"))


def test_a_watch_tells_of_steps_and_of_colleagues_from_a_position(hk: PaperNode, alert: Alert) -> None:
    desk = Desk(hk)
    page = desk.page()
    begin = desk.cases.begin_watch(service.WatchInboxRequest())
    request = service.WatchInboxRequest(position=page.position, case_position=page.case_position)
    assert desk.cases.begin_watch(request) == begin
    assert desk.cases.changes(begin)[1] == begin
    desk.assign("chan", alert)
    hk.step(*alert, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    hk.settle()
    response, reached = desk.cases.changes(begin)
    (change,) = response.changes
    assert list(change.events) == [], "a step shows when the inbox has it"
    assert list(change.actions) == [service.CASE_ACTION_KIND_ASSIGNED]
    desk.settle()
    response, reached = desk.cases.changes(reached)
    (change,) = response.changes
    assert (change.alert, list(change.events)) == (reference(*alert), ["acknowledged"])
    assert desk.cases.changes(reached)[1] == reached
    assert desk.cases.changes(InboxPositions(0, 0))[0].changes
    for wrong in ({"position": 10**6}, {"case_position": 10**6}):
        with pytest.raises(PositionUnknownError):
            desk.cases.begin_watch(service.WatchInboxRequest(**wrong))


@pytest.mark.both_databases
def test_colleagues_are_listed_with_what_waits_for_them(hk: PaperNode, alert: Alert) -> None:
    desk = Desk(hk)
    desk.assign("chan", alert)
    listed = desk.cases.colleagues("wong").colleagues
    assert [(one.person, one.display_name, one.wanted) for one in listed] == [("chan", "Chan", 1), ("wong", "Wong", 0)]
