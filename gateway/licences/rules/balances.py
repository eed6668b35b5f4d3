"""Computes what is left of a licence, and what isn't as it says, from all that was reported of it.

The result depends on the facts alone, not on the order in which they arrived: every node that has them has the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.errors import InvalidRequestError, Violation
from gateway.licences.rules.parties import is_other
from gateway.licences.rules.quantities import Amount, measure, with_tolerance
from gateway.v1 import goods_pb2, licence_pb2, party_pb2

Use: TypeAlias = licence_pb2.LicenceUse
FollowUp: TypeAlias = licence_pb2.LicenceFollowUp
Kind: TypeAlias = "licence_pb2.LicenceBreachKind.ValueType"


MAX_ACTS = 10_000
"""Most revisions, uses and follow-ups of one node on one licence: each page of them computes its balance again."""


def require_room(acts: int) -> None:
    """Raises InvalidRequestError where a node has done that much with a licence."""
    if acts >= MAX_ACTS:
        text = f"one node reports at most {MAX_ACTS} times on a licence, corrections included"
        raise InvalidRequestError([Violation("licence", "licence.most", text)])


@dataclass(frozen=True, slots=True)
class LicenceFacts:
    """All that a node knows of one licence.

    Attributes:
        revisions: in order; at least one.
        uses, follow_ups: each with the node that reported it; of each key the last revision.
    """

    revisions: Sequence[licence_pb2.LicenceRevision]
    withdrawal: licence_pb2.LicenceWithdrawal | None = None
    uses: Sequence[tuple[str, Use]] = ()
    follow_ups: Sequence[tuple[str, FollowUp]] = ()

    @property
    def newest(self) -> licence_pb2.LicenceContent:
        return self.revisions[-1].content

    def terms(self, day: str) -> licence_pb2.LicenceContent:
        """What the licence says about a use of a day: the last revision that is for it, or else the first."""
        effective = [revision for revision in self.revisions if revision.effective_on <= day]
        return (effective[-1] if effective else self.revisions[0]).content


@dataclass(slots=True)
class Drawn:
    """What was drawn from one line of the goods, and what followed.

    Attributes:
        unit: of the newest revision, in which everything is shown.
    """

    unit: str
    quantity: Amount
    limit: Amount
    drawn: int = 0
    followed: dict[int, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Of the quantity with its tolerance."""
        return self.limit.amount - self.drawn

    def message(self) -> licence_pb2.LicenceGoodsBalance:
        def shown(amount: int) -> str:
            return self.quantity._replace(amount=amount).shown(self.unit)

        return licence_pb2.LicenceGoodsBalance(
            quantity=shown(self.quantity.amount),
            quantity_with_tolerance=shown(self.limit.amount),
            drawn=shown(self.drawn),
            remaining=shown(self.quantity.amount - self.drawn),
            unit=self.unit,
            arrived=shown(self.followed.get(licence_pb2.LICENCE_FOLLOW_UP_KIND_ARRIVED, 0)),
            reexported=shown(self.followed.get(licence_pb2.LICENCE_FOLLOW_UP_KIND_REEXPORTED, 0)),
            returned=shown(self.followed.get(licence_pb2.LICENCE_FOLLOW_UP_KIND_RETURNED, 0)),
        )


@dataclass(slots=True)
class LicenceTally:
    """The state of a licence while its uses are counted."""

    lines: list[Drawn]
    declarations: set[tuple[str, str]] = field(default_factory=set)
    breaches: list[licence_pb2.LicenceBreach] = field(default_factory=list)


def concerned(issuer: str, revisions: Iterable[licence_pb2.LicenceRevision]) -> frozenset[str]:
    """All nodes that a licence concerns, with its issuer: their uses count, as everybody gets them."""
    return frozenset({issuer}.union(*(revision.content.parties for revision in revisions)))


def balance(facts: LicenceFacts) -> licence_pb2.LicenceBalance:
    """What is left of a licence, with all breaches by day."""
    counted = tally(facts)
    breaches = sorted(
        counted.breaches, key=lambda one: (one.day, one.reporter, one.declaration, one.line, one.kind, one.goods)
    )
    return licence_pb2.LicenceBalance(
        goods=[line.message() for line in counted.lines],
        uses_made=len(counted.declarations),
        uses_allowed=facts.newest.uses,
        breaches=breaches,
    )


def tally(facts: LicenceFacts) -> LicenceTally:
    """Counts all uses in the order of their days, and what followed them."""
    state = LicenceTally([_line(goods) for goods in facts.newest.goods])
    for reporter, use in sorted(facts.uses, key=_place):
        if measure(use.quantity, use.unit).amount:
            state.breaches.extend(
                _breach(kind, reporter, use, beyond) for kind, beyond in _use(state, facts, reporter, use)
            )
    for reporter, follow_up in sorted(facts.follow_ups, key=_place):
        if measure(follow_up.quantity, follow_up.unit).amount:
            state.breaches.extend(_breach(kind, reporter, follow_up) for kind in _follow_up(state, facts, follow_up))
    return state


def objections(facts: LicenceFacts, day: str, *, consignee: party_pb2.Party | None, destination: str) -> Iterator[Kind]:
    """In which ways a day, consignee and destination aren't as the licence says; what isn't said is no objection."""
    terms = facts.terms(day)
    if day < terms.valid_from:
        yield licence_pb2.LICENCE_BREACH_KIND_TOO_EARLY
    if day > terms.valid_until:
        yield licence_pb2.LICENCE_BREACH_KIND_EXPIRED
    if facts.withdrawal is not None and day >= facts.withdrawal.effective_on:
        yield licence_pb2.LICENCE_BREACH_KIND_WITHDRAWN
    if consignee is not None and terms.HasField("consignee") and is_other(terms.consignee, consignee):
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_CONSIGNEE
    if destination and destination not in terms.destinations:
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_DESTINATION


def covers_code(goods: licence_pb2.LicenceGoods, code: goods_pb2.CommodityCode | None) -> bool:
    """Whether a line is for a commodity code, a finer or a coarser one; what isn't said is no objection."""
    if code is None or not goods.codes:
        return True
    return any(
        (one.code.startswith(code.code) or code.code.startswith(one.code))
        and (not one.territory or not code.territory or one.territory == code.territory or len(code.code) <= 6)
        for one in goods.codes
    )


def _line(goods: licence_pb2.LicenceGoods) -> Drawn:
    quantity = measure(goods.quantity, goods.unit)
    return Drawn(goods.unit, quantity, with_tolerance(quantity, goods.tolerance_percent))


def _use(state: LicenceTally, facts: LicenceFacts, reporter: str, use: Use) -> Iterator[tuple[Kind, int]]:
    """Counts a use; its breaches, with the amount beyond a quantity."""
    consignee = use.consignee if use.HasField("consignee") else None
    for kind in objections(facts, use.day, consignee=consignee, destination=use.destination):
        yield kind, 0
    terms = facts.terms(use.day)
    if (reporter, use.declaration) not in state.declarations:
        state.declarations.add((reporter, use.declaration))
        if terms.uses and len(state.declarations) > terms.uses:
            yield licence_pb2.LICENCE_BREACH_KIND_BEYOND_USES, 0
    if use.goods > min(len(terms.goods), len(state.lines)):
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_GOODS, 0
        return
    line, licensed = state.lines[use.goods - 1], terms.goods[use.goods - 1]
    if not covers_code(licensed, use.code if use.HasField("code") else None):
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_GOODS, 0
    used, limit = measure(use.quantity, use.unit), _line(licensed).limit
    if not used.kind == line.quantity.kind == limit.kind:
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_UNIT, 0
        return
    line.drawn += used.amount
    if line.drawn > limit.amount:
        yield licence_pb2.LICENCE_BREACH_KIND_BEYOND_QUANTITY, min(used.amount, line.drawn - limit.amount)


def _follow_up(state: LicenceTally, facts: LicenceFacts, follow_up: FollowUp) -> Iterator[Kind]:
    """Counts what followed; its breaches."""
    left_again = follow_up.kind == licence_pb2.LICENCE_FOLLOW_UP_KIND_REEXPORTED
    if left_again and licence_pb2.LICENCE_CONDITION_NO_REEXPORT in facts.terms(follow_up.day).conditions:
        yield licence_pb2.LICENCE_BREACH_KIND_REEXPORTED
    if follow_up.goods > len(state.lines):
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_GOODS
        return
    line, quantity = state.lines[follow_up.goods - 1], measure(follow_up.quantity, follow_up.unit)
    if quantity.kind != line.quantity.kind:
        yield licence_pb2.LICENCE_BREACH_KIND_OTHER_UNIT
        return
    line.followed[follow_up.kind] = line.followed.get(follow_up.kind, 0) + quantity.amount


def _breach(kind: Kind, reporter: str, report: Use | FollowUp, beyond: int = 0) -> licence_pb2.LicenceBreach:
    quantity = measure(report.quantity, report.unit)
    return licence_pb2.LicenceBreach(
        kind=kind,
        reporter=reporter,
        declaration=report.declaration,
        line=report.line,
        day=report.day,
        goods=report.goods,
        quantity=quantity._replace(amount=beyond or quantity.amount).shown(report.unit),
        unit=report.unit,
    )


def _place(reported: tuple[str, Use] | tuple[str, FollowUp]) -> tuple[object, ...]:
    """By day, then when it was reported; what is left is a fixed order of what can't be told apart."""
    reporter, report = reported
    at = report.reported_at
    kind = report.kind if isinstance(report, FollowUp) else 0
    return report.day, at.seconds, at.nanos, reporter, report.declaration, report.line, kind
