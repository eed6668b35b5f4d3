"""Quantiles from classes of equal relative width, beside quantiles of the times themselves."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.figures.rules.durations import SHOWN_UP_TO_S, WIDTH, duration_class, middle_s, quantile_s, shown_class

seconds = st.one_of(st.floats(0, 10), st.floats(10, 10**8))


@given(st.lists(seconds, min_size=1, max_size=60), st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_a_quantile_is_that_of_the_times_up_to_the_width_of_a_class(times: list[float], share: float) -> None:
    exact = sorted(times)[math.ceil(share * len(times)) - 1]
    estimated = quantile_s(Counter(map(duration_class, times)), share)
    assert estimated is not None
    if exact <= 1:
        assert estimated <= 1
    else:
        assert exact / WIDTH <= estimated <= exact * WIDTH


@given(st.lists(seconds, max_size=60))
def test_shown_classes_hold_the_sample_once(times: list[float]) -> None:
    shown = Counter(shown_class(duration_class(time)) for time in times)
    bounds = [0, *SHOWN_UP_TO_S, float("inf")]
    for at, number in shown.items():
        low, high = bounds[at] / WIDTH, bounds[at + 1] * WIDTH
        assert number <= sum(low <= time <= high for time in times)


def test_what_clocks_make_negative_counts_as_no_time() -> None:
    assert duration_class(-5) == duration_class(0) == duration_class(1) == 0
    assert middle_s(0) == 0


def test_no_sample_has_no_quantile() -> None:
    assert quantile_s({}, 0.5) is None
    assert quantile_s({3: 0}, 0.5) is None
