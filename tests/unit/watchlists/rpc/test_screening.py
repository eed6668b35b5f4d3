"""What an officer waits for never waits for a batch; with a real worker process that takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.db.database import Database
from gateway.feed.rpc.writer_client import ChangeNotifier
from gateway.feed.service.alarms import SCREENING, Alarms
from gateway.feed.service.writing.commits import Commit
from gateway.trust.rules.permissions import Principal, PrincipalKind, Role
from gateway.v1 import alert_pb2
from gateway.v1.screening_pb2 import ScreeningSubject, ScreenPartiesResponse
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.rpc import screening
from gateway.watchlists.rpc.screening import FEW_SUBJECTS, SLICE_SUBJECTS, ListedAlertScreening, ScreeningProcess
from gateway.watchlists.rules.visibility import ListVisibility
from tests.support import screening_handlers
from tests.support.databases import MakeDatabase
from tests.support.nodes import paper_nodes

BATCH = 10 * SLICE_SUBJECTS + 5
OFFICER = Principal(PrincipalKind.SYSTEM, "cn", "desk", frozenset({Role.OFFICER}), "")
ROOT = Path(__file__).parents[4]


async def keep(_: Findings) -> dict[str, int]:
    return {}


@pytest.fixture
def run(
    tmp_path: Path, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[ScreeningProcess], Awaitable[None]]], None]:
    """Runs a test with a process that is ready."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run_test(test: Callable[[ScreeningProcess], Awaitable[None]]) -> None:
        async def with_process(database: Database, notifier: ChangeNotifier) -> None:
            process = ScreeningProcess(
                screening_handlers.slow_screening,
                database,
                database_url="",
                index=tmp_path,
                notifier=notifier,
                thresholds={},
                keep=keep,
                keep_beside=keep,
                searches=lambda: True,
                clock=lambda: 0,
                alarms=Alarms(lambda: 0),
            )
            await asyncio.wrap_future(process.process.start())
            try:
                await asyncio.wait_for(test(process), 60)
            finally:
                process.process.stop()

        with paper_nodes(tmp_path, make_database, ("cn",)) as (node,):

            async def start() -> None:
                await with_process(node.database, ChangeNotifier(node.writer))

            asyncio.run(start())

    return run_test


def subjects(count: int) -> list[ScreeningSubject]:
    return [ScreeningSubject(reference=f"{number}") for number in range(count)]


async def batch(process: ScreeningProcess, caller: str, at_ms: int = 7) -> ScreenPartiesResponse:
    return await process.screen(subjects(BATCH), max_hits=0, at_ms=at_ms, caller=caller)


@pytest.mark.both_databases
def test_a_batch_is_screened_in_slices_and_answered_in_order(
    run: Callable[[Callable[[ScreeningProcess], Awaitable[None]]], None],
) -> None:
    async def test(process: ScreeningProcess) -> None:
        response = await batch(process, "many")
        assert [subject.reference for subject in response.subjects] == [f"{number}" for number in range(BATCH)]
        assert response.position == 7

    run(test)


def test_entries_that_are_not_indexed_raise_an_alarm_while_there_are_some(
    run: Callable[[Callable[[ScreeningProcess], Awaitable[None]]], None],
) -> None:
    async def test(process: ScreeningProcess) -> None:
        process._tell(2)
        (alarm,) = process._alarms.list()
        assert (alarm.code, "against 2 entries of lists" in alarm.message) == (SCREENING, True)
        process._tell(0)
        assert process._alarms.list() == []

    run(test)


def test_a_few_subjects_overtake_batches_of_the_same_caller_and_of_others(
    run: Callable[[Callable[[ScreeningProcess], Awaitable[None]]], None],
) -> None:
    async def test(process: ScreeningProcess) -> None:
        batches = [asyncio.create_task(batch(process, caller)) for caller in ("many", "desk", "desk")]
        await asyncio.sleep(0.1)
        for _ in range(3):
            response = await process.screen(subjects(FEW_SUBJECTS), max_hits=0, at_ms=1, caller="desk")
            assert len(response.subjects) == FEW_SUBJECTS
        assert not any(task.done() for task in batches)
        for task in batches:
            task.cancel()
        await asyncio.gather(*batches, return_exceptions=True)

    run(test)


def test_an_alert_is_shown_with_screening_pending_rather_than_late(
    run: Callable[[Callable[[ScreeningProcess], Awaitable[None]]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = alert_pb2.AlertContent()
    content.subject.parties.add().names.add(text="Chan Tai Man")

    async def test(process: ScreeningProcess) -> None:
        alerts = ListedAlertScreening(process, visibility=ListVisibility({}), clock=lambda: 0)
        monkeypatch.setattr(screening, "ALERT_DEADLINE_S", 30.0)
        assert await alerts.screen_alert(content, principal=OFFICER) == ([], True)
        monkeypatch.setattr(screening, "ALERT_DEADLINE_S", 0.0005)
        assert await alerts.screen_alert(content, principal=OFFICER) == ([], False)

    run(test)


@pytest.mark.parametrize("topic", [ChangeNotifier.PROJECTED, ChangeNotifier.INDEXED])
def test_the_search_for_matches_looks_again_when_there_is_more_to_follow(
    run: Callable[[Callable[[ScreeningProcess], Awaitable[None]]], None], monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    """It follows alerts as far as they are projected, and records as far as they are indexed, which comes later."""

    async def test(process: ScreeningProcess) -> None:
        looks: asyncio.Queue[None] = asyncio.Queue()

        async def look(cursors: dict[str, int]) -> Findings:
            looks.put_nowait(None)
            return Findings(before=cursors, after=cursors)

        async def is_empty() -> bool:
            return False

        monkeypatch.setattr(process, "_look", look)
        monkeypatch.setattr(process, "_cursors", dict)
        monkeypatch.setattr(process, "_is_empty", is_empty)
        monkeypatch.setattr(screening, "FOLLOW_PAUSE_S", 0.01)
        task = asyncio.create_task(process.run())
        await looks.get()
        await asyncio.sleep(0.2)  # it waits now
        assert looks.empty()
        process._notifier.committed(Commit(topics=frozenset({topic})))
        await asyncio.wait_for(looks.get(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(test)
