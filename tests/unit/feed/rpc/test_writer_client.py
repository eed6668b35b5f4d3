"""Wake-ups: who is told of what, and when."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import GatewayError, TooLargeError
from gateway.feed.rpc import writer_client
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.writing import command_queue
from gateway.feed.service.writing.commits import PROJECTED, Commit
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.service.writing.writer import Writer
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

pytestmark = pytest.mark.both_databases

HK = FeedOrigin("gba.customs.example", "cn", "hk", Channel.ALERTS)
MO = FeedOrigin("gba.customs.example", "cn", "mo", Channel.ALERTS)
FROM_HK = FeedOrigin("gba.customs.example", "hk", "cn", Channel.ALERTS)


class Commits:
    """Stands where the writer announces commits."""

    def on_commit(self, listener: object) -> None:
        self.tell = listener

    def committed(self, **what: object) -> None:
        given: dict[str, object] = {"feeds": frozenset(), "urgent": frozenset(), "sizes": {}, "topics": frozenset()}
        self.tell(Commit(**{**given, **what}))  # type: ignore[operator, arg-type]


def test_urgent_entries_wake_at_once_and_tell_the_size() -> None:
    async def main() -> None:
        commits = Commits()
        notifier, woken, other = ChangeNotifier(cast("Writer", commits)), asyncio.Event(), asyncio.Event()
        notifier.subscribe(HK, woken)
        notifier.subscribe(MO, other)
        commits.committed(feeds=frozenset({HK}), urgent=frozenset({HK}), sizes={HK: 7})
        await asyncio.wait_for(woken.wait(), writer_client.LOW_PRIORITY_DELAY_S / 2)
        assert (notifier.size(HK), notifier.size(MO)) == (7, 0)
        assert not other.is_set()

    asyncio.run(main())


def test_what_isnt_urgent_wakes_once_and_later() -> None:
    async def main() -> None:
        commits = Commits()
        notifier, woken = ChangeNotifier(cast("Writer", commits)), asyncio.Event()
        notifier.subscribe(HK, woken)
        started = time.monotonic()
        for size in (1, 2, 3):
            commits.committed(feeds=frozenset({HK}), sizes={HK: size})
        await asyncio.wait_for(woken.wait(), 5)
        assert time.monotonic() - started >= writer_client.LOW_PRIORITY_DELAY_S
        assert notifier.size(HK) == 3
        woken.clear()
        await asyncio.sleep(2 * writer_client.LOW_PRIORITY_DELAY_S)
        assert not woken.is_set()

    asyncio.run(main())


def test_patient_tasks_wake_once_for_all_changes_of_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_client, "COALESCE_S", 0.01)

    async def main() -> None:
        commits = Commits()
        notifier = ChangeNotifier(cast("Writer", commits))
        prompt, patient = asyncio.Event(), asyncio.Event()
        notifier.subscribe(PROJECTED, prompt)
        end = notifier.subscribe(PROJECTED, patient, coalesce=True)
        for _ in range(3):
            commits.committed(topics=frozenset({PROJECTED}))
        await asyncio.wait_for(prompt.wait(), 5)
        assert not patient.is_set()
        await asyncio.wait_for(patient.wait(), 5)
        patient.clear()
        await asyncio.sleep(0.05)
        assert not patient.is_set(), "once for all three"
        commits.committed(topics=frozenset({PROJECTED}))
        await asyncio.wait_for(patient.wait(), 5)
        end()
        patient.clear()
        commits.committed(topics=frozenset({PROJECTED}))
        await asyncio.sleep(0.05)
        assert not patient.is_set()

    asyncio.run(main())


def test_feeds_that_came_from_partners_and_projections_wake_at_once() -> None:
    async def main() -> None:
        commits = Commits()
        notifier, woken, projected = ChangeNotifier(cast("Writer", commits)), asyncio.Event(), asyncio.Event()
        notifier.subscribe(FROM_HK, woken)
        end = notifier.subscribe(ChangeNotifier.PROJECTED, projected)
        commits.committed(feeds=frozenset({FROM_HK}), topics=frozenset({PROJECTED}))
        await asyncio.wait_for(asyncio.gather(woken.wait(), projected.wait()), writer_client.LOW_PRIORITY_DELAY_S / 2)
        projected.clear()
        end()
        commits.committed(topics=frozenset({PROJECTED}))
        await asyncio.sleep(0)
        assert not projected.is_set()

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(5))
def test_a_loop_that_waits_ends_when_it_is_cancelled_as_its_event_comes(turns: int) -> None:
    async def run() -> None:
        event = asyncio.Event()

        async def waiting() -> None:
            while True:
                event.clear()
                await set_within(event, 60)

        loop = asyncio.create_task(waiting())
        await asyncio.sleep(0.01)
        event.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        loop.cancel()
        done, _ = await asyncio.wait({loop}, timeout=1)
        loop.cancel()
        assert done
        assert loop.cancelled()

    asyncio.run(run())


def test_an_event_that_does_not_come_in_time_is_told() -> None:
    async def run() -> tuple[bool, bool]:
        event = asyncio.Event()
        late = await set_within(event, 0.01)
        event.set()
        return late, await set_within(event, 0.01)

    assert asyncio.run(run()) == (False, True)


@dataclass
class _Said:
    """Work that says something, or fails."""

    what: str = ""
    error: GatewayError | None = None
    weight: int = 1

    def execute(self, tx: Transaction) -> str:
        if self.error is not None:
            raise self.error
        return self.what


def test_flushing_does_not_wait_as_long_as_a_deferrable_command_would(
    tmp_path: Path, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_queue, "DEFER_S", 60.0)

    async def main(node: PaperNode) -> None:
        writer = WriterClient(node.writer)
        deferred = [writer.submit(_Said(what), deferrable=True) for what in ("a", "b")]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in deferred)
        await asyncio.wait_for(writer.flush(deferred), 10)
        assert [one.result() for one in deferred] == ["a", "b"]
        await writer.flush(deferred)  # nothing is left to wait for
        failing = writer.submit(_Said(error=TooLargeError("no place")), deferrable=True)
        with pytest.raises(TooLargeError, match="no place"):
            await asyncio.wait_for(writer.flush([failing]), 10)

    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as (node, _):
        asyncio.run(main(node))
