"""A partner with the right certificate and the wrong intentions, at a whole node's peer port.

The node runs in the test's process, with its real listeners, TLS and database; hk and mo are played by the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.errors import FeedForkedError, InvalidRequestError, MalformedError
from gateway.node.assembly.node import Node
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from gateway.tlog.merkle import EMPTY_ROOT
from gateway.tlog.note import Verifier
from gateway.trust.pki.keys import load_signing_key
from gateway.v1 import alert_pb2, feed_pb2
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.node_service_pb2 import (
    LINK_STATE_QUARANTINED,
    LINK_STATE_RECOVERY_REQUIRED,
    LINK_STATE_SUSPENDED,
)
from tests.support import merkle_oracle
from tests.support.federation import Federation, alert, eventually, feed, origin
from tests.support.partner import Partner, an_alert, entry, leaf, publication, recipient, refusal

HK_CN = origin("hk", "cn")
CN_HK = origin("cn", "hk")


@dataclass
class Scene:
    """cn, and who deals with it."""

    federation: Federation
    node: Node
    hk: Partner
    mo: Partner
    risk: GatewayClient
    officer: GatewayClient
    operator: GatewayClient

    @property
    def stored(self) -> int:
        return self.federation["cn"].feed(HK_CN).size

    async def alarms(self) -> set[str]:
        return {alarm.code for alarm in (await self.operator.node.status()).alarms}

    async def everyone_else_is_served(self) -> None:
        """Own systems publish and read, and mo's feed goes on."""
        await self.risk.publish(alert(), ["hk", "mo"])
        await self.mo.send(self.mo.batch([entry(publication("mo").SerializeToString())]))
        await eventually(self.mos_alerts, what="mo's alerts at cn")

    async def mos_alerts(self) -> bool:
        rows = [row async for row in self.officer.list_alerts(filter="publisher = mo")]
        return len(rows) == len(self.mo.entries)

    async def dispositions(self) -> dict[int, feed_pb2.Disposition]:
        """What cn says it made of hk's entries."""
        events = [alert_pb2.AlertEvent.FromString(one[2]) for one in self.federation["cn"].feed(CN_HK).entries]
        said = [event.disposition for event in events if event.WhichOneof("event") == "disposition"]
        return {one.index + at: one for one in said for at in range(one.count)}


@asynccontextmanager
async def scene(federation: Federation) -> AsyncIterator[Scene]:
    async with (
        federation.inside("cn") as node,
        federation.client("cn", "publisher") as risk,
        federation.client("cn", "officer") as officer,
        federation.client("cn", "operator") as operator,
    ):
        hk, mo = Partner(federation, "hk", "cn"), Partner(federation, "mo", "cn")
        try:
            yield Scene(federation, node, hk, mo, risk, officer, operator)
        finally:
            await hk.close()
            await mo.close()


def changed_payload(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.entries[1].payload += b"\x00"


def changed_salt(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.entries[1].salt = bytes(32)


def header_that_is_not_canonical(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.entries[0].header += b"\x98\x06\x01"  # an unknown field


def payload_too_large(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.entries[0].payload = bytes(256 * 1024 + 1)


def no_entries(batch: feed_pb2.Batch, _: Scene) -> None:
    del batch.entries[:]


def too_many_entries(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.entries.extend(batch.entries[0] for _ in range(1_000))


def another_feed(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.origin = origin("mo", "cn")


REFUSED: dict[Callable[[feed_pb2.Batch, Scene], None], str] = {
    changed_payload: "VERIFICATION_FAILED",
    changed_salt: "VERIFICATION_FAILED",
    header_that_is_not_canonical: "MALFORMED",
    payload_too_large: "TOO_LARGE",
    no_entries: "MALFORMED",
    too_many_entries: "MALFORMED",
    another_feed: "MALFORMED",
}


def test_a_batch_that_does_not_hold_together_is_refused_whole(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.hk.send(at.hk.batch([an_alert()]))
            for spoil, reason in REFUSED.items():
                before = at.stored
                good = at.hk.batch([an_alert(), an_alert(), an_alert()])
                spoiled = deepcopy(good)
                spoil(spoiled, at)
                assert (await refusal(at.hk.send(spoiled))).reason == reason, spoil.__name__
                assert at.stored == before, spoil.__name__
                # The right one is taken afterwards.
                assert [receipt.size for receipt in await at.hk.send(good)] == [before + 3], spoil.__name__
                assert at.stored == before + 3

    federation.run(run())


def changed_header(batch: feed_pb2.Batch, _: Scene) -> None:
    batch.entries[1].CopyFrom(an_alert(case_reference="FORGED"))


def left_out(batch: feed_pb2.Batch, _: Scene) -> None:
    del batch.entries[1]


def wrong_order(batch: feed_pb2.Batch, _: Scene) -> None:
    first, second = deepcopy(batch.entries[0]), deepcopy(batch.entries[1])
    batch.entries[0].CopyFrom(second)
    batch.entries[1].CopyFrom(first)


def wrong_root(batch: feed_pb2.Batch, at: Scene) -> None:
    batch.checkpoint = sign_checkpoint(Checkpoint(HK_CN, len(at.hk.entries), bytes(32)), at.hk.log_key)


def signed_by_another(batch: feed_pb2.Batch, at: Scene) -> None:
    batch.checkpoint = at.hk.checkpoint(at.hk.entries, signer=at.mo.log_key.named(HK_CN))


def changed_signature(batch: feed_pb2.Batch, _: Scene) -> None:
    text, _, line = batch.checkpoint.rpartition(b" ")
    other = b"A" if line[20:21] != b"A" else b"B"
    batch.checkpoint = text + b" " + line[:20] + other + line[21:]


def checkpoint_of_another_feed(batch: feed_pb2.Batch, at: Scene) -> None:
    name = origin("hk", "mo")
    root = Checkpoint(name, len(at.hk.entries), bytes(32))
    batch.checkpoint = sign_checkpoint(root, at.hk.log_key.named(name))


QUARANTINED = (
    changed_header,
    left_out,
    wrong_order,
    wrong_root,
    signed_by_another,
    changed_signature,
    checkpoint_of_another_feed,
)


def test_a_wrong_root_or_signature_puts_the_feed_into_quarantine(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.hk.send(at.hk.batch([an_alert()]))
            for spoil in QUARANTINED[:-1]:
                await resolve(at, await quarantine(at, spoil))
            good = await quarantine(at, QUARANTINED[-1])
        async with scene(federation) as at:  # a restart is no way out
            assert (await refusal(at.hk.send())).reason == "QUARANTINED"
            await resolve(at, good)

    federation.run(run())


async def quarantine(at: Scene, spoil: Callable[[feed_pb2.Batch, Scene], None]) -> feed_pb2.Batch:
    """Sends a spoiled batch, which puts the feed into quarantine; returns the right one."""
    before, held = at.stored, at.hk.checkpoint(at.hk.entries)
    good = at.hk.batch([an_alert(), an_alert(), an_alert()])
    spoiled = deepcopy(good)
    spoil(spoiled, at)
    assert (await refusal(at.hk.send(spoiled))).reason == "MISBEHAVIOUR", spoil.__name__
    assert (await refusal(at.hk.send(good))).reason == "QUARANTINED", spoil.__name__
    assert at.stored == before, spoil.__name__
    assert await at.alarms() == {"FEED_QUARANTINED"}, spoil.__name__
    (link,) = [link for link in await at.operator.node.links() if link.origin == HK_CN]
    assert link.state == LINK_STATE_QUARANTINED
    evidence = Path(link.evidence_path)
    assert evidence.is_relative_to(at.federation["cn"].data)
    assert (evidence / "held.checkpoint").read_bytes() == held
    assert (evidence / "received.checkpoint").read_bytes() == spoiled.checkpoint
    assert feed_pb2.Batch.FromString((evidence / "batch.binpb").read_bytes()) == spoiled
    await at.everyone_else_is_served()
    return good


async def resolve(at: Scene, good: feed_pb2.Batch) -> None:
    """Resolves the quarantine, after which the right batch is taken."""
    before = at.stored
    await at.operator.node.resolve_quarantine(HK_CN, reason="Their disk was broken; they have repaired it.")
    assert await at.alarms() == set()
    await at.hk.send(good)
    assert at.stored == before + 3


def test_two_checkpoints_of_one_size_are_proof_enough(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            first = at.hk.batch([an_alert(), an_alert()])
            second = at.hk.batch([an_alert()])
            await at.hk.send(first, second)
            forked = deepcopy(second)
            forked.entries[0].CopyFrom(an_alert(case_reference="ANOTHER HISTORY"))
            forked.checkpoint = at.hk.checkpoint([*first.entries, *forked.entries])
            assert (await refusal(at.hk.send(forked))).reason == "MISBEHAVIOUR"
            (link,) = [link for link in await at.operator.node.links() if link.origin == HK_CN]
            key = Verifier(HK_CN, at.hk.log_key.public_key)
            two = [
                verify_checkpoint((Path(link.evidence_path) / name).read_bytes(), key, HK_CN).checkpoint
                for name in ("held.checkpoint", "received.checkpoint")
            ]
            assert [one.size for one in two] == [3, 3]  # both signed by hk, of one size, with different roots
            assert two[0].root != two[1].root
            assert at.stored == 3
            assert await at.alarms() == {"FEED_QUARANTINED"}
            await at.everyone_else_is_served()

    federation.run(run())


def test_a_fork_below_the_head_is_seen_at_a_size_that_never_was_an_end(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            whole = at.hk.batch([an_alert(), an_alert(), an_alert()])
            await at.hk.send(whole)
            part = feed_pb2.Batch(origin=HK_CN, first_index=0, entries=[whole.entries[0], an_alert()])
            part.checkpoint = at.hk.checkpoint(part.entries)
            assert (await refusal(at.hk.send(part))).reason == "MISBEHAVIOUR"
            assert await at.alarms() == {"FEED_QUARANTINED"}

    federation.run(run())


def test_a_replay_is_receipted_again_and_stored_once(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            old, new = at.hk.batch([an_alert(), an_alert()]), at.hk.batch([an_alert()])
            receipts = await at.hk.send(old, new)
            assert await at.hk.send(old, new, old) == [*receipts, receipts[0]]
            assert at.stored == 3

            async def shown() -> bool:
                return len([row async for row in at.officer.list_alerts(filter="publisher = hk")]) == 3

            await eventually(shown)
            assert await at.alarms() == set()

    federation.run(run())


def test_a_gap_is_refused_with_the_place_to_go_on_from(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.hk.send(at.hk.batch([an_alert()]))
            missing, later = at.hk.batch([an_alert()]), at.hk.batch([an_alert()])
            error = await refusal(at.hk.send(later))
            assert (error.reason, error.metadata["expected_index"]) == ("OUT_OF_SEQUENCE", "1")
            assert at.stored == 1
            await at.hk.send(missing, later)
            assert at.stored == 3
            assert await at.alarms() == set()

    federation.run(run())


def test_a_feed_that_is_not_ones_own(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["mo"])
            await at.mo.send(at.mo.batch([entry(publication("mo").SerializeToString())]))
            for name in (origin("mo", "cn"), origin("hk", "mo"), CN_HK, "other.example/hk/cn/alerts", "nonsense"):
                assert (await refusal(at.hk.send(feed=name))).reason == "PERMISSION_DENIED", name
            for name in (origin("cn", "mo"), origin("mo", "cn"), origin("hk", "mo")):
                asked = pb.GetCheckpointRequest(origin=name)
                assert (await refusal(at.hk.stub.GetCheckpoint(asked))).reason == "PERMISSION_DENIED"
                proof = pb.GetConsistencyProofRequest(origin=name, old_size=0, new_size=1)
                assert (await refusal(at.hk.stub.GetConsistencyProof(proof))).reason == "PERMISSION_DENIED"
                fetched = at.hk.fetching(feed_pb2.FeedPosition(origin=name))
                assert (await refusal(fetched.__aenter__())).reason == "PERMISSION_DENIED"

            async def own_position() -> bool:
                position = await at.mo.stub.GetCheckpoint(pb.GetCheckpointRequest(origin=origin("cn", "mo")))
                return position.position.size == 2

            await eventually(own_position, what="the alert, and what cn made of mo's")

    federation.run(run())


def test_a_payload_that_cannot_be_used_does_not_stop_the_feed(federation: Federation) -> None:
    invalid = publication()
    invalid.published.content.ClearField("subject")
    invalid.published.content.legal_basis = ""
    forbidden = publication(purpose="curiosity")
    newer = alert_pb2.AlertEvent(occurred_at=publication().occurred_at).SerializeToString() + b"\xa2\x06\x02\x08\x01"
    unknown_step = alert_pb2.AlertEvent(occurred_at=publication().occurred_at)
    unknown_step.withdrawn.alert.publisher = "hk"
    unknown_step.withdrawn.alert.alert_id = "01890a5d-ac96-774b-bcce-b302099a8057"
    unknown_step.withdrawn.revision, unknown_step.withdrawn.reason = 1, "Never published."
    endless = publication()
    endless.published.published_at.seconds = 2**62
    no_date = publication()
    no_date.published.content.valid_until.nanos = -5
    talk = alert_pb2.AlertEvent(occurred_at=publication().occurred_at)
    talk.disposition.origin, talk.disposition.index, talk.disposition.count = CN_HK, 2**63, 2**63
    sent = [
        (entry(invalid.SerializeToString()), "REJECTED", "INVALID_REQUEST"),
        (entry(b"\xff\xff\xff"), "REJECTED", "MALFORMED"),
        (entry(b"anything", type_name="WatchlistBatch"), "HELD", "UNKNOWN_TYPE"),
        (entry(publication().SerializeToString(), format=3), "HELD", "UNKNOWN_TYPE"),
        (entry(newer), "HELD", "UNKNOWN_TYPE"),
        (entry(publication("mo").SerializeToString()), "REJECTED", "MALFORMED"),
        (entry(publication(recipient="mo").SerializeToString()), "REJECTED", "MALFORMED"),
        (entry(forbidden.SerializeToString()), "REJECTED", "AGREEMENT_FORBIDS"),
        (entry(unknown_step.SerializeToString()), "REJECTED", "ILLEGAL_TRANSITION"),
        (entry(endless.SerializeToString()), "REJECTED", "INVALID_REQUEST"),
        (entry(no_date.SerializeToString()), "REJECTED", "INVALID_REQUEST"),
        (entry(talk.SerializeToString()), None, ""),  # talk about talk is never answered
        (an_alert(case_reference="GOOD"), "APPLIED", ""),
    ]

    async def run() -> None:
        async with scene(federation) as at:
            (receipt,) = await at.hk.send(at.hk.batch([one for one, _, _ in sent]))
            assert receipt.size == len(sent) == at.stored

            async def shown() -> bool:
                rows = [row async for row in at.officer.list_alerts(filter="publisher = hk")]
                return [row.alert.content.case_reference for row in rows] == ["GOOD"]

            await eventually(shown, what="the good alert behind all the others")

            async def answered() -> bool:
                return len(await at.dispositions()) == len(sent) - 1

            await eventually(answered, what="the dispositions")
            said = await at.dispositions()
            for index, (_, outcome, reason) in enumerate(sent):
                if outcome is None:
                    assert index not in said
                else:
                    name = feed_pb2.DispositionOutcome.Name(said[index].outcome)
                    assert (name, said[index].reason) == (f"DISPOSITION_OUTCOME_{outcome}", reason), index
            fields = {one.field for one in said[0].violations}
            assert {"published.content.legal_basis", "published.content.subject"} <= fields
            await at.everyone_else_is_served()

    federation.run(run())


def test_a_receipt_counts_only_from_its_recipient_and_for_what_was_sent(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["hk"])

            async def receipted() -> int:
                (link,) = [link for link in await at.operator.node.links() if link.origin == CN_HK]
                return link.receipted_size

            start = feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)
            for forged in (at.mo.receipts_key.named(at.hk.receipts_key.name), at.hk.log_key):
                async with at.hk.fetching(start) as stream:
                    batch = (await stream.read()).batch
                    assert len(batch.entries) == 1
                    await stream.write(at.hk.receipt(batch, signer=forged))
                    assert (await refusal(at.hk.read(stream, "batch"))).reason in ("SIGNATURE_INVALID", "MALFORMED")
            async with at.hk.fetching(start) as stream:
                batch = (await stream.read()).batch
                ahead = at.hk.receipt(batch)
                ahead.receipt.size = 7
                await stream.write(ahead)
                assert (await refusal(at.hk.read(stream, "batch"))).reason == "MALFORMED"
            assert await receipted() == 0
            async with at.hk.fetching(start) as stream:
                batch = (await stream.read()).batch
                await stream.write(at.hk.receipt(batch))
                await eventually(receipted, what="the receipt")

    federation.run(run())


def lies(federation: Federation, checkpoint: bytes) -> list[feed_pb2.FeedPosition]:
    """Positions that a recipient may claim of cn's feed to hk, which has one entry under this checkpoint."""
    log_key = load_signing_key(federation.folder.node("hk").log_key, name=CN_HK)
    invented = sign_checkpoint(Checkpoint(CN_HK, 7, bytes(32)), log_key)  # well-formed, but not signed by cn
    return [
        feed_pb2.FeedPosition(origin=CN_HK, size=size, root=bytes(32), cosigned_checkpoint=note)
        for size, note in ((1, b"nothing"), (7, b""), (7, invented), (1, checkpoint), (7, checkpoint), (0, checkpoint))
    ]


def test_a_recipient_that_fetches_can_not_stop_a_feed_with_a_claim(federation: Federation) -> None:
    """That it holds more, or something else, counts only with this node's own signature on exactly that."""

    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["hk"])
            async with at.hk.fetching(feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)) as stream:
                checkpoint = (await stream.read()).batch.checkpoint
            for lie in lies(federation, checkpoint):
                with pytest.raises(MalformedError, match=r"this node's (signature|checkpoint of another size)"):
                    async with at.hk.fetching(lie) as stream:
                        await at.hk.read(stream, "batch")
                await at.risk.publish(alert(), ["hk"])
            assert await at.alarms() == set()

    federation.run(run())


def test_a_recipient_that_is_pushed_to_can_not_stop_a_feed_with_a_claim(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["hk"])
            async with at.hk.fetching(feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)) as stream:
                checkpoint = (await stream.read()).batch.checkpoint
            for lie in lies(federation, checkpoint):
                async with recipient(federation, "hk", lie) as hk:

                    async def refused(hk: Any = hk) -> bool:
                        (link,) = [one for one in await at.operator.node.links() if one.origin == CN_HK]
                        return hk.opened > 1 and "MALFORMED" in link.last_error

                    await eventually(refused, what="the refusal of the position")
                await at.risk.publish(alert(), ["hk"])
            assert await at.alarms() == set()

    federation.run(run())


def test_a_publisher_that_shows_another_history_is_quarantined_when_the_link_opens(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.hk.send(at.hk.batch([an_alert() for _ in range(3)]))
            nothing = feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)

            async def link() -> Any:
                (found,) = [one for one in await at.operator.node.links() if one.origin == HK_CN]
                return found

            async with recipient(federation, "hk", nothing) as hk:
                more = [*at.hk.entries, an_alert(), an_alert()]
                hk.own_head = at.hk.head(more)
                hk.proof = merkle_oracle.consistency(3, [leaf(one) for one in more])

                async def audited() -> bool:
                    return bool(hk.asked)

                await eventually(audited, what="the question for a proof")
                assert (hk.asked[0].origin, hk.asked[0].old_size, hk.asked[0].new_size) == (HK_CN, 3, 5)
            await at.hk.send(at.hk.batch([an_alert()]))  # what it showed agrees with what it had sent
            assert at.stored == 4
            assert await at.alarms() == set()

            async with recipient(federation, "hk", nothing) as hk:
                rewritten = [an_alert() for _ in range(6)]
                hk.own_head = at.hk.head(rewritten)
                hk.proof = merkle_oracle.consistency(4, [leaf(one) for one in rewritten])

                async def quarantined() -> bool:
                    return (await link()).state == LINK_STATE_QUARANTINED

                await eventually(quarantined, what="the quarantine")
            folder = Path((await link()).evidence_path)
            assert "contradicts the 4 stored here" in (folder / "problem.txt").read_text()
            assert (folder / "received.checkpoint").read_bytes() == hk.own_head.cosigned_checkpoint
            assert (await refusal(at.hk.send(at.hk.batch([an_alert()])))).reason == "QUARANTINED"
            await at.everyone_else_is_served()

    federation.run(run())


def test_a_recipient_that_claims_another_history_blocks_its_own_feed_alone(federation: Federation) -> None:
    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["hk", "mo"])
            log_key = load_signing_key(federation.folder.node("cn").log_key, name=CN_HK)
            signed = sign_checkpoint(Checkpoint(CN_HK, 1, bytes(32)), log_key)  # cn itself, before it was restored
            other = feed_pb2.FeedPosition(origin=CN_HK, size=1, root=bytes(32), cosigned_checkpoint=signed)
            with pytest.raises(FeedForkedError, match="other entries"):
                async with at.hk.fetching(other) as stream:
                    await at.hk.read(stream, "batch")
            with pytest.raises(FeedForkedError):
                await at.risk.publish(alert(), ["hk"])
            await at.risk.publish(alert(), ["mo"])
            assert await at.alarms() == {"FEED_FORKED"}
            nothing = pb.FetchRequest(open=pb.FetchOpening(origin=CN_HK))  # and who doesn't say where it stands
            call = at.hk.stub.Fetch()
            await call.write(nothing)
            await at.hk.read(call, "position")
            assert isinstance(await refusal(at.hk.read(call, "batch")), InvalidRequestError)
            async with at.hk.fetching(feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)) as stream:
                assert (await stream.read()).batch.first_index == 0  # the truth heals it
            await at.risk.publish(alert(), ["hk"])

    federation.run(run())


def test_a_suspension_survives_that_its_feed_falls_behind(federation: Federation) -> None:
    """Both facts are shown, and what ends the one leaves the other."""

    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["hk"])
            await at.operator.node.suspend_link(CN_HK, reason="maintenance at hk")
            log_key = load_signing_key(federation.folder.node("cn").log_key, name=CN_HK)
            signed = sign_checkpoint(Checkpoint(CN_HK, 9, bytes(32)), log_key)
            more = feed_pb2.FeedPosition(origin=CN_HK, size=9, root=bytes(32), cosigned_checkpoint=signed)
            async with at.hk.fetching(more) as stream:
                assert (await refusal(at.hk.read(stream, "batch"))).reason == "FEED_BEHIND_PARTNER"

            async def shown() -> tuple[int, str]:
                (link,) = [one for one in await at.operator.node.links() if one.origin == CN_HK]
                return link.state, link.suspension

            assert await shown() == (LINK_STATE_RECOVERY_REQUIRED, "maintenance at hk")
            async with at.hk.fetching(feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)) as stream:
                assert (await refusal(at.hk.read(stream, "batch"))).reason == "LINK_SUSPENDED"
            assert await shown() == (LINK_STATE_SUSPENDED, "maintenance at hk")
            link = await at.operator.node.resume_link(CN_HK)
            assert (link.suspension, link.state != LINK_STATE_SUSPENDED) == ("", True)

    federation.run(run())


def test_a_suspended_feed_is_not_given_out_in_another_way(federation: Federation) -> None:
    """Neither to a recipient that fetches once, nor over a stream that was open before."""

    async def run() -> None:
        async with scene(federation) as at:
            await at.risk.publish(alert(), ["hk"])
            async with at.hk.fetching(feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)) as before:
                assert (await at.hk.read(before, "batch")).batch.first_index == 0
                await at.operator.node.suspend_link(CN_HK, reason="hk is under investigation")
                await at.risk.publish(alert(), ["hk"])
                assert (await refusal(at.hk.read(before, "batch"))).reason == "LINK_SUSPENDED"
            once = at.hk.stub.Fetch()
            await once.write(pb.FetchRequest(open=pb.FetchOpening(origin=CN_HK, until_current=True)))
            await at.hk.read(once, "position")
            refused = await refusal(at.hk.read(once, "batch"))
            assert (refused.reason, "investigation" in refused.message) == ("LINK_SUSPENDED", False)
            await at.operator.node.resume_link(CN_HK)
            async with at.hk.fetching(feed_pb2.FeedPosition(origin=CN_HK, root=EMPTY_ROOT)) as after:
                assert (await at.hk.read(after, "batch")).batch.first_index == 0

    federation.run(run())


def test_the_receipt_is_a_cosignature_on_the_checkpoint_that_was_sent(federation: Federation) -> None:
    """The control for all of the above: what is right is stored and receipted under the same root."""

    async def run() -> None:
        async with scene(federation) as at:
            batch = at.hk.batch([an_alert() for _ in range(5)])
            (receipt,) = await at.hk.send(batch)
            position = (await at.hk.stub.GetCheckpoint(pb.GetCheckpointRequest(origin=HK_CN))).position
            assert position.cosigned_checkpoint == batch.checkpoint + receipt.cosignature
            stored = federation["cn"].feed(HK_CN)
            assert [entry[0] for entry in stored.entries] == [one.header for one in batch.entries]
            assert position.root == stored.root
            assert leaf(batch.entries[0]) != leaf(batch.entries[1])
            assert feed("hk", "cn").line == HK_CN
            with pytest.raises(MalformedError):
                raise await refusal(at.hk.send(deepcopy(batch), feed_pb2.Batch(origin=HK_CN, first_index=5)))

    federation.run(run())
