"""A recipient that claims less than it has receipted: its signed claim proves that, and nothing is signed twice."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.errors import (
    EpochNeededError,
    FeedBehindError,
    GatewayError,
    MalformedError,
    SignatureInvalidError,
    StoreUnavailableError,
    UnavailableError,
)
from gateway.feed.service.claims import Claim
from gateway.node.assembly.node import system_clock_ms
from gateway.tlog.checkpoint import cosign
from gateway.tlog.merkle import EMPTY_ROOT
from gateway.trust.pki.keys import Ed25519Signer
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import feed_pb2
from tests.support.command_line import Cli
from tests.support.federation import PATIENCE_S, Federation, NodeProcess, alert, eventually, feed, origin, with_logs
from tests.support.files_put_back import keep_files, put_files_back
from tests.support.partner import Partner

CN_HK = origin("cn", "hk")


@dataclass
class Clock:
    """The time, and how far a test has moved it."""

    ahead_s: int

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_s * 1000


def an_hour_ago() -> datetime:
    """When keys were made: they are valid at all times that these tests sign."""
    return datetime.now(UTC) - timedelta(hours=1)


def now_s() -> int:
    return system_clock_ms() // 1000


async def denied(operator: GatewayClient, name: str) -> str:
    """The alarm about a feed; empty while there is none."""
    alarms = (await operator.node.status()).alarms
    return next((alarm.message for alarm in alarms if alarm.code == "RECEIPT_DENIED" and name in alarm.message), "")


def evidence(node: NodeProcess, name: str, size: int) -> Path:
    return node.data / "quarantine" / f"{name.replace('/', '_')}-denied-{size}"


def proved(federation: Federation, folder: Path, receipted: int, claimed: int) -> None:
    """`gateway evidence verify` says so to others, in words and in JSON, and nothing of a changed note."""
    cli, trusted = Cli(federation, "mo"), ("--directory", federation.folder.directory)
    shown = cli.run("", "evidence", "verify", folder, *trusted).output
    assert f"entries of {(folder / 'problem.txt').read_text().splitlines()[0]}, and at " in shown or receipted == 1
    assert f"that it holds {claimed}." in shown
    found = cli.json("", "evidence", "verify", folder, *trusted)
    assert found["verified"] is True
    assert (found["evidence"]["receipted_size"], found["evidence"]["claimed_size"]) == (receipted, claimed)
    for name, size in (("claim.note", claimed), ("receipt.checkpoint", receipted)):
        changed = folder.with_name(f"{folder.name}-changed-{name}")
        shutil.copytree(folder, changed)
        note = (changed / name).read_bytes()
        (changed / name).write_bytes(note.replace(f"\n{size}\n".encode(), f"\n{size + 5}\n".encode(), 1))
        refused = cli.json("", "evidence", "verify", changed, *trusted, code=1)
        assert [step["name"] for step in refused["steps"] if step["status"] == "failed"] == [name.partition(".")[0]]


# Two nodes that go back


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path, now=an_hour_ago())


def keep_all(node: NodeProcess, folder: Path) -> None:
    """Copies database and marks, as a snapshot of the machine does."""
    keep_files(node, folder)
    for file in node.data.glob("marks*"):
        shutil.copy2(file, folder / file.name)


def test_a_recipient_that_denies_its_receipt_after_a_restore_has_signed_both(nodes: Federation, tmp_path: Path) -> None:
    """cn and hk lose the same entries; hk has receipted them, and says nothing of a restore."""
    cn, hk, clock = nodes["cn"], nodes["hk"], Clock(-200)

    async def exchanged(count: int) -> int:
        """Publishes alerts and returns the feed's size, when cn keeps the receipt for it beside the marks."""
        async with nodes.inside("hk", clock=clock), nodes.client("cn", "publisher") as risk:
            for _ in range(count):
                await risk.publish(alert(), ["hk"])
            await nodes.converged(("cn", "hk"), ("hk", "cn"))
            size, root = hk.feed(CN_HK).size, hk.feed(CN_HK).root

            async def kept() -> bool:
                return f" {size} {root.hex()} ".encode() in (cn.data / "marks.releases").read_bytes()

            await eventually(kept, what="the receipt beside the marks")
            return size

    async def run() -> None:
        cn.start()
        claimed = await exchanged(1)
        cn.stop()
        keep_files(cn, tmp_path / "cn")
        keep_all(hk, tmp_path / "hk")
        cn.start()
        receipted = await exchanged(2)
        cn.stop()
        assert receipted > claimed
        put_files_back(cn, tmp_path / "cn")
        put_files_back(hk, tmp_path / "hk")
        async with nodes.inside("hk", clock=clock):
            clock.ahead_s = 200  # 400 s after its receipts
            cn.start()
            async with nodes.client("cn", "operator") as operator, nodes.client("cn", "publisher") as risk:
                message = await eventually(lambda: denied(operator, CN_HK), what="the alarm")
                assert f"that it holds {receipted} entries of {CN_HK}, and at " in message
                assert f"that it holds {claimed}: it was restored from an older backup, or hides" in message
                assert str(evidence(cn, CN_HK, receipted)) in message
                with pytest.raises(FeedBehindError):
                    await risk.publish(alert(), ["hk"])
                with pytest.raises(EpochNeededError):
                    await operator.node.recover_feed(CN_HK)
        proved(nodes, evidence(cn, CN_HK, receipted), receipted, claimed)
        for file in hk.data.glob("marks*"):  # from now on hk can't know what it lacks, and says that it was restored
            file.unlink()
        async with nodes.inside("hk", clock=clock):

            async def explained() -> bool:
                return f"has receipted {receipted}: the recipient says in its claim that it was restored" in cn.log

            await eventually(explained, what="the claim of a restored node")

    nodes.run(run())


# One node, and partners that fetch by hand


@pytest.fixture(scope="module")
def cn_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("federation"), now=an_hour_ago()):
        made.start("cn")
        yield made


@asynccontextmanager
async def partner_of(federation: Federation, name: str) -> AsyncIterator[Partner]:
    partner = Partner(federation, name, "cn")
    try:
        yield partner
    finally:
        await partner.close()


def claim_of_nothing(partner: Partner, **values: Any) -> Claim:
    return replace(Claim(feed("cn", partner.name), 0, EMPTY_ROOT, now_s()), **values)


async def first_batch(
    partner: Partner, claim: Claim | None, *, signer: Ed25519Signer | None = None, receipted_at_s: int = 0
) -> int:
    """Fetches from the beginning with a claim, or with none as earlier releases; the size after the first batch.

    A connection that breaks on a busy machine, or a node that asks for another attempt, is tried again, as a node does.

    Args:
        receipted_at_s: when the partner receipts the batch; 0: it doesn't.

    Raises:
        GatewayError: what cn answered instead.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await _first_batch(partner, claim, signer or partner.receipts_key, receipted_at_s)
        except (UnavailableError, StoreUnavailableError):
            if time.monotonic() > deadline:
                raise


async def _first_batch(partner: Partner, claim: Claim | None, signer: Ed25519Signer, receipted_at_s: int) -> int:
    position = feed_pb2.FeedPosition(origin=origin("cn", partner.name), size=0, root=EMPTY_ROOT)
    if claim is not None:
        position.claim = claim.sign(signer)
    async with partner.fetching(position) as call:
        batch: feed_pb2.Batch = (await partner.read(call, "batch")).batch
        size = len(batch.entries)
        if receipted_at_s:
            line = cosign(batch.checkpoint, partner.receipts_key, receipted_at_s)
            receipt = feed_pb2.Receipt(origin=batch.origin, size=size, cosignature=line)
            await call.write(pb.FetchRequest(receipt=receipt))
            await call.done_writing()
            while await call.read():  # until cn has taken it and ends the stream
                pass
    return size


async def published(federation: Federation, partner: str) -> None:
    async with federation.client("cn", "publisher") as risk:
        await risk.publish(alert(), [partner])


async def receipted(federation: Federation, partner: Partner) -> int:
    """cn publishes, and the partner receipts it ten minutes ago; returns the size."""
    async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
        await risk.publish(alert(), [partner.name])
        size = await first_batch(partner, None, receipted_at_s=now_s() - 600)

        async def stored() -> bool:
            links = await operator.node.links()
            return any(link.origin == origin("cn", partner.name) and link.receipted_size == size for link in links)

        await eventually(stored, what="the receipt at cn")
        return size


def test_a_partner_that_fetches_and_denies_its_receipt_is_proved_and_served(cn_alone: Federation) -> None:
    """cn has lost nothing: what hk lost, or hides, comes again."""

    async def run() -> None:
        async with partner_of(cn_alone, "hk") as hk, cn_alone.client("cn", "operator") as operator:
            size = await receipted(cn_alone, hk)
            assert await first_batch(hk, claim_of_nothing(hk, claimed_at=now_s() - 500)) == size
            assert not await denied(operator, CN_HK)  # the claim may be the older one
            assert await first_batch(hk, claim_of_nothing(hk)) == size
            assert "and at " in await denied(operator, CN_HK)
            folder = evidence(cn_alone["cn"], CN_HK, size)
            kept = {file.name: file.read_bytes() for file in folder.iterdir()}
            await first_batch(hk, claim_of_nothing(hk, claimed_at=now_s() + 1))
            assert {file.name: file.read_bytes() for file in folder.iterdir()} == kept  # the first one stays
        proved(cn_alone, folder, size, 0)

    cn_alone.run(run())


def test_a_partner_that_was_restored_or_claims_nothing_is_served_without_alarm(cn_alone: Federation) -> None:
    async def run() -> None:
        async with partner_of(cn_alone, "mo") as mo, cn_alone.client("cn", "operator") as operator:
            size = await receipted(cn_alone, mo)
            for claim in (None, claim_of_nothing(mo, restored_at=now_s() - 60)):
                assert await first_batch(mo, claim) == size
            assert not await denied(operator, mo_feed := origin("cn", "mo"))
            assert not evidence(cn_alone["cn"], mo_feed, size).exists()

    cn_alone.run(run())


def test_a_claim_that_isnt_right_is_refused(cn_alone: Federation) -> None:
    async def run() -> None:
        async with partner_of(cn_alone, "mo") as mo, partner_of(cn_alone, "hk") as hk:
            await published(cn_alone, "mo")
            right = claim_of_nothing(mo)
            wrong: list[tuple[Claim, Ed25519Signer, type[GatewayError], str]] = [
                (right, hk.receipts_key, SignatureInvalidError, "signed by 0 known keys"),
                (replace(right, size=1), mo.receipts_key, MalformedError, "another size or root than the position"),
                (replace(right, origin=feed("cn", "hk")), mo.receipts_key, MalformedError, "not on .*cn/mo/alerts"),
            ]
            for claim, signer, kind, problem in wrong:
                with pytest.raises(kind, match=f"the claim of mo on .*cn/mo/alerts isn't right: .*{problem}"):
                    await first_batch(mo, claim, signer=signer)
            await first_batch(mo, right)

    cn_alone.run(run())
