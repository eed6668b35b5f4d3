"""Finds a shipment's goods under export control at its declaration, and its parties on lists of entities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.risk.announcements import ExportRestriction
from gateway.risk.controlled_goods import LIST_TERRITORY, ControlledGoodMatch, ControlledGoods, MatchBasis
from gateway.risk.listed_entities import ListedEntities, ListedEntityMatch
from gateway.risk.validity import HOLDS, Confidence, ControlStatus
from gateway.v1 import party_pb2, shipment_pb2, trace_pb2

MAX_PER_ITEM = 8
"""Some subheadings hold dozens of lines."""

_RECIPIENTS = frozenset(
    {
        party_pb2.PARTY_ROLE_UNSPECIFIED,
        party_pb2.PARTY_ROLE_IMPORTER,
        party_pb2.PARTY_ROLE_CONSIGNEE,
        party_pb2.PARTY_ROLE_BUYER,
        party_pb2.PARTY_ROLE_NOTIFY,
    }
)
"""Roles of those whom goods go to."""

MAX_NAMES = 40
"""Most names of a record that are compared with entities: each costs some two milliseconds, and a partner's record may
have thousands.
"""

MAX_DAYS_KEPT = 4096
"""Most cached days."""

_EPOCH = date(1970, 1, 1).toordinal()
_SECONDS_A_DAY = 86_400


def local_day(at: Timestamp, utc_offset_minutes: int) -> date:
    """Local day of a moment, clipped to valid dates."""
    days = _EPOCH + (at.seconds + utc_offset_minutes * 60) // _SECONDS_A_DAY
    return date.fromordinal(min(max(days, 1), date.max.toordinal()))


class Controls:
    """The control list, and lists of entities, applied to shipments. Thread-safe."""

    def __init__(self, goods: ControlledGoods, entities: ListedEntities | None = None) -> None:
        self.goods = goods
        self.entities = ListedEntities() if entities is None else entities
        self._elements: dict[date, frozenset[str]] = {}

    def items(self, shipment: shipment_pb2.Shipment) -> list[trace_pb2.ControlledItem]:
        """Matched lines at declaration, by item, most reliable first."""
        return [match for item in shipment.goods if self.lists(item) for match in self.of_item(item, shipment)]

    def by_code(self, shipment: shipment_pb2.Shipment) -> list[trace_pb2.ControlledItem]:
        """Of the matched lines, those of a code."""
        return [line for line in self.items(shipment) if line.basis != MatchBasis.ELEMENT]

    def lists(self, item: shipment_pb2.ShipmentGoods) -> bool:
        """Whether a subheading is listed, or the element of a line without a code: the cheap test."""
        lists = self.goods.lists
        for code in item.codes:
            if lists(code.code[:6]):
                return True
        return lists("", item.element)

    def lists_any(self, codes: Iterable[str], element: str) -> bool:
        """`lists` of an item's codes and element."""
        return self.goods.lists("", element) or any(self.goods.lists(code[:6]) for code in codes)

    def of_item(
        self, item: shipment_pb2.ShipmentGoods, shipment: shipment_pb2.Shipment
    ) -> list[trace_pb2.ControlledItem]:
        """Lines that an item matches, most reliable first.

        Where six digits alone match, another declared element rules the line out; the line's own raises it to medium
        confidence. Lines without a code are for items whose code no line has.
        """
        on = local_day(shipment.declared_at, shipment.utc_offset_minutes)
        matches = [
            _controlled_item(match, item, on)
            for match in self._matches(item, on)
            if match.basis is not MatchBasis.HS6 or not item.element or match.good.element in (item.element, "")
        ]
        matches.sort(key=lambda line: (line.status != ControlStatus.IN_FORCE, -Confidence[line.confidence.upper()]))
        distinct = {(line.code, line.substance): line for line in reversed(matches)}
        return list(reversed(distinct.values()))[:MAX_PER_ITEM]

    def restrictions(
        self, controlled: Iterable[trace_pb2.ControlledItem], shipment: shipment_pb2.Shipment
    ) -> list[ExportRestriction]:
        """What holds for matched lines on their way to the record's destination, beyond the licence."""
        on, destination = local_day(shipment.declared_at, shipment.utc_offset_minutes), shipment.destination_territory
        return self._each(controlled, lambda name: self.goods.announcements.restrictions(name, destination, on))

    def third_places(
        self, controlled: Iterable[trace_pb2.ControlledItem], shipment: shipment_pb2.Shipment
    ) -> list[ExportRestriction]:
        """What holds for matched lines when they leave third places."""
        on = local_day(shipment.declared_at, shipment.utc_offset_minutes)
        return self._each(controlled, lambda name: self.goods.announcements.third_places(name, on))

    def _each(
        self, controlled: Iterable[trace_pb2.ControlledItem], known: Callable[[str], list[ExportRestriction]]
    ) -> list[ExportRestriction]:
        """What is known of the lines' announcements, each once."""
        names = dict.fromkeys(line.announcement for line in controlled)
        return list({each.announcement.key: each for name in names for each in known(name)}.values())

    def listed_parties(self, shipment: shipment_pb2.Shipment) -> list[ListedEntityMatch]:
        """Entities of lists that those whom the goods go to may be at declaration, each once."""
        on = local_day(shipment.declared_at, shipment.utc_offset_minutes)
        names = (name.text for party in shipment.parties if party.role in _RECIPIENTS for name in party.names)
        found: dict[tuple[str, str], ListedEntityMatch] = {}
        for name in islice(dict.fromkeys(names), MAX_NAMES):
            for match in self.entities.find(name, on):
                found.setdefault((match.entity.names[0], match.entity.announcement.key), match)
        return list(found.values())

    def elements_on(self, on: date) -> frozenset[str]:
        """Elements of the lines that hold."""
        known = self._elements.get(on)
        if known is None:
            known = frozenset(good.element for good in self.goods if good.element and good.status_on(on) in HOLDS)
            if len(self._elements) >= MAX_DAYS_KEPT:
                self._elements.clear()
            self._elements[on] = known
        return known

    def _matches(self, item: shipment_pb2.ShipmentGoods, on: date) -> list[ControlledGoodMatch]:
        matches: list[ControlledGoodMatch] = []
        finer = [code.code for code in item.codes if code.territory == LIST_TERRITORY]
        for code in item.codes:
            if any(one != code.code and one.startswith(code.code) for one in finer):
                continue  # the subheading of a national code would meet its neighbours too
            digits = code.code[: len(code.code) // 2 * 2][:12]  # some tariffs have an odd number of digits
            if len(digits) >= 6:
                matches += self.goods.match(digits, on, territory=code.territory)
        return matches or self.goods.match_element(item.element, on)


def _controlled_item(
    match: ControlledGoodMatch, item: shipment_pb2.ShipmentGoods, on: date
) -> trace_pb2.ControlledItem:
    suspended = match.good.status_text(on) if match.status is not ControlStatus.IN_FORCE else ""
    return trace_pb2.ControlledItem(
        sequence=item.sequence,
        code=match.good.code,
        substance=match.good.substance,
        element=match.good.element,
        announcement=match.good.announcement,
        confidence=_confidence(match, item.element).name.lower(),
        basis=match.basis.value,
        status=match.status.value,
        basket=match.basket,
        note="; ".join(part for part in (suspended, match.good.note) if part),
    )


def _confidence(match: ControlledGoodMatch, element: str) -> Confidence:
    if match.basis is MatchBasis.HS6 and element and element == match.good.element:
        return max(match.confidence, min(match.good.confidence, Confidence.MEDIUM))
    return match.confidence
