"""Says whether a licence covers a consignment."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.licences.rules.balances import Kind, LicenceFacts, covers_code, objections, tally
from gateway.licences.rules.quantities import measure
from gateway.v1 import licence_pb2

YES, NO, PARTLY = (
    licence_pb2.LICENCE_COVERAGE_YES,
    licence_pb2.LICENCE_COVERAGE_NO,
    licence_pb2.LICENCE_COVERAGE_PARTLY,
)


@dataclass(frozen=True, slots=True)
class Covered:
    """The answer, and why it isn't yes."""

    coverage: licence_pb2.LicenceCoverage.ValueType
    reasons: tuple[Kind, ...] = ()


UNKNOWN_NUMBER = Covered(NO)
"""The answer about a licence that isn't there: the same as about one that doesn't cover the goods."""


def covered(facts: LicenceFacts, goods: licence_pb2.LicensedConsignment) -> Covered:
    """Whether a licence covers goods, after all uses that are known."""
    consignee = goods.consignee if goods.HasField("consignee") else None
    reasons = list(objections(facts, goods.day, consignee=consignee, destination=goods.destination))
    counted = tally(facts)
    terms = facts.terms(goods.day)
    if terms.uses and len(counted.declarations) >= terms.uses:
        reasons.append(licence_pb2.LICENCE_BREACH_KIND_BEYOND_USES)
    wanted = measure(goods.quantity, goods.unit)
    code = goods.code if goods.HasField("code") else None
    of_goods = [line for line, named in zip(counted.lines, terms.goods, strict=False) if covers_code(named, code)]
    comparable = [line for line in of_goods if line.quantity.kind == wanted.kind]
    if not of_goods:
        reasons.append(licence_pb2.LICENCE_BREACH_KIND_OTHER_GOODS)
    elif not comparable:
        reasons.append(licence_pb2.LICENCE_BREACH_KIND_OTHER_UNIT)
    if reasons:
        return Covered(NO, tuple(reasons))
    left = max(line.left for line in comparable)
    if left >= wanted.amount:
        return Covered(YES)
    return Covered(PARTLY if left > 0 else NO, (licence_pb2.LICENCE_BREACH_KIND_BEYOND_QUANTITY,))
