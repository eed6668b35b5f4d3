"""The publisher's side against the store: positions, batches, receipts, and what a restored node fetches back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.alerts.commands.placing import PublishCommand
from gateway.contract import limits
from gateway.errors import (
    FeedBehindError,
    FeedForkedError,
    GatewayError,
    MalformedError,
    SequenceError,
    SignatureInvalidError,
    VerificationError,
)
from gateway.feed.rules import Outbound, Standing, compare_position
from gateway.feed.service.alarms import CLOCK_SKEW, Alarms
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.continuity.recovery import RecoverCommand, Start, detect_restore
from gateway.feed.service.states import StateCommand, SuspensionCommand
from gateway.feed.tables.feeds import FeedState
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tlog.merkle import EMPTY_ROOT
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import feed_pb2
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import START, PaperNode, alert_content, deliver, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


@pytest.fixture
def cn(nodes: list[PaperNode]) -> PaperNode:
    return nodes[0]


@pytest.fixture
def hk(nodes: list[PaperNode]) -> PaperNode:
    return nodes[1]


def state(node: PaperNode) -> FeedState:
    feed = node.outgoing.feed(node.origin("hk"))
    assert feed is not None
    return feed.state


def batch(node: PaperNode, first: int) -> feed_pb2.Batch:
    feed = node.outgoing.feed(node.origin("hk"))
    assert feed is not None
    found = node.outgoing.read_batch(feed, first)
    assert found is not None
    return found


# Positions


def test_an_empty_feed_has_the_empty_root(cn: PaperNode) -> None:
    position = cn.outgoing.position(cn.origin("hk"))
    assert (position.size, position.root, position.cosigned_checkpoint) == (0, EMPTY_ROOT, b"")


def test_a_prefix_continues(cn: PaperNode, hk: PaperNode) -> None:
    origin = cn.origin("hk")
    for count in (0, 1, 2):
        assert cn.outgoing.agree_on_position(origin, hk.outgoing.position(origin)).size == count
        cn.publish("hk")
        deliver(cn, hk)


@pytest.mark.both_databases
def test_a_position_brings_the_receipt_that_was_lost(cn: PaperNode, hk: PaperNode) -> None:
    origin = cn.origin("hk")
    cn.publish("hk")
    deliver(cn, hk, receipts=False)
    assert cn.outgoing.made(origin).receipted_size == 0
    cn.outgoing.agree_on_position(origin, hk.outgoing.position(origin))
    assert cn.outgoing.made(origin).receipted_size == 1


def test_a_forged_position_brings_no_receipt(cn: PaperNode, hk: PaperNode) -> None:
    origin = cn.origin("hk")
    cn.publish("hk")
    deliver(cn, hk, receipts=False)
    position = hk.outgoing.position(origin)
    checkpoint = batch(cn, 0).checkpoint
    stranger = cosign(checkpoint, cn.cosigner, 1_768_464_000)  # soundly signed, by somebody else
    for forged in (b"", checkpoint, checkpoint + stranger, position.cosigned_checkpoint[:-4] + b"AA=\n"):
        position.cosigned_checkpoint = forged
        with pytest.raises((SignatureInvalidError, MalformedError)):
            cn.outgoing.agree_on_position(origin, position)
    assert cn.outgoing.made(origin).receipted_size == 0


def test_whose_recipient_holds_more_is_behind_and_publishes_nothing(cn: PaperNode, hk: PaperNode) -> None:
    author = Author(cn, "hk")
    hk.writer.run(hk.receiver.open_batch("cn", author.batch(*author.alerts(3))))
    with pytest.raises(FeedBehindError):
        cn.outgoing.agree_on_position(author.origin, hk.outgoing.position(author.origin))
    assert state(cn) is FeedState.BEHIND
    with pytest.raises(FeedBehindError):
        cn.publish("hk")
    assert cn.outgoing.size(author.origin) == 0


def test_whose_recipient_holds_other_entries_is_forked_and_publishes_nothing(cn: PaperNode, hk: PaperNode) -> None:
    author = Author(cn, "hk")
    hk.writer.run(hk.receiver.open_batch("cn", author.batch(*author.alerts(1))))
    cn.publish("hk")
    with pytest.raises(FeedForkedError):
        cn.outgoing.agree_on_position(author.origin, hk.outgoing.position(author.origin))
    assert state(cn) is FeedState.FORKED
    with pytest.raises(FeedForkedError):
        cn.publish("hk")


@pytest.mark.parametrize(
    ("own", "root_there", "theirs", "standing"),
    [
        (0, EMPTY_ROOT, 0, Standing.CONTINUES),
        (5, EMPTY_ROOT, 0, Standing.CONTINUES),
        (5, b"r", 3, Standing.CONTINUES),
        (5, b"r", 5, Standing.CONTINUES),
        (5, b"s", 3, Standing.FORKED),
        (5, b"s", 5, Standing.FORKED),
        (5, None, 6, Standing.BEHIND),
        (5, b"r", 6, Standing.BEHIND),
        (0, None, 1, Standing.BEHIND),
    ],
)
def test_judgement(own: int, root_there: bytes | None, theirs: int, standing: Standing) -> None:
    their_root = EMPTY_ROOT if theirs == 0 else b"r"
    judged = compare_position(own_size=own, own_root_at_theirs=root_there, their_size=theirs, their_root=their_root)
    assert judged is standing


@pytest.mark.parametrize(("old", "new"), [(2, 1), (0, 4), (3, 3 + 1), (2**63, 2**64 - 1)])
def test_a_consistency_proof_that_cant_be_is_malformed(cn: PaperNode, old: int, new: int) -> None:
    for _ in range(3):
        cn.publish("hk")
    with pytest.raises(GatewayError):
        cn.outgoing.consistency(cn.origin("hk"), old, new)
    assert cn.outgoing.consistency(cn.origin("hk"), 1, 3)


# Receipts


def test_a_receipt_came_when_its_recipient_signed_it(cn: PaperNode, hk: PaperNode) -> None:
    cn.publish("hk")
    receipt = hk.writer.run(hk.receiver.open_batch("cn", batch(cn, 0)))
    signed_at = cn.outgoing.verify_receipt(cn.origin("hk"), receipt).receipted_at
    assert signed_at == hk.clock.now // 1000 * 1000


def test_a_receipt_is_kept_once(cn: PaperNode, hk: PaperNode) -> None:
    origin = cn.origin("hk")
    cn.publish("hk")
    receipt = hk.writer.run(hk.receiver.open_batch("cn", batch(cn, 0)))
    for _ in range(2):
        assert cn.writer.run(cn.outgoing.verify_receipt(origin, receipt)) == 1
    assert cn.outgoing.made(origin).receipted_size == 1


@pytest.mark.parametrize("size", [0, 2, 2**31, 2**63, 2**64 - 1])
def test_a_receipt_for_what_wasnt_sent_is_malformed(cn: PaperNode, hk: PaperNode, size: int) -> None:
    cn.publish("hk")
    receipt = hk.writer.run(hk.receiver.open_batch("cn", batch(cn, 0)))
    receipt.size = size
    with pytest.raises(MalformedError):
        cn.outgoing.verify_receipt(cn.origin("hk"), receipt)


def test_a_receipt_of_another_feed_or_checkpoint_or_signer_counts_for_nothing(cn: PaperNode, hk: PaperNode) -> None:
    origin = cn.origin("hk")
    receipts = []
    for first in (0, 1):
        cn.publish("hk")
        receipts.append(hk.writer.run(hk.receiver.open_batch("cn", batch(cn, first))))
    other_feed = feed_pb2.Receipt(origin=cn.origin("mo").line, size=1, cosignature=receipts[0].cosignature)
    crossed = feed_pb2.Receipt(origin=origin.line, size=1, cosignature=receipts[1].cosignature)
    own = feed_pb2.Receipt(origin=origin.line, size=1, cosignature=cosign(batch(cn, 0).checkpoint, cn.cosigner, 1))
    for forged in (other_feed, crossed, own, feed_pb2.Receipt(origin=origin.line, size=1)):
        with pytest.raises((MalformedError, SignatureInvalidError)):
            cn.outgoing.verify_receipt(origin, forged)
    assert cn.outgoing.made(origin).receipted_size == 0


# Batches and the window


@pytest.mark.parametrize("signed_at", [253_402_300_800, 2**61, 2**63 - 1])
def test_a_receipt_of_a_time_beyond_the_calendar_is_malformed(cn: PaperNode, hk: PaperNode, signed_at: int) -> None:
    cn.publish("hk")
    origin = cn.origin("hk")
    line = cosign(batch(cn, 0).checkpoint, hk.cosigner, signed_at)
    with pytest.raises(MalformedError, match="after the year 9999"):
        cn.writer.run(
            cn.outgoing.verify_receipt(origin, feed_pb2.Receipt(origin=origin.line, size=1, cosignature=line))
        )


def test_batches_end_at_checkpoints_and_cover_everything_once(cn: PaperNode) -> None:
    for _ in range(7):
        cn.publish("hk")
    feed = cn.outgoing.made(cn.origin("hk"))
    for first in range(7):
        found = cn.outgoing.read_batch(feed, first)
        assert found is not None
        assert (found.first_index, len(found.entries)) == (first, 7 - first)
    for beyond in (7, 8, 2**63 - 1, 2**63, 2**64 - 1):
        assert cn.outgoing.read_batch(feed, beyond) is None


def test_a_batch_for_a_narrow_link_ends_at_a_further_checkpoint_of_the_same_tree(cn: PaperNode, hk: PaperNode) -> None:
    origin = cn.origin("hk")
    requests = [
        PublishAlertRequest(request_id=str(uuid.uuid4()), recipients=["hk"], content=alert_content(cn.clock.now))
        for _ in range(9)
    ]
    prepared = [cn.publisher.prepare(request, "risk-engine") for request in requests]
    cn.writer.run(PublishCommand(prepared, principal="system/cn/risk-engine"))
    whole = batch(cn, 0)
    assert len(whole.entries) == 9
    first = 0
    while first < 9:
        feed = cn.outgoing.made(origin)
        part = cn.outgoing.read_batch(feed, first, most_bytes=2 * whole.entries[0].ByteSize())
        assert part is not None
        assert len(part.entries) <= 2
        first += len(part.entries)
        receipt = hk.writer.run(hk.receiver.open_batch("cn", part))
        cn.writer.run(cn.outgoing.verify_receipt(origin, receipt))
    here, there = cn.outgoing.made(origin), hk.outgoing.made(origin)
    assert (here.tree, here.receipted_size) == (there.tree, 9)
    alone = cn.outgoing.read_batch(here, 0, most_bytes=1)
    assert alone is not None
    assert len(alone.entries) == 1  # one entry goes, however large


def test_the_window_bounds_what_is_on_its_way_and_receipts_open_it() -> None:
    outbound = Outbound(position=10, head=100, window=2)
    assert outbound.sent_size == 10
    for size in (20, 30):
        following = outbound.next_range()
        assert following is not None
        outbound.sent(size)
    assert outbound.next_range() is None
    assert outbound.sent_size == 30
    with pytest.raises(MalformedError):
        outbound.receipt(25)
    outbound.receipt(30)  # says that everything before it is there as well
    assert (outbound.in_flight, outbound.receipted) == (0, 30)
    with pytest.raises(MalformedError):
        outbound.receipt(20)
    outbound.sent(100)
    outbound.receipt(100)
    assert outbound.idle
    outbound.head_moved(50)
    assert outbound.idle
    outbound.head_moved(101)
    assert not outbound.idle
    assert limits.WINDOW_BATCHES == 8


# Recovery: its four checks


def _recover(node: PaperNode, given: feed_pb2.Batch) -> int:
    size: int = node.writer.run(RecoverCommand(node.origin("hk"), given, lambda: node.trust))
    return size


def test_own_entries_come_back(cn: PaperNode) -> None:
    author = Author(cn, "hk")
    cn.writer.run(StateCommand(author.origin, FeedState.BEHIND, "restored"))
    assert _recover(cn, author.batch(*author.alerts(3))) == 3
    assert _recover(cn, author.batch(*author.alerts(2))) == 5
    assert cn.outgoing.made(author.origin).tree == author.tree
    assert state(cn) is FeedState.BEHIND, "until the positions have been compared"


def test_a_restore_leaves_an_operators_suspension(cn: PaperNode, tmp_path: Path) -> None:
    cn.publish("hk")
    cn.writer.run(SuspensionCommand(cn.origin("hk"), "maintenance"))
    marks = Marks(f"{FEDERATION}/cn", [tmp_path / "marks"])
    start = Start(own=[cn.origin("hk")], keys_known_since=0, now_ms=cn.clock(), starts=tmp_path / "starts")
    assert detect_restore(cn.database, OwnHistory(marks, node="cn"), start), "without marks it may be a restored one"
    feed = cn.outgoing.feed(cn.origin("hk"))
    assert feed is not None
    assert (feed.state, feed.suspension) == (FeedState.BEHIND, "maintenance")
    cn.writer.run(StateCommand(feed.origin, FeedState.ACTIVE, ""))
    feed = cn.outgoing.feed(cn.origin("hk"))
    assert feed is not None
    assert (feed.state, feed.suspended) == (FeedState.ACTIVE, True)


def test_a_claim_without_this_nodes_signature_changes_nothing(cn: PaperNode, hk: PaperNode) -> None:
    """Signed by the recipient, for another feed, size or root, or not at all."""
    origin = cn.origin("hk")
    cn.publish("hk")
    key, root = cn.signers.for_feed(origin), bytes(32)
    other = cn.origin("mo")
    notes = {
        "no checkpoint": b"",
        "with this node's signature": sign_checkpoint(Checkpoint(origin.line, 5, root), hk.signers.for_feed(origin)),
        "no checkpoint of them": sign_checkpoint(Checkpoint(other.line, 5, root), cn.signers.for_feed(other)),
        "another size or root": sign_checkpoint(Checkpoint(origin.line, 6, root), key),
        "of another size": sign_checkpoint(Checkpoint(origin.line, 5, bytes(31) + b"x"), key),
    }
    for missing, note in notes.items():
        position = feed_pb2.FeedPosition(origin=origin.line, size=5, root=root, cosigned_checkpoint=note)
        with pytest.raises(MalformedError, match=missing):
            cn.outgoing.agree_on_position(origin, position)
        assert state(cn) is FeedState.ACTIVE
    revoked = replace(cn.trust.directory.nodes["cn"].log_keys[0], revoked_at=START)
    nodes = {**cn.trust.directory.nodes, "cn": replace(cn.trust.directory.nodes["cn"], log_keys=(revoked,))}
    cn.trust.directory = replace(cn.trust.directory, nodes=nodes)  # what it signed once it has signed
    note = sign_checkpoint(Checkpoint(origin.line, 5, root), key)
    with pytest.raises(FeedBehindError):
        cn.outgoing.agree_on_position(
            origin, feed_pb2.FeedPosition(origin=origin.line, size=5, root=root, cosigned_checkpoint=note)
        )


def test_recover_1_entries_follow_on_what_is_there(cn: PaperNode) -> None:
    author = Author(cn, "hk")
    skipped, following = author.batch(*author.alerts(1)), author.batch(*author.alerts(1))
    with pytest.raises(SequenceError):
        _recover(cn, following)
    skipped.origin = cn.origin("mo").line
    with pytest.raises(SequenceError):
        _recover(cn, skipped)


def test_recover_2_every_entry_is_sound(cn: PaperNode) -> None:
    author = Author(cn, "hk")
    given = author.batch(*author.alerts(1))
    given.entries[0].payload += b"x"
    with pytest.raises(VerificationError):
        _recover(cn, given)


def test_recover_3_only_what_this_node_signed_itself(cn: PaperNode, hk: PaperNode) -> None:
    author = Author(cn, "hk")
    author.key = hk.signers.for_feed(author.origin)
    with pytest.raises(SignatureInvalidError):
        _recover(cn, author.batch(*author.alerts(1)))


def test_recover_4_the_root_is_the_one_signed(cn: PaperNode) -> None:
    author = Author(cn, "hk")
    given = author.batch(*author.alerts(1))
    given.entries[0].CopyFrom(author.alerts(1)[0])
    with pytest.raises(VerificationError):
        _recover(cn, given)
    shortened = author.batch(*author.alerts(2), keep=False)
    del shortened.entries[1:]
    with pytest.raises(GatewayError):
        _recover(cn, shortened)
    assert cn.outgoing.size(author.origin) == 0


# Alarms


def test_a_clock_is_doubted_only_for_the_future_and_only_as_long_as_it_lasts() -> None:
    alarms = Alarms(lambda: 1_000_000_000)
    bound = limits.MAX_CLOCK_SKEW_MS
    for time in (0, 1_000_000_000, 1_000_000_000 + bound):
        alarms.compare_clocks("hk", time)
        assert alarms.list() == []
    alarms.compare_clocks("hk", 1_000_000_001 + bound)
    alarms.compare_clocks("mo", 2**63 - 1)
    assert [(alarm.code, alarm.subject) for alarm in alarms.list()] == [(CLOCK_SKEW, "hk"), (CLOCK_SKEW, "mo")]
    alarms.compare_clocks("hk", 1_000_000_000)
    assert [alarm.subject for alarm in alarms.list()] == ["mo"]
    alarms.clear(CLOCK_SKEW, "hk")
    alarms.clear(CLOCK_SKEW, "mo")
    assert alarms.list() == []


def test_an_alarm_keeps_the_time_at_which_it_rose() -> None:
    times = iter(range(1, 10))
    alarms = Alarms(lambda: next(times))
    alarms.set("B", "x", "first")
    alarms.set("A", "y", "second")
    alarms.set("B", "x", "again")
    assert [(alarm.code, alarm.message, alarm.since) for alarm in alarms.list()] == [
        ("B", "again", 1),
        ("A", "second", 2),
    ]
