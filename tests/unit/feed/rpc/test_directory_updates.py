"""Later versions are fetched in order over real TLS, also by who was told nothing, and from who answers wrongly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.feed.rpc import directory_updates
from gateway.feed.rpc.directory_updates import DirectoryUpdates, PartnerCalls
from gateway.feed.service.alarms import DIRECTORY_REFUSED, DIRECTORY_VERSIONS, Alarms
from gateway.feed.service.partner_directories import PartnerDirectories
from gateway.node.directory_store import DirectoryStore, KeptVersions, pinned_anchors
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import exchange_service_pb2_grpc
from gateway.v1.feed_pb2 import HeldDirectory
from tests.support.federation import Federation, eventually
from tests.support.partner import peers_of, serving

A = "aa" * 32


class Side:
    """One node's directory, and what exchanges it."""

    def __init__(self, nodes: Federation, name: str, note: bytes) -> None:
        folder = nodes.root / f"side of {name}"
        folder.mkdir()
        self.file = folder / "directory.note"
        self.file.write_bytes(note)
        self.alarms = Alarms(lambda: 0)
        self.store = DirectoryStore(
            self.file,
            kept=KeptVersions(folder / "data"),
            anchors=pinned_anchors(nodes[name].settings),
            now=datetime.now(UTC),
        )
        self.directories = PartnerDirectories(trust=self.store.trusted, alarms=self.alarms, clock=lambda: 0)
        self.peers = peers_of(nodes, name, self.store.directory)
        self.updates = self.updates_with(self.store.offer)

    def updates_with(
        self,
        offer: Callable[[bytes, str], TrustedDirectory],
        *,
        unreachable: Sequence[str] = ("mo",),
        cut_off: Sequence[str] = (),
        fetches: bool = True,
    ) -> DirectoryUpdates:
        return DirectoryUpdates(
            state=self.store.state,
            offer=offer,
            revoke=self.store.revoke,
            calls=PartnerCalls(fetches=fetches, unreachable=unreachable, cut_off=cut_off),
            peers=self.peers,
            directories=self.directories,
            alarms=self.alarms,
        )

    def put(self, note: bytes) -> None:
        self.file.write_bytes(note)
        self.store.refresh(now=datetime.now(UTC), alarms=self.alarms)

    def said(self, code: str) -> str:
        return "; ".join(alarm.message for alarm in self.alarms.list() if alarm.code == code)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.updates.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.peers.close()


class Serving(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """Answers from a side's accepted versions, or what a test says."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.asked: list[int] = []
        self.note: bytes | None = None

    async def GetNextDirectory(self, request: pb.GetNextDirectoryRequest, context: Any) -> pb.GetNextDirectoryResponse:
        if request.after_version != directory_updates.NO_VERSION_AFTER:  # for revocations alone
            self.asked.append(request.after_version)
        answer = self.side.updates.next_after(request.after_version, known=request.known_revocations)
        return answer if self.note is None else pb.GetNextDirectoryResponse(note=self.note)


def test_a_node_that_nobody_told_asks_and_gets_each_version_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_updates, "ASK_EACH_S", 0.0)
    monkeypatch.setattr(directory_updates, "AGAIN_S", 1.0)

    async def run(nodes: Federation) -> None:
        first = nodes.directory
        note = nodes.signed_directory(first)
        cn, hk = Side(nodes, "cn", note), Side(nodes, "hk", note)
        for number in (2, 3):
            revoked = frozenset({A} if number == 2 else ())
            hk.put(nodes.signed_directory(replace(first, version=number, revoked_certificates=revoked)))
        answering = Serving(hk)
        async with cn.running():  # nobody answers at first

            async def known() -> bool:
                return cn.store.trusted().known_version == 3 and len(answering.asked) >= 3

            async with serving(nodes, "hk", answering):
                await eventually(known, what="both versions, and the question for one after them")
        assert answering.asked[:3] == [1, 2, 3]
        assert [offer.version.version for offer in cn.store.state().offers] == [2, 3]
        assert cn.store.directory().revoked_certificates == {A}
        assert cn.store.trusted().version == 1

    with Federation(tmp_path) as nodes:  # of which none starts
        nodes.run(run(nodes))


def test_what_does_not_verify_is_an_alarm_until_the_partner_has_something_known(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        first = nodes.directory
        note = nodes.signed_directory(first)
        cn, hk = Side(nodes, "cn", note), Side(nodes, "hk", note)
        answering = Serving(hk)
        answering.note = nodes.signed_directory(replace(first, version=2), signers=["hk"])
        async with serving(nodes, "hk", answering), cn.running():
            cn.directories.note("hk", HeldDirectory(version=2, digest=bytes(32)))

            async def refused() -> bool:
                return "that hk offers is refused" in cn.said(DIRECTORY_REFUSED)

            await eventually(refused, what="the alarm")
            assert cn.store.state().offers == ()
            answering.note = None
            hk.put(nodes.signed_directory(replace(first, version=2)))
            cn.directories.note("hk", hk.directories.held())

            async def silent() -> bool:
                return not cn.said(DIRECTORY_REFUSED) and cn.store.trusted().known_version == 2

            await eventually(silent, what="its end")

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


def test_a_partners_offers_take_one_thread_however_many_they_are(tmp_path: Path) -> None:
    let_go = threading.Event()

    async def run(nodes: Federation) -> None:
        cn = Side(nodes, "cn", nodes.signed_directory(nodes.directory))

        def slowly(note: bytes, partner: str) -> TrustedDirectory:
            let_go.wait()
            return cn.store.offer(note, partner)

        updates = cn.updates_with(slowly)
        offers = [asyncio.create_task(updates.take_offer("hk", cn.file.read_bytes())) for _ in range(100)]
        try:
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 30) == "done"
        finally:
            let_go.set()
        assert [answer.known_version for answer in await asyncio.gather(*offers)] == [1] * 100
        await cn.peers.close()

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


def test_an_exchange_with_one_partner_holds_up_none_with_another(tmp_path: Path) -> None:
    begun, let_go = threading.Event(), threading.Event()

    async def run(nodes: Federation) -> None:
        note = nodes.signed_directory(nodes.directory)
        cn, hk, mo = (Side(nodes, name, note) for name in ("cn", "hk", "mo"))

        def slow_with_hk(note: bytes, partner: str) -> TrustedDirectory:
            if partner == "hk":
                begun.set()
                let_go.wait()
            return cn.store.offer(note, partner)

        cn.updates = cn.updates_with(slow_with_hk, unreachable=())
        for side in (hk, mo):
            side.put(nodes.signed_directory(replace(nodes.directory, version=2)))

        async def told_of_hk() -> bool:
            cn.directories.note("hk", hk.directories.held())
            return begun.is_set()

        async def known() -> bool:
            return cn.store.trusted().known_version == 2

        async with serving(nodes, "hk", Serving(hk)), serving(nodes, "mo", Serving(mo)), cn.running():
            try:
                await eventually(told_of_hk, what="the version of hk")
                cn.directories.note("mo", mo.directories.held())
                await eventually(known, within_s=60, what="the version of mo")
            finally:
                let_go.set()

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


def test_another_history_below_the_newest_is_named(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        first = nodes.directory
        note = nodes.signed_directory(first)
        cn, hk = Side(nodes, "cn", note), Side(nodes, "hk", note)
        cn.put(nodes.signed_directory(replace(first, version=2)))
        hk.put(nodes.signed_directory(replace(first, version=2, revoked_certificates=frozenset({A}))))
        theirs = hk.store.trusted().digest.hex()
        hk.put(nodes.signed_directory(replace(first, version=3)))
        async with serving(nodes, "hk", Serving(hk)), cn.running():
            cn.directories.note("hk", hk.directories.held())

            async def named() -> bool:
                return theirs in cn.said(DIRECTORY_VERSIONS)

            await eventually(named, what="the alarm")
            assert "another version 2" in cn.said(DIRECTORY_VERSIONS)
            assert cn.store.trusted().digest.hex() in cn.said(DIRECTORY_VERSIONS)

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))
