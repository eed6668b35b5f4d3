"""Verifies one feed: its entries, tree, checkpoints, receipts and head (steps 1 to 6 of `verification`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from gateway.alerts.tables import erasures
from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import SALT_BYTES
from gateway.contract.messages import clipped_moment
from gateway.db.database import Database
from gateway.errors import GatewayError, MalformedError, SignatureInvalidError
from gateway.evidence import tables as inspection
from gateway.evidence.service.findings import FindingList
from gateway.evidence.tables import FeedRow
from gateway.feed.codec import parse_header
from gateway.feed.tables.feeds import StoredEntry
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.plurals import counted
from gateway.tlog.checkpoint import verify_checkpoint, verify_cosignature_lines
from gateway.tlog.merkle import TILE_WIDTH, Growth, TileWrite, Tree, leaf_hash, split_by_tile
from gateway.tlog.note import Verifier, first_verified
from gateway.trust.service.directory_versions import TrustedDirectory

CHUNK = 1_000
"""Rows read at once."""

MAX_SEGMENT = 100_000
"""Most entries verified under one checkpoint, which bounds memory; publishers may put a hundredth of it there."""

_HASH = 32
_VerifiedT = TypeVar("_VerifiedT")

Progress = Callable[[int], None]
"""Called with the number of further entries and audit events verified."""


@dataclass(frozen=True, slots=True)
class FeedSummary:
    """Numbers verified in a feed."""

    origin: str
    entries: int
    checkpoints: int
    receipts: int


class _UnreadableError(Exception):
    """The rest of this feed can't be verified."""


class FeedCheck:
    """Steps 1 to 6 for a feed."""

    def __init__(
        self, database: Database, row: FeedRow, trust: TrustedDirectory, findings: FindingList, progress: Progress
    ) -> None:
        self._database = database
        self._row = row
        self._trust = trust
        self._findings = findings
        self._progress = progress
        self._tree = Tree.empty()
        self._checkpoints = 0
        self._receipts = 0
        self._receipted = 0
        self._last_note = b""

    def run(self) -> FeedSummary:
        with self._findings.whatever_fails(self._row.origin, "1 head"):
            self._run()
        return FeedSummary(self._row.origin, self._tree.size, self._checkpoints, self._receipts)

    def _run(self) -> None:
        try:
            self._origin = FeedOrigin.parse(self._row.origin)
            self._check_reach()  # 1
            for checkpoint in self._stored_checkpoints():
                self._check_segment(checkpoint)  # 2, 3
                self._check_checkpoint(checkpoint)  # 4
                self._check_receipt(checkpoint)  # 5
            self._check_head()  # 6
        except MalformedError as error:
            self._add(None, "1 head", error.message)
        except (TypeError, ValueError) as error:  # SQLite accepts text in a number's place
            self._add(self._tree.size, "1 head", f"a row can't be read: {error}")
        except _UnreadableError:
            self._add(self._tree.size, "3 tree", "entries from here on couldn't be judged")

    def _add(self, index: int | None, step: str, problem: str) -> None:
        self._findings.add(self._row.origin, index, step, problem)

    def _check_reach(self) -> None:
        row = self._row
        if row.last_index + 1 != row.size:
            self._add(row.last_index, "1 head", f"the feed's size is {row.size}, its entries end at {row.last_index}")
        if row.last_checkpoint != row.size:
            self._add(None, "1 head", f"the feed's size is {row.size}, its newest checkpoint is {row.last_checkpoint}")

    def _stored_checkpoints(self) -> Iterator[StoredCheckpoint]:
        size = 0
        while True:
            with self._database.read() as conn:
                page = inspection.checkpoints_after(conn, self._row.id, size, self._row.size, CHUNK)
            if not page:
                return
            yield from page
            size = page[-1].size

    def _check_segment(self, checkpoint: StoredCheckpoint) -> None:
        first, end = self._tree.size, checkpoint.size
        if end - first > MAX_SEGMENT:
            self._add(first, "4 checkpoints", f"there is no checkpoint between {first} and {end}")
            raise _UnreadableError
        leaves: list[bytes] = []
        for start in range(first, end, CHUNK):
            leaves += self._checked_leaves(start, min(start + CHUNK, end))
        growth = self._tree.append(leaves)
        if growth.tree.root != checkpoint.root:
            growth = self._growth_by_stored_leaves(leaves, checkpoint)
        for write in growth.tiles:
            self._check_tiles(write)
        self._tree = growth.tree

    def _checked_leaves(self, first: int, end: int) -> list[bytes]:
        with self._database.read() as conn:
            stored = inspection.entries_between(conn, self._row.id, first, end)
            erased = erasures.noted_entries(conn, self._row.id, first, end)
        for expected in range(first, end):
            if expected - first >= len(stored) or stored[expected - first].index != expected:
                self._add(expected, "2 entries", "the entry is missing")
                raise _UnreadableError
        for entry in stored:
            problem = _entry_problem(entry, is_erased=entry.index in erased)
            if problem:
                self._add(entry.index, "2 entries", problem)
        self._progress(len(stored))
        return [leaf_hash(entry.header) for entry in stored]

    def _growth_by_stored_leaves(self, leaves: Sequence[bytes], checkpoint: StoredCheckpoint) -> Growth:
        """Names entries with a changed header: with the stored leaf hashes the root is right."""
        first = self._tree.size
        stored = self._stored_leaves(first, checkpoint.size)
        changed = [first + at for at, leaf in enumerate(leaves) if leaf != stored[at]]
        for index in changed:
            self._add(index, "3 tree", "the header isn't the one that was signed")
        growth = self._tree.append(stored) if all(len(leaf) == _HASH for leaf in stored) else None
        if growth is None or growth.tree.root != checkpoint.root:
            self._add(
                first,
                "3 tree",
                f"entries {first} to {checkpoint.size - 1} don't lead to the root that was signed over them",
            )
            raise _UnreadableError
        return growth

    def _stored_leaves(self, first: int, end: int) -> list[bytes]:
        leaves: list[bytes] = []
        with self._database.read() as conn:
            for number in range(first // TILE_WIDTH, -(-end // TILE_WIDTH)):
                hashes = inspection.tile(conn, self._row.id, 0, number)
                start, stop = max(first, number * TILE_WIDTH), min(end, (number + 1) * TILE_WIDTH)
                places = range(start - number * TILE_WIDTH, stop - number * TILE_WIDTH)
                leaves += [hashes[at * _HASH : (at + 1) * _HASH] for at in places]
        return leaves

    def _check_tiles(self, write: TileWrite) -> None:
        with self._database.read() as conn:
            for number, offset, hashes in split_by_tile(write):
                stored = inspection.tile(conn, self._row.id, write.level, number)
                for at in range(0, len(hashes), _HASH):
                    begin = offset * _HASH + at
                    if stored[begin : begin + _HASH] != hashes[at : at + _HASH]:
                        index = number * TILE_WIDTH + begin // _HASH << 8 * write.level
                        self._add(index, "3 tree", f"tile {write.level}/{number} has a wrong hash over this entry")

    def _check_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        self._checkpoints += 1
        self._last_note = checkpoint.note
        at = self._time_of(checkpoint)
        try:
            said = _verified_by(
                self._trust.log_verifiers(self._origin, at, alone=True),
                lambda verifier: verify_checkpoint(checkpoint.note, verifier, self._origin.line).checkpoint,
            )
        except GatewayError as error:
            self._add(checkpoint.size - 1, "4 checkpoints", f"the checkpoint of {checkpoint.size}: {error.message}")
            return
        if (said.size, said.root) != (checkpoint.size, checkpoint.root):
            self._add(
                checkpoint.size - 1,
                "4 checkpoints",
                f"the checkpoint of {checkpoint.size} is signed for another size or root",
            )

    def _check_receipt(self, checkpoint: StoredCheckpoint) -> None:
        if not checkpoint.cosignature and not checkpoint.receipted_at:
            return
        at = clipped_moment(checkpoint.receipted_at)
        try:
            cosigned = _verified_by(
                self._trust.cosign_verifiers(self._origin.recipient, at, alone=True),
                lambda verifier: verify_cosignature_lines(checkpoint.note, checkpoint.cosignature, verifier),
            )
        except GatewayError as error:
            self._add(checkpoint.size - 1, "5 receipts", f"the receipt of {checkpoint.size}: {error.message}")
            return
        if cosigned.timestamp * 1000 != checkpoint.receipted_at:
            self._add(checkpoint.size - 1, "5 receipts", f"the receipt of {checkpoint.size} is of another time")
        self._receipts += 1
        self._receipted = checkpoint.size

    def _check_head(self) -> None:
        row = self._row
        if row.size != self._tree.size or row.edge != self._tree.edge_bytes():
            self._add(None, "6 head", f"the tree's edge isn't that of {counted(self._tree.size, 'entry')}")
        if row.checkpoint != self._last_note:
            self._add(None, "6 head", "the feed's newest checkpoint isn't the last one stored")
        # A receipt may have arrived since the row was read.
        if row.direction == "out" and row.receipted_size > self._receipted:
            self._add(
                None,
                "6 head",
                f"receipts reach {counted(self._receipted, 'entry')}, the feed says {row.receipted_size}",
            )

    def _time_of(self, checkpoint: StoredCheckpoint) -> datetime:
        """Time at which the log key must be valid: the receipt's, else the last entry's."""
        if checkpoint.receipted_at:
            return clipped_moment(checkpoint.receipted_at)
        with self._database.read() as conn:
            (last,) = inspection.entries_between(conn, self._row.id, checkpoint.size - 1, checkpoint.size)
        try:
            return clipped_moment(parse_header(last.header).recorded_at_unix_ms)
        except GatewayError:  # reported at its entry
            return self._trust.directory.issued_at


def _entry_problem(entry: StoredEntry, *, is_erased: bool) -> str:
    try:
        header = parse_header(entry.header)
    except GatewayError as error:
        return error.message
    if not entry.salt and not entry.payload:
        return "" if is_erased else "payload and salt are gone, and no signed entry says that they were erased"
    committed = len(entry.salt) == SALT_BYTES and sha256(entry.salt + entry.payload).digest() == header.payload_digest
    if not committed:
        return "payload and salt aren't those that the header commits to"
    return ""


def _verified_by(verifiers: Sequence[Verifier], check: Callable[[Verifier], _VerifiedT]) -> _VerifiedT:
    return first_verified(
        verifiers, check, lambda: SignatureInvalidError("the directory names no key that was valid then")
    )
