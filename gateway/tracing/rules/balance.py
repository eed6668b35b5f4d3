"""Balances the mass of a material that left against what came, by company, route and month.

Records are joined into consignments by the links of a trace. A company is the exporter of the first departure; a route
goes from where goods left to where they were declared to go, and the month is that of the departure. Where no
departure is known, the record of the arrival says company and origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from gateway.tracing.rules.link_graph import build_link_graph, in_order
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.records import (
    OUTWARD,
    RecordHit,
    RecordName,
    happened_at,
    name_of,
    newest_revision,
    territory_of,
)
from gateway.v1 import party_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord

TOLERANCE = 0.02
"""Share of the larger mass that weighing explains, as in rule R09."""

UNDER_WAY_S = 14 * 86_400
"""What left so many seconds ago may not have been declared yet at its destination."""

MassOf = Callable[[shipment_pb2.Shipment], float | None]
"""Kilograms of the material in a record; 0: none; None: not known."""

_SELLERS = (
    party_pb2.PARTY_ROLE_EXPORTER,
    party_pb2.PARTY_ROLE_CONSIGNOR,
    party_pb2.PARTY_ROLE_SELLER,
)


class BalanceResult(StrEnum):
    """What a line comes to."""

    BALANCED = "balanced"
    DIFFERENT = "different"
    NOTHING_CAME = "nothing_came"
    NOTHING_LEFT = "nothing_left"
    WENT_ELSEWHERE = "went_elsewhere"
    UNDER_WAY = "under_way"
    LEFT_ALL = "left_all"
    UNKNOWN_MASS = "unknown_mass"


@dataclass(slots=True)
class BalanceLine:
    """One company's material on one route in one month.

    Attributes:
        company: empty where nobody says it.
        start, end: territories, ISO 3166-1 alpha-2; empty: not known.
        month: of local time, `2026-01`.
        left_kg, came_kg: sums of what is known.
        elsewhere: territories where goods came instead; of what goes beyond what was asked, where it was imported.
        unknown: records without a mass.
        under_way_kg: of what left a short time ago and hasn't come.
        beyond: whether the end is no territory that was asked.
    """

    company: str
    start: str
    end: str
    month: str
    left_kg: float = 0.0
    came_kg: float = 0.0
    under_way_kg: float = 0.0
    unknown: int = 0
    beyond: bool = False
    elsewhere: set[str] = field(default_factory=set)
    records: list[RecordName] = field(default_factory=list)

    @property
    def difference_kg(self) -> float:
        return self.came_kg - self.left_kg

    @property
    def result(self) -> BalanceResult:
        if self.unknown:
            return BalanceResult.UNKNOWN_MASS
        if self.beyond and not self.elsewhere:
            return BalanceResult.LEFT_ALL
        if abs(self.difference_kg) <= TOLERANCE * max(self.left_kg, self.came_kg):
            return BalanceResult.WENT_ELSEWHERE if self.elsewhere else BalanceResult.BALANCED
        if abs(self.difference_kg + self.under_way_kg) <= TOLERANCE * max(self.left_kg, self.came_kg):
            return BalanceResult.UNDER_WAY
        if not self.came_kg:
            return BalanceResult.NOTHING_CAME
        return BalanceResult.DIFFERENT if self.left_kg else BalanceResult.NOTHING_LEFT

    @property
    def adds_up(self) -> bool:
        return self.result in (BalanceResult.BALANCED, BalanceResult.UNDER_WAY, BalanceResult.LEFT_ALL)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a record adds to a line."""

    record: HistoryRecord
    territory: str
    kg: float | None


def mass_balance(
    records: Iterable[HistoryRecord], mass_of: MassOf, *, territories: Sequence[str], now: datetime
) -> list[BalanceLine]:
    """Lines that don't add up first, the largest difference first.

    Args:
        territories: of the nodes that answered in full: what goes elsewhere can't be compared.
    """
    lines: dict[tuple[str, str, str, str], BalanceLine] = {}
    for consignment in _consignments(records):
        parts = [
            _Part(record, territory_of(record) or record.node.upper(), kg)
            for record in consignment
            if (kg := mass_of(record.shipment)) != 0
        ]
        for line in _lines(parts, territories, now):
            _add(lines, line)
    return sorted(lines.values(), key=lambda line: (line.adds_up, -abs(line.difference_kg), line.month, line.company))


def _consignments(records: Iterable[HistoryRecord]) -> Iterator[list[HistoryRecord]]:
    hits: dict[RecordName, list[RecordHit]] = {}
    for record in records:
        hits.setdefault(name_of(record), []).append(RecordHit(record))
    graph = build_link_graph([newest_revision(of_record) for of_record in hits.values()])
    seen: set[int] = set()
    for index in range(len(graph.known)):
        if index not in seen:
            reached = graph.reached_from(index)
            seen |= reached
            yield [graph.known[each].record for each in in_order(reached, graph.known)]


def _lines(parts: Sequence[_Part], territories: Sequence[str], now: datetime) -> Iterator[BalanceLine]:
    departures = [part for part in parts if part.record.shipment.procedure in OUTWARD]
    arrivals = [part for part in parts if part.record.shipment.procedure not in OUTWARD]
    company = next((name for part in (*departures, *arrivals) if (name := _company(part.record))), "")
    used: set[RecordName] = set()
    for start in dict.fromkeys(part.territory for part in departures):
        left = [part for part in departures if part.territory == start]
        end = next((part.record.shipment.destination_territory for part in left), "")
        onward = min((happened_at(part.record) for part in left), default=0)
        came = [part for part in arrivals if part.territory != start and happened_at(part.record) >= onward - 86_400]
        at_end = _declared([part for part in came if part.territory == end or not end])
        instead = [] if at_end else _declared(came)
        line = BalanceLine(company, start, end, _month(left[0].record), beyond=bool(end) and end not in territories)
        _fill(line, left, [*at_end, *instead])
        line.elsewhere = {part.territory for part in instead if not line.beyond or _is_import(part)}
        if not came and now.timestamp() - onward < UNDER_WAY_S:
            line.under_way_kg = line.left_kg
        used.update(name_of(part.record) for part in came)
        yield line
    for part in _declared([part for part in arrivals if name_of(part.record) not in used]):
        line = BalanceLine(company, part.record.shipment.export_territory, part.territory, _month(part.record))
        _fill(line, (), [part])
        yield line


def _declared(arrivals: Sequence[_Part]) -> list[_Part]:
    """Imports, else the records of one other procedure: a transit is declared at each of its ends."""
    imports = [part for part in arrivals if _is_import(part)]
    if imports or not arrivals:
        return imports
    last = arrivals[-1]
    same = (last.territory, last.record.shipment.procedure)
    return [part for part in arrivals if (part.territory, part.record.shipment.procedure) == same]


def _is_import(part: _Part) -> bool:
    return part.record.shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_IMPORT


def _fill(line: BalanceLine, left: Sequence[_Part], came: Sequence[_Part]) -> None:
    line.left_kg += sum(part.kg or 0.0 for part in left)
    line.came_kg += sum(part.kg or 0.0 for part in came)
    line.unknown += sum(part.kg is None for part in (*left, *came))
    line.records += [name_of(part.record) for part in (*left, *came)]


def _add(lines: dict[tuple[str, str, str, str], BalanceLine], line: BalanceLine) -> None:
    known = lines.setdefault((plain(line.company), line.start, line.end, line.month), line)
    if known is not line:
        known.left_kg += line.left_kg
        known.came_kg += line.came_kg
        known.under_way_kg += line.under_way_kg
        known.unknown += line.unknown
        known.elsewhere |= line.elsewhere
        known.records += line.records


def _company(record: HistoryRecord) -> str:
    for role in _SELLERS:
        for party in record.shipment.parties:
            if party.role == role:
                shown = next((name.text for name in party.names if name.text), "")
                shown = shown or next((identifier.value for identifier in party.identifiers if identifier.value), "")
                if shown:
                    return shown
    return ""


def _month(record: HistoryRecord) -> str:
    local = datetime.fromtimestamp(happened_at(record), UTC) + timedelta(minutes=record.shipment.utc_offset_minutes)
    return f"{local:%Y-%m}"
