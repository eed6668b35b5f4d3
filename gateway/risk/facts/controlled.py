"""Finds a shipment's goods under export control at its declaration."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.risk.controlled_goods import Confidence, ControlledGoodMatch, ControlledGoods, ControlStatus, MatchBasis
from gateway.v1 import shipment_pb2, trace_pb2

MAX_PER_ITEM = 8
"""Some subheadings hold dozens of lines."""

MAX_DAYS_KEPT = 4096
"""Most cached days."""

_EPOCH = date(1970, 1, 1).toordinal()
_SECONDS_A_DAY = 86_400


def local_day(at: Timestamp, utc_offset_minutes: int) -> date:
    """Local day of a moment, clipped to valid dates."""
    days = _EPOCH + (at.seconds + utc_offset_minutes * 60) // _SECONDS_A_DAY
    return date.fromordinal(min(max(days, 1), date.max.toordinal()))


class Controls:
    """The control list applied to shipments. Thread-safe."""

    def __init__(self, goods: ControlledGoods) -> None:
        self.goods = goods
        self._hs6 = frozenset(good.hs6 for good in goods)
        self._elements: dict[date, frozenset[str]] = {}

    def items(self, shipment: shipment_pb2.Shipment) -> list[trace_pb2.ControlledItem]:
        """Matched lines at declaration, by item, most reliable first."""
        return [match for item in shipment.goods if self.lists(item) for match in self.of_item(item, shipment)]

    def lists(self, item: shipment_pb2.ShipmentGoods) -> bool:
        """Whether a subheading is listed: the cheap test."""
        return any(code.code[:6] in self._hs6 for code in item.codes)

    def of_item(
        self, item: shipment_pb2.ShipmentGoods, shipment: shipment_pb2.Shipment
    ) -> list[trace_pb2.ControlledItem]:
        """Lines that an item matches, most reliable first.

        Where six digits alone match, another declared element rules the line out; the line's own raises it to medium
        confidence.
        """
        on = local_day(shipment.declared_at, shipment.utc_offset_minutes)
        matches = [
            trace_pb2.ControlledItem(
                sequence=item.sequence,
                code=match.good.code,
                substance=match.good.substance,
                element=match.good.element,
                announcement=match.good.announcement,
                confidence=_confidence(match, item.element).name.lower(),
                basis=match.basis.value,
            )
            for match in self._matches(item, on)
            if match.basis is MatchBasis.NATIONAL or not item.element or match.good.element in (item.element, "")
        ]
        matches.sort(key=lambda line: -Confidence[line.confidence.upper()])
        distinct = {(line.code, line.substance): line for line in reversed(matches)}
        return list(reversed(distinct.values()))[:MAX_PER_ITEM]

    def elements_on(self, on: date) -> frozenset[str]:
        known = self._elements.get(on)
        if known is None:
            known = frozenset(
                good.element for good in self.goods if good.element and good.status_on(on) is ControlStatus.IN_FORCE
            )
            if len(self._elements) >= MAX_DAYS_KEPT:
                self._elements.clear()
            self._elements[on] = known
        return known

    def _matches(self, item: shipment_pb2.ShipmentGoods, on: date) -> Iterator[ControlledGoodMatch]:
        for code in item.codes:
            digits = code.code[: len(code.code) // 2 * 2][:12]  # some tariffs have an odd number of digits
            if len(digits) >= 6:
                yield from self.goods.match(digits, on, territory=code.territory)


def _confidence(match: ControlledGoodMatch, element: str) -> Confidence:
    if match.basis is MatchBasis.HS6 and element and element == match.good.element:
        return max(match.confidence, min(match.good.confidence, Confidence.MEDIUM))
    return match.confidence
