"""Reports uses of licences and what followed them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gateway.contract.enum_words import word_of
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, Violation
from gateway.feed.service.writing.transaction import Transaction
from gateway.licences.commands.changes import require_days
from gateway.licences.commands.register import LicenceRegister, require_licence
from gateway.licences.rules.balances import LicenceFacts, balance, concerned
from gateway.licences.service.facts import KnownLicence
from gateway.persons.commands.registers import RegisterCommand, catch_up
from gateway.plurals import counted
from gateway.v1 import alert_service_pb2, licence_pb2, licence_service_pb2

_Pb = licence_service_pb2


ReportResponse = TypeVar("ReportResponse", _Pb.ReportLicenceUseResponse, _Pb.ReportLicenceFollowUpResponse)


class _ReportCommand(RegisterCommand[ReportResponse]):
    """Records what was done under a licence, or a correction of it.

    Raises:
        NotFoundError: the licence isn't known here.
        InvalidRequestError: it has no such line of goods, or the day isn't one.
    """

    decisions: LicenceRegister

    @property
    @abstractmethod
    def _kind(self) -> str:
        """Of the act, as in its key."""

    @abstractmethod
    def _event(self, said: Mapping[str, Any]) -> licence_pb2.LicenceEvent:
        """The report, with what each report says."""

    @abstractmethod
    def _facts(self, before: LicenceFacts, event: licence_pb2.LicenceEvent) -> LicenceFacts:
        """What is known with the report, which stands in the place of an earlier one of its kind and line."""

    def answer(self, tx: Transaction) -> ReportResponse:
        catch_up(tx)
        request, now = self.request, to_timestamp(tx.now_ms)
        known = require_licence(tx, request.licence)
        line, goods = request.line or 1, request.goods or 1
        _require_possible(known, goods, request.day)
        event = self._event(
            {
                "licence": request.licence,
                "declaration": request.declaration,
                "line": line,
                "revision": 1 + _revision(known, self._kind, self.decisions.node, request.declaration, line),
                "goods": goods,
                "quantity": request.quantity,
                "unit": request.unit or known.facts.newest.goods[goods - 1].unit,
                "day": request.day,
                "destination": request.destination,
                "purpose": known.facts.newest.purpose,
                "reported_at": now,
            }
        )
        event.occurred_at.CopyFrom(now)
        place = self.decisions.append(tx, self.actor, recorded=event)
        return self.response_type(
            entry=alert_service_pb2.EntryReference(origin=place.origin.line, index=place.index),
            recipients=_recipients(self.decisions, known, request.licence.issuer, tx.now_ms),
            balance=balance(self._facts(known.facts, event)),
        )


class ReportUseCommand(_ReportCommand[_Pb.ReportLicenceUseResponse]):
    """Records a use, or a correction of one; raises as `_ReportCommand`."""

    request: _Pb.ReportLicenceUseRequest

    @property
    def response_type(self) -> type[_Pb.ReportLicenceUseResponse]:
        return _Pb.ReportLicenceUseResponse

    @property
    def _kind(self) -> str:
        return "used"

    def _event(self, said: Mapping[str, Any]) -> licence_pb2.LicenceEvent:
        use = licence_pb2.LicenceUse(**said)
        if self.request.HasField("code"):
            use.code.CopyFrom(self.request.code)
        if self.request.HasField("consignee"):
            use.consignee.CopyFrom(self.request.consignee)
        return licence_pb2.LicenceEvent(used=use)

    def _facts(self, before: LicenceFacts, event: licence_pb2.LicenceEvent) -> LicenceFacts:
        use, node = event.used, self.decisions.node
        key = node, use.declaration, use.line
        others = [(by, one) for by, one in before.uses if (by, one.declaration, one.line) != key]
        return replace(before, uses=[*others, (node, use)])


class ReportFollowUpCommand(_ReportCommand[_Pb.ReportLicenceFollowUpResponse]):
    """Records what followed a use, or a correction of it; raises as `_ReportCommand`."""

    request: _Pb.ReportLicenceFollowUpRequest

    @property
    def response_type(self) -> type[_Pb.ReportLicenceFollowUpResponse]:
        return _Pb.ReportLicenceFollowUpResponse

    @property
    def _kind(self) -> str:
        return word_of(licence_pb2.LicenceFollowUpKind, self.request.kind)

    def _event(self, said: Mapping[str, Any]) -> licence_pb2.LicenceEvent:
        return licence_pb2.LicenceEvent(followed=licence_pb2.LicenceFollowUp(kind=self.request.kind, **said))

    def _facts(self, before: LicenceFacts, event: licence_pb2.LicenceEvent) -> LicenceFacts:
        followed, node = event.followed, self.decisions.node
        key = node, followed.kind, followed.declaration, followed.line
        others = [(by, one) for by, one in before.follow_ups if (by, one.kind, one.declaration, one.line) != key]
        return replace(before, follow_ups=[*others, (node, followed)])


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


def _require_possible(known: KnownLicence, goods: int, day: str) -> None:
    lines = len(known.facts.newest.goods)
    if goods > lines:
        raise InvalidRequestError(
            [Violation("goods", "goods.line", f"the licence has {counted(lines, 'line')} of goods")]
        )
    require_days({"day": day})


def _recipients(register: LicenceRegister, known: KnownLicence, issuer: str, now_ms: int) -> list[str]:
    """Others whom the licence concerns, as far as the agreements let them have it now."""
    others = sorted(concerned(issuer, known.facts.revisions) - {register.node})
    return [node for node in others if register.sharing.shares(register.node, node, known.facts.newest.purpose, now_ms)]
