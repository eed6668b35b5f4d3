"""Says whose verdict a list's change has changed: a hit now, none any more, or another match class."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.watchlists.rules.matches import EntryKey, MatchPlace, MatchStatus, SourceKey

QUIET_S = 5.0
"""Seconds without a further change of a list after which a report ends: an import comes in many updates."""

LONGEST_S = 60.0
"""Seconds after which a report ends although further changes come, once all parties are compared."""

NO_HIT = 0
"""Class of a verdict without a match."""

HELD = frozenset({MatchStatus.OPEN, MatchStatus.CONFIRMED})
"""Statuses in which a match is a hit, or may be one."""


class VerdictKind(StrEnum):
    """What a list's change did to a verdict."""

    BECAME = "became"
    CEASED = "ceased"
    REGRADED = "regraded"


class VerdictKey(NamedTuple):
    """What was screened, and the entry."""

    source: SourceKey
    entry: EntryKey


class VerdictChange(NamedTuple):
    """A verdict before and after; classes are those of MatchClass, NO_HIT for none.

    `field` and `match_id` are those of the best match after the change, or of the best before where none is left.
    """

    key: VerdictKey
    field: str
    match_id: str
    class_before: int
    class_after: int

    @property
    def kind(self) -> VerdictKind:
        """What has happened to it."""
        return kind_of(self.class_before, self.class_after)


class HeldMatch(Protocol):
    """What a verdict needs of a match."""

    @property
    def match_id(self) -> str: ...
    @property
    def match_class(self) -> int: ...
    @property
    def state(self) -> MatchStatus: ...
    @property
    def place(self) -> MatchPlace: ...
    @property
    def entry(self) -> EntryKey: ...


def kind_of(class_before: int, class_after: int) -> VerdictKind:
    """The kind of a change between two different classes."""
    if class_before == NO_HIT:
        return VerdictKind.BECAME
    return VerdictKind.CEASED if class_after == NO_HIT else VerdictKind.REGRADED


def key_of(match: HeldMatch) -> VerdictKey:
    """What the verdict of a match is about."""
    return VerdictKey(match.place.source, match.entry)


def verdict_changes(
    before: Iterable[HeldMatch], after: Iterable[HeldMatch], keys: Collection[VerdictKey]
) -> list[VerdictChange]:
    """Verdicts that differ, in order of their keys. The best match decides; the lower class is the better one."""
    earlier, later = _best(before), _best(after)
    changes = []
    for key in sorted(keys):
        first, last = earlier.get(key), later.get(key)
        shown = last or first
        class_before = first.match_class if first else NO_HIT
        class_after = last.match_class if last else NO_HIT
        if shown is not None and class_before != class_after:
            changes.append(VerdictChange(key, shown.place.field, shown.match_id, class_before, class_after))
    return changes


def _best(rows: Iterable[HeldMatch]) -> Mapping[VerdictKey, HeldMatch]:
    best: dict[VerdictKey, HeldMatch] = {}
    for row in sorted(rows, key=lambda row: (row.match_class, row.match_id)):
        if row.state in HELD:
            best.setdefault(key_of(row), row)
    return best


def is_report_due(now_s: float, began_s: float, changed_s: float) -> bool:
    """Whether a report ends, once all parties are compared; any one clock in seconds."""
    return now_s >= changed_s + QUIET_S or now_s >= began_s + LONGEST_S
