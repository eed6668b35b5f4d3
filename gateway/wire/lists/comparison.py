"""What a file changes in a list: new and changed entries, and those that it no longer has.

Owns the comparison. Doesn't own the list it compares with, nor what becomes of a change; a revision, a proposal and a
signature are others'.

An entry that the file has on a line that can't be read hasn't vanished. So where a row is bad and its id unknown, and
where the file has no entry at all, nothing is withdrawn: the plan says why instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.wire.lists.normal import digest
from gateway.wire.lists.rows import BadRow, ListRow, Row, SkippedRow


@dataclass(frozen=True, slots=True)
class Put:
    """An entry that is new in the list or says something else than before."""

    row: ListRow
    is_new: bool


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An entry that the file no longer has, and that the caller wants withdrawn for that."""

    id: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """An entry that the file no longer has, and that stays in the list."""

    id: str


Change = Put | Withdraw | Vanished | BadRow | SkippedRow


@dataclass(slots=True)
class Summary:
    """How many of what; complete when all changes have been taken.

    Attributes:
        new, changed, unchanged: entries of the file.
        vanished: entries of the list that the file doesn't have, withdrawn or not.
        withdrawn: those of them that are withdrawn.
        bad: rows that can't be used; skipped: rows that aren't entries.
        held_back: why nothing is withdrawn although pruning was asked for; empty: nothing stood in the way.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    vanished: int = 0
    withdrawn: int = 0
    bad: int = 0
    skipped: int = 0
    held_back: str = ""
    _bad_lines: set[int] = field(default_factory=set, repr=False)


class Comparison:
    """Changes one after another, in the file's order, vanished entries last; only ids are held in memory."""

    def __init__(self, current: Mapping[str, bytes | WatchlistContent], rows: Iterable[Row], *, prune: bool) -> None:
        self.summary = Summary()
        self._current = current
        self._rows = rows
        self._prune = prune

    def __iter__(self) -> Iterator[Change]:
        seen: set[str] = set()
        unknown = False
        for row in self._rows:
            if isinstance(row, ListRow) and row.id in seen:
                row = BadRow(row.line, row.id, "id", f"id: {row.id!r} stood in an earlier row, which counts")  # noqa: PLW2901
            if isinstance(row, ListRow):
                seen.add(row.id)
                yield from self._put(row)
            elif isinstance(row, BadRow):
                seen.add(row.id)
                unknown = unknown or not row.id
                self._count_bad(row)
                yield row
            else:
                self.summary.skipped += 1
                yield row
        yield from self._vanished(seen, unknown)

    def _put(self, row: ListRow) -> Iterator[Change]:
        before = self._current.get(row.id)
        if before is None:
            self.summary.new += 1
            yield Put(row, is_new=True)
        elif digest(row.content) != (before if isinstance(before, bytes) else digest(before)):
            self.summary.changed += 1
            yield Put(row, is_new=False)
        else:
            self.summary.unchanged += 1

    def _count_bad(self, row: BadRow) -> None:
        if row.line not in self.summary._bad_lines:
            self.summary._bad_lines.add(row.line)
            self.summary.bad += 1

    def _vanished(self, seen: set[str], unknown: bool) -> Iterator[Change]:
        summary = self.summary
        read = summary.new + summary.changed + summary.unchanged
        if self._prune and unknown:
            summary.held_back = "a row can't be read, so it isn't known which entries the file no longer has"
        elif self._prune and not read:
            summary.held_back = "the file has no entries that can be read"
        for entry_id in self._current:
            if entry_id not in seen:
                summary.vanished += 1
                if self._prune and not summary.held_back:
                    summary.withdrawn += 1
                    yield Withdraw(entry_id)
                else:
                    yield Vanished(entry_id)


def changes(current: Mapping[str, bytes | WatchlistContent], rows: Iterable[Row], *, prune: bool) -> Comparison:
    """What the rows of a file change in a list.

    Args:
        current: the list's entries by id: contents, or their `normal.digest`, which is enough and takes less memory.
        rows: what a reader gives for the file.
        prune: whether entries that the file no longer has are withdrawn.

    Returns:
        An iterable to go through once; its `summary` is complete at the end.
    """
    return Comparison(current, rows, prune=prune)
