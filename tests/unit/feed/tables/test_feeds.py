"""Feeds in the store, on both databases: heads move by compare-and-swap, nothing half-written, receipts stay."""

import threading
from collections.abc import Callable
from pathlib import Path
from sqlite3 import ProgrammingError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import Database
from gateway.errors import StoreUnavailableError, VerificationError
from gateway.feed.codec import EncodedEntry
from gateway.feed.tables import feeds, heads, journal
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.feed.tables.heads import StoredCheckpoint, StoredTiles
from gateway.feed.tables.journal import HeadMovedError, JournalRun
from gateway.feed.tables.schema import entries, tiles
from gateway.feed.tables.schema import journal as journal_table
from gateway.tlog.merkle import consistency_proof, inclusion_proof, leaf_hash, tree_root
from gateway.tlog.proofs import verify_consistency, verify_inclusion
from tests.support.databases import MakeDatabase, new_database

pytestmark = pytest.mark.both_databases

OUT = FeedOrigin("gba.customs.example", "cn", "hk", Channel.ALERTS)
IN = FeedOrigin("gba.customs.example", "hk", "cn", Channel.ALERTS)


def entry(number: int) -> EncodedEntry:
    header = b"header %d" % number
    return EncodedEntry(header, b"salt", b"payload %d" % number, leaf_hash(header))


def append(
    conn: Connection, origin: FeedOrigin, count: int, *, feed: Feed | None = None, ready: int | None = None
) -> Feed:
    """Appends entries numbered like their index under one checkpoint."""
    feed = feed or feeds.ensure(conn, origin, "cn")
    new = [entry(number) for number in range(feed.size, feed.size + count)]
    growth = feed.tree.append([one.leaf for one in new])
    note = b"note of %d" % growth.tree.size
    checkpoint = StoredCheckpoint(growth.tree.size, growth.tree.root, note, b"", 0)
    appended = heads.append(conn, feed, new, growth, checkpoint, committed_at=1_000 + feed.size, ready=ready)
    return appended


def filled(database: Database, *counts: int) -> Feed:
    for count in counts:
        with database.write() as conn:
            append(conn, OUT, count)
    with database.read() as conn:
        return feeds.get(conn, OUT)


def test_a_feed_is_made_once_with_its_direction(database: Database) -> None:
    with database.write() as conn:
        out, into = feeds.ensure(conn, OUT, "cn"), feeds.ensure(conn, IN, "cn")
        assert feeds.ensure(conn, OUT, "cn") == out
    assert (out.direction, out.partner, into.direction, into.partner) == ("out", "hk", "in", "hk")
    with database.read() as conn:
        assert feeds.list_all(conn) == [out, into]
        assert feeds.get_by_id(conn, into.id) == feeds.find(conn, IN) == into
        nobody = FeedOrigin("gba.customs.example", "cn", "mo", Channel.ALERTS)
        assert (feeds.find(conn, nobody), feeds.size_of(conn, nobody), feeds.size_of(conn, OUT)) == (None, 0, 0)


def test_what_was_appended_is_read_back(database: Database) -> None:
    feed = filled(database, 3, 1, 600)
    assert (feed.size, feed.checkpoint) == (604, b"note of 604")
    with database.read() as conn:
        read = feeds.read_entries(conn, feed.id, 2, 5)
        assert [(one.index, one.header, one.payload) for one in read] == [
            (number, b"header %d" % number, b"payload %d" % number) for number in (2, 3, 4)
        ]
        assert feeds.read_headers(conn, feed.id, 603, 700) == [b"header 603"]
        assert [row.index for row in feeds.read_entries(conn, feed.id, 0, 604)] == list(range(604))


def test_proofs_come_from_tiles_at_every_size(database: Database) -> None:
    feed = filled(database, 255, 1, 1, 300, 5)
    leaves = [entry(number).leaf for number in range(feed.size)]
    with database.read() as conn:
        reader = StoredTiles(conn, feed.id)
        for size in (1, 255, 256, 257, 512, 513, feed.size):
            root = tree_root(size, reader)
            for index in {0, size // 2, size - 1}:
                verify_inclusion(leaves[index], index, size, inclusion_proof(index, size, reader), root)
            proof = consistency_proof(size, feed.size, reader)
            verify_consistency(size, root, feed.size, feed.tree.root, proof)


@settings(max_examples=15, deadline=None)
@given(counts=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_any_sequence_of_appends_leads_to_the_root_of_all_leaves(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    database = new_database(f"sqlite:///{tmp_path_factory.mktemp('feeds')}/feeds.sqlite3")
    feed = filled(database, *counts)
    with database.read() as conn:
        assert tree_root(feed.size, StoredTiles(conn, feed.id)) == feed.tree.root
        runs = journal.runs_after(conn, 0, 100)
    assert [(run.first_index, run.count) for run in runs] == [
        (sum(counts[:at]), count) for at, count in enumerate(counts)
    ]
    database.close()


def test_a_head_that_moved_refuses_and_nothing_is_written(database: Database) -> None:
    old = filled(database, 2)
    filled(database, 3)
    with pytest.raises(HeadMovedError), database.write() as conn:
        append(conn, OUT, 1, feed=old)
    with database.read() as conn:
        assert feeds.get(conn, OUT).size == 5
        assert conn.execute(select(func.count()).select_from(entries)).scalar_one() == 5
        assert journal.head_position(conn) == 5


def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    filled(database, 2)
    with pytest.raises(ZeroDivisionError), database.write() as conn:
        assert append(conn, OUT, 3).size // 0
    assert filled(database).size == 2
    with database.read() as conn:
        assert heads.checkpoint_at(conn, 1, 5) is None


def test_two_writers_at_once_never_fork_a_feed(database: Database) -> None:
    filled(database, 1)
    barrier, lost = threading.Barrier(2), list[Exception]()

    def write() -> None:
        barrier.wait()
        for _ in range(10):
            while True:
                try:
                    with database.write() as conn:
                        append(conn, OUT, 1)
                    break
                except HeadMovedError as error:
                    lost.append(error)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    feed = filled(database)
    assert feed.size == 21
    with database.read() as conn:
        assert tree_root(21, StoredTiles(conn, feed.id)) == feed.tree.root
        assert [run.first_position for run in journal.runs_after(conn, 0, 100)] == list(range(1, 22))


def test_a_position_taken_by_another_replica_refuses(database: Database) -> None:
    filled(database, 2)
    with database.write() as conn:
        conn.execute(update(journal_table).values(first_position=3, count=0))
    with pytest.raises(HeadMovedError, match="positions of the local log were taken"), database.write() as conn:
        append(conn, IN, 1)


def test_the_journal_is_read_from_any_position(database: Database) -> None:
    with database.write() as conn:
        append(conn, OUT, 3)
        append(conn, IN, 2)
        append(conn, OUT, 1)
    with database.read() as conn:
        out, into = feeds.get(conn, OUT), feeds.get(conn, IN)
        runs = [
            JournalRun(1, out.id, 0, 3, 1_000),
            JournalRun(4, into.id, 0, 2, 1_000),
            JournalRun(6, out.id, 3, 1, 1_003),
        ]
        assert journal.head_position(conn) == 6
        assert journal.runs_after(conn, 0, 10) == runs
        assert journal.runs_after(conn, 2, 10) == runs  # position 3 lies in the first run
        assert journal.runs_after(conn, 3, 10) == runs[1:]
        assert journal.runs_after(conn, 4, 1) == runs[1:2]
        assert journal.runs_after(conn, 6, 10) == []


def test_an_empty_journal(database: Database) -> None:
    with database.read() as conn:
        assert (journal.head_position(conn), journal.runs_after(conn, 0, 10)) == (0, [])


def test_entries_that_wait_take_their_place_later(database: Database) -> None:
    with database.write() as conn:
        feed = append(conn, OUT, 3, ready=2)
        assert (feed.size, feed.journaled_size, feed.waiting, feed.extensible) == (3, 2, 1, False)
        append(conn, IN, 2)
        feed = append(conn, OUT, 1, feed=feed, ready=0)
        assert feed == feeds.get(conn, OUT)
        assert feeds.journaled_size_of(conn, OUT) == 2
    with database.write() as conn:
        moved = heads.journal_more(conn, feed, 2, committed_at=9_000)
        assert moved == feeds.get(conn, OUT)
        assert moved.waiting == 0
        found = [(run.feed_id, run.first_index, run.count) for run in journal.runs_after(conn, 0, 10)]
        other = feeds.get(conn, IN)
        assert found == [(feed.id, 0, 2), (other.id, 0, 2), (feed.id, 2, 2)]
        assert feeds.get(conn, IN) == heads.set_awaited_size(conn, heads.set_awaited_size(conn, other, 7), 0)
    for stale in (
        lambda conn: heads.journal_more(conn, feed, 1, committed_at=1),
        lambda conn: append(conn, OUT, 1, feed=feed),
    ):
        with pytest.raises(HeadMovedError), database.write() as conn:
            stale(conn)


def test_a_suspension_and_what_else_keeps_a_feed_still_leave_each_other_alone(database: Database) -> None:
    with database.write() as conn:
        feed = append(conn, OUT, 1)
        feeds.set_suspension(conn, feed.id, "maintenance", since=5)
        feeds.set_state(conn, feed.id, FeedState.BEHIND, reason="restored", since=6)
        found = feeds.get(conn, OUT)
        assert (found.suspended, found.suspension, found.state) == (True, "maintenance", FeedState.BEHIND)
        feeds.set_state(conn, feed.id, FeedState.ACTIVE, reason="", since=7)
        assert feeds.get(conn, OUT).suspended
        feeds.set_suspension(conn, feed.id, "", since=0)
        assert not feeds.get(conn, OUT).suspended


def test_checkpoints_are_found_by_size_range_and_receipt(database: Database) -> None:
    feed = filled(database, 2, 3, 10)  # sizes 2, 5, 15
    with database.write() as conn:
        heads.record_receipt(conn, feed.id, 5, b"line 5\n", 9_000)

    def sizes(find: Callable[..., StoredCheckpoint | None], *arguments: int) -> int | None:
        with database.read() as conn:
            found = find(conn, feed.id, *arguments)
        return None if found is None else found.size

    assert [sizes(heads.checkpoint_at, size) for size in (2, 3, 15)] == [2, None, 15]
    ranges = {(0, 500): 15, (0, 14): 5, (2, 3): 5, (5, 5): 15, (15, 99): None}
    assert {(above, most): sizes(heads.checkpoint_between, above, most) for above, most in ranges} == ranges
    assert [sizes(heads.receipted_over, index) for index in (0, 4, 5)] == [5, 5, None]


def test_the_first_receipt_of_a_size_stays_and_the_receipted_size_never_shrinks(database: Database) -> None:
    feed = filled(database, 2, 3)
    with database.write() as conn:
        heads.record_receipt(conn, feed.id, 5, b"first\n", 9_000)
        heads.record_receipt(conn, feed.id, 5, b"second\n", 9_999)
        heads.record_receipt(conn, feed.id, 2, b"late\n", 10_000)
    with database.read() as conn:
        found = heads.checkpoint_at(conn, feed.id, 5)
        assert feeds.get(conn, OUT).receipted_size == 5
    assert found is not None
    assert (found.cosignature, found.receipted_at, found.cosigned_note) == (b"first\n", 9_000, b"note of 5first\n")


def test_states_and_the_disposed_size_are_kept(database: Database) -> None:
    feed = filled(database, 2)
    with database.write() as conn:
        feeds.set_state(conn, feed.id, FeedState.QUARANTINED, reason="two roots", since=7, evidence_path="/e")
        feeds.set_disposed_size(conn, feed.id, 2)
    feed = filled(database)
    assert (feed.state, feed.state_reason, feed.state_since, feed.evidence_path, feed.disposed_size) == (
        FeedState.QUARANTINED, "two roots", 7, "/e", 2,
    )  # fmt: skip


def test_missing_hashes_are_said_to_be_missing(database: Database) -> None:
    feed = filled(database, 300)
    with database.write() as conn:
        conn.execute(tiles.delete().where(tiles.c.tile == 1))
    with database.read() as conn, pytest.raises(VerificationError, match="tile 0/1"):
        StoredTiles(conn, feed.id).hashes(0, 250, 10)
    with database.write() as conn:
        conn.execute(tiles.insert().values(feed_id=feed.id, level=0, tile=1, hashes=b"short"))
    with pytest.raises(VerificationError, match="has 5 bytes"), database.write() as conn:
        append(conn, OUT, 1, feed=feed)
    assert filled(database).size == 300


def test_a_read_sees_one_state_throughout(make_database: MakeDatabase) -> None:
    database = make_database()
    feed = filled(database, 2)
    with database.read() as conn:
        assert feeds.size_of(conn, OUT) == 2
        filled(database, 3)
        assert feeds.size_of(conn, OUT) == 2
        assert len(feeds.read_entries(conn, feed.id, 0, 10)) == 2
    assert filled(database).size == 5


def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path_factory: pytest.TempPathFactory) -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/none", f"sqlite:///{tmp_path_factory.mktemp('none')}"):
        database = Database(url)
        with pytest.raises(StoreUnavailableError) as caught, database.read():
            pass
        assert caught.value.retry_after_s
        database.close()


def test_a_connection_in_use_when_the_database_closes_is_closed_after_use(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'closing.sqlite3'}")
    with database.read() as conn:
        raw = conn.connection.dbapi_connection
        database.close()
        assert conn.execute(select(1)).scalar_one() == 1
    assert raw is not None
    with pytest.raises(ProgrammingError, match="closed database"):
        raw.cursor()
