"""The alerts projection in the store, on both databases: what is written is read, pages and order hold."""

import pytest

from gateway.alerts.codec import AlertKey
from gateway.alerts.rules.life import AlertLife, AlertStatus, Question, Side
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.events import AlertEventRow
from gateway.alerts.tables.schema import alerts as table
from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import Database
from tests.unit.feed.tables.test_feeds import append

OUT = FeedOrigin("gba.customs.example", "cn", "hk", Channel.ALERTS)


@pytest.fixture
def feed_id(database: Database) -> int:
    with database.write() as conn:
        return append(conn, OUT, 9).id


def uuid_of(number: int) -> str:
    return f"019bbef3-b003-7000-8000-{number:012x}"


def row(feed_id: int, number: int, *, recipient: str = "hk", **changes: object) -> AlertRow:
    values = {
        "key": AlertKey("cn", uuid_of(number), recipient),
        "direction": "out",
        "life": AlertLife(revision=1, status=AlertStatus.PUBLISHED, valid_until_unix_ms=5_000 + number),
        "priority": "A",
        "purpose": "export_control",
        "case_reference": "CASE",
        "published_at": 1_000 + number,
        "feed_id": feed_id,
        "first_idx": number,
        "current_feed_id": feed_id,
        "current_idx": number,
        "last_idx": number,
        "last_feed_id": feed_id,
    } | changes
    return AlertRow(**values)  # type: ignore[arg-type]


def event(feed_id: int, position: int, number: int) -> AlertEventRow:
    key = AlertKey("cn", uuid_of(number), "hk")
    return AlertEventRow(position, key, feed_id, position - 1, AlertStatus.PUBLISHED, 1_000)


def test_copies_come_back_as_they_were_written(database: Database, feed_id: int) -> None:
    questions = (Question(Side.PUBLISHER, uuid_of(7), 9), Question(Side.RECIPIENT, uuid_of(8), 10, answered=True))
    full = AlertLife(
        3,
        AlertStatus.ACKNOWLEDGED,
        acknowledged_revision=2,
        valid_until_unix_ms=9_000,
        questions=questions,
        reply_by_unix_ms=8_000,
        informs=True,
        replied_revision=1,
    )
    rows = [row(feed_id, 1), row(feed_id, 1, recipient="mo", life=full), row(feed_id, 2)]
    with database.write() as conn:
        alerts.add(conn, rows)
        alerts.add(conn, [])
    with database.read() as conn:
        assert alerts.find(conn, [rows[1].key, AlertKey("hk", uuid_of(1), "cn")]) == {rows[1].key: rows[1]}
        assert alerts.find(conn, []) == {}
        assert alerts.copies(conn, "cn", uuid_of(1)) == rows[:2]
        assert alerts.copies(conn, "hk", uuid_of(1)) == []


def test_a_replaced_copy_leaves_the_others(database: Database, feed_id: int) -> None:
    with database.write() as conn:
        alerts.add(conn, [row(feed_id, 1), row(feed_id, 1, recipient="mo")])
        changed = row(feed_id, 1, priority="C", current_idx=4)
        alerts.replace(conn, changed)
    with database.read() as conn:
        assert alerts.copies(conn, "cn", uuid_of(1)) == [changed, row(feed_id, 1, recipient="mo")]
        assert alerts.current_payload(conn, "cn", uuid_of(1)) in (b"payload 4", b"payload 1")
        assert alerts.current_payload(conn, "cn", uuid_of(2)) is None


@pytest.mark.both_databases
@pytest.mark.parametrize(("now", "due"), [(5_000, 0), (5_001, 1), (5_002, 2), (9_999, 3)])
def test_when_the_next_copy_is_due_agrees_with_which_are(database: Database, feed_id: int, now: int, due: int) -> None:
    """The first says whether the second is worth a transaction; partners' copies and ended ones aren't."""
    ended = AlertLife(revision=1, status=AlertStatus.WITHDRAWN, valid_until_unix_ms=4_000)
    rows = [row(feed_id, number) for number in (3, 1, 2)]
    rows += [row(feed_id, 4, life=ended), row(feed_id, 0, recipient="cn", direction="in")]
    with database.write() as conn:
        alerts.add(conn, rows)
    with database.read() as conn:
        keys = alerts.due_to_expire(conn, now, 10)
        assert [key.alert_id for key in keys] == [uuid_of(number) for number in (1, 2, 3)[:due]]
        assert alerts.next_end(conn, now) == (5_001 if due else None)
        assert alerts.due_to_expire(conn, now, 10, except_to=["hk"]) == []


@pytest.mark.both_databases
def test_pages_are_newest_first_without_gap_or_double(database: Database, feed_id: int) -> None:
    with database.write() as conn:
        alerts.add(conn, [row(feed_id, n, recipient=r) for n in range(1, 5) for r in ("hk", "mo")])
    seen: list[tuple[str, str]] = []
    before = None
    while True:
        with database.read() as conn:
            page = alerts.list_page(conn, [table.c.priority == "A"], before=before, limit=3)
        if not page:
            break
        seen += [(found.key.alert_id, found.key.recipient) for found, _ in page]
        key = page[-1][0].key
        before = (key.alert_id, key.publisher, key.recipient)
    assert seen == [(uuid_of(n), r) for n in range(4, 0, -1) for r in ("mo", "hk")]
    with database.read() as conn:
        assert alerts.list_page(conn, [table.c.priority == "B"], before=None, limit=3) == []
        ((_, payload), *_rest) = alerts.list_page(conn, [], before=None, limit=1)
    assert payload == b"payload 4"


@pytest.mark.both_databases
def test_events_come_in_order_from_any_position(database: Database, feed_id: int) -> None:
    rows = [event(feed_id, position, position % 2) for position in (1, 2, 4, 7)]
    with database.write() as conn:
        events.add(conn, rows)
        events.add(conn, [])
    with database.read() as conn:
        assert [found for found, _, _ in events.after(conn, 1, 2)] == rows[1:3]
        assert events.after(conn, 7, 10) == []
        ((found, origin, payload), (last, _, _)) = events.of_alert(conn, "cn", uuid_of(1))
    assert (found, origin, payload, last) == (rows[0], OUT.line, b"payload 0", rows[3])


def test_open_alerts_past_their_time_are_due(database: Database, feed_id: int) -> None:
    closed = AlertLife(revision=1, status=AlertStatus.CLOSED, valid_until_unix_ms=1)
    rows = [
        row(feed_id, 3),
        row(feed_id, 1),
        row(feed_id, 2),
        row(feed_id, 4, life=closed),
        row(feed_id, 5, direction="in", life=AlertLife(1, AlertStatus.PUBLISHED, valid_until_unix_ms=1)),
    ]
    with database.write() as conn:
        alerts.add(conn, rows)
    with database.read() as conn:
        assert [key.alert_id for key in alerts.due_to_expire(conn, 5_002, 10)] == [uuid_of(1), uuid_of(2)]
        assert len(alerts.due_to_expire(conn, 9_999, 2)) == 2
        assert alerts.due_to_expire(conn, 5_000, 10) == []
