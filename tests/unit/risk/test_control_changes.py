"""Days on which controls begin, are suspended, hold again or end, and what that touches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from gateway.risk.announcements import Measure
from gateway.risk.control_changes import ControlChange, codes_of, control_changes, touched
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.facts.controlled import Controls
from gateway.risk.validity import Confidence, ControlStatus
from gateway.v1 import shipment_pb2

GOODS = load_controlled_goods()
HOLMIUM = "MOFCOM/GACC No.57 of 2025"
REFUSED = "MOFCOM No.46 of 2024, paragraph 2"


def days(since: date, until: date) -> Iterator[date]:
    for number in range((until - since).days + 1):
        yield since + timedelta(days=number)


def test_the_changes_are_those_of_the_states_of_every_day() -> None:
    """The oracle asks for each day's state and compares it with the day's before."""
    since, until = date(2023, 7, 1), date(2027, 1, 31)
    expected = {
        (day, row.key, before, after)
        for row in GOODS.announcements
        if row.measure is not Measure.SUSPENSION
        for day in days(since, until)
        if (before := GOODS.announcements.validity(row).status_on(day - timedelta(days=1)))
        is not (after := GOODS.announcements.validity(row).status_on(day))
    }
    found = control_changes(GOODS, since, until)
    assert {(each.day, each.announcement.key, each.before, each.after) for each in found} == expected
    assert [each.day for each in found] == sorted(each.day for each in found)


def change(day: date, announcement: str) -> ControlChange:
    (found,) = [each for each in control_changes(GOODS, day, day) if each.announcement.key == announcement]
    return found


def test_what_was_only_not_extended_is_medium_and_names_the_suspension() -> None:
    again = change(date(2026, 11, 11), HOLMIUM)
    assert (again.before, again.after) == (ControlStatus.SUSPENDED, ControlStatus.SUSPENSION_ENDED)
    assert (again.by, again.confidence) == ("MOFCOM/GACC No.70 of 2025", Confidence.MEDIUM)
    assert "an extension is not known" in again.text
    assert change(date(2025, 4, 4), "MOFCOM/GACC No.18 of 2025").confidence is Confidence.HIGH


def shipment(code: str, element: str = "", destination: str = "JP") -> shipment_pb2.Shipment:
    goods = shipment_pb2.ShipmentGoods(sequence=1, element=element)
    goods.codes.add(code=code, territory="CN", scheme="hs")
    return shipment_pb2.Shipment(goods=[goods], destination_territory=destination, utc_offset_minutes=480)


@pytest.mark.parametrize(
    ("day", "announcement", "goods", "is_touched"),
    [
        (date(2026, 11, 11), HOLMIUM, shipment("28053019"), True),
        (date(2026, 11, 11), HOLMIUM, shipment("28053019", element="Dy"), True),  # the code itself is listed
        (date(2026, 11, 11), HOLMIUM, shipment("8110100000"), False),
        (date(2025, 11, 9), REFUSED, shipment("8110101000", destination="US"), True),
        (date(2025, 11, 9), REFUSED, shipment("8110101000", destination="VN"), False),
        (date(2025, 11, 9), REFUSED, shipment("2846902200", destination="US"), False),
    ],
)
def test_goods_are_touched_by_what_their_codes_and_destination_say(
    day: date, announcement: str, goods: shipment_pb2.Shipment, *, is_touched: bool
) -> None:
    found = change(day, announcement)
    lines = touched(Controls(GOODS), found, goods)
    assert bool(lines) == is_touched
    if is_touched:
        assert goods.goods[0].codes[0].code[:6] in codes_of(GOODS, found)
