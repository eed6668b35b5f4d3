"""Finds facts about goods items: declared substance, control, wording.

An item is a case if its subheading is listed, its substance known, or its description vague; others cost two look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.risk.announcements import ExportRestriction
from gateway.risk.facts.controlled import Controls, local_day
from gateway.risk.facts.kinds import Case, LazyFacts
from gateway.risk.facts.substances import NOT_KNOWN, Substances
from gateway.risk.facts.terms import GoodsTerms
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2, trace_pb2

MAX_REMEMBERED = 4096
"""Most cached descriptions of goods."""

_CONSIGNEES = (party_pb2.PARTY_ROLE_CONSIGNEE, party_pb2.PARTY_ROLE_IMPORTER, party_pb2.PARTY_ROLE_BUYER)
"""Roles of the final consignee; the first one present."""


_FIRST_S, _LAST_S = -62_135_510_400, 253_402_214_399
"""Years 1 to 9999 in seconds since 1970, without the first and last day, which mean for ever."""


@dataclass(frozen=True, slots=True)
class Papers:
    """Licences of a consignment, and the time of its export declaration, if known.

    Attributes:
        known: whether any of the records says which licences were presented.
    """

    licences: Sequence[shipment_pb2.Licence] = ()
    references: Sequence[str] = ()
    exported_at: Timestamp | None = None
    known: bool = True


CheckedLicences = Mapping[int, Sequence[Mapping[str, str]]]
"""By sequence of a goods item what the licences presented for it are worth (`MAPS`), where all of them are known."""

NOTHING_CHECKED: CheckedLicences = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Profile:
    """What follows from an item's codes and words alone.

    Attributes:
        elements: of the substances that it declares.
        facts: `declared.…`, the wording's, the substances named, and that no line of the list is met.
    """

    interesting: bool
    listed: bool
    elements: frozenset[str]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GoodsFacts:
    """Finds facts about goods items."""

    controls: Controls
    substances: Substances
    terms: GoodsTerms
    _profile: Callable[[tuple[str, ...], str, str, str], _Profile] = field(init=False, repr=False, compare=False)
    _suspects: Callable[[frozenset[str], frozenset[str]], list[Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Declarants repeat themselves.
        object.__setattr__(self, "_profile", lru_cache(MAX_REMEMBERED)(self._profiled))
        object.__setattr__(self, "_suspects", lru_cache(MAX_REMEMBERED)(self._suspected))

    def cases(
        self,
        shipment: shipment_pb2.Shipment,
        *,
        leg: int = 0,
        papers: Papers | None = None,
        checked: CheckedLicences = NOTHING_CHECKED,
    ) -> Iterator[Case]:
        """A case for each item of interest.

        Args:
            leg: index in the trace.
            papers: of the consignment; None: the record's own.
            checked: licences that this node knows.
        """
        frame: _Frame | None = None
        for item in shipment.goods:
            codes = tuple([code.code for code in item.codes])
            profile = self._profile(codes, item.substance, item.element, item.description)
            if profile.interesting:
                frame = frame or _Frame(shipment, self.controls, self.terms, papers, checked)
                yield Case("goods", self._facts(item, profile, frame), (leg,), item.sequence)

    def _profiled(self, codes: tuple[str, ...], substance: str, element: str, description: str) -> _Profile:
        listed = self.controls.lists_any(codes, element)
        wording = self.terms.wording(description)
        vague = bool(wording.vague) and wording.other_words == 0
        interesting = bool(substance) or listed or any(map(self.substances.has_code, codes)) or vague
        if not interesting:
            return _Profile(False, listed, frozenset(), {})
        declared = self.substances.declared(codes, substance=substance, element=element, text=description)
        density_low, density_high = declared.densities
        price_low, price_high = declared.prices
        facts: dict[str, Any] = {
            "declared.name": declared.name,
            "declared.cover": declared.cover,
            "declared.density_low": density_low,
            "declared.density_high": density_high,
            "declared.price_low": price_low,
            "declared.price_high": price_high,
            "declared.price_confidence": declared.price_confidence,
            "vague_terms": list(wording.vague),
            "other_words": wording.other_words,
            "named": [named.name for named in self.substances.named(description)],
        }
        if not listed:
            facts |= {"controlled": [], "control_notes": [], "restrictions": [], "third_places": []}
        return _Profile(True, listed, declared.elements, facts)

    def _suspected(self, controlled: frozenset[str], declared: frozenset[str]) -> list[Any]:
        """Substances under control because of some elements, without those that an item declares."""
        return [
            {
                "name": suspect.name,
                "metal": suspect.metal,
                "density": suspect.density,
                "price_low": suspect.price_low,
                "price_high": suspect.price_high,
            }
            for suspect in self.substances.suspects(controlled)
            if not suspect.elements & declared
        ]

    def _facts(self, item: shipment_pb2.ShipmentGoods, profile: _Profile, frame: _Frame) -> LazyFacts:
        return LazyFacts(profile.facts, _FINDERS, _Item(item, profile, frame, self.controls, self._suspects))


class _Item:
    """What facts about an item are found in."""

    __slots__ = ("_known", "controls", "frame", "item", "profile", "suspects")

    def __init__(
        self,
        item: shipment_pb2.ShipmentGoods,
        profile: _Profile,
        frame: _Frame,
        controls: Controls,
        suspects: Callable[[frozenset[str], frozenset[str]], list[Any]],
    ) -> None:
        self.item = item
        self.profile = profile
        self.frame = frame
        self.controls = controls
        self.suspects = suspects
        self._known: list[trace_pb2.ControlledItem] | None = None

    @property
    def controlled(self) -> list[trace_pb2.ControlledItem]:
        if self._known is None:
            self._known = self.controls.of_item(self.item, self.frame.shipment) if self.profile.listed else []
        return self._known

    @property
    def suspected(self) -> list[Any]:
        return self.suspects(self.controls.elements_on(self.frame.day), self.profile.elements)


_FINDERS: Mapping[str, Callable[[_Item], Any]] = {
    "item": lambda of: of.item,
    "net_kg": lambda of: of.item.net_mass_kg if of.item.HasField("net_mass_kg") else NOT_KNOWN,
    "volume_m3": lambda of: volume(of.item),
    "usd": lambda of: value_usd(of.item),
    "controlled": lambda of: of.controlled,
    "control_notes": lambda of: control_notes(of.controlled),
    "restrictions": lambda of: _restrictions(of.controls.restrictions(of.controlled, of.frame.shipment)),
    "third_places": lambda of: _restrictions(of.controls.third_places(of.controlled, of.frame.shipment)),
    "listed_parties": lambda of: of.frame.listed_parties,
    "suspects": lambda of: of.suspected,
    "shipment": lambda of: of.frame.light,
    "licences": lambda of: list(of.frame.papers.licences),
    "licence_references": lambda of: list(of.frame.papers.references),
    "licences_known": lambda of: of.frame.papers.known,
    "checked_licences": lambda of: list(of.frame.checked.get(of.item.sequence, ())),
    "judged_at": lambda of: moment(of.frame.papers.exported_at or of.frame.shipment.declared_at),
    "consignees": lambda of: of.frame.consignees,
    "forwarder_terms": lambda of: list(of.frame.forwarder[0]),
    "forwarder_sure": lambda of: of.frame.forwarder[1],
}
"""Facts beside those of an item's profile: what conditions don't ask for costs nothing."""


def _restrictions(restrictions: Iterable[ExportRestriction]) -> list[Any]:
    return [
        {
            "announcement": restriction.announcement.key,
            "measure": restriction.announcement.measure.value,
            "status": restriction.status.value,
            "text": restriction.text,
        }
        for restriction in restrictions
    ]


def control_notes(controlled: Iterable[trace_pb2.ControlledItem]) -> list[str]:
    """Each note of some lines once, after the first code or substance that has it."""
    first: dict[str, str] = {}
    for line in controlled:
        if line.note:
            first.setdefault(line.note, line.code or line.substance)
    return [f"{about}: {note}" for note, about in first.items()]


class _Frame:
    """Shared by all items of a record."""

    def __init__(
        self,
        shipment: shipment_pb2.Shipment,
        controls: Controls,
        terms: GoodsTerms,
        papers: Papers | None,
        checked: CheckedLicences,
    ) -> None:
        self.shipment: shipment_pb2.Shipment = shipment
        self._controls = controls
        self.checked: CheckedLicences = checked
        self._terms = terms
        self._given = papers

    @cached_property
    def day(self) -> date:
        return local_day(self.shipment.declared_at, self.shipment.utc_offset_minutes)

    @cached_property
    def light(self) -> shipment_pb2.Shipment:
        return _light(self.shipment)

    @cached_property
    def papers(self) -> Papers:
        return self._given or papers_of([self.shipment])

    @cached_property
    def listed_parties(self) -> list[Any]:
        return [
            {
                "name": match.name,
                "entity": match.entity.names[0],
                "list": match.entity.announcement.measure.value,
                "announcement": match.entity.announcement.key,
                "sure": match.is_sure,
                "status": match.status.value,
                "text": match.text,
            }
            for match in self._controls.listed_parties(self.shipment)
        ]

    @cached_property
    def consignees(self) -> list[str]:
        return [name.text for party in final_consignees(self.shipment) for name in party.names if name.text]

    @cached_property
    def forwarder(self) -> tuple[tuple[str, ...], bool]:
        """A forwarder's words in the consignees' names, and whether they are sure."""
        return self._terms.forwarder(" | ".join(self.consignees)) if self.consignees else ((), False)


def papers_of(shipments: Sequence[shipment_pb2.Shipment]) -> Papers:
    """Papers of some records."""
    exports = [
        shipment.declared_at for shipment in shipments if shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
    ]
    return Papers(
        licences=_distinct(licence for shipment in shipments for licence in shipment.licences),
        references=[
            reference.value
            for shipment in shipments
            for reference in shipment.references
            if reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE
        ],
        exported_at=min(exports, key=lambda at: (at.seconds, at.nanos), default=None),
        known=not all(shipment.licences_not_known for shipment in shipments),
    )


def _distinct(licences: Iterable[shipment_pb2.Licence]) -> list[shipment_pb2.Licence]:
    """Every record of a consignment presents its licences again."""
    return list({licence.SerializeToString(deterministic=True): licence for licence in licences}.values())


def final_consignees(shipment: shipment_pb2.Shipment) -> list[party_pb2.Party]:
    """Parties to whom the goods finally go."""
    for role in _CONSIGNEES:
        parties = [party for party in shipment.parties if party.role == role]
        if parties:
            return parties
    return []


def moment(at: Timestamp) -> datetime:
    """A timestamp with zone, clipped to valid dates."""
    seconds = min(max(at.seconds, _FIRST_S), _LAST_S)
    return datetime.fromtimestamp(seconds, UTC)


def word(enum: Any, value: int, prefix: str) -> str:
    """An enum value's name, lower case, without prefix; empty for values of a newer contract."""
    known = enum.DESCRIPTOR.values_by_number.get(value)
    return known.name.removeprefix(prefix).lower() if known else ""


def volume(item: shipment_pb2.ShipmentGoods) -> float:
    """In cubic metres; NaN if a package's is unknown."""
    if not item.packages or not all(package.HasField("volume_m3") for package in item.packages):
        return NOT_KNOWN
    return sum(package.volume_m3 for package in item.packages)


def value_usd(item: shipment_pb2.ShipmentGoods) -> float:
    """NaN if not given in US dollars."""
    if item.HasField("value_usd"):
        return item.value_usd
    if item.HasField("customs_value") and item.customs_value.currency_code == "USD":
        return amount(item.customs_value)
    return NOT_KNOWN


def amount(money: goods_pb2.Money) -> float:
    """Money in units of its currency."""
    return money.units + money.nanos / 1_000_000_000


def _light(shipment: shipment_pb2.Shipment) -> shipment_pb2.Shipment:
    """A record without large parts: rules about an item get the item itself."""
    light = shipment_pb2.Shipment()
    light.CopyFrom(shipment)
    light.ClearField("goods")
    light.ClearField("events")
    light.ClearField("inspections")
    return light
