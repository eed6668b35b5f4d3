"""How far is projected, dispositions and defects, on both databases."""

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import Database
from gateway.feed.tables import dispositions, journal
from gateway.feed.tables.dispositions import DefectRow, DispositionRow, HeldRow
from tests.unit.feed.tables.test_feeds import append

pytestmark = pytest.mark.both_databases

IN = FeedOrigin("gba.customs.example", "hk", "cn", Channel.ALERTS)


@pytest.fixture
def feed_id(database: Database) -> int:
    with database.write() as conn:
        return append(conn, IN, 9).id


def test_the_disposition_of_an_entry_is_that_of_its_run(database: Database, feed_id: int) -> None:
    def disposition(first: int, count: int, outcome: str, position: int) -> DispositionRow:
        return DispositionRow(feed_id, first, count, outcome, "", b"message", position)

    runs = [disposition(0, 3, "applied", 10), disposition(5, 1, "held", 11), disposition(5, 1, "rejected", 12)]
    with database.write() as conn:
        for run in runs:
            dispositions.add(conn, run)
    with database.read() as conn:
        found = [dispositions.find(conn, feed_id, index) for index in range(7)]
    assert found == [runs[0], runs[0], runs[0], None, None, runs[2], None]


def test_only_the_last_answer_says_whether_an_entry_is_held(database: Database, feed_id: int) -> None:
    with database.write() as conn:
        for index, outcome in ((3, "held"), (1, "held"), (1, "applied"), (2, "applied")):
            dispositions.add(conn, DispositionRow(feed_id, index, 1, outcome, "NUL\0", b"", 10 + index))
    with database.read() as conn:
        assert dispositions.held_here(conn) == [HeldRow(IN.line, feed_id, 3)]
        found = dispositions.find(conn, feed_id, 3)
    assert found is not None
    assert found.reason == "NUL\N{REPLACEMENT CHARACTER}"


def test_defects_come_oldest_first(database: Database, feed_id: int) -> None:
    with database.write() as conn:
        for index, noted_at in ((4, 20), (2, 30), (1, 10)):
            dispositions.add_defect(conn, feed_id, index, "a\0problem", noted_at=noted_at)
    with database.read() as conn:
        found = dispositions.oldest_defects(conn, 2)
    text = "a\N{REPLACEMENT CHARACTER}problem"
    assert found == [DefectRow(IN.line, 1, text, 10), DefectRow(IN.line, 4, text, 20)]


def test_progress_begins_at_zero_and_moves(database: Database) -> None:
    with database.read() as conn:
        assert (journal.projected_position(conn), journal.knowledge(conn)) == (0, b"")
    with database.write() as conn:
        assert journal.lock_projected(conn) == 0
        journal.move_projected(conn, 41)
        journal.note_knowledge(conn, bytes(32))
    with database.write() as conn:
        assert journal.lock_projected(conn) == journal.projected_position(conn) == 41
        assert journal.knowledge(conn) == bytes(32)
