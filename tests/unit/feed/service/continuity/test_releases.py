"""What may have left a node is signed once: a recipient that hides it, or has lost it, gets no second history."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.errors import EpochNeededError, FeedBehindError, FeedForkedError, StoreUnavailableError
from gateway.feed.service.alarms import MARKS, Alarms
from gateway.feed.service.continuity import releases
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.releases import SLOT_BYTES, UNKNOWN, KeptReceipt, Releases
from gateway.feed.service.states import GiveUpCommand, StateCommand
from gateway.feed.tables.feeds import FeedState
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.machine_node import Machine
from tests.support.nodes import ManualClock, deliver, feed_of

NODE = f"{FEDERATION}/cn"
ORIGIN, OTHER = feed_of("cn", "hk"), feed_of("cn", "mo")
RECEIPT = KeptReceipt(3, bytes(32), b"a checkpoint\n\n\xe2\x80\x94 signed\n")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    clock = ManualClock()
    cn, hk = Machine("cn", tmp_path, clock), Machine("hk", tmp_path, clock)
    yield cn, hk
    cn.stop()
    hk.stop()


def published(machine: Machine, count: int = 1) -> None:
    for _ in range(count):
        machine.node.publish("hk")


def give_up(cn: Machine) -> int:
    lost: int = cn.node.writer.run(GiveUpCommand(ORIGIN))
    return lost


# A database that goes back


def test_a_recipient_that_claims_less_than_its_receipt_gets_no_second_history(
    machines: tuple[Machine, Machine],
) -> None:
    cn, hk = machines
    published(cn)
    deliver(cn.node, hk.node)
    at_cn, at_hk = cn.backup(), hk.backup()
    published(cn, 2)
    deliver(cn.node, hk.node)
    cn.restore(at_cn)
    hk.restore(at_hk)  # what it shows from now on, whatever it has
    with pytest.raises(FeedBehindError, match="has signed 3 entries, and the database has 1"):
        deliver(cn.node, hk.node)
    with pytest.raises(EpochNeededError, match=r"hk has receipted 3 entries of .*, this database has 1"):
        give_up(cn)
    for _ in range(2):
        with pytest.raises(FeedBehindError):
            published(cn)
        cn.crash()
    assert cn.node.sizes()[ORIGIN.line] == 1


def test_a_receipt_alone_blocks_a_database_without_its_entries(machines: tuple[Machine, Machine]) -> None:
    """The marks are of an old copy of the folder; what stands beside them is newer."""
    cn, hk = machines
    published(cn)
    deliver(cn.node, hk.node)
    old, marks = cn.backup(), cn.marks_file.read_bytes()
    at_hk = hk.backup()
    published(cn, 2)
    deliver(cn.node, hk.node)
    cn.restore_with_marks(old, marks)
    hk.restore(at_hk)
    with pytest.raises(FeedBehindError, match="3 entries, and the database has 1"):
        deliver(cn.node, hk.node)
    with pytest.raises(EpochNeededError, match="hk has receipted 3 entries"):
        give_up(cn)


def test_a_receipt_of_another_history_forks_the_feed(machines: tuple[Machine, Machine]) -> None:
    cn, hk = machines
    empty, marks = cn.backup(), cn.marks_file.read_bytes()
    published(cn)
    deliver(cn.node, hk.node)
    cn.restore_with_marks(empty, marks)
    cn.node.history.marks.releases._known.clear()  # type: ignore[union-attr]  # as a folder without them
    published(cn, 2)
    receipted = hk.node.outgoing.position(ORIGIN)
    cn.node.history.marks.releases.keep(  # type: ignore[union-attr]
        {ORIGIN: KeptReceipt(1, receipted.root, receipted.cosigned_checkpoint)}
    )
    cn.marks_file.write_bytes(marks)
    cn.crash(alive=False)
    with pytest.raises(FeedForkedError):
        published(cn)


@pytest.mark.parametrize("shown", ["a batch", "a checkpoint"])
def test_what_was_sent_without_a_receipt_is_not_signed_again(machines: tuple[Machine, Machine], shown: str) -> None:
    cn, hk = machines
    published(cn)
    deliver(cn.node, hk.node)
    backup = cn.backup()
    published(cn, 2)
    if shown == "a batch":
        feed = cn.node.outgoing.feed(ORIGIN)
        assert feed is not None
        assert cn.node.outgoing.read_batch(feed, 1) is not None
    else:
        assert cn.node.outgoing.position(ORIGIN).size == 3
    cn.restore(backup)
    with pytest.raises(FeedBehindError):
        deliver(cn.node, hk.node)
    with pytest.raises(EpochNeededError, match=r"has signed 3 entries of .* and may have sent them"):
        give_up(cn)
    with pytest.raises(FeedBehindError):
        published(cn)


def test_what_has_left_counts_though_the_mark_doesnt_know_that_it_was_committed(
    machines: tuple[Machine, Machine],
) -> None:
    """The process was killed before its next mark: the mark has the entry as signed alone."""
    cn, hk = machines
    published(cn)
    deliver(cn.node, hk.node)
    backup = cn.backup()
    published(cn)
    marks = cn.marks_file.read_bytes()
    assert cn.node.outgoing.position(ORIGIN).size == 2
    cn.restore_with_marks(backup, marks)
    with pytest.raises(FeedBehindError, match="has signed 2 entries, and the database has 1"):
        published(cn)
    with pytest.raises(EpochNeededError):
        give_up(cn)


def test_what_never_left_is_given_up(machines: tuple[Machine, Machine]) -> None:
    cn, hk = machines
    published(cn)
    deliver(cn.node, hk.node)
    backup = cn.backup()
    published(cn, 2)
    cn.restore(backup)
    with pytest.raises(FeedBehindError):
        deliver(cn.node, hk.node)
    assert give_up(cn) == 2
    published(cn)
    deliver(cn.node, hk.node)
    assert hk.node.sizes()[ORIGIN.line] == 2


def test_what_an_earlier_release_left_is_unknown_until_both_sides_agree(machines: tuple[Machine, Machine]) -> None:
    cn, _ = machines
    published(cn)
    backup = cn.backup()
    published(cn)
    cn.marks_file.with_name("marks.releases").unlink()
    cn.restore(backup)
    with pytest.raises(EpochNeededError):
        give_up(cn)
    cn.node.writer.run(StateCommand(ORIGIN, FeedState.BEHIND, "asked again"))


def test_agreement_with_the_recipient_ends_what_was_unknown(machines: tuple[Machine, Machine]) -> None:
    cn, hk = machines
    published(cn)
    cn.marks_file.with_name("marks.releases").unlink()
    cn.crash()
    deliver(cn.node, hk.node)
    backup = cn.backup()
    published(cn)
    cn.restore(backup)
    assert give_up(cn) == 1


# The file


def opened(*places: Path, marked: bool = False, alarms: Alarms | None = None) -> Releases:
    return Releases(NODE, places, marked=[ORIGIN] if marked else [], alarms=alarms)


def test_a_release_and_a_receipt_are_found_again_in_either_place(tmp_path: Path) -> None:
    first, second = tmp_path / "releases", tmp_path / "copy" / "releases"
    kept = opened(first, second)
    kept.release(ORIGIN, 5)
    kept.release(ORIGIN, 4)
    kept.keep({ORIGIN: RECEIPT})
    kept.keep({ORIGIN: KeptReceipt(2, bytes(32), b"older")})
    kept.release(OTHER, 1)
    kept.keep_up()
    kept.close()
    for places in ([first], [second], [tmp_path / "new", second]):
        again = opened(*places, marked=True)
        assert (again.size_of(ORIGIN), again.size_of(OTHER)) == (5, 1)
        assert again.receipt_of(ORIGIN) == RECEIPT
        again.close()


def test_a_receipt_lies_beside_each_place_of_the_marks(tmp_path: Path) -> None:
    """The data folder is lost with its marks; their copy has the receipt too."""
    folder, copy = tmp_path / "data" / "marks", tmp_path / "copy" / "marks"
    marks = Marks(NODE, [folder, copy])
    marks.releases.release(ORIGIN, 3)
    marks.releases.keep({ORIGIN: RECEIPT})
    marks.close()
    shutil.rmtree(folder.parent)
    again = Marks(NODE, [folder, copy])
    assert (again.releases.size_of(ORIGIN), again.releases.receipt_of(ORIGIN)) == (3, RECEIPT)
    again.close()


def test_a_place_that_missed_something_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    first, second = tmp_path / "releases", tmp_path / "copy" / "releases"
    kept = opened(first, second)
    kept.release(ORIGIN, 5)
    second.unlink()
    second.parent.rmdir()
    second.parent.write_text("no folder any more")
    kept._files[1].close()
    kept.release(OTHER, 7)
    second.parent.unlink()
    kept.release(OTHER, 8)
    kept.close()
    again = opened(second, marked=True)
    assert (again.size_of(ORIGIN), again.size_of(OTHER)) == (5, 8)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: place.unlink(),
        lambda place: place.write_bytes(place.read_bytes()[SLOT_BYTES:]),
        lambda place: place.write_bytes(place.read_bytes()[:-SLOT_BYTES] + bytes(SLOT_BYTES)),
        lambda place: place.write_bytes(place.read_bytes().replace(b"hk/alerts 5", b"hk/alerts 4")),
        lambda place: place.write_bytes(place.read_bytes().replace(b"/cn ", b"/mo ", 1)),
    ],
    ids=["gone", "no header", "zeroes", "changed", "another node's"],
)
def test_what_isnt_whole_is_unknown(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    place = tmp_path / "releases"
    kept = opened(place)
    kept.release(ORIGIN, 5)
    kept.close()
    spoil(place)
    assert opened(place, marked=True).size_of(ORIGIN) == UNKNOWN


def test_another_start_of_the_machine_leaves_what_was_released_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "releases"
    kept = opened(place)
    kept.release(ORIGIN, 5)
    kept.keep({ORIGIN: RECEIPT})
    kept.close()
    monkeypatch.setattr(releases, "_boot_id", lambda: "another")
    again = opened(place, marked=True)
    assert (again.size_of(ORIGIN), again.receipt_of(ORIGIN)) == (UNKNOWN, RECEIPT)
    again.settle(ORIGIN, lambda: 7)
    assert again.size_of(ORIGIN) == 7
    again.close()
    assert opened(place).size_of(ORIGIN) == 7


def test_other_replicas_may_have_sent_anything(tmp_path: Path) -> None:
    place = tmp_path / "releases"
    kept = opened(place)
    kept.release(ORIGIN, 5)
    kept.share()
    kept.close()
    assert opened(place).size_of(ORIGIN) == opened(place).size_of(OTHER) == UNKNOWN


def test_nothing_leaves_where_that_cant_be_noted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    alarms = Alarms(lambda: 0)
    kept = opened(tmp_path / "file" / "releases", alarms=alarms)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="releases can't be written"):
            kept.release(ORIGIN, 1)
    assert [(alarm.code, alarm.message) for alarm in alarms.list()] == [(MARKS, kept.problem)]
    (tmp_path / "file").unlink()
    kept.release(ORIGIN, 1)
    assert (kept.problem, alarms.list()) == ("", [])
