"""Marks outside the database: what a crash, a lost folder, an old database and another history leave behind."""

from __future__ import annotations

import errno
import math
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import (
    ConfigurationError,
    FeedBehindError,
    FeedForkedError,
    MarksBehindError,
    StoreUnavailableError,
)
from gateway.feed.service.alarms import MARKS, Alarms
from gateway.feed.service.continuity import mark_files
from gateway.feed.service.continuity.mark_files import EMPTY, FeedMark, MarksInUseError, SignedHead
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import UNCOMPARED, OwnHistory
from gateway.feed.service.continuity.recovery import STALE_MS, Start, detect_restore
from gateway.feed.service.states import GiveUpCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables.feeds import FeedState
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.databases import MakeDatabase
from tests.support.machine_node import Machine, copy_database
from tests.support.nodes import ManualClock, PaperNode, deliver, feed_of, paper_nodes

pytestmark = pytest.mark.both_databases

NODE = f"{FEDERATION}/cn"
ORIGIN = feed_of("cn", "hk")
ONE, TWO = (SignedHead(size, bytes([size]) * 32) for size in (1, 2))


@pytest.fixture
def cn(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine("cn", tmp_path, ManualClock())
    yield machine
    machine.stop()


@pytest.fixture
def hk(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ["hk"]) as (made,):
        yield made


class Nothing:
    """A command without effect."""

    weight = 1

    def execute(self, tx: Transaction) -> None:
        return


def published(machine: Machine) -> None:
    machine.node.publish("hk")


# The file


def test_a_mark_is_found_again_and_a_half_that_a_crash_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    place = tmp_path / "data" / "marks"
    marks = Marks(NODE, [place])
    marks.sign({ORIGIN: ONE}, 1)
    marks.commit({ORIGIN: ONE})
    marks.sign({ORIGIN: TWO}, 2)
    marks.close()
    whole = place.read_bytes()
    assert _read(place) == FeedMark(ONE, TWO)
    half = len(whole) // 2
    newest = 0 if b"alive 2\n" in whole[:half] else half
    for cut in (0, 5, 60):
        place.write_bytes(whole[: newest + cut].ljust(newest + half, b"\0") + whole[newest + half :])
        assert _read(place) == FeedMark(EMPTY, ONE), "the write before"
    place.write_bytes(b"\0" * len(whole))
    lost = Marks(NODE, [place])
    assert not lost.found
    lost.close()


def _read(place: Path) -> FeedMark | None:
    marks = Marks(NODE, [place])
    marks.close()
    return marks.of(ORIGIN)


def test_more_feeds_than_fit_get_a_larger_file(tmp_path: Path) -> None:
    marks = Marks(NODE, [tmp_path / "marks"])
    origins = [feed_of("cn", f"n{number}") for number in range(200)]
    for origin in origins:
        marks.sign({origin: ONE}, 1)
    marks.close()
    again = Marks(NODE, [tmp_path / "marks"])
    assert {again.of(origin) is not None for origin in origins} == {True}
    again.close()


def test_marks_belong_to_one_process_and_one_node(tmp_path: Path) -> None:
    marks = Marks(NODE, [tmp_path / "marks"])
    marks.sign({ORIGIN: ONE}, 1)
    with pytest.raises(MarksInUseError):
        Marks(NODE, [tmp_path / "marks"])
    marks.close()
    with pytest.raises(ConfigurationError, match="not to gba"):
        Marks(f"{FEDERATION}/hk", [tmp_path / "marks"])


def test_the_second_place_counts_where_it_knows_more_and_raises_an_alarm_when_it_fails(tmp_path: Path) -> None:
    first, second = tmp_path / "marks", tmp_path / "other" / "marks"
    alarms = Alarms(lambda: 0)
    marks = Marks(NODE, [first, second], alarms=alarms)
    marks.sign({ORIGIN: ONE}, 1)
    old = first.read_bytes()
    marks.sign({ORIGIN: TWO}, 2)
    marks.commit({ORIGIN: TWO})
    marks.keep_up(3)
    shutil.rmtree(second.parent)
    second.parent.write_text("no folder any more")
    marks.keep_up(60_003)
    assert [alarm.code for alarm in alarms.list()] == [MARKS]
    second.parent.unlink()
    marks.keep_up(120_003)
    assert not alarms.list()
    marks.close()
    first.write_bytes(old)
    again = Marks(NODE, [first, second])
    assert again.of(ORIGIN) == FeedMark(TWO, TWO)
    again.close()


def test_nothing_is_signed_where_the_mark_cant_be_written(cn: Machine) -> None:
    published(cn)
    shutil.rmtree(cn.marks_file.parent)
    cn.marks_file.parent.write_text("no folder any more")
    with pytest.raises(StoreUnavailableError, match="marks can't be written"):
        published(cn)
    assert cn.node.sizes()[ORIGIN.line] == 1
    cn.marks_file.parent.unlink()
    published(cn)


@pytest.mark.parametrize("beside_a_commit", [True, False])
def test_a_first_place_that_fails_raises_an_alarm_until_it_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside_a_commit: bool
) -> None:
    alarms = Alarms(lambda: 0)
    marks = Marks(NODE, [tmp_path / "marks"], alarms=alarms)
    marks.sign({ORIGIN: ONE}, 1)
    with monkeypatch.context() as broken:
        broken.setattr(mark_files.os, "pwrite", lambda *_: _fails(0))
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="Input/output error"):
                (marks.begin if beside_a_commit else marks.sign)({ORIGIN: TWO}, 2)
        assert marks.problem == f"{tmp_path / 'marks'}: marks can't be written: Input/output error"
        assert [(alarm.code, alarm.message) for alarm in alarms.list()] == [(MARKS, marks.problem)]
        marks.require_settled()
    marks.keep_up(3)  # also where nothing has changed since
    assert not marks.problem
    assert not alarms.list()
    marks.close()


def test_nothing_is_released_before_its_mark_is_durable(cn: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is synced beside the commit: when that fails, what is committed is kept back until it succeeds."""
    told: list[int] = []
    cn.node.writer.on_commit(lambda commit: told.append(commit.sizes.get(ORIGIN, 0)))
    published(cn)
    with monkeypatch.context() as broken:
        broken.setattr(mark_files.os, "fdatasync", _fails)
        with pytest.raises(MarksBehindError, match="marks can't be written"):
            published(cn)
        assert cn.node.sizes()[ORIGIN.line] == 2, "it is committed, and may be sent later"
        feed = cn.node.outgoing.feed(ORIGIN)
        assert feed is not None
        for release in (lambda: cn.node.outgoing.position(ORIGIN), lambda: cn.node.outgoing.read_batch(feed, 0)):
            with pytest.raises(StoreUnavailableError, match="marks can't be written"):
                release()
        assert told == [1]
        with pytest.raises(StoreUnavailableError):
            published(cn)
    cn.node.writer.run(Nothing())
    assert told[:2] == [1, 2], "what was kept back"
    published(cn)
    assert told[:3] == [1, 2, 3]
    assert cn.node.outgoing.position(ORIGIN).size == 3
    assert cn.node.marked(ORIGIN) == 3


def test_a_mark_that_came_too_late_still_shows_a_database_that_went_back(
    cn: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(cn)
    backup = cn.backup()
    with monkeypatch.context() as broken:
        broken.setattr(mark_files.os, "fdatasync", _fails)
        with pytest.raises(MarksBehindError):
            published(cn)
    published(cn)  # the second is released with it
    cn.restore(backup)
    assert cn.node.state("hk") is FeedState.BEHIND


def test_what_wasnt_committed_is_never_told(cn: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dying disk fails the commit and the mark beside it: the next group signs another entry at that size."""
    told: list[int] = []
    cn.node.writer.on_commit(lambda commit: told.extend(sealed.end for sealed in commit.sealed))
    published(cn)
    with monkeypatch.context() as broken:
        broken.setattr(mark_files.os, "fdatasync", _fails)
        cn.node.database.fail_before = True
        with pytest.raises(StoreUnavailableError, match="the disk is full"):
            published(cn)
    assert cn.node.sizes()[ORIGIN.line] == 1
    cn.node.writer.run(Nothing())
    assert told == [1]
    published(cn)
    assert told == [1, 2]


def test_what_was_kept_back_is_told_without_a_further_command(cn: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    cn.node.settle()
    with monkeypatch.context() as broken:
        broken.setattr(mark_files.os, "fdatasync", _fails)
        with pytest.raises(MarksBehindError):
            published(cn)
    assert cn.node.writer._answer_at < math.inf
    assert cn.node.writer._more_to_project


def test_a_failing_second_place_keeps_its_alarm_while_the_node_signs(tmp_path: Path) -> None:
    first, second = tmp_path / "marks", tmp_path / "other" / "marks"
    alarms = Alarms(lambda: 0)
    marks = Marks(NODE, [first, second], alarms=alarms)
    marks.sign({ORIGIN: ONE}, 1)
    shutil.rmtree(second.parent)
    second.parent.write_text("no folder any more")
    marks.begin({ORIGIN: TWO}, 2)
    marks.finish()
    assert [alarm.code for alarm in alarms.list()] == [MARKS]
    second.parent.unlink()
    marks.begin({ORIGIN: TWO}, 3)
    marks.finish()
    assert not alarms.list()
    marks.close()


def test_a_system_without_threads_refuses_a_commit_and_blocks_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = Marks(NODE, [tmp_path / "marks"])
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(RuntimeError):
            marks.begin({ORIGIN: ONE}, 1)
    marks.begin({ORIGIN: ONE}, 2)
    marks.finish()
    marks.require_settled()
    assert marks.of(ORIGIN) == FeedMark(EMPTY, ONE)
    marks.close()


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def _fails(_descriptor: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


# Crashes: in pairs, failed and failed but persisted


@pytest.mark.parametrize("persisted", [False, True])
def test_a_crash_between_mark_and_commit_locks_nobody_out(cn: Machine, persisted: bool) -> None:
    """The partner is away, and nothing of a group that wasn't committed was released."""
    published(cn)
    cn.node.database.fail_before, cn.node.database.fail_after = not persisted, persisted
    with pytest.raises(StoreUnavailableError):
        published(cn)
    cn.crash()
    assert cn.node.state("hk") is FeedState.ACTIVE
    published(cn)
    assert cn.node.sizes()[ORIGIN.line] == (3 if persisted else 2)


# Databases


def test_a_running_node_stops_a_feed_whose_database_went_back(cn: Machine, hk: PaperNode) -> None:
    """As after a failover to a standby without the last commits."""
    published(cn)
    backup = cn.backup()
    published(cn)
    deliver(cn.node, hk)
    published(cn)
    copy_database(backup, cn.disk)
    with pytest.raises(FeedBehindError, match="has signed 3 entries, and the database has 1"):
        published(cn)
    assert cn.node.state("hk") is FeedState.BEHIND
    cn.crash()
    with pytest.raises(FeedBehindError, match="holds 2 entries"):
        deliver(cn.node, hk)
    cn.recover_from(hk)
    with pytest.raises(FeedBehindError, match="has signed 3 entries, and the database has 2"):
        deliver(cn.node, hk)
    assert cn.node.writer.run(GiveUpCommand(ORIGIN)) == 1
    published(cn)
    deliver(cn.node, hk)
    assert hk.outgoing.size(ORIGIN) == 3


@pytest.mark.parametrize("more", [0, 2])
def test_a_running_node_sees_another_history(cn: Machine, more: int) -> None:
    backup = cn.backup()
    published(cn)
    mine = cn.backup()
    copy_database(backup, cn.disk)
    other = Machine("cn", cn.disk.parent / "other", cn.clock)
    for _ in range(1 + more):
        published(other)
    copy_database(other.disk, cn.disk)
    other.stop()
    with pytest.raises(FeedForkedError, match="other entries than those that this node signed up to 1"):
        published(cn)
    assert cn.node.state("hk") is FeedState.FORKED
    copy_database(mine, cn.disk)
    published(cn)


def test_a_lost_folder_publishes_nothing_until_the_partner_was_asked(cn: Machine, hk: PaperNode) -> None:
    published(cn)
    deliver(cn.node, hk)
    cn.lose_disk()
    with pytest.raises(FeedBehindError, match=UNCOMPARED):
        published(cn)
    cn.crash()
    with pytest.raises(FeedBehindError, match=UNCOMPARED):
        published(cn)
    with pytest.raises(FeedBehindError, match="holds 1 entry"):
        deliver(cn.node, hk)
    cn.recover_from(hk)
    deliver(cn.node, hk)
    published(cn)
    cn.crash()
    published(cn)
    deliver(cn.node, hk)
    assert hk.outgoing.size(ORIGIN) == 3


def test_an_old_copy_of_the_whole_folder_shows_by_its_age_or_by_the_second_place(cn: Machine) -> None:
    cn.clock.forward(STALE_MS + 60_000)
    cn.crash(alive=False)
    with pytest.raises(FeedBehindError, match=UNCOMPARED):
        published(cn)


@pytest.mark.parametrize(("copied", "doubted"), [("", True), ("the same", False), ("older", True)])
def test_a_second_place_that_says_the_same_lets_a_long_stopped_node_begin(
    tmp_path: Path, make_database: MakeDatabase, copied: str, doubted: bool
) -> None:
    places = [tmp_path / "marks", tmp_path / "copy"] if copied else [tmp_path / "marks"]
    marks = Marks(NODE, places)
    marks.keep_up(1_000_000)
    before = places[-1].read_bytes()
    marks.keep_up(2_000_000)
    marks.close()
    if copied == "older":
        places[0].write_bytes(before)  # the folder came back from a backup, the second place didn't
    marks = Marks(NODE, places)
    start = Start(own=[ORIGIN], keys_known_since=0, now_ms=2_000_000 + STALE_MS + 1, starts=tmp_path / "starts")
    assert bool(detect_restore(make_database(), OwnHistory(marks, node="cn"), start)) is doubted
    marks.close()


@pytest.mark.parametrize(("made_at", "doubt"), [(5, ""), (10, ""), (11, "longer than its folder exists"), (0, "")])
def test_a_new_folder_is_a_new_nodes_only_if_the_directory_hasnt_known_its_key_before(
    tmp_path: Path, make_database: MakeDatabase, made_at: int, doubt: str
) -> None:
    marks = Marks(NODE, [tmp_path / "marks"])
    marks.set_up(made_at)
    start = Start(own=[ORIGIN], keys_known_since=10, now_ms=20, starts=tmp_path / "starts")
    found = detect_restore(make_database(), OwnHistory(marks, node="cn"), start)
    assert doubt in found
    assert bool(found) is bool(doubt)
    marks.close()


def test_a_database_of_an_earlier_release_goes_on_without_being_asked(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    """Its file `starts` matches; another one, or none, is a doubt."""
    from sqlalchemy import insert

    from gateway.feed.tables.schema import node_starts

    database = make_database()
    with database.write() as conn:
        conn.execute(insert(node_starts).values(id=1, token=7, token_before=6))
    for text, doubted in (("8 0", True), ("7 5", True), (None, True), ("6 0", False)):
        starts = tmp_path / "starts"
        if text is not None:
            starts.write_text(text)
        marks = Marks(NODE, [tmp_path / f"marks {text}"])
        start = Start(own=[], keys_known_since=0, now_ms=1, starts=starts)
        assert bool(detect_restore(database, OwnHistory(marks, node="cn"), start)) is doubted
        marks.close()
        assert not starts.exists()
