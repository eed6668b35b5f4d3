"""Proposes and decides changes of own watchlists, and ends expired entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from gateway.contract.ids import UUID7_RANDOM_BYTES, Channel, FeedOrigin, uuid7
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.messages import to_timestamp
from gateway.contract.validation import violations
from gateway.errors import (
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
    UnavailableError,
    Violation,
)
from gateway.feed.codec import EncodedEntry
from gateway.feed.service.writing.commands import IdempotentCommand, entry_of, new_entry, random_bytes
from gateway.feed.service.writing.transaction import Clock, Transaction
from gateway.persons.rules.four_eyes import ProposalState, require_decidable
from gateway.persons.service.pseudonyms import Pseudonyms
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.codec import encoded_changes
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.content_objections import ContentObjections
from gateway.watchlists.commands.entry_sources import read_sources, source_violations
from gateway.watchlists.rules.policies import (
    DEFAULT_POLICY,
    MAX_LISTS,
    ListPolicy,
    too_many_lists,
)
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.updates import read_update
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.lists import EntryRow
from gateway.watchlists.tables.proposals import ProposalRow

BY_ITSELF = "gateway"
"""Actor of automatic decisions."""

PENDING_STEPS = 8
"""Updates that a request applies before it asks to retry."""

EXPIRE_LIMIT = 500
"""Entries that expire in one transaction."""

_RETRY_AFTER_S = 1.0

_Pb = watchlist_service_pb2


class Lists:
    """State shared by the commands: names, clock, policies, agreements. Thread-safe."""

    def __init__(
        self,
        *,
        federation: str,
        node: str,
        directory: Callable[[], Directory],
        clock: Clock,
        policies: Callable[[str], ListPolicy | None] = lambda _: None,
        persons: bool = False,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self.persons = persons  # sign in at this node
        self.node = node
        self.origin = FeedOrigin(federation, node, node, Channel.LISTS)
        self._directory = directory
        self.agreements = Agreements(directory)
        self.pseudonyms = pseudonyms or Pseudonyms(node, directory)
        self._clock = clock
        self.content_objections = ContentObjections(
            node=node, directory=directory, agreements=self.agreements, clock=clock
        )
        self._policies = policies
        self.importing: set[str] = set()
        """Proposals with an import under way: more parts may follow."""
        self.cut_off = True
        """Whether an import may have been interrupted; unknown at start, so True."""

    def feed_to(self, partner: str) -> FeedOrigin:
        """Our watchlist feed to a partner."""
        return self._directory().feed(self.node, partner, Channel.WATCHLIST)

    def policy(self, list_name: str) -> ListPolicy:
        """Lists outside the settings need four eyes."""
        return self._policies(list_name) or DEFAULT_POLICY

    def new_id(self) -> str:
        """A new UUIDv7."""
        return uuid7(self._clock(), random_bytes(UUID7_RANDOM_BYTES))

    def objections(self, content: watchlist_pb2.WatchlistContent, prefix: str) -> list[Violation]:
        """Violations beyond the contract's: partners, agreements, times, size."""
        (problems,) = self.content_objections([content], prefix)
        return problems

    def decision(self, now_ms: int, actor: str, **decision: Message) -> EncodedEntry:
        """Encodes a decision, e.g. `decision(now, actor, rejected=proposal)`."""
        ((name, body),) = decision.items()
        made = watchlist_pb2.ListDecision(decided_at=to_timestamp(now_ms), actor=actor)
        getattr(made, name).CopyFrom(body)
        return new_entry(wire.DECISION_TYPE, made, now_ms=now_ms)

    def published(self, now_ms: int, actor: str, update: bytes) -> EncodedEntry:
        """Encodes a decision that publishes a serialised update."""
        made = watchlist_pb2.ListDecision(decided_at=to_timestamp(now_ms), actor=actor)
        return entry_of(wire.DECISION_TYPE, encoded_changes.published(made, update), now_ms=now_ms)

    def check(self, request: _Pb.ProposeEntriesRequest) -> None:
        """Checks all that needs no database; raises InvalidRequestError."""
        problems = violations(request)
        if not request.entries and not request.withdrawals:
            problems.append(Violation("entries", "proposal.empty", "give entries, withdrawals or both"))
        if len(request.entries) + len(request.withdrawals) > MAX_STREAM_ITEMS:
            text = f"at most {MAX_STREAM_ITEMS} changes at once; import more"
            problems.append(Violation("entries", "proposal.size", text))
        ids = _ids(request)
        if len(set(ids)) < len(ids):
            problems.append(Violation("entries", "proposal.unique", "each id at most once"))
        for at, proposed in enumerate(request.entries):
            problems.extend(self.objections(proposed.content, f"entries[{at}].content."))
        if problems:
            raise InvalidRequestError(problems)


def require_known_or_few_lists(tx: Transaction, lists: Lists, name: str) -> None:
    """Raises InvalidRequestError for a new own list beyond MAX_LISTS."""
    if watchlists.names_beyond(tx.conn, lists.node, [name], MAX_LISTS):
        raise too_many_lists("list")


def _ids(request: _Pb.ProposeEntriesRequest) -> list[str]:
    return [
        *(entry.id for entry in request.entries if entry.id),
        *(withdrawal.id for withdrawal in request.withdrawals),
    ]


def apply_pending(tx: Transaction) -> None:
    """Applies decided changes before a request is checked; raises UnavailableError during a large change."""
    tx.seal()
    for _ in range(PENDING_STEPS):
        if not tx.project(MAX_STREAM_ITEMS):
            return
    if list_progress.applied(tx.conn) < watchlists.last_seq(tx.conn):
        raise UnavailableError("a large change of the lists is taking effect", retry_after_s=_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class ProposeCommand(IdempotentCommand[_Pb.ProposeEntriesResponse]):
    """Proposes or publishes changes of one list.

    Raises:
        RevisionConflictError, NotFoundError: the caller has seen another revision.
        InvalidRequestError: an alert that an entry derives from may not be passed on, or was left out.
    """

    lists: Lists
    request: _Pb.ProposeEntriesRequest
    principal: str
    actor: str

    @property
    def weight(self) -> int:
        return len(self.request.entries) + len(self.request.withdrawals)

    @property
    def response_type(self) -> type[_Pb.ProposeEntriesResponse]:
        return _Pb.ProposeEntriesResponse

    def answer(self, tx: Transaction) -> _Pb.ProposeEntriesResponse:
        apply_pending(tx)
        require_known_or_few_lists(tx, self.lists, self.request.list)
        changes = self._changes(tx)
        parts = [update.SerializeToString(deterministic=True) for update in wire.updates(changes)]
        tx.require_extensible(self.lists.origin)
        four_eyes = self.lists.policy(self.request.list).four_eyes
        proposal_id = self.lists.new_id() if four_eyes else ""
        append_parts(
            tx, self.lists, parts, proposal_id, list_name=self.request.list, note=self.request.note, actor=self.actor
        )
        response = _Pb.ProposeEntriesResponse(
            proposal_id=proposal_id, ids=[wire.key_of(change).entry_id for change in changes]
        )
        return response

    def _changes(self, tx: Transaction) -> list[watchlist_pb2.WatchlistChange]:
        request = self.request
        known = watchlists.find(tx.conn, self.lists.node, request.list, set(_ids(request)))
        changes = [
            *(self._entered(tx, entry, known.get(entry.id)) for entry in request.entries),
            *(self._ended(tx, withdrawal, known.get(withdrawal.id)) for withdrawal in request.withdrawals),
        ]
        self._require_sources(tx, known)
        return changes

    def _require_sources(self, tx: Transaction, known: Mapping[str, EntryRow]) -> None:
        """Raises InvalidRequestError unless each entry keeps its sources, and these allow its recipients."""
        entries = self.request.entries
        before = read_sources(tx, [known[entry.id] for entry in entries if entry.id in known])
        violations = [
            violation
            for at, entry in enumerate(entries)
            for violation in source_violations(
                tx, entry.content, before.get(ListKey(self.request.list, entry.id), ()), f"entries[{at}].content."
            )
        ]
        if violations:
            raise InvalidRequestError(violations)

    def _entered(
        self, tx: Transaction, proposed: _Pb.ProposedEntry, row: EntryRow | None
    ) -> watchlist_pb2.WatchlistChange:
        listed = row.revision if row is not None and not row.ended else 0
        if proposed.revision != listed:
            raise _conflict(self.request.list, proposed.id, listed, proposed.revision)
        entry = watchlist_pb2.WatchlistEntry(
            list=self.request.list,
            id=proposed.id or self.lists.new_id(),
            revision=(row.revision if row is not None else 0) + 1,
            published_at=to_timestamp(tx.now_ms),
            first_published_at=to_timestamp(row.first_published_at) if row is not None else None,
            content=proposed.content,
        )
        return watchlist_pb2.WatchlistChange(entered=entry)

    def _ended(
        self, tx: Transaction, withdrawal: _Pb.ProposedWithdrawal, row: EntryRow | None
    ) -> watchlist_pb2.WatchlistChange:
        if row is None or row.ended:
            raise NotFoundError(f"there is no entry {withdrawal.id} in our list {self.request.list}")
        if withdrawal.revision != row.revision:
            raise _conflict(self.request.list, withdrawal.id, row.revision, withdrawal.revision)
        (change,) = ended(tx, [row], watchlist_pb2.WATCHLIST_END_WITHDRAWN, withdrawal.reason)
        return change


def _conflict(list_name: str, entry_id: str, listed: int, given: int) -> RevisionConflictError:
    return RevisionConflictError(
        f"entry {entry_id or '(new)'} of {list_name} is at revision {listed}, not {given}",
        metadata={"about": "entry", "entry": f"{list_name}/{entry_id}", "revision": str(listed)},
    )


def ended(
    tx: Transaction, rows: Sequence[EntryRow], end: watchlist_pb2.WatchlistEnd.ValueType, reason: str
) -> list[watchlist_pb2.WatchlistChange]:
    """The changes that end entries; their sources count again where an entry comes again."""
    sources = read_sources(tx, rows)
    return [
        watchlist_pb2.WatchlistChange(
            ended=watchlist_pb2.WatchlistTombstone(
                list=row.list,
                id=row.entry_id,
                revision=row.revision,
                end=end,
                reason=reason,
                ended_at=to_timestamp(tx.now_ms),
                derived_from=sources.get(ListKey(row.list, row.entry_id), ()),
            )
        )
        for row in rows
    ]


def append_parts(
    tx: Transaction,
    lists: Lists,
    parts: Sequence[bytes],
    proposal_id: str,
    *,
    list_name: str,
    note: str,
    actor: str,
    complete: bool = True,
) -> None:
    """Appends serialised updates as parts of a proposal, or without one as effective decisions.

    Raises:
        FeedBehindError, FeedForkedError: our feed must not be extended.
    """
    for at, update in enumerate(parts):
        if not proposal_id:
            tx.append(lists.origin, lists.published(tx.now_ms, actor, update))
            continue
        part = watchlist_pb2.ProposalPart(
            proposal_id=proposal_id,
            list=list_name,
            note=note,
            update=watchlist_pb2.WatchlistUpdate.FromString(update),
            complete=complete and at == len(parts) - 1,
        )
        tx.append(lists.origin, lists.decision(tx.now_ms, actor, proposed=part))


@dataclass(frozen=True, slots=True)
class DecideCommand(IdempotentCommand[_Pb.DecideProposalResponse]):
    """Records a second person's decision about a proposal.

    Raises NotFoundError, IllegalTransitionError or PermissionDeniedError: this person can't decide it now;
    RevisionConflictError: an entry has changed since.
    """

    lists: Lists
    request: _Pb.DecideProposalRequest
    principal: str
    actor: str
    hidden: Hidden = NOTHING_HIDDEN
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.DecideProposalResponse]:
        return _Pb.DecideProposalResponse

    def answer(self, tx: Transaction) -> _Pb.DecideProposalResponse:
        apply_pending(tx)
        row = proposal_rows.proposal(tx.conn, self.request.proposal_id)
        if row is None or (self.lists.node, row.list) in self.hidden:
            raise NotFoundError(f"there is no proposal {self.request.proposal_id}")
        approve = self.request.approve
        who = {"proposer": row.proposer, "decider": self.actor}
        require_decidable(ProposalState(row.state), **who, approve=approve, persons=self.lists.persons)
        if approve:
            self._require_current(tx, row)
        kind = "approved" if approve else "rejected"
        decision = watchlist_pb2.ProposalDecision(proposal_id=row.proposal_id, remarks=self.request.remarks)
        tx.append(self.lists.origin, self.lists.decision(tx.now_ms, self.actor, **{kind: decision}))
        return _Pb.DecideProposalResponse(changes=row.changes)

    def _require_current(self, tx: Transaction, row: ProposalRow) -> None:
        """Entries of proposals in several parts are compared when applied."""
        parts = proposal_rows.parts_of(tx.conn, row.proposal_id)
        if len(parts) > 1:
            return
        for change in read_update(tx.conn, *parts[0]).changes:
            key = wire.key_of(change)
            listed = watchlists.find(tx.conn, self.lists.node, key.list, [key.entry_id]).get(key.entry_id)
            now = listed.revision if listed is not None else 0
            entered = change.WhichOneof("change") == "entered"
            expected = change.entered.revision - 1 if entered else change.ended.revision
            if now != expected or (not entered and listed is not None and listed.ended):
                raise _conflict(key.list, key.entry_id, now, expected)


@dataclass(frozen=True, slots=True)
class ExpireListedCommand:
    """Ends expired own entries; returns their number."""

    lists: Lists
    weight: int = 1

    def execute(self, tx: Transaction) -> int:
        rows = watchlists.due_to_expire(tx.conn, self.lists.node, tx.now_ms, EXPIRE_LIMIT)
        changes = ended(tx, rows, watchlist_pb2.WATCHLIST_END_EXPIRED, "")
        for update in wire.updates(changes):
            serialised = update.SerializeToString(deterministic=True)
            tx.append(self.lists.origin, self.lists.published(tx.now_ms, BY_ITSELF, serialised))
        return len(rows)
