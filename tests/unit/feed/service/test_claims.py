"""What a recipient signs that it holds: only its key makes a claim, and no honest recipient ever denies a receipt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from gateway.contract.ids import FeedOrigin
from gateway.errors import MalformedError, SignatureInvalidError, VerificationError
from gateway.feed.service import claims
from gateway.feed.service.alarms import CLOCK_SKEW, RECEIPT_DENIED, Alarms
from gateway.feed.service.claims import TOLERANCE_S, Claim, Claims, claimed_feed, excuse, verify_claim
from gateway.feed.service.sender import Outgoing
from gateway.feed.tables import restores
from gateway.feed.tables.restores import Restore
from gateway.tlog.checkpoint import Checkpoint, sign_held, verify_checkpoint, verify_cosignature_lines
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.tlog.note import parse_note
from gateway.v1 import feed_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, deliver, feed_of, paper_nodes
from tests.support.tlog_keys import TestKey

FEED = feed_of("cn", "hk")
HK = TestKey("gba.customs.example/hk/receipts", "recipient")
MO = TestKey("gba.customs.example/mo/receipts", "other")
TIME = 1_768_435_200
LAST = 253_402_300_799
CLAIM = Claim(FEED, 7, bytes(range(32)), TIME, TIME - 1000)
NOTE = CLAIM.sign(HK)


# The note


@given(
    size=st.integers(1, MAX_TREE_SIZE),
    root=st.binary(min_size=32, max_size=32),
    claimed_at=st.integers(0, LAST),
    restored_at=st.integers(0, LAST),
    others=st.lists(st.sampled_from(["replicas 2", "a later line", "claim"]), max_size=3).map(tuple),
)
def test_any_claim_round_trips(
    size: int, root: bytes, claimed_at: int, restored_at: int, others: tuple[str, ...]
) -> None:
    claim = Claim(FEED, size, root, claimed_at, restored_at, others)
    note = claim.sign(HK)
    assert verify_claim(note, HK.cosigner(), FEED) == claim
    assert claimed_feed(note) == FEED


@given(st.integers(0, len(NOTE) * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    changed = bytearray(NOTE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedError, SignatureInvalidError)):
        verify_claim(bytes(changed), HK.cosigner(), FEED)


@given(st.binary(max_size=300))
def test_what_isnt_a_claim_is_refused_whatever_it_is(data: bytes) -> None:
    with pytest.raises((MalformedError, SignatureInvalidError)):
        verify_claim(data, HK.cosigner(), FEED)
    with pytest.raises(MalformedError):
        claimed_feed(data)


def test_only_its_recipient_claims_and_only_of_this_feed() -> None:
    for note in (CLAIM.sign(MO), CLAIM.sign(TestKey(HK.name, "another"))):
        with pytest.raises(SignatureInvalidError):
            verify_claim(note, HK.cosigner(), FEED)
    with pytest.raises(MalformedError, match="not on"):
        verify_claim(NOTE, HK.cosigner(), feed_of("mo", "hk"))


@pytest.mark.parametrize("line", ["restored 0", "restored 07", "restored x", "restored ", f"restored {LAST + 1}"])
def test_a_claim_has_one_form(line: str) -> None:
    head = Checkpoint(f"{FEED}/claim", 7, bytes(32), (line,))
    with pytest.raises(MalformedError):
        verify_claim(sign_held(head, HK, TIME), HK.cosigner(), FEED)


def test_a_claim_has_one_signature_a_bounded_length_and_a_time_of_the_calendar() -> None:
    line = NOTE[NOTE.rindex("— ".encode()) :]
    long = replace(CLAIM, others=("x" * 2000, "y" * 1900)).sign(HK)
    for note, problem in (
        (NOTE + line, "one signature"),
        (long, "at most 4096 are read"),
        (replace(CLAIM, claimed_at=LAST + 1).sign(HK), "after the year 9999"),
    ):
        with pytest.raises(MalformedError, match=problem):
            verify_claim(note, HK.cosigner(), FEED)


def test_a_claim_is_no_receipt_and_no_checkpoint() -> None:
    """Its text has a name that no feed has; its signature covers that text alone."""
    line = NOTE[NOTE.rindex("— ".encode()) :]
    head = Checkpoint(FEED.line, CLAIM.size, CLAIM.root)
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(b"%b\n%b" % (head.body(), line), line, HK.cosigner())
    with pytest.raises(SignatureInvalidError):
        verify_checkpoint(NOTE, HK.verifier(), HK.name)
    with pytest.raises(MalformedError):
        FeedOrigin.parse(parse_note(NOTE).unverified_text.decode().partition("\n")[0])


# What denies a receipt


@given(
    receipted=st.integers(1, MAX_TREE_SIZE),
    receipted_at=st.integers(0, LAST - TOLERANCE_S),
    later=st.integers(0, 10**6),
    less=st.integers(1, 10**6),
)
def test_whoever_claims_less_later_and_names_no_restore_denies(
    receipted: int, receipted_at: int, later: int, less: int
) -> None:
    claimed = max(0, receipted - less)
    claim = Claim(FEED, claimed, bytes(32), min(LAST, receipted_at + TOLERANCE_S + later))
    assert excuse(claim, receipted, receipted_at) == ""
    assert "isn't 5 minutes later" in excuse(replace(claim, claimed_at=receipted_at), receipted, receipted_at)
    assert "isn't below" in excuse(replace(claim, size=receipted), receipted, receipted_at)
    assert "was restored" in excuse(replace(claim, restored_at=receipted_at + 1), receipted, receipted_at)
    assert "doesn't know" in excuse(replace(claim, others=("new",)), receipted, receipted_at)


_STEP = st.tuples(
    st.sampled_from(["grow", "receipt", "claim", "restore"]),
    st.integers(0, 2 * TOLERANCE_S),  # seconds that pass before it
    st.integers(-TOLERANCE_S // 2 + 1, TOLERANCE_S // 2 - 1),  # by which the clock is wrong
    st.integers(0, 5),
)


@given(st.lists(_STEP, max_size=30))
def test_an_honest_recipient_never_denies_a_receipt(steps: list[tuple[str, int, int, int]]) -> None:
    """Any claim beside any receipt: of a recipient that says when it was restored, and whose clock is nearly right."""
    size = restored_at = 0
    now, made, receipts = TIME, [], []
    for kind, passed, wrong, amount in steps:
        now += passed
        match kind:
            case "grow":
                size += amount
            case "receipt":
                receipts.append((size, now + wrong))
            case "claim":
                made.append(Claim(FEED, size, bytes(32), now + wrong, restored_at))
            case _:
                size, restored_at = max(0, size - amount), now + wrong
    for claim in made:
        for receipted, at in receipts:
            assert excuse(claim, receipted, at)


# The publisher


class Scene:
    """cn publishes to hk; both sign and judge claims."""

    def __init__(self, cn: PaperNode, hk: PaperNode, folder: Path) -> None:
        self.cn, self.hk, self.folder = cn, hk, folder / "quarantine"
        self.alarms = Alarms(cn.clock)
        self.claims = self._claims(cn)
        for node in (cn, hk):
            node.outgoing = Outgoing(
                node.database,
                writer=node.writer,
                trust=lambda: cn.trust,
                clock=node.clock,
                claims=self.claims if node is cn else self._claims(node),
            )

    def _claims(self, node: PaperNode) -> Claims:
        return Claims(
            node=node.name,
            signer=lambda: node.cosigner,
            trust=lambda: node.trust,
            clock=node.clock,
            releases=None,
            evidence_root=self.folder,
            alarms=self.alarms,
        )

    def receipted(self, count: int) -> None:
        """hk receipts so many more entries."""
        for _ in range(count):
            self.cn.publish("hk")
            deliver(self.cn, self.hk)

    def less(self, size: int = 0, **values: Any) -> feed_pb2.FeedPosition:
        """hk's position as if it held the first entries alone."""
        root = self.cn.outgoing.root_at(FEED, size)
        claim = replace(Claim(FEED, size, root, self.cn.clock() // 1000), **values)
        return feed_pb2.FeedPosition(origin=FEED.line, size=size, root=root, claim=claim.sign(self.hk.cosigner))

    def opened(self, position: feed_pb2.FeedPosition) -> None:
        self.cn.outgoing.agree_on_position(FEED, position)

    def alarm(self, code: str = RECEIPT_DENIED) -> str:
        return next((alarm.message for alarm in self.alarms.list() if alarm.code == code), "")

    def kept(self) -> dict[str, dict[str, bytes]]:
        """Files by folder."""
        return {folder.name: {file.name: file.read_bytes() for file in folder.iterdir()} for folder in self._folders()}

    def _folders(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []


@pytest.fixture
def scene(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Scene]:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        yield Scene(cn, hk, tmp_path)


@pytest.mark.both_databases
def test_a_recipient_claims_what_it_holds_and_nothing_of_its_own_feeds(scene: Scene) -> None:
    verifier = scene.cn.trust.every_cosign_verifier("hk")[0]
    for count in (0, 2):
        scene.receipted(count)
        position = scene.hk.outgoing.position(FEED)
        claim = verify_claim(position.claim, verifier, FEED)
        assert (claim.size, claim.root, claim.restored_at) == (count, position.root, 0)
        assert abs(claim.claimed_at - scene.hk.clock() // 1000) <= 1
        assert scene.cn.outgoing.position(FEED).claim == b""
        scene.opened(position)
    restored_at = scene.hk.clock()
    with scene.hk.database.write() as conn:
        restores.add(conn, Restore(1, restored_at, 0, 0, 0, 0, (), started=True))
    claim = verify_claim(scene.hk.outgoing.position(FEED).claim, verifier, FEED)
    assert claim.restored_at == restored_at // 1000
    assert scene.alarm() == ""


def test_a_claim_is_no_later_than_what_it_says_was_read(scene: Scene) -> None:
    """A machine may stand still in between, and another replica receipt more: a later time would deny that."""
    scene.receipted(1)
    before = scene.hk.clock()

    def stands_still(*_: object) -> None:
        scene.hk.clock.forward(10 * TOLERANCE_S * 1000)

    event.listen(scene.hk.database.readers, "engine_connect", stands_still)
    claim = verify_claim(scene.hk.outgoing.position(FEED).claim, scene.cn.trust.every_cosign_verifier("hk")[0], FEED)
    assert scene.hk.clock() > before + TOLERANCE_S * 1000
    assert claim.claimed_at <= before // 1000 + 1


@pytest.mark.both_databases
def test_a_denied_receipt_is_kept_once_and_the_feed_goes_on(scene: Scene) -> None:
    scene.receipted(3)
    scene.opened(scene.less(1))
    assert (scene.alarm(), scene.kept()) == ("", {})  # at once: it may be the older one
    scene.cn.clock.forward((TOLERANCE_S + 1) * 1000)
    position = scene.less(1)
    scene.opened(position)
    name = f"{FEED.line.replace('/', '_')}-denied-3"
    assert f"it holds 3 entries of {FEED}, and at " in scene.alarm()
    assert f"the evidence is in {scene.folder / name}" in scene.alarm()
    first = scene.kept()
    assert first[name]["claim.note"] == position.claim
    assert first[name]["receipt.checkpoint"] == scene.hk.outgoing.position(FEED).cosigned_checkpoint
    scene.opened(scene.less(0))
    assert scene.kept() == first
    scene.receipted(1)
    scene.cn.clock.forward((TOLERANCE_S + 1) * 1000)
    scene.opened(scene.less(0))
    assert [*scene.kept()] == [name, name.replace("-3", "-4")]


@pytest.mark.both_databases
def test_an_older_receipt_counts_where_the_newest_may_be_younger_than_the_claim(scene: Scene) -> None:
    scene.receipted(2)
    scene.cn.clock.forward((TOLERANCE_S + 1) * 1000)
    scene.receipted(1)
    scene.opened(scene.less(2))  # no less than that one
    assert scene.alarm() == ""
    scene.opened(scene.less(1))
    assert f"it holds 2 entries of {FEED}, and at " in scene.alarm()


def test_no_partner_fills_the_disk_with_denials(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_DENIALS", 2)
    for _ in range(3):
        scene.receipted(1)
        scene.cn.clock.forward((TOLERANCE_S + 1) * 1000)
        scene.opened(scene.less(0))
    assert len(scene.kept()) == 2
    assert f"the evidence of 2 such receipts is in {scene.folder}" in scene.alarm()


def test_where_evidence_cant_be_kept_the_alarm_says_so_and_the_feed_goes_on(scene: Scene) -> None:
    scene.folder.write_text("no folder")
    scene.receipted(1)
    scene.cn.clock.forward((TOLERANCE_S + 1) * 1000)
    scene.opened(scene.less(0))
    assert "the evidence can't be kept in" in scene.alarm()


def test_an_old_claim_shown_again_proves_nothing_and_its_time_is_an_alarm(scene: Scene) -> None:
    scene.receipted(1)
    position = scene.less(0, claimed_at=scene.cn.clock() // 1000 - 2 * TOLERANCE_S)
    scene.opened(position)
    assert (scene.alarm(), scene.kept()) == ("", {})
    assert "behind" in scene.alarm(CLOCK_SKEW)


def test_a_position_whose_claim_isnt_right_is_refused(scene: Scene) -> None:
    scene.receipted(2)
    right = scene.less(1)
    forged = feed_pb2.FeedPosition()
    forged.CopyFrom(right)
    forged.claim = Claim(FEED, 1, right.root, scene.cn.clock() // 1000).sign(scene.cn.cosigner)
    of_another_size, cut = feed_pb2.FeedPosition(), feed_pb2.FeedPosition()
    of_another_size.CopyFrom(right)
    of_another_size.claim = scene.less(2).claim
    cut.CopyFrom(right)
    cut.claim = right.claim[:-4]
    for wrong in (forged, of_another_size, cut):
        with pytest.raises((VerificationError, MalformedError), match=f"the claim of hk on {FEED} isn't right: "):
            scene.opened(wrong)
    scene.opened(right)
