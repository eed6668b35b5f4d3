"""Reports uses of licences and what followed them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.contract.enum_words import word_of
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, Violation
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.licences.commands.changes import require_days
from gateway.licences.commands.register import LicenceRegister, catch_up, require_licence
from gateway.licences.rules.balances import balance, concerned
from gateway.licences.service.facts import KnownLicence
from gateway.plurals import counted
from gateway.v1 import alert_service_pb2, licence_pb2, licence_service_pb2

_Pb = licence_service_pb2


@dataclass(frozen=True, slots=True)
class ReportUseCommand(IdempotentCommand[_Pb.ReportLicenceUseResponse]):
    """Records a use, or a correction of one.

    Raises:
        NotFoundError: the licence isn't known here.
        InvalidRequestError: it has no such line of goods, or the day isn't one.
    """

    licences: LicenceRegister
    request: _Pb.ReportLicenceUseRequest
    principal: str
    actor: str
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.ReportLicenceUseResponse]:
        return _Pb.ReportLicenceUseResponse

    def answer(self, tx: Transaction) -> _Pb.ReportLicenceUseResponse:
        catch_up(tx)
        request, node = self.request, self.licences.node
        known = require_licence(tx, request.licence)
        line = request.line or 1
        others = [
            (by, use)
            for by, use in known.facts.uses
            if (by, use.declaration, use.line) != (node, request.declaration, line)
        ]
        use = licence_pb2.LicenceUse(
            licence=request.licence,
            declaration=request.declaration,
            line=line,
            revision=1 + _revision(known, "used", node, request.declaration, line),
            goods=request.goods or 1,
            quantity=request.quantity,
            unit=request.unit or _unit(known, request.goods or 1),
            day=request.day,
            destination=request.destination,
            purpose=known.facts.newest.purpose,
            reported_at=to_timestamp(tx.now_ms),
        )
        if request.HasField("code"):
            use.code.CopyFrom(request.code)
        if request.HasField("consignee"):
            use.consignee.CopyFrom(request.consignee)
        _require_possible(known, use)
        event = licence_pb2.LicenceEvent(occurred_at=to_timestamp(tx.now_ms), used=use)
        place = self.licences.append(tx, self.actor, recorded=event)
        return _Pb.ReportLicenceUseResponse(
            entry=alert_service_pb2.EntryReference(origin=place.origin.line, index=place.index),
            recipients=_recipients(self.licences, known, request.licence.issuer, tx.now_ms),
            balance=balance(replace(known.facts, uses=[*others, (node, use)])),
        )


@dataclass(frozen=True, slots=True)
class ReportFollowUpCommand(IdempotentCommand[_Pb.ReportLicenceFollowUpResponse]):
    """Records what followed a use, or a correction of it; raises as `ReportUseCommand`."""

    licences: LicenceRegister
    request: _Pb.ReportLicenceFollowUpRequest
    principal: str
    actor: str
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.ReportLicenceFollowUpResponse]:
        return _Pb.ReportLicenceFollowUpResponse

    def answer(self, tx: Transaction) -> _Pb.ReportLicenceFollowUpResponse:
        catch_up(tx)
        request, node = self.request, self.licences.node
        known = require_licence(tx, request.licence)
        line, kind = request.line or 1, word_of(licence_pb2.LicenceFollowUpKind, request.kind)
        key = node, request.kind, request.declaration, line
        others = [(by, one) for by, one in known.facts.follow_ups if (by, one.kind, one.declaration, one.line) != key]
        follow_up = licence_pb2.LicenceFollowUp(
            licence=request.licence,
            kind=request.kind,
            declaration=request.declaration,
            line=line,
            revision=1 + _revision(known, kind, node, request.declaration, line),
            goods=request.goods or 1,
            quantity=request.quantity,
            unit=request.unit or _unit(known, request.goods or 1),
            day=request.day,
            destination=request.destination,
            purpose=known.facts.newest.purpose,
            reported_at=to_timestamp(tx.now_ms),
        )
        _require_possible(known, follow_up)
        event = licence_pb2.LicenceEvent(occurred_at=to_timestamp(tx.now_ms), followed=follow_up)
        place = self.licences.append(tx, self.actor, recorded=event)
        return _Pb.ReportLicenceFollowUpResponse(
            entry=alert_service_pb2.EntryReference(origin=place.origin.line, index=place.index),
            recipients=_recipients(self.licences, known, request.licence.issuer, tx.now_ms),
            balance=balance(replace(known.facts, follow_ups=[*others, (node, follow_up)])),
        )


def _revision(known: KnownLicence, kind: str, reporter: str, declaration: str, line: int) -> int:
    """Of what was reported before; 0 for nothing."""
    key = kind, reporter, declaration, line
    return max(
        (
            act.key.revision
            for act in (*known.uses, *known.follow_ups)
            if (act.key.kind, act.key.reporter, act.key.declaration, act.key.line) == key
        ),
        default=0,
    )


def _unit(known: KnownLicence, goods: int) -> str:
    """The unit of a line of the goods; empty where there is none."""
    lines = known.facts.newest.goods
    return lines[goods - 1].unit if goods <= len(lines) else ""


def _require_possible(known: KnownLicence, report: licence_pb2.LicenceUse | licence_pb2.LicenceFollowUp) -> None:
    lines = len(known.facts.newest.goods)
    if report.goods > lines:
        raise InvalidRequestError(
            [Violation("goods", "goods.line", f"the licence has {counted(lines, 'line')} of goods")]
        )
    require_days({"day": report.day})


def _recipients(register: LicenceRegister, known: KnownLicence, issuer: str, now_ms: int) -> list[str]:
    """Others whom the licence concerns, as far as the agreements let them have it now."""
    others = sorted(concerned(issuer, known.facts.revisions) - {register.node})
    return [node for node in others if register.sharing.shares(register.node, node, known.facts.newest.purpose, now_ms)]
