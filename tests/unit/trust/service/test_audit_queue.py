import threading
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MarksBehindError, OverloadedError
from gateway.trust.rules.audit import MAX_SUBJECT_IDS, MAX_TEXT_CHARS, AuditEntry, AuditResult
from gateway.trust.service import audit_queue
from gateway.trust.service.audit_queue import (
    FIRST_PERIOD_S,
    MAX_PERIOD_S,
    MAX_SERIES,
    MAX_UNVERIFIED,
    AuditQueue,
)

DENY, ALLOW, ERROR = AuditResult.DENY, AuditResult.ALLOW, AuditResult.ERROR


@dataclass
class Monotonic:
    """Seconds that only a test moves."""

    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def event(
    number: int,
    result: AuditResult = ALLOW,
    reason: str = "",
    principal: str = "a",
    *,
    repeatable: bool = False,
    subject_ids: tuple[str, ...] = (),
) -> AuditEntry:
    return AuditEntry(
        time_ms=number,
        principal=principal,
        method="/s/M",
        result=result,
        reason=reason,
        repeatable=repeatable,
        subject_ids=subject_ids,
    )


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


@pytest.mark.parametrize(("result", "repeatable"), [(DENY, False), (ERROR, False), (ALLOW, True)])
def test_the_first_is_stored_at_once_and_equal_ones_become_one(result: AuditResult, repeatable: bool) -> None:
    clock = Monotonic()
    queue = AuditQueue(monotonic_s=clock)
    for number in range(1_000):
        queue.record(event(number, result, "R", repeatable=repeatable))
    (first,) = queue.drain()
    assert (first.time_ms, first.occurrences, first.counts) == (0, 1, ())
    assert len(queue) == 0
    clock.now_s += FIRST_PERIOD_S
    assert len(queue) == 1
    (others,) = queue.drain()
    assert (others.time_ms, others.last_time_ms, others.occurrences) == (1, 999, 999)
    assert AuditEntry.from_bytes(others.to_bytes()) == others


def test_periods_double_while_a_series_goes_on_and_begin_anew_after_a_pause() -> None:
    clock = Monotonic()
    queue = AuditQueue(monotonic_s=clock)
    stored = []
    for second in range(24 * 3600):
        clock.now_s += 1
        queue.record(event(second, DENY, "R"))
        stored += queue.drain()
    assert len(stored) < 100
    assert sum(one.occurrences for one in stored) > 24 * 3600 - MAX_PERIOD_S
    assert stored == sorted(stored, key=lambda one: one.time_ms)
    clock.now_s += 3 * MAX_PERIOD_S
    queue.drain()
    clock.now_s += 3 * MAX_PERIOD_S
    queue.drain()
    queue.record(event(1_000_000, DENY, "R"))
    assert times(queue.drain()) == [1_000_000]


def test_it_says_when_there_may_be_something_to_store_next() -> None:
    now = Monotonic()
    queue = AuditQueue(monotonic_s=now)
    queue.record(event(1))
    assert queue.next_end_in_s == float("inf")
    queue.record(event(2, DENY))
    now.now_s += FIRST_PERIOD_S - 1
    assert queue.next_end_in_s == pytest.approx(1)
    now.now_s += 2
    assert queue.next_end_in_s == 0
    queue.drain()
    assert queue.next_end_in_s == float("inf")


def test_a_single_repeat_is_stored_as_it_came() -> None:
    clock = Monotonic()
    queue = AuditQueue(monotonic_s=clock)
    queue.record(event(0, DENY, "R"))
    queue.record(event(1, DENY, "R"))
    clock.now_s += FIRST_PERIOD_S
    assert [(one.time_ms, one.counts) for one in queue.drain()] == [(0, ()), (1, ())]


def test_calls_with_an_effect_a_purpose_or_a_case_are_never_merged() -> None:
    queue = AuditQueue()
    for number in range(3):
        queue.record(event(number))
        queue.record(replace(event(number, repeatable=True), purpose="export_control"))
        queue.record(replace(event(number, repeatable=True), case_reference="CASE-1"))
    assert len(queue.drain()) == 9


def test_other_callers_results_reasons_and_subjects_stay_apart() -> None:
    queue = AuditQueue()
    queue.record(event(0, DENY, "A"))
    queue.record(event(1, DENY, "B"))
    queue.record(event(2, DENY, "A", principal="b"))
    queue.record(event(3, ERROR, "A"))
    queue.record(event(4, repeatable=True, subject_ids=("x",)))
    queue.record(event(5, repeatable=True, subject_ids=("y",)))
    assert times(queue.drain()) == [0, 1, 2, 3, 4, 5]


def test_what_was_refused_keeps_its_subjects_up_to_a_bound_and_the_sum_of_its_sizes() -> None:
    queue = AuditQueue()
    for number in range(1_001):
        refused = event(number, DENY, "AGREEMENT_FORBIDS", subject_ids=(f"{number:064x}",))
        queue.record(replace(refused, counts=(("bytes", 44_000),)))
    queue.flush()
    first, others = queue.drain()
    assert first.subject_ids == (f"{0:064x}",)
    assert others.subject_ids == tuple(f"{number:064x}" for number in range(1, MAX_SUBJECT_IDS + 1))
    assert dict(others.counts) == {
        "bytes": 44_000_000,
        "last_time_ms": 1_000,
        "repeated": 1_000,
        "subjects_left_out": 1_000 - MAX_SUBJECT_IDS,
    }


def test_a_flood_without_effect_never_pushes_calls_out() -> None:
    queue = AuditQueue(capacity=1)
    queue.record(event(0))
    for number in range(1, 10):
        queue.record(event(number, DENY, "A"))
    assert times(queue.drain()) == [0]
    queue.flush()
    (denials,) = queue.drain()
    assert (denials.time_ms, denials.occurrences) == (1, 9)
    assert queue.lost_denials == 0


def test_denials_are_counted_when_lost() -> None:
    queue = AuditQueue(capacity=1)
    for number in range(MAX_SERIES + 3):
        queue.record(event(number, DENY, f"reason {number}"))
    assert queue.lost_denials == 3


def test_memory_is_bounded_whatever_names_strangers_claim() -> None:
    queue = AuditQueue()
    for number in range(20_000):
        queue.record(event(number, DENY, "UNAUTHENTICATED", principal=f"unverified:spiffe://{number}"))
    queue.record(event(20_000, DENY, "PERMISSION_DENIED"))
    assert len(queue._series) == MAX_UNVERIFIED + 2
    queue.flush()
    events = queue.drain()
    assert len(events) == MAX_UNVERIFIED + 3
    assert sum(one.occurrences for one in events) == 20_001


def test_beyond_the_most_series_permitted_calls_are_stored_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_queue, "MAX_SERIES", 2)
    queue = AuditQueue(capacity=10)
    for number in range(4):
        queue.record(event(number, repeatable=True, subject_ids=(str(number),)))
    queue.record(event(4, repeatable=True, subject_ids=("3",)))
    assert times(queue.drain()) == [0, 1, 2, 3, 4]


def test_a_failed_transaction_gives_its_events_back_in_front() -> None:
    queue = AuditQueue()
    queue.record(event(0))
    queue.record(event(1, DENY, "A"))
    with pytest.raises(OSError, match="disk full"), queue.drained(1) as taken:  # noqa: PT012  the block is what fails
        queue.record(event(2))
        queue.record(event(3, DENY, "A"))
        assert times(taken) == [0]
        raise OSError("disk full")
    assert times(queue.drain()) == [0, 1, 2]
    queue.flush()
    assert times(queue.drain()) == [3]


def test_a_committed_transaction_keeps_its_events() -> None:
    queue = AuditQueue()
    queue.record(event(0))
    with queue.drained() as taken:
        assert times(taken) == [0]
    assert len(queue) == 0


def test_events_that_are_committed_while_their_marks_fail_are_stored_once() -> None:
    queue = AuditQueue()
    queue.record(event(0))
    with pytest.raises(MarksBehindError), queue.drained():
        raise MarksBehindError("marks can't be written")
    assert len(queue) == 0


@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from([DENY, ALLOW, ERROR]), st.booleans(), st.integers(0, 3)))
)
def test_nothing_is_lost_and_effects_stand_alone(steps: list[tuple[int, AuditResult, bool, int]]) -> None:
    clock, stored, recorded = Monotonic(), [], []
    queue = AuditQueue(monotonic_s=clock)
    for number, (seconds, result, repeatable, caller) in enumerate(steps):
        clock.now_s += seconds
        one = event(number, result, "R", principal=str(caller), repeatable=repeatable)
        queue.record(one)
        recorded.append(one)
        if seconds % 2:
            stored += queue.drain()
    queue.flush()
    stored += queue.drain()
    for result in AuditResult:
        for caller in range(4):
            mine = [one for one in stored if (one.result, one.principal) == (result, str(caller))]
            theirs = [one for one in recorded if (one.result, one.principal) == (result, str(caller))]
            assert sum(one.occurrences for one in mine) == len(theirs)
    effects = [one for one in recorded if one.result is ALLOW and not one.repeatable]
    assert all(one in stored for one in effects)


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
