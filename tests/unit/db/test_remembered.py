import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import Database, savepoint
from gateway.db.migrate import upgrade
from gateway.db.remembered import remembered
from gateway.feed.tables import checkpoints, feeds, journal, progress
from gateway.feed.tables.feeds import FeedState
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult

OUT = FeedOrigin("gba.customs.example", "cn", "hk", Channel.ALERTS)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Database]:
    """A database in a file, with a feed that its writer remembers."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite3'}")
    upgrade(database)
    with database.write(ahead=True) as conn:
        feeds.ensure(conn, OUT, "cn")
        progress.move(conn, 7)
        audit.append(conn, [AuditEntry(time_ms=1, principal="p", method="m", result=AuditResult.ALLOW)])
    yield database
    database.close()


def remembers(database: Database) -> bool:
    with database.write(ahead=True) as conn:
        known = remembered(conn)
        assert known is not None
        return bool(known)


def test_what_was_written_is_remembered_after_the_commit(stored: Database) -> None:
    with stored.write(ahead=True) as conn:
        known = remembered(conn)
        assert known is not None
        assert set(known) == {"feeds", "projected", "audit"}
        assert known["feeds"] == {OUT: feeds.get(conn, OUT)}
        assert (progress.lock(conn), known["audit"]) == (7, audit.read_head(conn))
    with stored.read() as conn:
        assert remembered(conn) is None
    with stored.write() as conn:
        assert remembered(conn) is None


def another_connection(database: Database) -> None:
    with sqlite3.connect(str(database.engine.url.database)) as other:
        other.execute("UPDATE feeds SET receipted_size = 5")
    other.close()


def a_write_past_it(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("UPDATE feeds SET receipted_size = 5"))


def the_same_connection(database: Database) -> None:
    with database.engine.begin() as conn:
        conn.execute(text("UPDATE feeds SET receipted_size = 5"))


@pytest.mark.parametrize("write", [another_connection, a_write_past_it, the_same_connection])
def test_nothing_is_remembered_once_somebody_else_has_written(
    stored: Database, write: Callable[[Database], None]
) -> None:
    write(stored)
    with stored.write(ahead=True) as conn:
        assert remembered(conn) == {}
        assert feeds.get(conn, OUT).receipted_size == 5
    assert remembers(stored)


def test_what_was_rolled_back_is_not_remembered(stored: Database) -> None:
    def fail() -> None:
        with stored.write(ahead=True) as conn:
            progress.move(conn, 9)
            feeds.set_applied_size(conn, feeds.get(conn, OUT).id, 3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with stored.write(ahead=True) as conn:
        assert remembered(conn) == {}
        assert (progress.lock(conn), feeds.get(conn, OUT).applied_size) == (7, 0)


def test_what_a_savepoint_undoes_is_not_remembered(stored: Database) -> None:
    def fail(conn: Connection) -> None:
        with savepoint(conn):
            progress.move(conn, 9)
            raise ZeroDivisionError

    with stored.write(ahead=True) as conn:
        with pytest.raises(ZeroDivisionError):
            fail(conn)
        assert progress.lock(conn) == 7
    with stored.write(ahead=True) as conn:
        assert progress.lock(conn) == 7


def test_every_change_of_a_feed_is_remembered_as_it_is_stored(stored: Database) -> None:
    with stored.write(ahead=True) as conn:
        before = feeds.get(conn, OUT)
        feeds.set_accepted(conn, before.id, 11)
        feeds.set_applied_size(conn, before.id, 12)
        checkpoints.record_receipt(conn, before.id, 13, b"", 1)
        checkpoints.record_receipt(conn, before.id, 5, b"", 1)
        after = feeds.changed(conn, before, awaited_size=0)  # the caller has read the feed before those changes
        assert after.receipted_size == 0
    with stored.write(ahead=True) as conn:
        kept = feeds.get(conn, OUT)
    with stored.read() as conn:
        assert kept == feeds.get(conn, OUT)
    assert (kept.accepted_at, kept.applied_size, kept.receipted_size) == (11, 12, 13)
    changes: tuple[Callable[[Connection], None], ...] = (
        lambda conn: feeds.set_state(conn, before.id, FeedState.BEHIND, reason="r", since=2),
        lambda conn: feeds.set_suspension(conn, before.id, "why", since=3),
        lambda conn: feeds.set_disposed_size(conn, before.id, 14),
        feeds.forget_applied,
    )
    for change in changes:
        with stored.write(ahead=True) as conn:
            feeds.get(conn, OUT)
            change(conn)
        with stored.write(ahead=True) as conn, stored.read() as reading:
            assert feeds.get(conn, OUT) == feeds.get(reading, OUT)


def test_the_local_logs_end_is_remembered(stored: Database) -> None:
    with stored.write(ahead=True) as conn:
        feed = feeds.get(conn, OUT)
        assert journal.head_position(conn) == 0
        journal.add(conn, feed.id, 0, 3, committed_at=1).wait()
        assert journal.head_position(conn) == 3
    with stored.write(ahead=True) as conn, stored.read() as reading:
        assert journal.head_position(conn) == journal.head_position(reading) == 3
