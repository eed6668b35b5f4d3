from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OverloadedError
from gateway.rpc.fairness.limits import DAY_MS, PEER_LIMITS, SYSTEM_LIMITS, CallerLimits, Limits, default_limits
from gateway.trust.rules.permissions import Principal, PrincipalKind

HK = Principal(PrincipalKind.PEER, "hk", "", frozenset(), "aa")
DESK = Principal(PrincipalKind.SYSTEM, "cn", "desk", frozenset(), "bb")
SMALL = Limits(calls_per_s=10, burst=3, concurrent_calls=2, concurrent_streams=1)


def small() -> CallerLimits:
    return CallerLimits(lambda _: SMALL)


def one_call(limits: CallerLimits, now_s: float, principal: Principal = HK) -> None:
    limits.enter(principal, streaming=False, now_s=now_s)
    limits.leave(principal, streaming=False)


def test_a_burst_passes_and_then_one_call_every_tenth_of_a_second() -> None:
    limits = small()
    for _ in range(3):
        one_call(limits, 100.0)
    with pytest.raises(OverloadedError, match="more than 10 calls a second") as caught:
        one_call(limits, 100.0)
    assert caught.value.retry_after_s == pytest.approx(0.1)
    one_call(limits, 100.0 + caught.value.retry_after_s)
    with pytest.raises(OverloadedError):
        one_call(limits, 100.1)


def test_one_caller_does_not_use_up_what_another_has() -> None:
    limits = small()
    for _ in range(3):
        one_call(limits, 0.0)
    one_call(limits, 0.0, DESK)


def test_calls_and_streams_at_once_are_counted_apart_and_given_back() -> None:
    limits = small()
    limits.enter(HK, streaming=True, now_s=0.0)
    with pytest.raises(OverloadedError, match="1 streams are open") as caught:
        limits.enter(HK, streaming=True, now_s=10.0)
    assert caught.value.retry_after_s == 1.0
    limits.enter(HK, streaming=False, now_s=10.0)
    limits.enter(HK, streaming=False, now_s=10.0)
    with pytest.raises(OverloadedError, match="2 calls are open"):
        limits.enter(HK, streaming=False, now_s=20.0)
    limits.leave(HK, streaming=True)
    limits.leave(HK, streaming=False)
    limits.enter(HK, streaming=True, now_s=30.0)
    limits.enter(HK, streaming=False, now_s=30.0)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    limits = small()
    for _ in range(3):
        one_call(limits, 50.0)
    with pytest.raises(OverloadedError):
        one_call(limits, 49.0)


@given(st.lists(st.floats(0, 0.3), max_size=60))
def test_no_interval_sees_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    limits, now_s, passed = small(), 0.0, []
    for pause in pauses:
        now_s += pause
        try:
            one_call(limits, now_s)
        except OverloadedError:
            continue
        passed.append(now_s)
    for start in range(len(passed)):
        for end in range(start, len(passed)):
            allowed = SMALL.burst + (passed[end] - passed[start]) * SMALL.calls_per_s
            assert end - start + 1 <= allowed + 1e-6


def test_partners_and_systems_have_their_own_defaults() -> None:
    assert default_limits(HK) is PEER_LIMITS
    assert default_limits(DESK) is SYSTEM_LIMITS


def test_a_day_has_its_limits_and_they_can_be_changed() -> None:
    day_ms, refused = [0], []
    daily = replace(SMALL, calls_per_s=1e6, burst=1000, calls_per_day=3, bytes_per_day=100)
    limits = CallerLimits(lambda _: daily, time_ms=lambda: day_ms[0], on_refusal=lambda *who: refused.append(who))
    one_call(limits, 0.0)
    limits.spend(HK, size=100, rows=1)
    with pytest.raises(OverloadedError) as raised:
        one_call(limits, 1.0)
    assert raised.value.retry_after_s == DAY_MS / 1000
    assert refused == [(HK.id, "bytes_per_day")]
    limits.set_limits(lambda _: replace(daily, bytes_per_day=0))
    one_call(limits, 2.0)
    limits.require_day(HK)
    with pytest.raises(OverloadedError):
        limits.require_day(HK)
    assert refused[1:] == [(HK.id, "calls_per_day")]
    day_ms[0] = DAY_MS + 1
    one_call(limits, 3.0)
