"""The clock is never right by its own word: partners' clocks say it, or nobody does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.node.checks.clock import compare
from gateway.node.checks.findings import Result
from gateway.rpc.listener.partner_probe import ClockReading


def ahead(seconds: float, uncertainty_s: float = 0.0) -> ClockReading:
    return ClockReading(timedelta(seconds=seconds), timedelta(seconds=uncertainty_s))


@pytest.mark.parametrize(
    ("partners", "result", "words"),
    [
        ({}, Result.UNKNOWN, "no partner's clock could be read"),
        ({"hk": ahead(0.4)}, Result.OK, "agrees with partners' clocks: hk 0.4 s ahead (±0.0 s)"),
        ({"hk": ahead(-11.0, 1.5)}, Result.OK, "hk 11.0 s behind (±1.5 s)"),
        ({"hk": ahead(11.0)}, Result.WARN, "differ from this one: hk 11.0 s ahead"),
        ({"hk": ahead(400), "mo": ahead(0)}, Result.WARN, "hk 400.0 s ahead (±0.0 s), mo 0.0 s ahead"),
        ({"hk": ahead(-400), "mo": ahead(-390)}, Result.FAIL, "more than 5 minutes stop queries"),
        ({"hk": ahead(-400)}, Result.FAIL, "hk 400.0 s behind"),
        ({"hk": ahead(301, 4)}, Result.WARN, "hk 301.0 s ahead"),
    ],
)
def test_what_partners_clocks_say_of_the_own_one(partners: dict[str, ClockReading], result: Result, words: str) -> None:
    finding = compare("Clock", partners)
    assert (finding.check, finding.result) == ("Clock", result)
    assert words in finding.detail
    assert bool(finding.way_out) == (result is not Result.OK)
