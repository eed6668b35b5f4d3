"""Publishes, amends and withdraws own licences, and decides about proposals of that."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.contract.messages import to_timestamp
from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
    Violation,
)
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.licences.codec.events import LicenceKey, act_of, parse_decision
from gateway.licences.commands.register import LicenceRegister, catch_up, day_violations
from gateway.licences.service.facts import KnownLicence, read_licence
from gateway.licences.tables import acts
from gateway.licences.tables.acts import LicenceProposalRow
from gateway.persons.rules.four_eyes import ProposalState, require_decidable
from gateway.v1 import alert_service_pb2, licence_pb2, licence_service_pb2, watchlist_pb2

_Pb = licence_service_pb2

ChangeResponse = TypeVar(
    "ChangeResponse", _Pb.PublishLicenceResponse, _Pb.AmendLicenceResponse, _Pb.WithdrawLicenceResponse
)


@dataclass(frozen=True, slots=True)
class _ChangeCommand(IdempotentCommand[ChangeResponse]):
    """Records a change of an own licence, or proposes it where two persons are needed."""

    licences: LicenceRegister
    request: Any
    principal: str
    actor: str
    weight: int = 1

    @abstractmethod
    def _change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
        """The change; raises as the command."""

    def answer(self, tx: Transaction) -> ChangeResponse:
        catch_up(tx)
        change = self._change(tx)
        change.occurred_at.CopyFrom(to_timestamp(tx.now_ms))
        require_current(tx.conn, self.licences.node, change)
        proposal_id = ""
        if self.licences.four_eyes:
            proposal_id = self.licences.new_id()
            note = self.request.note
            proposal = licence_pb2.LicenceProposal(proposal_id=proposal_id, note=note, change=change)
            place = self.licences.append(tx, self.actor, proposed=proposal)
        else:
            place = self.licences.append(tx, self.actor, recorded=change)
        entry = alert_service_pb2.EntryReference(origin=place.origin.line, index=place.index)
        return self.response_type(proposal_id=proposal_id, entry=entry)


class PublishLicenceCommand(_ChangeCommand[_Pb.PublishLicenceResponse]):
    """Publishes an own licence.

    Raises:
        InvalidRequestError: a partner may not have it, or a day isn't one.
        IllegalTransitionError: the number is taken.
    """

    request: _Pb.PublishLicenceRequest

    @property
    def response_type(self) -> type[_Pb.PublishLicenceResponse]:
        return _Pb.PublishLicenceResponse

    def _change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
        request = self.request
        self.licences.require_possible(request.content, tx.now_ms)
        revision = licence_pb2.LicenceRevision(
            number=request.number, revision=1, effective_on=request.content.valid_from, content=request.content
        )
        return licence_pb2.LicenceEvent(revised=revision)


class AmendLicenceCommand(_ChangeCommand[_Pb.AmendLicenceResponse]):
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

    def _change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
        request = self.request
        self.licences.require_possible(request.content, tx.now_ms)
        require_days({"effective_on": request.effective_on})
        revision = licence_pb2.LicenceRevision(
            number=request.number,
            revision=request.revision + 1,
            effective_on=request.effective_on,
            content=request.content,
        )
        return licence_pb2.LicenceEvent(revised=revision)


class WithdrawLicenceCommand(_ChangeCommand[_Pb.WithdrawLicenceResponse]):
    """Withdraws an own licence; raises as `AmendLicenceCommand`."""

    request: _Pb.WithdrawLicenceRequest

    @property
    def response_type(self) -> type[_Pb.WithdrawLicenceResponse]:
        return _Pb.WithdrawLicenceResponse

    def _change(self, tx: Transaction) -> licence_pb2.LicenceEvent:
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


@dataclass(frozen=True, slots=True)
class DecideLicenceCommand(IdempotentCommand[_Pb.DecideLicenceProposalResponse]):
    """Records a second person's decision about a proposed change.

    Raises NotFoundError, IllegalTransitionError or PermissionDeniedError: this person can't decide it now;
    RevisionConflictError: the licence has changed since.
    """

    licences: LicenceRegister
    request: _Pb.DecideLicenceProposalRequest
    principal: str
    actor: str
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.DecideLicenceProposalResponse]:
        return _Pb.DecideLicenceProposalResponse

    def answer(self, tx: Transaction) -> _Pb.DecideLicenceProposalResponse:
        catch_up(tx)
        request = self.request
        row = acts.proposal(tx.conn, request.proposal_id)
        if row is None:
            raise NotFoundError(f"there is no proposal {request.proposal_id}")
        proposed = read_proposed(tx.conn, row)
        require_decidable(
            ProposalState(row.state),
            proposer=proposed.actor,
            decider=self.actor,
            approve=request.approve,
            persons=self.licences.persons,
        )
        change = proposed.proposed.change
        if request.approve:
            require_current(tx.conn, self.licences.node, change)
        kind = "approved" if request.approve else "rejected"
        decision = watchlist_pb2.ProposalDecision(proposal_id=row.proposal_id, remarks=request.remarks)
        self.licences.append(tx, self.actor, **{kind: decision})
        key = act_of(change, self.licences.node).licence
        return _Pb.DecideLicenceProposalResponse(licence=reference(key))


def read_proposed(conn: Connection, row: LicenceProposalRow) -> licence_pb2.LicenceDecision:
    """The decision that holds a proposal."""
    (entry,) = feeds.read_entries(conn, row.feed_id, row.idx, row.idx + 1)
    return parse_decision(entry.payload)


def reference(key: LicenceKey) -> licence_pb2.LicenceReference:
    """The contract's form of a key."""
    return licence_pb2.LicenceReference(issuer=key.issuer, number=key.number)
