"""Finds what earlier inspections of a subheading found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.risk.facts.consignments import hs6_of
from gateway.risk.facts.kinds import Case
from gateway.v1 import alert_pb2, shipment_pb2

FOUND = frozenset({alert_pb2.FINDING_RESULT_CONFIRMED, alert_pb2.FINDING_RESULT_OTHER_IRREGULARITY})
"""Results that confirm that a record was worth a look."""


class Outcomes(NamedTuple):
    """Inspected records, and those of them where something was found."""

    inspected: int
    confirmed: int


class InspectionOutcome(NamedTuple):
    """What inspections of a record came to.

    Attributes:
        inspected_at: of the first with a result, seconds since 1970.
    """

    inspected_at: int
    confirmed: bool


EarlierFindings = Callable[[str, shipment_pb2.Shipment], Outcomes]
"""Outcomes under a subheading before a record was declared, without the record itself."""


def outcome_of(shipment: shipment_pb2.Shipment) -> InspectionOutcome | None:
    """None without an inspection that has come to a result."""
    known = [each for each in shipment.inspections if each.result in FOUND | {alert_pb2.FINDING_RESULT_AS_DECLARED}]
    if not known:
        return None
    confirmed = any(each.result in FOUND for each in known)
    return InspectionOutcome(min(each.inspected_at.seconds for each in known), confirmed)


def finding_cases(shipment: shipment_pb2.Shipment, earlier: EarlierFindings) -> Iterator[Case]:
    """A case for each subheading of a record with earlier findings."""
    for hs6 in hs6_of(shipment):
        outcomes = earlier(hs6, shipment)
        if outcomes.confirmed:
            facts = {"hs6": hs6, "inspected": outcomes.inspected, "confirmed": outcomes.confirmed}
            yield Case("findings", facts, (0,))
