"""Facts about series: what one exporter exported under one subheading, again and again, at one node.

A series is made of records of different consignments, so it isn't in a trace: who has the records looks for them
(history.service.risk) and gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.contract.shipment_keys import KeySets, key_sets, name_key
from gateway.risk.facts.consignments import EXPORTS, SECONDS_A_DAY, Leg, controlled_hs6, net_kg
from gateway.risk.facts.controlled import Controls
from gateway.risk.facts.goods import value_usd
from gateway.risk.facts.kinds import Case
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import history_pb2, party_pb2, shipment_pb2

SPAN_DAYS = 30.0
"""How far apart exports of one series lie at most where no rule says: rules do by a threshold `days`."""

USUAL_DAYS = 360
"""How long before the series is looked at for what is usual, in days: a year, in whole months of 30 days."""

USUAL_LEAST_DAYS = 60
"""Days of exports before a series by which something can be called usual: two of its months."""

MAX_EXPORTS = 200
"""Most exports in one case, those nearest in time: expressions go through all of them several times."""

MAX_SUBHEADINGS = 8
"""Most subheadings of one record whose siblings are looked for: each is a search."""

NO_SIBLINGS: Mapping[int, Sequence[shipment_pb2.Shipment]] = {}

_ROLES = (party_pb2.PARTY_ROLE_EXPORTER, party_pb2.PARTY_ROLE_CONSIGNOR)

_Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Which records may be in a series with an export.

    Attributes:
        key_sets: of each at least one key: the exporter's, by its identifiers or else its names, as they are indexed,
            and the subheading's.
        procedures: theirs.
        around: when they were declared, from (inclusive) and until (exclusive), in milliseconds since 1970.
        before: the same of earlier ones, which tell what is usual. Of no use where nothing is around.
    """

    key_sets: KeySets
    procedures: tuple[int, ...]
    around: _Window
    before: _Window


@dataclass(frozen=True, slots=True)
class _Exporter:
    """Who exports: keys of identifiers and of names, and one of either as it is written."""

    identifiers: frozenset[int]
    names: frozenset[int]
    shown: str

    def is_same(self, other: _Exporter) -> bool:
        """By a shared identifier; by a shared name where one of them has no identifier."""
        if self.identifiers and other.identifiers:
            return not self.identifiers.isdisjoint(other.identifiers)
        return not self.names.isdisjoint(other.names)


@dataclass(frozen=True, slots=True)
class _Export:
    """A record as a member of series.

    Attributes:
        amounts: kilograms and US dollars by subheading.
        leg: its index in the trace; None where it isn't in it.
    """

    record_id: str
    at: int
    exporter: _Exporter
    amounts: Mapping[str, tuple[float, float]]
    leg: int | None


def series_cases(
    legs: Sequence[Leg],
    siblings: Mapping[int, Sequence[shipment_pb2.Shipment]] = NO_SIBLINGS,
    *,
    span_days: float = SPAN_DAYS,
) -> Iterator[Case]:
    """One case for each export and subheading of which the same exporter has more at the same node; equal ones once.

    Args:
        legs: records of one consignment, or a record on its own.
        siblings: by a leg's index, other records of its node: what `sought` finds. Those that don't belong are left.
        span_days: how far apart exports of one series lie at most.
    """
    cases: dict[tuple[Any, ...], Case] = {}
    known = {leg.index: export for leg in legs if (export := _export(leg.shipment, leg.index)) is not None}
    for leg in legs:
        if leg.index not in known:
            continue
        of_node = [known[one.index] for one in legs if one.node == leg.node and one.index in known]
        others = [export for each in siblings.get(leg.index, ()) if (export := _export(each, None)) is not None]
        by_id = {export.record_id: export for export in (*others, *of_node)}  # one that is a leg stays it
        by_id[leg.shipment.record_id] = own = known[leg.index]
        same = [export for export in by_id.values() if own.exporter.is_same(export.exporter)]
        for hs6 in own.amounts:
            case = _case(own, hs6, hs6 in leg.controlled, same, round(span_days * SECONDS_A_DAY))
            if len(case.facts["exports"]) > 1:
                cases.setdefault(_identity(case), case)
    yield from cases.values()


def before_looking(shipment: shipment_pb2.Shipment, controls: Controls) -> Iterator[dict[str, Any]]:
    """What is known of each subheading of an export alone: by this rules say whether to look for its siblings.

    It is asked of every record, so it doesn't look who the exporter is.
    """
    if shipment.procedure not in EXPORTS:
        return
    controlled = controlled_hs6(shipment, controls)
    for hs6, (kg, usd) in _amounts(shipment).items():
        yield {"hs6": hs6, "controlled": hs6 in controlled, "kg": kg, "usd": usd}


def series_query(shipment: shipment_pb2.Shipment, hs6: str, span_days: float) -> SeriesQuery | None:
    """What to look for beside an export; None where nobody is named who exports."""
    exporter = _exporter(shipment)
    if exporter is None:
        return None
    keys = sorted(exporter.identifiers or exporter.names)
    at_ms, span_ms = shipment.declared_at.seconds * 1000, round(span_days * SECONDS_A_DAY * 1000)
    begin = max(at_ms - span_ms, 1)  # 0 would be no bound
    return SeriesQuery(
        key_sets=[keys, *key_sets(history_pb2.SearchCriteria(commodity_codes=[hs6]))],
        procedures=tuple(sorted(EXPORTS)),
        around=(begin, at_ms + span_ms + 1),
        before=(max(begin - USUAL_DAYS * SECONDS_A_DAY * 1000, 0), begin),
    )


def _case(own: _Export, hs6: str, controlled: bool, exports: Sequence[_Export], span_s: int) -> Case:
    under = [export for export in exports if hs6 in export.amounts]
    near = [export for export in under if abs(export.at - own.at) <= span_s]
    near = sorted(near, key=lambda export: (export is not own, abs(export.at - own.at)))[:MAX_EXPORTS]
    near.sort(key=lambda export: (export.at, export.record_id))
    kg, usd = own.amounts[hs6]
    facts = {
        "exporter": own.exporter.shown,
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
            }
            for export in near
        ],
        "usual_kg_a_day": _usual(under, hs6, own.at - span_s),
    }
    return Case("series", facts, tuple(sorted(export.leg for export in near if export.leg is not None)))


def _usual(exports: Sequence[_Export], hs6: str, begin: int) -> float:
    """Kilograms a day that were exported before a moment, since the first export that is known; NaN after a short time.

    Where not all of them were given, the first known one comes later, and the days are fewer with them.
    """
    before = [export for export in exports if export.at < begin]
    first = min((export.at for export in before), default=begin)
    if begin - first < USUAL_LEAST_DAYS * SECONDS_A_DAY:
        return NOT_KNOWN
    return sum(export.amounts[hs6][0] for export in before) / ((begin - first) / SECONDS_A_DAY)


def _identity(case: Case) -> tuple[Any, ...]:
    """What tells a case from others: of alike exports each would be a case of the same series."""
    facts = case.facts
    return (
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
        amounts=_amounts(shipment),
        leg=leg,
    )


def _amounts(shipment: shipment_pb2.Shipment) -> dict[str, tuple[float, float]]:
    """Kilograms and US dollars of all items under each subheading; NaN where one of them isn't known."""
    sums: dict[str, tuple[float, float]] = {}
    for item in shipment.goods:
        item_kg, item_usd = net_kg(item), value_usd(item)
        for hs6 in {code.code[:6] for code in item.codes if len(code.code) >= 6}:
            kg, usd = sums.get(hs6, (0.0, 0.0))
            sums[hs6] = kg + item_kg, usd + item_usd
    return sums


def _exporter(shipment: shipment_pb2.Shipment) -> _Exporter | None:
    """The exporter, else the consignor; None where neither is named."""
    for role in _ROLES:
        for party in shipment.parties:
            if party.role == role and (found := _named(party)) is not None:
                return found
    return None


def _named(party: party_pb2.Party) -> _Exporter | None:
    identifiers = [one for one in party.identifiers if one.value]
    names = [one.text for one in party.names if one.text]
    if not identifiers and not names:
        return None
    criteria = history_pb2.SearchCriteria(
        party_identifiers=[history_pb2.SearchIdentifier(scheme=one.scheme, value=one.value) for one in identifiers]
    )
    return _Exporter(
        identifiers=frozenset(key for keys in key_sets(criteria) for key in keys),
        names=frozenset(map(name_key, names)),
        shown=identifiers[0].value if identifiers else names[0],
    )
