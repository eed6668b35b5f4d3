"""Controls by date: intervals, suspensions, and how a declared code meets the list."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.identification.code_lists import normalise_code
from gateway.errors import MalformedError
from gateway.risk.controlled_goods import Basket, ControlledGood, ControlledGoodMatch, ControlledGoods, MatchBasis
from gateway.risk.validity import Confidence, ControlPeriod, ControlStatus, Interval, Suspension

days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def good(code: str, confidence: Confidence = Confidence.HIGH, **more: object) -> ControlledGood:
    fields: dict[str, object] = {
        "element": "Ga",
        "substance": "gallium metal",
        "form": "powder",
        "control_code": "",
        "announcement": "No.1",
        "announced": date(2023, 7, 3),
        "validity": ControlPeriod(Interval(date(2023, 8, 1))),
    }
    return ControlledGood(code=code, confidence=confidence, **{**fields, **more})  # type: ignore[arg-type]


IN_FORCE = date(2024, 1, 1)


def bases(listed: str, declared: str, territory: str = "CN") -> list[MatchBasis]:
    return [match.basis for match in ControlledGoods((good(listed),)).match(declared, IN_FORCE, territory=territory)]


def test_an_interval_includes_both_ends() -> None:
    interval = Interval(date(2025, 11, 7), date(2026, 11, 10))
    assert date(2025, 11, 6) not in interval
    assert date(2025, 11, 7) in interval
    assert date(2026, 11, 10) in interval
    assert date(2026, 11, 11) not in interval
    assert date(9999, 12, 31) in Interval(date(2025, 11, 7))
    with pytest.raises(MalformedError, match="can't end on 2025-01-01"):
        Interval(date(2025, 1, 2), date(2025, 1, 1))


def suspension(first: date, last: date, *, resumed: bool = True) -> Suspension:
    return Suspension(Interval(first, last), "No.70", resumed)


def test_a_control_is_suspended_ends_and_resumes_by_its_dates() -> None:
    row = good(
        "81129290",
        validity=ControlPeriod(
            Interval(date(2025, 1, 1), date(2027, 12, 31)),
            (suspension(date(2025, 3, 1), date(2025, 3, 31)), suspension(date(2026, 1, 1), date(2026, 6, 30))),
        ),
    )
    expected = {
        date(2024, 12, 31): ControlStatus.NOT_YET,
        date(2025, 1, 1): ControlStatus.IN_FORCE,
        date(2025, 3, 1): ControlStatus.SUSPENDED,
        date(2025, 3, 31): ControlStatus.SUSPENDED,
        date(2025, 4, 1): ControlStatus.IN_FORCE,
        date(2026, 6, 30): ControlStatus.SUSPENDED,
        date(2027, 12, 31): ControlStatus.IN_FORCE,
        date(2028, 1, 1): ControlStatus.ENDED,
    }
    assert {day: row.status_on(day) for day in expected} == expected


def test_a_control_is_back_after_its_suspension_less_sure_until_somebody_verifies_it() -> None:
    effective = Interval(date(2025, 11, 8))
    unverified = suspension(date(2025, 11, 7), date(2026, 11, 10), resumed=False)
    row = good("28053019", validity=ControlPeriod(effective, (unverified,)))
    assert row.status_on(date(2025, 11, 7)) is ControlStatus.NOT_YET
    assert row.status_on(date(2025, 11, 8)) is ControlStatus.SUSPENDED
    assert row.status_on(date(2026, 11, 11)) is ControlStatus.SUSPENSION_ENDED
    assert row.status_text(date(2026, 11, 10)) == "suspended until 2026-11-10 by No.70"
    assert row.status_text(date(2026, 11, 11)) == (
        "its suspension by No.70 ended on 2026-11-10; it holds again, an extension is not known to this data"
    )
    (match,) = ControlledGoods((row,)).match("2805301990", date(2026, 11, 11), territory="CN")
    assert (match.status, match.confidence) == (ControlStatus.SUSPENSION_ENDED, Confidence.MEDIUM)
    extended = suspension(date(2026, 11, 11), date(2027, 11, 10), resumed=False)
    longer = good("28053019", validity=ControlPeriod(effective, (unverified, extended)))
    assert longer.status_on(date(2026, 11, 11)) is ControlStatus.SUSPENDED
    verified = suspension(date(2025, 11, 7), date(2026, 11, 10))
    again = good("28053019", validity=ControlPeriod(effective, (verified,)))
    assert again.status_on(date(2026, 11, 11)) is ControlStatus.IN_FORCE


@pytest.mark.parametrize(
    ("basket", "declared", "marked"),
    [
        (Basket.NONE, "811010", False),
        (Basket.SUBHEADING, "811010", True),
        (Basket.SUBHEADING, "8110101000", False),
        (Basket.CODE, "8110101000", True),
    ],
)
def test_a_code_that_other_goods_have_too_is_marked(basket: Basket, declared: str, marked: bool) -> None:
    (match,) = ControlledGoods((good("8110101000", basket=basket),)).match(declared, IN_FORCE, territory="CN")
    assert match.basket is marked


def test_a_line_without_a_code_is_met_by_its_element_alone_with_low_confidence() -> None:
    goods = ControlledGoods((good("", element="Sm", substance="alloys with samarium"),))
    assert goods.lists("811292", "Sm")
    assert not goods.lists("811292", "Ga")
    assert not goods.lists("", "")
    (match,) = goods.match_element("Sm", IN_FORCE)
    assert (match.basis, match.confidence) == (MatchBasis.ELEMENT, Confidence.LOW)
    assert goods.match_element("Sm", date(2023, 7, 31)) == goods.match_element("Ga", IN_FORCE) == []
    assert goods.codes("samarium") == []


def test_full_national_codes_meet_as_far_as_the_shorter_goes() -> None:
    assert bases("8112929090", "8112929090") == [MatchBasis.NATIONAL]
    assert bases("8112929090", "81129290") == [MatchBasis.NATIONAL]
    assert bases("81129290", "8112929090") == [MatchBasis.NATIONAL]
    assert bases("811292", "8112929090") == [MatchBasis.NATIONAL]
    assert bases("8112929090", "8112929010") == []
    assert bases("8112929090", "81129210") == []
    assert bases("8112929090", "8112.9290.90") == [MatchBasis.NATIONAL]


def test_six_digits_and_codes_of_other_tariffs_meet_by_subheading() -> None:
    assert bases("8112929090", "811292") == [MatchBasis.HS6]
    assert bases("811292", "811292") == [MatchBasis.HS6]
    assert bases("8112929090", "8112929010", "HK") == [MatchBasis.HS6]
    assert bases("8112929090", "81129200", "") == [MatchBasis.HS6]
    assert bases("8112929090", "811299") == []


def test_a_match_by_subheading_is_only_as_sure_as_the_list_is_coarse() -> None:
    assert ControlledGoodMatch(good("8112929090"), MatchBasis.HS6).confidence is Confidence.LOW
    assert ControlledGoodMatch(good("811292"), MatchBasis.HS6).confidence is Confidence.HIGH
    assert (
        ControlledGoodMatch(good("8112929090", Confidence.MEDIUM), MatchBasis.NATIONAL).confidence is Confidence.MEDIUM
    )


def test_the_surest_match_comes_first() -> None:
    rows = (
        good("811292", Confidence.LOW),
        good("8112929090", Confidence.MEDIUM),
        good("8112929090", Confidence.HIGH),
        good("8112929010"),
    )
    goods = ControlledGoods(rows)
    assert [m.good for m in goods.match("8112929090", IN_FORCE, territory="CN")] == [rows[2], rows[1], rows[0]]
    assert (len(goods), tuple(goods)) == (4, rows)


@pytest.mark.parametrize(
    "code", ["", "8112", "81129", "8112929", "8112929090123", "81129x", "８１１２９２", "81-12-92"]
)
def test_what_is_no_commodity_code_is_refused(code: str) -> None:
    with pytest.raises(MalformedError, match="6, 8, 10 or 12 digits"):
        ControlledGoods((good("811292"),)).match(code, IN_FORCE)
    if code:  # a line without a code is allowed
        with pytest.raises(MalformedError):
            good(code)


def test_listed_codes_are_digits_alone() -> None:
    assert normalise_code("8112.92 90") == "81129290"
    with pytest.raises(MalformedError, match="digits alone"):
        good("8112.92")


def naive(rows: list[ControlledGood], code: str, on: date, territory: str) -> set[ControlledGood]:
    """Row by row from the words of the documentation, day by day from the calendar."""
    found = set()
    for row in rows:
        last = row.validity.effective.last or date.max
        held = row.validity.effective.first <= on <= last
        paused = [
            s.days.first + timedelta(days=n)
            for s in row.validity.suspensions
            for n in range(((s.days.last or date(2031, 1, 1)) - s.days.first).days + 1)
        ]
        width = min(len(code), len(row.code)) if territory == "CN" else 6
        if held and on not in paused and code[:width] == row.code[:width]:
            found.add(row)
    return found


intervals = st.tuples(days, st.none() | days).filter(lambda pair: pair[1] is None or pair[1] >= pair[0])
codes = st.sampled_from(["811292", "81129290", "81129210", "8112929090", "8112929010", "811299", "8112991000"])
rows = st.builds(
    lambda code, effective, paused: good(code, validity=ControlPeriod(Interval(*effective), tuple(paused))),
    codes,
    intervals,
    st.lists(
        st.builds(lambda pair, resumed: Suspension(Interval(*pair), "No.70", resumed), intervals, st.booleans()),
        max_size=2,
    ),
)


@given(st.lists(rows, max_size=6), codes, days, st.sampled_from(["CN", "HK", ""]))
def test_matching_agrees_with_a_naive_reading(
    listed: list[ControlledGood], code: str, on: date, territory: str
) -> None:
    found = ControlledGoods(tuple(listed)).match(code, on, territory=territory)
    assert {match.good for match in found} == naive(listed, code, on, territory)
    order = [(match.status is not ControlStatus.IN_FORCE, -match.confidence) for match in found]
    assert order == sorted(order)
    for match in found:
        over = [s for s in match.good.validity.suspensions if s.days.last and s.days.last < on]
        unverified = over and not max(over, key=lambda s: s.days.last or date.max).resumed
        assert (match.status is ControlStatus.SUSPENSION_ENDED) == bool(unverified)
