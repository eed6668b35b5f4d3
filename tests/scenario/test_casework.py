"""Casework over real gateways: the inbox lives, names are found by the worker process, and it is off by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from gateway.client import AlertReference
from gateway.errors import MethodUnknownError, PermissionDeniedError
from gateway.v1 import alert_pb2, party_pb2
from gateway.v1 import casework_service_pb2 as service
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.stopwatch import Stopwatch

ON = "[casework]\nenabled = true\n"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    settings_of = lambda node: ON if node in ("cn", "hk") else ""  # noqa: E731
    for made in with_logs(tmp_path_factory.mktemp("casework"), settings_of=settings_of):
        made.start()
        yield made


def test_an_alert_shows_within_a_second_and_a_watcher_hears_of_colleagues(nodes: Federation) -> None:
    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as cn,
            nodes.client("hk", "officer") as officer,
            nodes.client("hk", "supervisor") as supervisor,
        ):
            page = await officer.casework.inbox_page()
            heard: list[service.InboxChange] = []

            async def listen() -> None:
                watch = officer.casework.watch_inbox(page.position, page.case_position)
                async with aclosing(watch) as responses:
                    async for response in responses:
                        heard.extend(response.changes)

            listening = asyncio.create_task(listen())

            async def events() -> bool:
                return any(change.alert == reference and "published" in change.events for change in heard)

            with Stopwatch() as watch:
                published = (await cn.publish(alert(), ["hk"])).alert_id
                reference = AlertReference(publisher="cn", alert_id=published)
                await eventually(events, what="the alert in the watch")
            assert watch.quiet_s < 1.0, f"{watch.elapsed_s:.2f} s, on a busy machine"
            (row,) = [row async for row in officer.casework.inbox() if row.summary.alert.id == published]
            assert [one.action for one in row.wanted] == [service.WANTED_ACTION_ACKNOWLEDGE]
            await supervisor.casework.assign([reference], "system/hk/officer")
            await supervisor.casework.add_note(reference, "Please look at the seal.")

            async def noted() -> bool:
                kinds = [kind for change in heard for kind in change.actions]
                return kinds == [service.CASE_ACTION_KIND_ASSIGNED, service.CASE_ACTION_KIND_NOTED]

            await eventually(noted, what="what the colleague did")
            mine = service.InboxFilter(assignees=service.ASSIGNEE_SCOPE_ME)
            assert [one.summary.alert.id async for one in officer.casework.inbox(mine)] == [published]
            case = await officer.casework.case(reference)
            assert [(note.author, note.text) for note in case.notes] == [
                ("system/hk/supervisor", "Please look at the seal.")
            ]
            with pytest.raises(PermissionDeniedError):
                await officer.casework.erase_note(reference, case.notes[0].note_id)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        async with nodes.client("cn", "officer") as cn:
            theirs = await cn.casework.case(reference)
            assert not theirs.notes
            assert not theirs.HasField("assignment"), "nothing of it is in a feed"
        async with nodes.client("hk", "auditor") as auditor:
            events = [event async for event in auditor.evidence.audit_events()]
            methods = [
                event.method.rpartition("/")[2] for event in events if published in event.details.get("subject_ids", "")
            ]
            assert {"AssignAlerts", "AddNote"} <= set(methods)

    nodes.run(run())


def test_killed_before_an_acknowledgement_left_it_leaves_once_after_the_restart(nodes: Federation) -> None:
    async def published() -> AlertReference:
        async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "officer") as hk:
            reference = AlertReference(publisher="cn", alert_id=(await cn.publish(alert(), ["hk"])).alert_id)

            async def scheduled() -> bool:
                (outcome,) = await hk.casework.acknowledge([(reference, 1)])
                return outcome.HasField("scheduled")

            await eventually(scheduled, what="the alert at hk")
            return reference

    async def acknowledgements(node: str, reference: AlertReference) -> list[str]:
        async with nodes.client(node, "officer") as client:
            history = (await client.get_alert(reference)).history
            return [change.event.actor for change in history if change.event.HasField("acknowledged")]

    async def left(reference: AlertReference) -> None:
        async def arrived() -> bool:
            return bool(await acknowledgements("cn", reference))

        await eventually(arrived, what="the acknowledgement at cn", within_s=90)
        async with nodes.client("hk", "auditor") as auditor, nodes.client("hk", "officer") as hk:
            assert not (await hk.casework.case(reference)).HasField("acknowledgement")
            events = [event async for event in auditor.evidence.audit_events()]
        methods = [
            event.method.rpartition("/")[2]
            for event in events
            if reference.alert_id in event.details.get("subject_ids", "") and event.principal == "system/hk/officer"
        ]
        asked_and_sent = ["AcknowledgeAlert", "ScheduleAcknowledgements"]
        assert sorted(one for one in methods if "Acknowledge" in one) == asked_and_sent
        assert await acknowledgements("cn", reference) == ["officer"]

    reference = nodes.run(published())
    nodes["hk"].kill()
    nodes["hk"].start()
    nodes.run(left(reference))


def test_a_han_name_is_found_by_its_hong_kong_romanisation(nodes: Federation) -> None:
    async def run() -> None:
        subject = alert_pb2.Subject(parties=[party_pb2.Party(names=[party_pb2.Name(text="陳大文")])])
        async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "officer") as hk:
            published = (await cn.publish(alert(subject=subject), ["hk"])).alert_id

            async def found() -> list[service.InboxRow]:
                page = await hk.casework.inbox_page(service.InboxFilter(text="Chan Tai Man"))
                return [row for row in page.rows if row.summary.alert.id == published]

            (row,) = await eventually(found, what="the alert by the name", within_s=60)
            assert [(match.field, match.value) for match in row.matches] == [
                (service.MATCHED_FIELD_PARTY_NAME, "陳大文")
            ]
            related = await hk.casework.related(AlertReference(publisher="cn", alert_id=published))
            assert all(one.summary.alert.id != published for one in related.alerts)

    nodes.run(run())


def test_views_and_marks_and_colleagues(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as hk:
            view = service.SavedView(
                view_id="6f6f1d80-7f0c-4a6a-9e39-1f6b8c6c0a11", name="Night", shared_with="officer"
            )
            view.filter.priorities.append(alert_pb2.PRIORITY_A)
            saved = await hk.casework.save_view(view)
            assert saved.owner == "system/hk/officer"
            assert list(await hk.casework.views()) == [saved]
            await hk.casework.delete_view(view.view_id)
            assert list(await hk.casework.views()) == []
            rows = [row async for row in hk.casework.inbox()]
            alert_ = rows[0].summary.alert
            reference = AlertReference(publisher=alert_.publisher, alert_id=alert_.id)
            await hk.casework.set_watch_mark(reference)
            watched = service.InboxFilter(watched=True)
            assert [row.summary.alert.id async for row in hk.casework.inbox(watched)] == [alert_.id]
            await hk.casework.set_watch_mark(reference, watched=False)
            assert "officer" in {one.display_name for one in await hk.casework.colleagues()}

    nodes.run(run())


def test_it_is_off_without_the_setting_and_not_for_every_role(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("mo", "officer") as mo:
            with pytest.raises(MethodUnknownError):
                await mo.casework.inbox_page()
        async with nodes.client("hk", "auditor") as auditor, nodes.client("hk", "operator") as operator:
            page = await auditor.casework.inbox_page()
            reference = AlertReference(publisher="cn", alert_id=page.rows[0].summary.alert.id)
            with pytest.raises(PermissionDeniedError):
                await auditor.casework.add_note(reference, "x")
            with pytest.raises(PermissionDeniedError):
                await operator.casework.inbox_page()

    nodes.run(run())


def test_commands_list_find_assign_and_note(nodes: Federation) -> None:
    subject = alert_pb2.Subject(parties=[party_pb2.Party(names=[party_pb2.Name(text="歐陽美玲")])])

    async def publish() -> str:
        async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "officer") as hk:
            published = (await cn.publish(alert(subject=subject, case_reference="CLI-77"), ["hk"])).alert_id

            async def found() -> bool:
                return bool((await hk.casework.inbox_page(service.InboxFilter(text="CLI-77"))).rows)

            await eventually(found, what="the alert in the search", within_s=60)
            return published

    published = nodes.run(publish())
    hk = Cli(nodes, "hk")
    key = f"cn/{published}"
    rows = hk.json("officer", "inbox", "list", "Au Yeung Mei Ling")
    assert [row["summary"]["alert"]["id"] for row in rows] == [published]
    assert hk.json("officer", "inbox", "assign", key) == {"changed": 1}
    assert hk.json("officer", "inbox", "note", key, "Seen before.")["author"] == "system/hk/officer"
    case = hk.json("officer", "inbox", "notes", key)
    assert (case["assignment"]["assignee"], case["notes"][0]["text"]) == ("system/hk/officer", "Seen before.")
    assert [row["summary"]["alert"]["id"] for row in hk.json("officer", "inbox", "list", "CLI-77", "--mine")] == [
        published
    ]
    assert isinstance(hk.json("officer", "inbox", "related", key), list)
    assert "acknowledge" in hk.run("officer", "inbox", "list", "CLI-77").stdout


def test_an_alert_is_found_by_its_id_as_tables_show_it(nodes: Federation) -> None:
    async def arrived() -> str:
        async with nodes.client("cn", "publisher") as cn, nodes.client("hk", "officer") as hk:
            alert_id = (await cn.publish(alert(case_reference="BY-ID-1"), ["hk"])).alert_id

            async def listed() -> bool:
                return alert_id in [row.summary.alert.id async for row in hk.casework.inbox()]

            await eventually(listed, what="the alert in the inbox")
            return alert_id

    alert_id, hk = asyncio.run(arrived()), Cli(nodes, "hk")
    for text in (alert_id[:18], f"cn/{alert_id[:18]}", alert_id, f"cn/{alert_id}"):
        (row,) = hk.json("officer", "inbox", "list", text)
        assert row["summary"]["alert"]["id"] == alert_id
    assert hk.json("officer", "inbox", "list", f"mo/{alert_id[:18]}") == []
