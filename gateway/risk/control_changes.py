"""Says on which days controls and restrictions begin, are suspended, hold again or end, and which goods that touches.

A day counts by the lists alone: a suspension whose last day is over and that nobody has extended means that the control
holds again, as surely as `ControlStatus` says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from gateway.risk.announcements import ENTITY_LISTS, RESTRICTIONS, Announcement, Measure, status_text
from gateway.risk.controlled_goods import LIST_TERRITORY, ControlledGood, ControlledGoods
from gateway.risk.facts.controlled import Controls
from gateway.risk.validity import Confidence, ControlPeriod, ControlStatus
from gateway.v1 import shipment_pb2, trace_pb2

_DAY: Final = timedelta(days=1)
_EPOCH: Final = date(1970, 1, 1)
_NOON_S: Final = 43_200


@dataclass(frozen=True, slots=True)
class ControlChange:
    """A day on which the state of a control or restriction changes.

    Attributes:
        day: the first of the new state.
        by: announcement of the suspension that begins or is over; empty where its own days begin or end.
        text: the new state in words.
        confidence: of the new state; medium at most where it rests on a suspension that was only not extended.
    """

    announcement: Announcement
    day: date
    before: ControlStatus
    after: ControlStatus
    by: str
    text: str
    confidence: Confidence


def control_changes(goods: ControlledGoods, since: date, until: date) -> list[ControlChange]:
    """Changes from one day to another, both included, by day; suspensions show as what they do to others."""
    found = [
        change
        for row in goods.announcements
        if row.measure is not Measure.SUSPENSION
        for change in _changes(row, goods.announcements.validity(row), since, until)
    ]
    return sorted(found, key=lambda change: (change.day, change.announcement.key))


def codes_of(goods: ControlledGoods, change: ControlChange) -> list[str]:
    """Subheadings of the lines that a change is about."""
    return sorted({good.hs6 for good in _concerned(goods, change) if good.code})


def elements_of(goods: ControlledGoods, change: ControlChange) -> list[str]:
    """Elements of the lines that a change is about: some have no code."""
    return sorted({good.element for good in _concerned(goods, change) if good.element})


def _concerned(goods: ControlledGoods, change: ControlChange) -> Iterator[ControlledGood]:
    row = change.announcement
    for good in goods:
        if good.announcement == row.name if row.measure is Measure.LICENCE else row.concerns(good.announcement):
            yield good


def touched(
    controls: Controls, change: ControlChange, shipment: shipment_pb2.Shipment
) -> list[trace_pb2.ControlledItem]:
    """Lines of the list that a shipment's goods match and for which a change makes a difference, the surest first.

    Of a list of entities: where the goods go to one of them; about third places: where they leave one.
    """
    row = change.announcement
    before, after = (_on(shipment, day) for day in (change.day - _DAY, change.day))
    if row.measure is Measure.LICENCE:
        held, holds = (
            [one for one in controls.items(each) if one.announcement == row.name] for each in (before, after)
        )
        return holds or held if bool(held) != bool(holds) else []
    if row.measure in RESTRICTIONS:
        is_meant = shipment.destination_territory in row.destinations
    elif row.measure in ENTITY_LISTS:
        found = (match for each in (before, after) for match in controls.listed_parties(each))
        is_meant = any(match.entity.announcement.key == row.key for match in found)
    else:
        is_meant = shipment.export_territory not in ("", LIST_TERRITORY)
    lines = (controls.items(after) or controls.items(before)) if is_meant else []
    return [line for line in lines if row.concerns(line.announcement)]


def _changes(row: Announcement, validity: ControlPeriod, since: date, until: date) -> Iterator[ControlChange]:
    for day in sorted(_boundaries(validity)):
        if not since <= day <= until or day == date.min:
            continue
        before, after = validity.status_on(day - _DAY), validity.status_on(day)
        if before is not after:
            confidence = row.confidence
            if after is ControlStatus.SUSPENSION_ENDED:
                confidence = min(confidence, Confidence.MEDIUM)
            yield ControlChange(
                row, day, before, after, _by(validity, day, after), status_text(validity, after, day), confidence
            )


def _boundaries(validity: ControlPeriod) -> Iterator[date]:
    """First days of new states."""
    for days in (validity.effective, *(suspension.days for suspension in validity.suspensions)):
        yield days.first
        if days.last is not None and days.last < date.max:
            yield days.last + _DAY


def _by(validity: ControlPeriod, day: date, after: ControlStatus) -> str:
    suspension = validity.suspension_on(day) if after is ControlStatus.SUSPENDED else validity.suspension_on(day - _DAY)
    return suspension.by if suspension is not None else ""


def _on(shipment: shipment_pb2.Shipment, day: date) -> shipment_pb2.Shipment:
    """A shipment as if it were declared on a day."""
    moved = shipment_pb2.Shipment(
        goods=shipment.goods,
        parties=shipment.parties,
        destination_territory=shipment.destination_territory,
        utc_offset_minutes=shipment.utc_offset_minutes,
    )
    moved.declared_at.seconds = (day - _EPOCH).days * 86_400 + _NOON_S - shipment.utc_offset_minutes * 60
    return moved
