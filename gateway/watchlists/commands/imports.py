"""Imports a source into an own watchlist by appending the differences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from gateway.contract.validation import violations
from gateway.db.database import Database
from gateway.errors import IllegalTransitionError, InvalidRequestError, Violation
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import journal
from gateway.persons.rules.four_eyes import ProposalState
from gateway.plurals import counted
from gateway.v1 import watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.codec.encoded_changes import EntryEncoder, filled, update_of
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.entry_sources import read_sources, source_violations
from gateway.watchlists.commands.proposals import BY_ITSELF, Lists, append_parts, ended, require_known_or_few_lists
from gateway.watchlists.commands.same_proposal import (
    drop_proposal,
    entered_without_time,
    is_waiting,
    without_time,
)
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.lists import EntryRow
from gateway.watchlists.tables.schema import list_entries

IDS_PAGE = 5_000
"""Ids read at once when an import looks for vanished entries."""

MOST_REFUSED = 1_000
"""Most refused rows listed; beyond that only counted."""

_Pb = watchlist_service_pb2


class AdmittedRow(NamedTuple):
    """A row without violations, its serialised content, and that content's digest."""

    row: _Pb.ImportRow
    content: bytes
    digest: bytes


@dataclass(slots=True)
class Import:
    """An import under way.

    An interrupted import has published the rows read so far; importing again does the rest. An interrupted proposal is
    never complete; `EndCutOffCommand` rejects it, and importing again makes a new one.

    Attributes:
        proposal_id: of a list with four eyes; else empty.
        listed: entries at the start, to count vanished ones; 0 when their ids are looked up.
        present: source rows so far that were listed.
        seen: ids of all rows so far, with the line of the first; 0 where that isn't known.
        unsought: ids of refused rows not yet looked up.
        pending: serialised changes that wait until their part is full.
        said: SHA-256 of all changes so far.
    """

    lists: Lists
    opening: _Pb.ImportOpening
    actor: str
    proposal_id: str = ""
    rows: int = 0
    listed: int = 0
    present: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    unsought: list[str] = field(default_factory=list)
    pending: list[bytes] = field(default_factory=list)
    said: Any = field(default_factory=sha256)
    response: _Pb.ImportEntriesResponse = field(default_factory=_Pb.ImportEntriesResponse)

    def __post_init__(self) -> None:
        if self.lists.policy(self.opening.list).four_eyes:
            self.proposal_id = self.lists.new_id()
            self.lists.importing.add(self.proposal_id)

    def end(self, *, complete: bool) -> None:
        """Ends the input; `complete`: every row came."""
        if self.proposal_id:
            self.lists.importing.discard(self.proposal_id)
            self.lists.cut_off |= not complete

    def check(self, rows: Sequence[_Pb.ImportRow]) -> list[AdmittedRow]:
        """Valid rows; records the others as refused."""
        admitted, seen = [], self.seen
        self.rows += len(rows)
        objections = self.lists.content_objections((row.content for row in rows), "content.")
        for row, objected in zip(rows, objections, strict=True):
            broken, entry_id = violations(row), row.id
            if broken or objected or entry_id in seen:
                problems = [*broken, *objected]
                if entry_id in seen:
                    problems.append(Violation("id", "import.unique", _occurs(entry_id, seen[entry_id])))
                self.refuse(row, InvalidRequestError(problems))
                continue
            seen[entry_id] = row.line
            content = row.content.SerializeToString(deterministic=True)
            admitted.append(AdmittedRow(row, content, sha256(content).digest()))
        return admitted

    def require_all(self, end: _Pb.ImportEnd) -> None:
        """Raises InvalidRequestError if rows are missing."""
        if end.rows != self.rows:
            text = f"{counted(self.rows, 'row')} came, {end.rows} were sent"
            raise InvalidRequestError([Violation("end.rows", "end.rows", text)])

    def refuse(self, row: _Pb.ImportRow, error: InvalidRequestError) -> None:
        """Counts a refused row, and lists it among the first."""
        # A refused row's entry hasn't vanished from the source.
        if row.id not in self.seen:
            self.seen[row.id] = row.line
            self.unsought.append(row.id)
        self.response.refused_count += 1
        if len(self.response.refused) < MOST_REFUSED:
            refused = self.response.refused.add(line=row.line, id=row.id)
            refused.error.reason, refused.error.message = error.reason, error.message
            for v in error.violations:
                refused.error.violations.add(field=v.field[:512], rule=v.rule[:256], message=v.message[:1024])


class ImportRowsCommand:
    """Appends differences between rows and list; returns counts."""

    def __init__(self, importing: Import, rows: Sequence[AdmittedRow]) -> None:
        self._import = importing
        self._rows = rows

    @property
    def weight(self) -> int:
        return len(self._rows)

    def execute(self, tx: Transaction) -> Counts:
        importing = self._import
        name = importing.opening.list
        require_known_or_few_lists(tx, importing.lists, name)
        known = watchlists.find(tx.conn, importing.lists.node, name, [row.id for row, _, _ in self._rows])
        counts = Counts()
        changes = list(importing.pending)
        encode = EntryEncoder(name, tx.now_ms)
        for row, content, digest in self._accepted(tx, known, counts):
            entry_id = row.id
            before = known.get(entry_id)
            if before is not None and not before.ended and before.digest == digest:
                counts.unchanged += 1
                continue
            counts.count(before)
            revision = 1 if before is None else before.revision + 1
            first = None if before is None else before.first_published_at
            changes.append(encode(entry_id, revision, content, first))
            if importing.proposal_id:
                counts.said += entered_without_time(entry_id, revision, digest)
        counts.present = sum(not one.ended for one in known.values())
        counts.left = _append_full(tx, importing, changes)
        return counts

    def _accepted(self, tx: Transaction, known: Mapping[str, EntryRow], counts: Counts) -> Iterator[AdmittedRow]:
        """Rows whose sources allow their recipients; the others are refused."""
        name = self._import.opening.list
        changed = [known[row.id] for row, _, digest in self._rows if row.id in known and known[row.id].digest != digest]
        before = read_sources(tx, changed)
        for admitted in self._rows:
            row = admitted.row
            sources = before.get(ListKey(name, row.id), ()) if before else ()
            if not sources and not row.content.derived_from:
                yield admitted
                continue
            objections = source_violations(tx, row.content, sources, "content.")
            if objections:
                counts.refused.append((row, InvalidRequestError(objections)))
            else:
                yield admitted


@dataclass(slots=True)
class Counts:
    """Counts of a chunk, added once it is durable."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    present: int = 0
    left: list[bytes] = field(default_factory=list)
    refused: list[tuple[_Pb.ImportRow, InvalidRequestError]] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)

    def count(self, before: EntryRow | None) -> None:
        """Counts a new entry, or a changed one."""
        if before is None or before.ended:
            self.added += 1
        else:
            self.changed += 1

    def take(self, importing: Import) -> None:
        """Adds to the import's counts."""
        for row, error in self.refused:
            importing.refuse(row, error)
        importing.pending = self.left
        importing.said.update(self.said)
        importing.present += self.present
        importing.response.added += self.added
        importing.response.changed += self.changed
        importing.response.unchanged += self.unchanged


class EndRowsCommand:
    """Withdraws vanished entries; returns what is pending."""

    def __init__(self, importing: Import, ids: Collection[str]) -> None:
        self._import = importing
        self._ids = ids

    @property
    def weight(self) -> int:
        return len(self._ids)

    def execute(self, tx: Transaction) -> Counts:
        importing = self._import
        rows = watchlists.find(tx.conn, importing.lists.node, importing.opening.list, self._ids)
        listed = [row for row in rows.values() if not row.ended]
        ends = ended(tx, listed, watchlist_pb2.WATCHLIST_END_WITHDRAWN, importing.opening.prune_reason)
        serialised = [end.SerializeToString(deterministic=True) for end in ends]
        left = _append_full(tx, importing, [*importing.pending, *serialised])
        return Counts(left=left, said=bytearray(b"".join(without_time(end) for end in ends)))


class FinishImportCommand:
    """Appends pending changes and completes the proposal, unless another one already has the same changes.

    `same` is one that was found before. Imports that end at the same moment don't find each other so: each notes its
    changes under a unique key, in the transaction that completes its proposal.
    """

    weight = 1

    def __init__(self, importing: Import, same: str = "") -> None:
        self._import = importing
        self._same = same
        self._key = (importing.opening.list, importing.said.digest())

    def execute(self, tx: Transaction) -> _Pb.ImportEntriesResponse:
        importing = self._import
        proposes = bool(importing.proposal_id and importing.pending)
        same = self._waiting(tx) if proposes else ""
        if same:
            drop_proposal(tx, importing.lists, importing.proposal_id, same=same)
        else:
            full, left = filled(importing.pending)
            _append(tx, importing, [update_of(part) for part in (*full, left) if part], complete=True)
            if proposes:
                proposal_rows.keep_changes(tx.conn, *self._key, importing.proposal_id)
        response = _Pb.ImportEntriesResponse()
        response.CopyFrom(importing.response)
        if not importing.opening.prune:
            refused = watchlists.find(tx.conn, importing.lists.node, importing.opening.list, importing.unsought)
            present = importing.present + sum(not refusal.ended for refusal in refused.values())
            response.vanished = max(0, importing.listed - present)
        if importing.pending:
            response.proposal_id = same or importing.proposal_id
        response.proposed_before = bool(same)
        return response

    def _waiting(self, tx: Transaction) -> str:
        """Id of a waiting proposal with the same changes; empty if there is none."""
        if self._same and is_waiting(tx, self._same):
            return self._same
        found = proposal_rows.imported_before(tx.conn, *self._key)
        row = proposal_rows.proposal(tx.conn, found) if found else None
        if row is not None and row.state in (ProposalState.APPROVED, ProposalState.REJECTED):
            proposal_rows.release_changes(tx.conn, found)  # software of an earlier version decided it
            return ""
        return found


@dataclass(frozen=True, slots=True)
class EndCutOffCommand:
    """Rejects proposals of interrupted imports, which can never be approved.

    Returns False while an entry waits to be projected: it may be a part of one.
    """

    lists: Lists
    weight: int = 1

    def execute(self, tx: Transaction) -> bool:
        if journal.head_position(tx.conn) > journal.projected_position(tx.conn):
            return False
        for proposal_id in proposal_rows.open_proposals(tx.conn):
            if proposal_id not in self.lists.importing:
                rejected = watchlist_pb2.ProposalDecision(proposal_id=proposal_id, remarks="its import was cut off")
                tx.append(self.lists.origin, self.lists.decision(tx.now_ms, BY_ITSELF, rejected=rejected))
        return True


def count_listed(database: Database, importing: Import) -> None:
    """Counts the list's entries without reading ids, so a small import into a large list costs only its rows."""
    of_list = (list_entries.c.publisher == importing.lists.node, list_entries.c.list == importing.opening.list)
    with database.read() as conn:
        importing.listed = watchlists.count(conn, *of_list)


def vanished(database: Database, importing: Import) -> list[str]:
    """Ids that the source no longer has, read page by page."""
    texts: list[str] = []
    after = ""
    while True:
        with database.read() as conn:
            ids = watchlists.ids_of(conn, importing.lists.node, importing.opening.list, after=after, limit=IDS_PAGE)
        texts.extend(entry_id for entry_id, _ in ids if entry_id not in importing.seen)
        if len(ids) < IDS_PAGE:
            return texts
        after = ids[-1][0]


def _append_full(tx: Transaction, importing: Import, changes: Sequence[bytes]) -> list[bytes]:
    full, left = filled(changes)
    if importing.proposal_id and full and not left:
        left = list(full.pop())  # one must remain to be marked as last
    _append(tx, importing, [update_of(taken) for taken in full], complete=False)
    return left


def _append(tx: Transaction, importing: Import, updates: Sequence[bytes], *, complete: bool) -> None:
    if importing.proposal_id:
        row = proposal_rows.proposal(tx.conn, importing.proposal_id)
        if row is not None and row.state == ProposalState.REJECTED:
            raise IllegalTransitionError(f"proposal {row.proposal_id} was rejected while its import was under way")
    append_parts(
        tx,
        importing.lists,
        updates,
        importing.proposal_id,
        list_name=importing.opening.list,
        note=importing.opening.note,
        actor=importing.actor,
        complete=complete,
    )


def _occurs(entry_id: str, line: int) -> str:
    return (
        f"{entry_id!r} already occurs on line {line}" if line else f"{entry_id!r} already occurs earlier in the source"
    )
