"""Says what in a finding or closing can't be, and which finding may be corrected or withdrawn by whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isclose
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.findings import FindingLedger, place_of
from gateway.contract.messages import to_ms
from gateway.errors import IllegalTransitionError, Violation
from gateway.v1 import alert_pb2, goods_pb2

_SYMBOLS: Final = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc
Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi
Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

ELEMENTS: Final = frozenset(_SYMBOLS.split())
"""Symbols of the chemical elements, by IUPAC."""

CLOCKS_MS: Final = 5 * 60_000
"""How far a time may lie ahead of this node's clock: other clocks differ."""

BEFORE_ALERT_MS: Final = 24 * 3_600_000
"""How long before the alert an inspection may be: the goods may have been opened the day before it came."""


def wrong_claims(
    event: alert_pb2.AlertEvent, *, published_at_ms: int, now_ms: int, goods: Iterable[goods_pb2.GoodsItem] = ()
) -> list[Violation]:
    """What is wrong with a finding or a closing, all of it; empty for other steps.

    Args:
        published_at_ms: of the alert, milliseconds since 1970.
        goods: of the alert.
    """
    match event.WhichOneof("event"):
        case "finding" | "finding_corrected":
            found = event.finding_corrected.finding if event.HasField("finding_corrected") else event.finding
            return [
                *_times("finding.inspected_at", found.inspected_at, now_ms, published_at_ms - BEFORE_ALERT_MS),
                *_elements("finding.goods_found", (goods.element for goods in found.goods_found)),
                *_measures("finding.measures", found.measures, now_ms),
                *_masses(found, list(goods)),
            ]
        case "closed":
            return list(_measures("measures", event.closed.measures, now_ms))
    return []


MAX_CHANGES: Final = 100
"""Corrections of one finding: each reads the alert's steps."""


def require_changeable(event: alert_pb2.AlertEvent, ledger: FindingLedger, reporter: str) -> None:
    """Requires that a correction or withdrawal is about a finding of its sender that stands; for other steps nothing.

    Args:
        ledger: the findings on the copy before the step.
        reporter: node that sends the step.

    Raises:
        IllegalTransitionError: it isn't.
    """
    if event.WhichOneof("event") not in CHANGES:
        return
    place = place_of(event)
    known = ledger.known(place)
    if known is None or known.reporter != reporter:
        raise _unchangeable(
            f"{reporter} has reported no finding on this alert in entry {place.index} of {place.origin}"
        )
    if known.withdrawn:
        raise _unchangeable(f"finding {known.number} was withdrawn: report a new one")
    if known.place != place:
        raise _unchangeable(
            f"finding {known.number} was corrected since: correct or withdraw its correction, entry {known.place.index}"
        )
    if known.corrections >= MAX_CHANGES and event.HasField("finding_corrected"):
        raise _unchangeable(
            f"finding {known.number} was corrected {MAX_CHANGES} times: withdraw it and report a new one"
        )


CHANGES: Final = frozenset({"finding_corrected", "finding_withdrawn"})
"""Steps that change a finding."""


def _unchangeable(problem: str) -> IllegalTransitionError:
    return IllegalTransitionError(problem, metadata={"about": "finding"})


def _measures(field: str, measures: Iterable[alert_pb2.MeasureTaken], now_ms: int) -> Iterator[Violation]:
    taken = list(measures)
    yield from _elements(field, (measure.element for measure in taken))
    for at, measure in enumerate(taken):
        if measure.HasField("taken_at"):
            yield from _times(f"{field}[{at}].taken_at", measure.taken_at, now_ms)


def _masses(found: alert_pb2.AlertFinding, goods: Sequence[goods_pb2.GoodsItem]) -> Iterator[Violation]:
    """More than the alert's goods weigh, where all of them have a net mass, and nobody confirmed it."""
    if found.mass_confirmed or not goods or not all(item.HasField("net_mass_kg") for item in goods):
        return
    known = sum(item.net_mass_kg for item in goods)
    claimed = max([sum(item.net_mass_kg for item in found.goods_found), *(each.net_mass_kg for each in found.measures)])
    if claimed > known and not isclose(claimed, known):
        message = f"{claimed:.10g} kg are more than the {known:.10g} kg of the alert's goods: weigh again and confirm"
        yield Violation("finding.mass_confirmed", "finding.mass", message)


def _elements(field: str, elements: Iterable[str]) -> Iterator[Violation]:
    for at, element in enumerate(elements):
        if element and element not in ELEMENTS:
            path = f"{field}[{at}].element"
            yield Violation(path, "finding.element", f"{element!r} is no chemical element")


def _times(field: str, time: Timestamp, now_ms: int, earliest_ms: int = 0) -> Iterator[Violation]:
    at_ms = to_ms(time)
    if at_ms > now_ms + CLOCKS_MS:
        yield Violation(field, "finding.future", "must not lie in the future")
    elif at_ms < earliest_ms:
        yield Violation(field, "finding.early", "must not lie more than a day before the alert was published")
