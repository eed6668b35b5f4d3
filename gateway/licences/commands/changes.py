"""Publishes, amends and withdraws own licences, and decides about proposals of that."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import Connection

from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
    Violation,
)
from gateway.feed.service.writing.transaction import Transaction
from gateway.licences.codec.events import LicenceKey, act_of
from gateway.licences.commands.register import LicenceRegister, day_violations
from gateway.licences.service.facts import KnownLicence, read_licence
from gateway.persons.commands.registers import ChangeCommand, DecideChangeCommand
from gateway.v1 import licence_pb2, licence_service_pb2

_Pb = licence_service_pb2

ChangeResponse = TypeVar(
    "ChangeResponse", _Pb.PublishLicenceResponse, _Pb.AmendLicenceResponse, _Pb.WithdrawLicenceResponse
)


class _LicenceChange(ChangeCommand[ChangeResponse]):
    """Changes an own licence."""

    decisions: LicenceRegister

    def require_possible(self, tx: Transaction, change: licence_pb2.LicenceEvent) -> None:
        require_current(tx.conn, self.decisions.node, change)


class PublishLicenceCommand(_LicenceChange[_Pb.PublishLicenceResponse]):
    """Publishes an own licence.

    Raises:
        InvalidRequestError: a partner may not have it, or a day isn't one.
        IllegalTransitionError: the number is taken.
    """

    request: _Pb.PublishLicenceRequest

    @property
    def response_type(self) -> type[_Pb.PublishLicenceResponse]:
        return _Pb.PublishLicenceResponse

    def change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
        request = self.request
        self.decisions.require_possible(request.content, tx.now_ms)
        revision = licence_pb2.LicenceRevision(
            number=request.number, revision=1, effective_on=request.content.valid_from, content=request.content
        )
        return licence_pb2.LicenceEvent(revised=revision)


class AmendLicenceCommand(_LicenceChange[_Pb.AmendLicenceResponse]):
    """Amends an own licence.

    Raises:
        NotFoundError: there is no such own licence.
        RevisionConflictError: the caller has seen another revision.
        IllegalTransitionError: it is withdrawn.
        InvalidRequestError: as in `PublishLicenceCommand`; or parties, lines of goods or the purpose would go.
    """

    request: _Pb.AmendLicenceRequest

    @property
    def response_type(self) -> type[_Pb.AmendLicenceResponse]:
        return _Pb.AmendLicenceResponse

    def change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
        request = self.request
        self.decisions.require_possible(request.content, tx.now_ms)
        require_days({"effective_on": request.effective_on})
        revision = licence_pb2.LicenceRevision(
            number=request.number,
            revision=request.revision + 1,
            effective_on=request.effective_on,
            content=request.content,
        )
        return licence_pb2.LicenceEvent(revised=revision)


class WithdrawLicenceCommand(_LicenceChange[_Pb.WithdrawLicenceResponse]):
    """Withdraws an own licence; raises as `AmendLicenceCommand`."""

    request: _Pb.WithdrawLicenceRequest

    @property
    def response_type(self) -> type[_Pb.WithdrawLicenceResponse]:
        return _Pb.WithdrawLicenceResponse

    def change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
        request = self.request
        require_days({"effective_on": request.effective_on})
        withdrawal = licence_pb2.LicenceWithdrawal(
            number=request.number, revision=request.revision, effective_on=request.effective_on, reason=request.reason
        )
        return licence_pb2.LicenceEvent(withdrawn=withdrawal)


def require_days(days: dict[str, str]) -> None:
    """Raises InvalidRequestError for days that no calendar has."""
    problems = list(day_violations(days))
    if problems:
        raise InvalidRequestError(problems)


def require_current(conn: Connection, node: str, change: licence_pb2.LicenceEvent) -> None:
    """Raises unless the change follows on an own licence as it is now; as the commands."""
    key = act_of(change, node)
    known = read_licence(conn, key.licence)
    if change.HasField("revised") and key.revision == 1:
        if known is not None:
            raise IllegalTransitionError(f"licence {key.number} was published before", metadata={"about": "licence"})
        return
    if known is None:
        raise NotFoundError(f"there is no licence {key.number} of ours")
    newest = known.facts.revisions[-1].revision
    seen = key.revision - 1 if change.HasField("revised") else key.revision
    if seen != newest:
        raise RevisionConflictError(
            f"licence {key.number} is at revision {newest}, not {seen}",
            metadata={"about": "licence", "revision": str(newest)},
        )
    if known.facts.withdrawal is not None:
        raise IllegalTransitionError(f"licence {key.number} was withdrawn before", metadata={"about": "licence"})
    if change.HasField("revised"):
        _require_kept(known, change.revised.content)


def _require_kept(known: KnownLicence, content: licence_pb2.LicenceContent) -> None:
    """Raises InvalidRequestError where an amendment takes away what others rely on."""
    before = known.facts.newest
    problems = []
    gone = sorted(set(before.parties) - set(content.parties))
    if gone:
        text = f"{', '.join(gone)}: has seen the licence; an amendment may only add parties"
        problems.append(Violation("content.parties", "parties.kept", text))
    if len(content.goods) < len(before.goods):
        text = f"uses name a line by its place; the licence has {len(before.goods)}, so set a quantity to 0 instead"
        problems.append(Violation("content.goods", "goods.kept", text))
    if content.purpose != before.purpose:
        problems.append(Violation("content.purpose", "purpose.kept", f"stays {before.purpose!r}"))
    if problems:
        raise InvalidRequestError(problems)


class DecideLicenceCommand(DecideChangeCommand[_Pb.DecideLicenceProposalResponse]):
    """Records a second person's decision about a proposed change; raises as `DecideChangeCommand`."""

    decisions: LicenceRegister

    @property
    def response_type(self) -> type[_Pb.DecideLicenceProposalResponse]:
        return _Pb.DecideLicenceProposalResponse

    def require_possible(self, tx: Transaction, change: licence_pb2.LicenceEvent) -> None:
        require_current(tx.conn, self.decisions.node, change)

    def answered(self, change: licence_pb2.LicenceEvent) -> _Pb.DecideLicenceProposalResponse:
        return _Pb.DecideLicenceProposalResponse(licence=reference(act_of(change, self.decisions.node).licence))


def reference(key: LicenceKey) -> licence_pb2.LicenceReference:
    """The contract's form of a key."""
    return licence_pb2.LicenceReference(issuer=key.issuer, number=key.number)
