"""Finds series: repeated exports under one subheading at one node, of one exporter or to one consignee.

The records belong to different consignments, so the caller looks for them (history.service.risk).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.contract.identification.shipment_keys import KeySets, key_sets, name_key
from gateway.risk.facts.consignments import EXPORTS, SECONDS_A_DAY, Leg, controlled_hs6, net_kg
from gateway.risk.facts.controlled import Controls
from gateway.risk.facts.goods import final_consignees, value_usd
from gateway.risk.facts.kinds import Case, LazyFacts
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import history_pb2, party_pb2, shipment_pb2

SPAN_DAYS = 30.0
"""Default; rules set it by a threshold `days`."""

USUAL_DAYS = 360
"""Span of the usual quantity before a series: a year of 30-day months."""

USUAL_LEAST_DAYS = 60
"""Fewer days show no usual quantity: two months."""

MAX_EXPORTS = 200
"""Most exports in a case, nearest in time; each costs every expression."""

MAX_SUBHEADINGS = 8
"""Most subheadings to search siblings for."""

NO_SIBLINGS: Mapping[int, Sequence[shipment_pb2.Shipment]] = {}

SERIES, TURNS = "series", "turns"
"""Kinds of cases: exports of one exporter, and those of several exporters to one consignee."""

KINDS_OF_SERIES = (SERIES, TURNS)

_ROLES = (party_pb2.PARTY_ROLE_EXPORTER, party_pb2.PARTY_ROLE_CONSIGNOR)

_Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Criteria for records in a series with an export.

    Attributes:
        key_sets: at least one index key of each: the common trader's (identifiers, else names) and the subheading's.
        around: declared from (inclusive) until (exclusive), milliseconds since 1970.
        before: the same for earlier ones, which show what is usual.
    """

    key_sets: KeySets
    procedures: tuple[int, ...]
    around: _Window
    before: _Window


@dataclass(frozen=True, slots=True)
class _Trader:
    """Keys of a trader's identifiers and names, and one of either as written."""

    identifiers: frozenset[int]
    names: frozenset[int]
    shown: str

    def is_same(self, other: _Trader | None) -> bool:
        """By a common identifier; by a common name if one has no identifier."""
        if other is None:
            return False
        if self.identifiers and other.identifiers:
            return not self.identifiers.isdisjoint(other.identifiers)
        return not self.names.isdisjoint(other.names)


@dataclass(frozen=True, slots=True)
class _Export:
    """A record in a series.

    Attributes:
        amounts: kilograms and US dollars by subheading.
        leg: index in the trace, or None.
    """

    record_id: str
    at: int
    exporter: _Trader
    consignee: _Trader | None
    amounts: Mapping[str, tuple[float, float]]
    leg: int | None


def series_cases(
    legs: Sequence[Leg],
    siblings: Mapping[int, Sequence[shipment_pb2.Shipment]] = NO_SIBLINGS,
    *,
    span_days: float = SPAN_DAYS,
) -> Iterator[Case]:
    """Cases for each export and subheading with siblings; equal ones once.

    Args:
        siblings: by leg, results of `series_query`. Those that don't belong are ignored.
        span_days: longest span of a series.
    """
    cases: dict[tuple[Any, ...], Case] = {}
    known = {leg.index: export for leg in legs if (export := _export(leg.shipment, leg.index)) is not None}
    for leg in legs:
        if leg.index not in known:
            continue
        of_node = [known[sibling.index] for sibling in legs if sibling.node == leg.node and sibling.index in known]
        others = [export for sibling in siblings.get(leg.index, ()) if (export := _export(sibling, None)) is not None]
        by_id = {export.record_id: export for export in (*others, *of_node)}  # a leg stays one
        by_id[leg.shipment.record_id] = own = known[leg.index]
        for hs6 in own.amounts:
            for case in _cases(own, hs6, hs6 in leg.controlled, by_id.values(), round(span_days * SECONDS_A_DAY)):
                cases.setdefault(_identity(case), case)
    yield from cases.values()


def before_looking(shipment: shipment_pb2.Shipment, controls: Controls) -> Iterator[LazyFacts]:
    """Facts of each subheading of an export before siblings are looked for, for `candidate`.

    It runs on every record, so it doesn't identify the exporter.
    """
    if shipment.procedure not in EXPORTS:
        return
    for hs6, (kg, usd) in _amounts(shipment).items():
        yield LazyFacts({"hs6": hs6, "kg": kg, "usd": usd}, _CONTROLLED, (hs6, shipment, controls))


_CONTROLLED: Mapping[str, Callable[[tuple[str, shipment_pb2.Shipment, Controls]], bool]] = {
    "controlled": lambda source: source[0] in controlled_hs6(*source[1:])
}


def series_query(kind: str, shipment: shipment_pb2.Shipment, hs6: str, span_days: float) -> SeriesQuery | None:
    """The query for a kind of case; None without the trader that its exports have in common."""
    common = _exporter(shipment) if kind == SERIES else _consignee(shipment)
    if common is None:
        return None
    keys = sorted(common.identifiers or common.names)
    at_ms, span_ms = shipment.declared_at.seconds * 1000, round(span_days * SECONDS_A_DAY * 1000)
    begin = max(at_ms - span_ms, 1)  # 0 would be no bound
    return SeriesQuery(
        key_sets=[keys, *key_sets(history_pb2.SearchCriteria(commodity_codes=[hs6]))],
        procedures=tuple(sorted(EXPORTS)),
        around=(begin, at_ms + span_ms + 1),
        before=(max(begin - USUAL_DAYS * SECONDS_A_DAY * 1000, 0), begin),
    )


def _cases(own: _Export, hs6: str, controlled: bool, exports: Collection[_Export], span_s: int) -> Iterator[Case]:
    under = [export for export in exports if hs6 in export.amounts]
    of_exporter = [export for export in under if own.exporter.is_same(export.exporter)]
    facts, near = _series(own, hs6, controlled, of_exporter, span_s)
    if len(near) > 1:
        yield _case(SERIES, {"exporter": own.exporter.shown, **facts}, near)
    if own.consignee is None:
        return
    facts, near = _series(
        own, hs6, controlled, [each for each in under if own.consignee.is_same(each.consignee)], span_s
    )
    exporters = _distinct(export.exporter for export in near)
    if len(exporters) > 1:
        yield _case(TURNS, {"consignee": own.consignee.shown, "exporters": exporters, **facts}, near)


def _case(kind: str, facts: dict[str, Any], exports: Sequence[_Export]) -> Case:
    return Case(kind, facts, tuple(sorted(export.leg for export in exports if export.leg is not None)))


def _distinct(exporters: Iterable[_Trader]) -> list[str]:
    """Different exporters as written."""
    different: list[_Trader] = []
    for exporter in exporters:
        if not any(exporter.is_same(other) for other in different):
            different.append(exporter)
    return [exporter.shown for exporter in different]


def _series(
    own: _Export, hs6: str, controlled: bool, under: Sequence[_Export], span_s: int
) -> tuple[dict[str, Any], list[_Export]]:
    """Facts about exports around one, and these exports in order."""
    near = [export for export in under if abs(export.at - own.at) <= span_s]
    near = sorted(near, key=lambda export: (export is not own, abs(export.at - own.at)))[:MAX_EXPORTS]
    near.sort(key=lambda export: (export.at, export.record_id))
    kg, usd = own.amounts[hs6]
    return {
        "hs6": hs6,
        "controlled": controlled,
        "kg": kg,
        "usd": usd,
        "exports": [
            {
                "days": (export.at - near[0].at) / SECONDS_A_DAY,
                "kg": export.amounts[hs6][0],
                "usd": export.amounts[hs6][1],
                "record": export.record_id,
                "exporter": export.exporter.shown,
            }
            for export in near
        ],
        "usual_kg_a_day": _usual(under, hs6, own.at - span_s),
    }, near


def _usual(exports: Sequence[_Export], hs6: str, begin: int) -> float:
    """Kilograms a day before a moment, since the first known export; NaN after a short time."""
    before = [export for export in exports if export.at < begin]
    first = min((export.at for export in before), default=begin)
    if begin - first < USUAL_LEAST_DAYS * SECONDS_A_DAY:
        return NOT_KNOWN
    return sum(export.amounts[hs6][0] for export in before) / ((begin - first) / SECONDS_A_DAY)


def _identity(case: Case) -> tuple[Any, ...]:
    """Alike exports would each give a case of one series."""
    facts = case.facts
    return (
        case.kind,
        facts["hs6"],
        facts["controlled"],
        repr(facts["kg"]),  # as text, since NaN isn't NaN
        repr(facts["usd"]),
        tuple(export["record"] for export in facts["exports"]),
    )


def _export(shipment: shipment_pb2.Shipment, leg: int | None) -> _Export | None:
    exporter = _exporter(shipment) if shipment.procedure in EXPORTS else None
    if exporter is None:
        return None
    return _Export(
        record_id=shipment.record_id,
        at=shipment.declared_at.seconds,
        exporter=exporter,
        consignee=_consignee(shipment),
        amounts=_amounts(shipment),
        leg=leg,
    )


def _amounts(shipment: shipment_pb2.Shipment) -> dict[str, tuple[float, float]]:
    """NaN if a part is unknown."""
    sums: dict[str, tuple[float, float]] = {}
    for item in shipment.goods:
        item_kg, item_usd = net_kg(item), value_usd(item)
        for hs6 in _subheadings(tuple([code.code for code in item.codes])):
            kg, usd = sums.get(hs6, (0.0, 0.0))
            sums[hs6] = kg + item_kg, usd + item_usd
    return sums


@lru_cache(maxsize=4_096)
def _subheadings(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Distinct ones; declarants repeat themselves."""
    return tuple(dict.fromkeys(code[:6] for code in codes if len(code) >= 6))


def _exporter(shipment: shipment_pb2.Shipment) -> _Trader | None:
    """The exporter, else the consignor."""
    for role in _ROLES:
        for party in shipment.parties:
            if party.role == role and (trader := _named(party)) is not None:
                return trader
    return None


def _consignee(shipment: shipment_pb2.Shipment) -> _Trader | None:
    return next((trader for party in final_consignees(shipment) if (trader := _named(party)) is not None), None)


def _named(party: party_pb2.Party) -> _Trader | None:
    identifiers = [identifier for identifier in party.identifiers if identifier.value]
    names = [name.text for name in party.names if name.text]
    if not identifiers and not names:
        return None
    criteria = history_pb2.SearchCriteria(
        party_identifiers=[
            history_pb2.SearchIdentifier(scheme=identifier.scheme, value=identifier.value) for identifier in identifiers
        ]
    )
    return _Trader(
        identifiers=frozenset(key for keys in key_sets(criteria) for key in keys),
        names=frozenset(map(name_key, names)),
        shown=identifiers[0].value if identifiers else names[0],
    )
