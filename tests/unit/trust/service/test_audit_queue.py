import threading
from dataclasses import replace

import pytest

from gateway.errors import OverloadedError
from gateway.trust.rules.audit import MAX_TEXT_CHARS, AuditEntry, AuditResult
from gateway.trust.service.audit_queue import AuditQueue


def event(number: int, result: AuditResult = AuditResult.ALLOW, reason: str = "", principal: str = "a") -> AuditEntry:
    return AuditEntry(time_ms=number, principal=principal, method="/s/M", result=result, reason=reason)


def times(events: list[AuditEntry]) -> list[int]:
    return [one.time_ms for one in events]


def test_events_come_out_once_in_order() -> None:
    queue = AuditQueue()
    for number in range(5):
        queue.record(event(number))
    assert times(queue.drain(3)) == [0, 1, 2]
    assert times(queue.drain()) == [3, 4]
    assert queue.drain() == []


def test_a_full_queue_refuses_calls_with_a_retry_time() -> None:
    queue = AuditQueue(capacity=2)
    queue.record(event(0))
    queue.record(event(1))
    with pytest.raises(OverloadedError) as caught:
        queue.record(event(2))
    assert caught.value.retry_after_s == 1.0
    assert times(queue.drain()) == [0, 1]
    queue.record(event(3))
    assert times(queue.drain()) == [3]


def test_equal_denials_that_wait_together_become_one_with_a_count() -> None:
    queue = AuditQueue(capacity=3)
    for number in range(1_000):
        queue.record(event(number, AuditResult.DENY, "PERMISSION_DENIED"))
    queue.record(event(1_000))
    denial, call = queue.drain()
    assert (denial.time_ms, denial.counts) == (0, (("repeated", 1_000),))
    assert call.time_ms == 1_000


def test_denials_for_other_reasons_or_callers_stay_apart() -> None:
    queue = AuditQueue()
    queue.record(event(0, AuditResult.DENY, "A"))
    queue.record(event(1, AuditResult.DENY, "B"))
    queue.record(event(2, AuditResult.DENY, "A", principal="b"))
    assert times(queue.drain()) == [0, 1, 2]


def test_denials_never_push_calls_out_and_are_counted_when_lost() -> None:
    queue = AuditQueue(capacity=1)
    queue.record(event(0))
    queue.record(event(1, AuditResult.DENY, "A"))
    assert queue.lost_denials == 1
    assert times(queue.drain()) == [0]


def test_denials_still_find_each_other_after_a_partial_drain() -> None:
    queue = AuditQueue()
    queue.record(event(0))
    queue.record(event(1, AuditResult.DENY, "A"))
    queue.record(event(2, AuditResult.DENY, "B"))
    assert times(queue.drain(2)) == [0, 1]
    queue.record(event(3, AuditResult.DENY, "A"))
    queue.record(event(4, AuditResult.DENY, "B"))
    assert [(one.time_ms, one.counts) for one in queue.drain()] == [(2, (("repeated", 2),)), (3, ())]


def test_a_failed_transaction_gives_its_events_back_in_front() -> None:
    queue = AuditQueue()
    queue.record(event(0))
    queue.record(event(1, AuditResult.DENY, "A"))
    with pytest.raises(OSError, match="disk full"), queue.drained(1) as taken:  # noqa: PT012  the block is what fails
        queue.record(event(2))
        queue.record(event(3, AuditResult.DENY, "A"))
        assert times(taken) == [0]
        raise OSError("disk full")
    events = queue.drain()
    assert times(events) == [0, 1, 2]
    assert events[1].counts == (("repeated", 2),)


def test_a_committed_transaction_keeps_its_events() -> None:
    queue = AuditQueue()
    queue.record(event(0))
    with queue.drained() as taken:
        assert times(taken) == [0]
    assert len(queue) == 0


def test_many_threads_lose_nothing() -> None:
    queue, taken, done = AuditQueue(), [], threading.Event()

    def write(base: int) -> None:
        for number in range(2_000):
            queue.record(event(base + number))

    def read() -> None:
        while not done.is_set() or len(queue):
            with queue.drained(100) as events:
                taken.extend(events)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(base,)) for base in (0, 10_000, 20_000)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert sorted(times(taken)) == [base + number for base in (0, 10_000, 20_000) for number in range(2_000)]
    assert [t for t in times(taken) if t < 2_000] == list(range(2_000))


def test_the_writer_finds_events_clipped_and_written_out() -> None:
    queue = AuditQueue()
    queue.record(replace(event(1), detail="x" * 2 * MAX_TEXT_CHARS))
    queue.record(event(2))
    long, short = queue.drain()
    assert len(long.detail) == MAX_TEXT_CHARS
    for one in (long, short):
        assert one._body
        assert one.clipped() is one
        assert AuditEntry.from_bytes(one._body) == one
    assert replace(short, reason="another")._body == b""  # and never that of another event
