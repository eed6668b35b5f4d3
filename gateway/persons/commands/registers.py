"""Registers: own feeds of decisions, of which some take effect only when a second person has approved them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import UUID7_RANDOM_BYTES, FeedOrigin, uuid7
from gateway.contract.messages import to_timestamp
from gateway.errors import NotFoundError, UnavailableError
from gateway.feed.service.writing.commands import IdempotentCommand, ResponseT, new_entry, random_bytes
from gateway.feed.service.writing.transaction import Clock, EntryPosition, Transaction
from gateway.feed.tables import feeds
from gateway.persons.rules.four_eyes import ProposalState, require_decidable
from gateway.persons.tables.register_proposals import PlacedProposal, RegisterProposals
from gateway.v1 import alert_service_pb2, watchlist_pb2

_PENDING_STEPS: Final = 8
_PENDING_AT_ONCE: Final = 1_000
_RETRY_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class RegisterForm:
    """What a register's entries are made of.

    Attributes:
        type_name: of its entries' header.
        decision: the message of an entry, with `recorded`, `proposed`, `approved` and `rejected`.
        proposal: the message of `proposed`, with `proposal_id`, `note` and `change`.
        parse: reads a decision from an entry's payload.
    """

    type_name: str
    decision: Callable[..., Any]
    proposal: Callable[..., Message]
    parse: Callable[[bytes], Any]


class DecisionRegister:
    """Names, clock and policy for all commands on a register. Thread-safe."""

    def __init__(
        self,
        origin: FeedOrigin,
        form: RegisterForm,
        proposals: RegisterProposals,
        *,
        clock: Clock,
        four_eyes: bool,
        persons: bool,
    ) -> None:
        """`persons` sign in at this node."""
        self.node = origin.publisher
        self.origin = origin
        self.form = form
        self.proposals = proposals
        self.four_eyes = four_eyes
        self.persons = persons
        self._clock = clock

    def append(self, tx: Transaction, actor: str, **decision: Message) -> EntryPosition:
        """Appends a decision to the register, e.g. `append(tx, actor, rejected=decision)`."""
        ((name, body),) = decision.items()
        made = self.form.decision(decided_at=to_timestamp(tx.now_ms), actor=actor)
        getattr(made, name).CopyFrom(body)
        return tx.append(self.origin, new_entry(self.form.type_name, made, now_ms=tx.now_ms))

    def append_change(self, tx: Transaction, actor: str, change: Message, note: str) -> tuple[str, EntryPosition]:
        """Records a change, or proposes it where two persons are needed: the proposal's id, empty without one."""
        if not self.four_eyes:
            return "", self.append(tx, actor, recorded=change)
        proposal_id = uuid7(self._clock(), random_bytes(UUID7_RANDOM_BYTES))
        proposal = self.form.proposal(proposal_id=proposal_id, note=note, change=change)
        return proposal_id, self.append(tx, actor, proposed=proposal)


def read_proposed(conn: Connection, row: PlacedProposal, form: RegisterForm) -> Any:
    """The decision that holds a proposal."""
    (entry,) = feeds.read_entries(conn, row.feed_id, row.idx, row.idx + 1)
    return form.parse(entry.payload)


def catch_up(tx: Transaction) -> None:
    """Projects what waits before a request is checked; raises UnavailableError while much does."""
    tx.seal()
    for _ in range(_PENDING_STEPS):
        if not tx.is_behind:
            return
        tx.project(_PENDING_AT_ONCE)
    raise UnavailableError("projections are being built", retry_after_s=_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class RegisterCommand(IdempotentCommand[ResponseT]):
    """A command on a register."""

    decisions: Any
    request: Any
    principal: str
    actor: str
    weight: int = 1


class ChangeCommand(RegisterCommand[ResponseT]):
    """Records a change, or proposes it where two persons are needed."""

    __slots__ = ()

    @abstractmethod
    def change(self, tx: Transaction) -> Any:
        """The change, with `occurred_at` to be set; raises as the command."""

    @abstractmethod
    def require_possible(self, tx: Transaction, change: Any) -> None:
        """Raises unless the change follows on what there is now."""

    def answer(self, tx: Transaction) -> ResponseT:
        catch_up(tx)
        change = self.change(tx)
        change.occurred_at.CopyFrom(to_timestamp(tx.now_ms))
        self.require_possible(tx, change)
        proposal_id, place = self.decisions.append_change(tx, self.actor, change, self.request.note)
        entry = alert_service_pb2.EntryReference(origin=place.origin.line, index=place.index)
        return self.response_type(proposal_id=proposal_id, entry=entry)


class DecideChangeCommand(RegisterCommand[ResponseT]):
    """Records a second person's decision about a proposed change.

    Raises NotFoundError, IllegalTransitionError or PermissionDeniedError: this person can't decide it now;
    RevisionConflictError: what it changes has changed since.
    """

    __slots__ = ()

    @abstractmethod
    def require_possible(self, tx: Transaction, change: Any) -> None:
        """Raises unless the change follows on what there is now."""

    @abstractmethod
    def answered(self, change: Any) -> ResponseT:
        """The answer, which names what is changed."""

    def answer(self, tx: Transaction) -> ResponseT:
        catch_up(tx)
        register, request = self.decisions, self.request
        row = register.proposals.find(tx.conn, request.proposal_id)
        if row is None:
            raise NotFoundError(f"there is no proposal {request.proposal_id}")
        proposed = read_proposed(tx.conn, row, register.form)
        require_decidable(
            ProposalState(row.state),
            proposer=proposed.actor,
            decider=self.actor,
            approve=request.approve,
            persons=register.persons,
        )
        change = proposed.proposed.change
        if request.approve:
            self.require_possible(tx, change)
        kind = "approved" if request.approve else "rejected"
        decision = watchlist_pb2.ProposalDecision(proposal_id=row.proposal_id, remarks=request.remarks)
        register.append(tx, self.actor, **{kind: decision})
        return self.answered(change)
