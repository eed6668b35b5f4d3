"""What a recipient checks before it stores a batch: each test breaks exactly one of the numbered steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.contract import limits
from gateway.errors import (
    LinkSuspendedError,
    MalformedError,
    MisbehaviourError,
    PermissionDeniedError,
    QuarantinedError,
    SequenceError,
    TooLargeError,
    VerificationError,
)
from gateway.evidence.service.files import read_bundle
from gateway.evidence.service.quarantine_check import examine_quarantine
from gateway.feed.service.receiver import Refusal
from gateway.feed.service.states import SuspensionCommand
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body, sign_checkpoint, verify_cosignature_lines
from gateway.tlog.note import parse_note
from gateway.trust.rules.directory import FEED_EPOCHS
from gateway.v1 import feed_pb2
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import START, PaperNode, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


@pytest.fixture
def hk(nodes: list[PaperNode]) -> PaperNode:
    return nodes[1]


@pytest.fixture
def cn(nodes: list[PaperNode]) -> Author:
    return Author(nodes[0], "hk")


def receive(node: PaperNode, batch: feed_pb2.Batch, peer: str = "cn") -> feed_pb2.Receipt | Refusal:
    """As the transport does it: what arrives is bytes."""
    command = node.receiver.open_batch(peer, feed_pb2.Batch.FromString(batch.SerializeToString()))
    result: feed_pb2.Receipt | Refusal = node.writer.run(command)
    return result


def stored(node: PaperNode, author: Author) -> Feed:
    feed = node.outgoing.feed(author.origin)
    assert feed is not None
    return feed


def test_a_sound_batch_is_stored_and_receipted(nodes: list[PaperNode], cn: Author) -> None:
    sender, hk = nodes
    first, second = cn.batch(*cn.alerts(3)), cn.batch(*cn.alerts(2))
    assert isinstance(receive(hk, first), feed_pb2.Receipt)
    receipt = receive(hk, second)
    assert isinstance(receipt, feed_pb2.Receipt)
    assert (receipt.origin, receipt.size) == (cn.origin.line, 5)
    (verifier,) = hk.trust.cosign_verifiers("hk", START)
    cosigned = verify_cosignature_lines(second.checkpoint, receipt.cosignature, verifier)
    assert cosigned.timestamp == hk.clock.now // 1000
    feed = stored(hk, cn)
    assert (feed.size, feed.tree.root, feed.checkpoint) == (5, cn.tree.root, second.checkpoint)
    assert hk.outgoing.position(cn.origin).cosigned_checkpoint == second.checkpoint + receipt.cosignature
    assert sender.outgoing.size(cn.origin) == 0  # written by hand: the sender's database plays no part here


# 5a


@pytest.mark.parametrize(
    ("peer", "line"),
    [
        ("mo", "gba.customs.example/cn/hk/alerts"),  # somebody else's feed
        ("cn", "gba.customs.example/cn/mo/alerts"),  # to somebody else
        ("cn", "gba.customs.example/hk/cn/alerts"),  # the recipient's own
        ("cn", "other.example/cn/hk/alerts"),  # of another federation
        ("cn", "gba.customs.example/cn/hk/gossip"),  # no channel
        ("cn", "gba.customs.example/cn/hk"),
        ("cn", ""),
    ],
)
def test_5a_only_the_publisher_of_a_feed_to_this_node_sends_it(hk: PaperNode, cn: Author, peer: str, line: str) -> None:
    batch = cn.batch(*cn.alerts(1))
    batch.origin = line
    with pytest.raises(PermissionDeniedError):
        receive(hk, batch, peer)
    with hk.database.read() as conn:
        assert feeds.list_all(conn) == []


def test_5a_a_feed_of_another_epoch_than_the_present_one_is_refused(hk: PaperNode, cn: Author) -> None:
    hk.trust.directory = replace(hk.trust.directory, extensions={FEED_EPOCHS: {"cn/hk": 2}})
    batch = cn.batch(*cn.alerts(1))
    for epoch in (1, 3):
        batch.origin = replace(cn.origin, epoch=epoch).line
        with pytest.raises(PermissionDeniedError, match="present epoch"):
            receive(hk, batch)
    assert hk.receiver.require_right_peer("cn", replace(cn.origin, epoch=2).line).epoch == 2


# 5b


def test_5b_a_suspended_feed_takes_nothing_until_it_is_resumed(hk: PaperNode, cn: Author) -> None:
    batch = cn.batch(*cn.alerts(1))
    hk.writer.run(SuspensionCommand(cn.origin, "maintenance"))
    with pytest.raises(LinkSuspendedError):
        receive(hk, batch)
    assert stored(hk, cn).size == 0
    hk.writer.run(SuspensionCommand(cn.origin, ""))
    assert isinstance(receive(hk, batch), feed_pb2.Receipt)


def test_5b_a_feed_in_quarantine_takes_nothing_and_others_go_on(
    hk: PaperNode, cn: Author, nodes: list[PaperNode]
) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    forged = cn.batch(*cn.alerts(1), keep=False)
    forged.checkpoint = b"no note"
    assert isinstance(receive(hk, forged), Refusal)
    with pytest.raises(QuarantinedError):
        receive(hk, cn.batch(*cn.alerts(1)))
    assert stored(hk, cn).size == 1
    assert nodes[1].publish("cn")  # it goes on serving its own systems


# 6a


def test_6a_a_repetition_is_receipted_again_with_the_same_receipt(hk: PaperNode, cn: Author) -> None:
    batches = [cn.batch(*cn.alerts(2)), cn.batch(*cn.alerts(1))]
    receipts = [receive(hk, batch) for batch in batches]
    position = hk.outgoing.position(cn.origin)
    assert [receive(hk, batch) for batch in batches] == receipts
    assert hk.outgoing.position(cn.origin) == position


@pytest.mark.parametrize("first", [4, 2**63, 2**64 - 1])
def test_6a_a_gap_is_refused_and_told_where_to_go_on(hk: PaperNode, cn: Author, first: int) -> None:
    receive(hk, cn.batch(*cn.alerts(3)))
    batch = cn.batch(*cn.alerts(1))
    batch.first_index = first
    with pytest.raises(SequenceError) as refused:
        receive(hk, batch)
    assert refused.value.metadata["expected_index"] == "3"
    assert stored(hk, cn).state is FeedState.ACTIVE


def test_6a_a_batch_that_reaches_past_the_end_from_before_it_is_out_of_sequence(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(2)))
    batch = cn.batch(*cn.alerts(4))
    batch.first_index = 1
    with pytest.raises(SequenceError):
        receive(hk, batch)
    assert stored(hk, cn).size == 2


def test_6a_two_signed_checkpoints_of_one_size_are_a_fork_with_evidence(hk: PaperNode, cn: Author) -> None:
    other = cn.batch(*cn.alerts(1), keep=False)
    honest = cn.batch(*cn.alerts(1))
    receive(hk, honest)
    result = receive(hk, other)
    assert isinstance(result, Refusal)
    assert isinstance(result.error, MisbehaviourError)
    feed = stored(hk, cn)
    assert (feed.state, feed.size, feed.tree.root) == (FeedState.QUARANTINED, 1, cn.tree.root)
    folder = Path(feed.evidence_path)
    held, received = (folder / f"{name}.checkpoint" for name in ("held", "received"))
    roots = {parse_checkpoint_body(parse_note(each.read_bytes()).unverified_text).root for each in (held, received)}
    assert len(roots) == 2, "both signed statements are kept"
    assert (held.read_bytes(), received.read_bytes()) == (honest.checkpoint, other.checkpoint)
    assert feed_pb2.Batch.FromString((folder / "batch.binpb").read_bytes()) == other
    assert cn.origin.line in (folder / "problem.txt").read_text("utf-8")
    assert folder.stat().st_mode & 0o077 == 0


def test_6a_a_repetition_with_an_unsigned_checkpoint_is_misbehaviour(hk: PaperNode, cn: Author) -> None:
    batch = cn.batch(*cn.alerts(1))
    receive(hk, batch)
    stranger = Author(hk, "cn").key.named(cn.origin.line)
    batch.checkpoint = sign_checkpoint(Checkpoint(cn.origin.line, 1, cn.tree.root), stranger)
    assert isinstance(receive(hk, batch), Refusal)


def test_6a_a_repetition_of_other_entries_under_the_same_checkpoint_is_misbehaviour(hk: PaperNode, cn: Author) -> None:
    batch = cn.batch(*cn.alerts(2))
    receive(hk, batch)
    swapped = feed_pb2.Batch()
    swapped.CopyFrom(batch)
    del swapped.entries[:]
    swapped.entries.extend(reversed(batch.entries))
    assert isinstance(receive(hk, swapped), Refusal)


# 6b


def test_6b_an_empty_batch_is_refused(hk: PaperNode, cn: Author) -> None:
    batch = cn.batch(*cn.alerts(1))
    del batch.entries[:]
    with pytest.raises(MalformedError):
        receive(hk, batch)


def test_6b_more_entries_than_the_limit_are_refused(hk: PaperNode, cn: Author) -> None:
    entry = cn.event(published=cn.alert())
    with pytest.raises(MalformedError, match="1001"):
        receive(hk, cn.batch(*[entry] * (limits.MAX_BATCH_ENTRIES + 1), keep=False))
    assert isinstance(receive(hk, cn.batch(*[entry] * limits.MAX_BATCH_ENTRIES)), feed_pb2.Receipt)


def test_6b_more_bytes_than_the_limit_are_refused(hk: PaperNode, cn: Author) -> None:
    large = [cn.entry(bytes(limits.MAX_PAYLOAD_BYTES)) for _ in range(17)]
    with pytest.raises(TooLargeError):
        receive(hk, cn.batch(*large, keep=False))
    assert isinstance(receive(hk, cn.batch(*large[:15])), feed_pb2.Receipt)


def test_6b_a_payload_over_the_limit_is_refused(hk: PaperNode, cn: Author) -> None:
    entry = cn.entry(bytes(limits.MAX_PAYLOAD_BYTES))
    entry.payload += b"x"
    with pytest.raises(TooLargeError):
        receive(hk, cn.batch(entry))


def test_6b_a_header_over_the_limit_is_refused(hk: PaperNode, cn: Author) -> None:
    entry = cn.entry(b"x", type_name="A" * 300)
    with pytest.raises(TooLargeError):
        receive(hk, cn.batch(entry))


def test_6b_a_header_out_of_canonical_form_is_refused(hk: PaperNode, cn: Author) -> None:
    entry = cn.entry(b"x")
    entry.header += b"\x08\x01"  # format once more: parses the same, but isn't what would be written
    with pytest.raises(MalformedError, match="canonical"):
        receive(hk, cn.batch(entry))


def test_6b_a_payload_that_isnt_the_one_committed_to_is_refused(hk: PaperNode, cn: Author) -> None:
    entry = cn.entry(b"pure lead")
    entry.payload = b"antimony!"
    with pytest.raises(VerificationError) as refused:
        receive(hk, cn.batch(entry))
    assert refused.value.step == "payload digest"


def test_6b_salt_and_payload_have_one_border(hk: PaperNode, cn: Author) -> None:
    """Or one leaf would stand for many payloads: bytes could move from payload to salt under the same digest."""
    entry = cn.entry(b"not guilty")
    entry.salt, entry.payload = entry.salt + b"not ", b"guilty"
    with pytest.raises(MalformedError, match="salt"):
        receive(hk, cn.batch(entry))


def test_6b_an_erased_entry_still_counts(hk: PaperNode, cn: Author) -> None:
    entry = cn.entry(b"gone")
    entry.salt = entry.payload = b""
    assert isinstance(receive(hk, cn.batch(entry, *cn.alerts(1))), feed_pb2.Receipt)
    assert stored(hk, cn).size == 2


# 6c


def _quarantined(node: PaperNode, author: Author, batch: feed_pb2.Batch, reason: str) -> None:
    """Nothing of the batch is stored, and the feed is in quarantine with its evidence."""
    before = stored(node, author)
    result = receive(node, batch)
    assert isinstance(result, Refusal)
    after = stored(node, author)
    assert reason in after.state_reason
    assert (after.size, after.tree, after.checkpoint) == (before.size, before.tree, before.checkpoint)
    assert after.state is FeedState.QUARANTINED
    assert (Path(after.evidence_path) / "received.checkpoint").read_bytes() == batch.checkpoint
    with node.database.read() as conn:
        assert feeds.read_entries(conn, after.id, after.size, after.size + 10) == []


def test_6c_a_checkpoint_signed_by_another_key_is_quarantined(
    hk: PaperNode, cn: Author, nodes: list[PaperNode]
) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    cn.key = hk.signers.for_feed(cn.origin)  # a key of the federation, but not the publisher's
    _quarantined(hk, cn, cn.batch(*cn.alerts(1)), "")


def test_6c_a_checkpoint_of_another_feed_is_quarantined(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    other = Author(cn.node, "mo")
    other.tree = cn.tree
    entries = cn.alerts(1)
    batch = cn.batch(*entries)
    batch.checkpoint = other.batch(*entries).checkpoint
    _quarantined(hk, cn, batch, "")


def test_6c_a_flipped_bit_in_the_signature_is_quarantined(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    batch = cn.batch(*cn.alerts(1))
    note = bytearray(batch.checkpoint)
    note[-10] = ord("A") if note[-10] != ord("A") else ord("B")
    batch.checkpoint = bytes(note)
    _quarantined(hk, cn, batch, "")


def test_6c_a_key_counts_only_in_its_time(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    hk.clock.forward(int(timedelta(days=4 * 365) / timedelta(milliseconds=1)))
    _quarantined(hk, cn, cn.batch(*cn.alerts(1)), "valid now")
    assert hk.clock.now > START.timestamp() * 1000


# 6d


def test_6d_a_checkpoint_of_another_size_is_quarantined(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    entries = cn.alerts(2)
    batch = cn.batch(*entries)
    del batch.entries[1:]
    _quarantined(hk, cn, batch, "checkpoint is for 3 entries")


def test_6d_a_root_over_other_entries_is_quarantined(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    batch = cn.batch(*cn.alerts(1))
    batch.entries[0].CopyFrom(cn.event(published=cn.alert()))
    _quarantined(hk, cn, batch, "isn't the one signed")


def test_6d_the_first_batch_of_a_feed_is_quarantined_too(hk: PaperNode, cn: Author) -> None:
    batch = cn.batch(*cn.alerts(2))
    del batch.entries[1:]
    assert isinstance(receive(hk, batch), Refusal)
    assert stored(hk, cn).state is FeedState.QUARANTINED
    files = read_bundle(Path(stored(hk, cn).evidence_path))
    assert files.files["held.checkpoint"] == b""
    examination = examine_quarantine(files, directory_note=hk.trust.note)
    assert examination.evidence is None
    assert (examination.steps[-1].name, examination.steps[-1].detail.split(":")[0]) == (
        "held",
        "nothing was held before",
    )


@pytest.mark.both_databases
def test_6d_the_order_of_entries_is_signed(hk: PaperNode, cn: Author) -> None:
    receive(hk, cn.batch(*cn.alerts(1)))
    batch = cn.batch(*cn.alerts(2))
    first = feed_pb2.Entry.FromString(batch.entries[0].SerializeToString())
    batch.entries[0].CopyFrom(batch.entries[1])
    batch.entries[1].CopyFrom(first)
    _quarantined(hk, cn, batch, "isn't the one signed")
