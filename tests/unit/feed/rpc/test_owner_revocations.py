"""What an authority revoked by itself goes from node to node over real TLS; what is refused holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DirectoryError, PermissionDeniedError
from gateway.feed.rpc import directory_updates
from gateway.feed.service.alarms import REVOCATION_REFUSED
from gateway.tlog.note import sign_note
from gateway.trust.codec.owner_revocation import encode_revocation
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import directory_key_name
from gateway.trust.rules.owner_revocations import OwnerRevocation
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.feed_pb2 import HeldDirectory
from tests.support.federation import Federation, eventually
from tests.support.partner import serving
from tests.unit.feed.rpc.test_directory_updates import Serving, Side

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def revoked(nodes: Federation, owner: str, *, of: str = "", reason: str = "stolen") -> bytes:
    """A note by an authority about its own node's log key, or about another's."""
    key = nodes.directory.nodes[of or owner].log_keys[0].public_key
    content = OwnerRevocation(FEDERATION, owner, SINCE, reason, keys={key: SINCE})
    signer = load_signing_key(nodes.folder.directory_key(owner), name=directory_key_name(FEDERATION, owner))
    return sign_note(encode_revocation(content), [signer])


def sides(nodes: Federation, *names: str) -> list[Side]:
    note = nodes.signed_directory(nodes.directory)
    return [Side(nodes, name, note) for name in names]


def differing(own: Side) -> HeldDirectory:
    """A partner's statement with the same version, and with other revocations."""
    held = own.directories.held()
    return HeldDirectory(version=held.version, digest=held.digest, revocations_digest=bytes(32))


class Answering(Serving):
    """Answers as another release does, or wrongly."""

    def __init__(self, side: Side, answer: Callable[[Sequence[bytes]], pb.GetNextDirectoryResponse]) -> None:
        super().__init__(side)
        self.answer = answer

    async def GetNextDirectory(self, request: pb.GetNextDirectoryRequest, context: Any) -> pb.GetNextDirectoryResponse:
        self.asked.append(request.after_version)
        return self.answer(list(request.known_revocations))


def test_a_node_that_lacks_some_fetches_them_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(nodes: Federation) -> None:
        cn, hk = sides(nodes, "cn", "hk")
        notes = [revoked(nodes, "mo", reason=f"page {number}") for number in range(5)]
        monkeypatch.setattr(directory_updates, "REVOCATIONS_BYTES", 2 * len(notes[0]))
        for note in notes:
            hk.store.revoke(note, "mo")
        assert hk.store.directory().log_keys("mo", datetime.now(UTC)) == ()
        answering = Serving(hk)
        async with serving(nodes, "hk", answering), cn.running():
            cn.directories.note("hk", hk.directories.held())

            async def taken() -> bool:
                return cn.directories.held() == hk.directories.held()

            await eventually(taken, what="all five")
            assert cn.store.directory().log_keys("mo", datetime.now(UTC)) == ()
            assert {one.content.reason for one in cn.store.state().revocations} == {f"page {at}" for at in range(5)}
            assert [source for _, source in cn.store.new_revocations()] == ["hk"] * 5
            before = len(answering.asked)
            cn.directories.note("hk", hk.directories.held())
            assert (
                cn.updates.next_after(1, known=[one.digest for one in cn.store.state().revocations]).revocations == []
            )
        assert len(answering.asked) == before, "nobody asks for what it has"

    with Federation(tmp_path) as nodes:  # of which none starts
        nodes.run(run(nodes))


def test_one_that_is_refused_is_an_alarm_and_holds_up_no_other(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        cn, hk = sides(nodes, "cn", "hk")
        forged, right = revoked(nodes, "mo", of="hk"), revoked(nodes, "mo")
        wrong = pb.GetNextDirectoryResponse(revocations=[forged, b"nonsense", right])
        answering = Answering(hk, lambda known: wrong)
        async with serving(nodes, "hk", answering), cn.running():
            cn.directories.note("hk", differing(cn))

            async def refused() -> bool:
                return "a revocation that hk passes on is refused" in cn.said(REVOCATION_REFUSED)

            await eventually(refused, what="the alarm")

            async def taken() -> bool:
                return cn.store.directory().log_keys("mo", datetime.now(UTC)) == ()

            await eventually(taken, what="the right one")
            assert cn.store.directory().log_keys("hk", datetime.now(UTC)) != ()
            answering.answer = lambda known: pb.GetNextDirectoryResponse()
            cn.directories.note("hk", differing(cn))

            async def silent() -> bool:
                return not cn.said(REVOCATION_REFUSED)

            await eventually(silent, what="its end")

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


def test_a_partner_that_always_answers_the_same_is_asked_a_bounded_number_of_times(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        cn, hk = sides(nodes, "cn", "hk")
        same = pb.GetNextDirectoryResponse(revocations=[revoked(nodes, "mo", of="hk")])
        answering = Answering(hk, lambda known: same)
        async with serving(nodes, "hk", answering), cn.running():
            cn.directories.note("hk", differing(cn))

            async def refused() -> bool:
                return bool(cn.said(REVOCATION_REFUSED)) and not cn.updates._under_way

            await eventually(refused, what="the end of the exchange")
        assert len(answering.asked) == 2

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


def test_a_gateway_of_an_earlier_release_is_asked_for_none(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        cn, hk = sides(nodes, "cn", "hk")
        cn.store.revoke(revoked(nodes, "mo"), "mo")
        held = cn.directories.held()
        answering = Answering(hk, lambda known: pb.GetNextDirectoryResponse())
        async with serving(nodes, "hk", answering), cn.running():
            cn.directories.note("hk", HeldDirectory(version=1, digest=held.digest, known_version=1))

            async def done() -> bool:
                return not cn.updates._under_way

            await eventually(done, what="the end of the round")
        assert answering.asked == []

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


class Taking(Serving):
    """Takes what is handed over."""

    async def OfferDirectory(self, request: pb.OfferDirectoryRequest, context: Any) -> pb.OfferDirectoryResponse:
        return await self.side.updates.take_offer("cn", request.note, request.revocations)


def test_a_partner_that_cannot_connect_gets_them_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(nodes: Federation) -> None:
        cn, hk = sides(nodes, "cn", "hk")
        notes = [revoked(nodes, "mo", reason=f"page {number}") for number in range(3)]
        monkeypatch.setattr(directory_updates, "REVOCATIONS_BYTES", 2 * len(notes[0]))
        for note in notes:
            cn.store.revoke(note, "mo")
        cn.updates = cn.updates_with(cn.store.offer, unreachable=("hk", "mo"), cut_off=("hk",))
        async with serving(nodes, "hk", Taking(hk)), cn.running():
            cn.directories.note("hk", hk.directories.held())

            async def taken() -> bool:
                return hk.directories.held() == cn.directories.held()

            await eventually(taken, what="all three")
        await hk.peers.close()

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


@pytest.mark.parametrize("fetches", [True, False])
def test_what_is_handed_over_is_verified_and_may_be_refused_by_the_settings(tmp_path: Path, fetches: bool) -> None:
    async def run(nodes: Federation) -> None:
        (cn,) = sides(nodes, "cn")
        cn.updates = cn.updates_with(cn.store.offer, fetches=fetches)
        handed: Mapping[str, Any] = {
            "partner": "hk",
            "note": b"",
            "revocations": [revoked(nodes, "mo", of="hk"), revoked(nodes, "mo")],
        }
        with pytest.raises(DirectoryError if fetches else PermissionDeniedError):
            await cn.updates.take_offer(**handed)
        assert len(cn.store.state().revocations) == (1 if fetches else 0)
        await cn.peers.close()

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))
