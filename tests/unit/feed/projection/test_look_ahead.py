"""Entries that were checked elsewhere, or not, lead to the same answers and projections."""

import random
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.ids import BETWEEN_NODES
from gateway.errors import UnavailableError
from gateway.feed.projection import look_ahead, projector
from gateway.feed.projection.look_ahead import CheckedEntry, EntryCheck, LookAhead
from gateway.feed.projection.projector import Projector
from gateway.feed.service.writing import transaction, writer
from gateway.feed.tables import feeds
from gateway.v1 import alert_pb2, feed_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from tests.support import watchlists
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, deliver, paper_nodes
from tests.unit.feed.projection.test_defects import defective, undefined_priority

ALERTS = 40


class OtherThreads:
    """Checks in other threads, of which some refuse the work or end in it."""

    def __init__(self, check: EntryCheck) -> None:
        self._check = check
        self._threads = ThreadPoolExecutor(2)
        self._rng = random.Random(7)
        self.asked = self.refused = self.failed = 0

    def __call__(self, channel: str, payloads: Sequence[bytes], *, caller: str) -> Future[list[CheckedEntry]] | None:
        assert caller == "cn"
        self.asked += 1
        if self._rng.random() < 0.2:
            self.refused += 1
            return None
        if self._rng.random() < 0.2:
            self.failed += 1
            return self._threads.submit(self._killed)
        return self._threads.submit(self._check, channel, payloads)

    def _killed(self) -> list[CheckedEntry]:
        raise UnavailableError("the preparation process has ended")


@pytest.fixture
def nodes(
    tmp_path: Path, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PaperNode, PaperNode, OtherThreads]]:
    monkeypatch.setattr(transaction, "_PROJECT_AT_ONCE", 3)
    monkeypatch.setattr(writer, "PROJECTION_CHUNK", 3)
    monkeypatch.setattr(writer, "PROJECT_ALONG_WEIGHT", 0)
    monkeypatch.setattr(projector, "GROUP_ITEMS", 2)
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        registry = hk.projector.registry
        elsewhere = OtherThreads(EntryCheck(registry.formats, registry.prepare))
        hk.projector = hk.writer._projector = Projector(registry, elsewhere)
        yield cn, hk, elsewhere


def received(cn: PaperNode, hk: PaperNode) -> None:
    cn.settle()
    for channel in BETWEEN_NODES:
        while deliver(cn, hk, channel=channel):
            pass
    hk.settle()


def told(hk: PaperNode) -> list[tuple[int, int, int, str]]:
    """What hk answered: index, count, outcome and reason."""
    with hk.database.read() as conn:
        feed = feeds.get(conn, hk.origin("cn"))
        events = [
            alert_pb2.AlertEvent.FromString(one.payload) for one in feeds.read_entries(conn, feed.id, 0, feed.size)
        ]
    return [
        (one.disposition.index, one.disposition.count, one.disposition.outcome, one.disposition.reason)
        for one in events
    ]


def rebuilt(node: PaperNode, alone: Projector) -> None:
    node.projector = node.writer._projector = alone
    with node.database.write() as conn:
        alone.clear(conn)
    node.settle()


def alerts_of(hk: PaperNode, ids: Sequence[str]) -> list[Any]:
    return [hk.queries.get("cn", alert_id) for alert_id in ids]


def test_alerts_are_answered_and_applied_alike(nodes: tuple[PaperNode, PaperNode, OtherThreads]) -> None:
    cn, hk, elsewhere = nodes
    ids = [cn.publish("hk") for _ in range(ALERTS // 2)]
    defective(cn, undefined_priority)
    ids += [cn.publish("hk") for _ in range(ALERTS // 2)]
    received(cn, hk)
    outcomes = {index + at: (outcome, reason) for index, count, outcome, reason in told(hk) for at in range(count)}
    rejected = [index for index, (outcome, _) in outcomes.items() if outcome != feed_pb2.DISPOSITION_OUTCOME_APPLIED]
    assert (len(outcomes), rejected) == (ALERTS + 1, [ALERTS // 2])
    assert outcomes[ALERTS // 2][1] == "INVALID_REQUEST"
    assert elsewhere.asked > elsewhere.refused + elsewhere.failed > 0
    seen = alerts_of(hk, ids)
    rebuilt(hk, Projector(hk.projector.registry))
    assert alerts_of(hk, ids) == seen


def test_lists_are_applied_alike(nodes: tuple[PaperNode, PaperNode, OtherThreads]) -> None:
    cn, hk, elsewhere = nodes
    cn.policies["sanctions"] = ListPolicy(four_eyes=False)
    for at in range(12):
        content = watchlists.defaults()
        content.kind = watchlist_pb2.WATCHLIST_KIND_ORGANISATION
        content.names.add(text=f"Name {at}")
        content.releasable_to[:] = ["hk"]
        proposed = watchlist_service_pb2.ProposedEntry(id=f"E{at}", content=content)
        request = watchlist_service_pb2.ProposeEntriesRequest(
            request_id=str(uuid.uuid4()), list="sanctions", entries=[proposed]
        )
        cn.writer.run(ProposeCommand(cn.lists, request, "system/cn/lists", "lists"))
    received(cn, hk)
    assert elsewhere.asked > elsewhere.refused + elsewhere.failed > 0
    shown = hk.list_queries.full_state(None, hidden=frozenset())
    assert len(shown.changes) == 12
    rebuilt(hk, Projector(hk.projector.registry))
    assert hk.list_queries.full_state(None, hidden=frozenset()) == shown


def test_what_was_checked_counts_for_the_same_bytes_alone(nodes: tuple[PaperNode, PaperNode, OtherThreads]) -> None:
    """A transaction that was rolled back may have read an entry that another one takes the place of."""
    cn, hk, _ = nodes
    for _ in range(3):
        cn.publish("hk")
    cn.settle()
    while deliver(cn, hk):
        pass
    ahead = LookAhead(lambda channel, payloads, *, caller: _answered([CheckedEntry()] * len(payloads)))
    with hk.database.read() as conn:
        feed = feeds.get(conn, cn.origin("hk"))
        ahead.fill(conn, feed, 0, at_once=1)
        _, one, other = feeds.read_entries(conn, feed.id, 0, 3)
    assert ahead.take(feed.id, replace(one, payload=bytes(len(one.payload)))) is None
    assert ahead.take(feed.id, other) is not None


def test_a_process_that_hangs_is_waited_for_once(
    nodes: tuple[PaperNode, PaperNode, OtherThreads], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer waits in its transaction, and nobody else can write."""
    monkeypatch.setattr(look_ahead, "WAIT_S", 0.1)
    cn, hk, _ = nodes
    for _ in range(20):
        cn.publish("hk")
    hanging: list[_Waited] = []

    def begin(channel: str, payloads: Sequence[bytes], *, caller: str) -> Future[list[CheckedEntry]]:
        hanging.append(waited := _Waited())
        return waited

    hk.projector = hk.writer._projector = Projector(hk.projector.registry, begin)
    received(cn, hk)
    assert sum(one.waits for one in hanging) == 1
    assert sum(count for _, count, outcome, _ in told(hk) if outcome == feed_pb2.DISPOSITION_OUTCOME_APPLIED) == 20


class _Waited(Future[list[CheckedEntry]]):
    """Never ends."""

    waits = 0

    def result(self, timeout: float | None = None) -> list[CheckedEntry]:
        self.waits += 1
        return super().result(timeout)


def _answered(checked: list[CheckedEntry]) -> Future[list[CheckedEntry]]:
    answer: Future[list[CheckedEntry]] = Future()
    answer.set_result(checked)
    return answer
