import threading

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.database import Database
from gateway.errors import GatewayError, InvalidRequestError, OverloadedError, VerificationError
from gateway.trust import tables as audit
from gateway.trust.rules.audit import EMPTY_HEAD, AuditEntry, AuditHead, AuditResult
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.tables import AuditFilter, append, audit_events, list_events, read_head, verify_chain


def event(number: int, **changes: object) -> AuditEntry:
    values = {
        "time_ms": 1_000 + number,
        "principal": f"system/cn/desk-{number % 2}",
        "method": "/gateway.v1.AlertService/PublishAlert",
        "result": AuditResult.DENY if number % 3 == 0 else AuditResult.ALLOW,
        "reason": "PERMISSION_DENIED" if number % 3 == 0 else "",
        "case_reference": f"案件-{number}",
        "subject_ids": (f"alert-{number}",),
        "counts": (("recipients", number),),
    }
    return AuditEntry(**(values | changes))  # type: ignore[arg-type]


def written(database: Database, count: int, first: int = 1) -> AuditHead:
    with database.write() as conn:
        return append(conn, [event(number) for number in range(first, first + count)])


def test_an_empty_chain_verifies(database: Database) -> None:
    with database.write() as conn:
        assert append(conn, []) == EMPTY_HEAD
    with database.read() as conn:
        assert verify_chain(conn) == read_head(conn) == EMPTY_HEAD
        assert list_events(conn) == ()


def test_appended_events_form_one_chain_across_transactions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "VERIFY_BATCH", 4)
    written(database, 5)
    head = written(database, 6, first=6)
    with database.read() as conn:
        assert verify_chain(conn) == read_head(conn) == head
        assert head.seq == 11
        stored = list_events(conn)
    assert [one.seq for one in stored] == list(range(11, 0, -1))
    assert [one.event for one in stored] == [event(number) for number in range(11, 0, -1)]
    assert stored[0].hash == head.hash


@pytest.mark.both_databases
def test_what_was_rolled_back_is_not_in_the_chain(database: Database) -> None:
    head = written(database, 2)
    with database.write() as conn:
        append(conn, [event(3)])
        conn.rollback()
    with database.read() as conn:
        assert verify_chain(conn) == head


def test_oversized_and_hostile_texts_are_stored_clipped_and_verify(database: Database) -> None:
    hostile = "\x00\ud800字" * 1_000
    with database.write() as conn:
        append(conn, [event(1, principal=hostile, method=hostile, reason=hostile, detail=hostile)])
    with database.read() as conn:
        assert verify_chain(conn).seq == 1
        (stored,) = list_events(conn)
    assert stored.event.principal.startswith("\ufffd?字")


TAMPERINGS = {
    "body": update(audit_events).where(audit_events.c.seq == 4).values(body=event(40).to_bytes()),
    "hash": update(audit_events).where(audit_events.c.seq == 4).values(hash=b"\x01" * 32),
    "principal": update(audit_events).where(audit_events.c.seq == 4).values(principal="system/cn/other"),
    "method": update(audit_events).where(audit_events.c.seq == 4).values(method="/gateway.v1.AlertService/GetAlert"),
    "result": update(audit_events).where(audit_events.c.seq == 4).values(result="error"),
    "reason": update(audit_events).where(audit_events.c.seq == 4).values(reason="OTHER"),
    "time": update(audit_events).where(audit_events.c.seq == 4).values(time=1),
    "removed": delete(audit_events).where(audit_events.c.seq == 4),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_every_change_is_found_and_its_event_named(database: Database, tampering: str) -> None:
    written(database, 7)
    with database.write() as conn:
        conn.execute(TAMPERINGS[tampering])
    with database.read() as conn, pytest.raises(VerificationError) as caught:
        verify_chain(conn)
    assert caught.value.metadata["seq"] == "4"
    assert caught.value.step.startswith("audit ")


def test_a_body_that_is_no_event_is_found_even_with_a_matching_hash(database: Database) -> None:
    head = written(database, 2)
    body = b'{"not":"an event"}'
    forged = audit.extend(head, body)
    row = {"seq": 3, "time": 0, "principal": "", "method": "", "result": "allow", "reason": "", "body": body}
    with database.write() as conn:
        conn.execute(insert(audit_events).values(**row, hash=forged.hash))
    with database.read() as conn:
        with pytest.raises(VerificationError, match="event 3 isn't an audit event"):
            verify_chain(conn)
        with pytest.raises(VerificationError, match="event 3 isn't an audit event"):
            list_events(conn)


@pytest.mark.both_databases
def test_a_cut_off_or_rewritten_chain_is_found_by_a_head_kept_elsewhere(database: Database) -> None:
    kept = written(database, 5)
    written(database, 2, first=6)
    with database.read() as conn:
        assert verify_chain(conn, trusted_heads=[kept]).seq == 7
        assert verify_chain(conn, trusted_heads=[EMPTY_HEAD, kept]).seq == 7
    with database.write() as conn:
        conn.execute(delete(audit_events).where(audit_events.c.seq >= 5))
    with database.read() as conn:
        assert verify_chain(conn).seq == 4  # on its own it can't know
        with pytest.raises(VerificationError, match="event 5 is missing") as caught:
            verify_chain(conn, trusted_heads=[kept])
    assert caught.value.metadata["seq"] == "5"
    written(database, 3, first=50)
    with (
        database.read() as conn,
        pytest.raises(VerificationError, match="events 1 to 5 are not what the trusted head of 5 covers"),
    ):
        verify_chain(conn, trusted_heads=[kept])


@pytest.mark.both_databases
def test_pages_cover_everything_once_while_events_come_in(database: Database) -> None:
    written(database, 10)
    seen: list[int] = []
    before = None
    while True:
        with database.read() as conn:
            page = list_events(conn, before_seq=before, limit=4)
        seen += [one.seq for one in page]
        if len(page) < 4:
            break
        before = page[-1].seq
        written(database, 3, first=100)
    assert seen == list(range(10, 0, -1))


@pytest.mark.both_databases
def test_filters_narrow_together(database: Database) -> None:
    written(database, 12)
    cases = [
        (AuditFilter(principal="system/cn/desk-1"), [11, 9, 7, 5, 3, 1]),
        (AuditFilter(result=AuditResult.DENY), [12, 9, 6, 3]),
        (AuditFilter(reason="PERMISSION_DENIED", principal="system/cn/desk-1"), [9, 3]),
        (AuditFilter(method="/gateway.v1.AlertService/GetAlert"), []),
        (AuditFilter(from_ms=1_004, until_ms=1_007), [6, 5, 4]),
    ]
    with database.read() as conn:
        for where, expected in cases:
            assert [one.seq for one in list_events(conn, where=where)] == expected


def test_a_page_out_of_range_lists_all_violations(database: Database) -> None:
    with database.read() as conn:
        with pytest.raises(InvalidRequestError) as caught:
            list_events(conn, before_seq=0, limit=0)
        assert [one.field for one in caught.value.violations] == ["page_size", "page_token"]
        with pytest.raises(InvalidRequestError):
            list_events(conn, limit=1_001)


@pytest.mark.both_databases
def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    errors: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 10):
                written(database, 2, first=number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.read() as conn:
        assert verify_chain(conn).seq == 60


def committed(queue: AuditQueue, database: Database) -> bool:
    try:
        with queue.drained() as events, database.write() as conn:
            append(conn, events)
    except (GatewayError, SQLAlchemyError):
        return False
    return True


@pytest.mark.both_databases
def test_the_queue_and_the_chain_together_lose_nothing_when_a_commit_fails(database: Database) -> None:
    queue = AuditQueue(capacity=5)
    for number in range(5):
        queue.record(event(number, result=AuditResult.ALLOW))
    with pytest.raises(OverloadedError):
        queue.record(event(5, result=AuditResult.ALLOW))
    with database.write() as conn:
        conn.execute(text("DROP TABLE audit_events"))
    assert not committed(queue, database)
    assert len(queue) == 5
    with database.write() as conn:
        audit_events.create(conn)
    assert committed(queue, database)
    with database.read() as conn:
        assert verify_chain(conn).seq == 5
        assert conn.execute(select(audit_events.c.time).order_by(audit_events.c.seq)).scalars().all() == [
            1_000 + number for number in range(5)
        ]
    assert len(queue) == 0
