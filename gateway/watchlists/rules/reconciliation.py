"""Decides which of two states of an own entry is the newer one: our list's, or that of a partner's copy.

They differ after a restore: our list is the backup's, the copies are those that partners gave back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gateway.v1.watchlist_pb2 import WATCHLIST_END_NOT_RELEASABLE


class CopyStanding(Enum):
    """What a copy means for our list."""

    AGREES = "agrees"
    """Nothing is lost; distribution does what is left."""
    LOST = "lost"
    """Our list lacks what the copy says."""
    OVERTAKEN = "overtaken"
    """Our list was changed after the restore, under a revision that the partner knows with another content."""
    UNNAMED = "unnamed"
    """Our entry was taken over from another partner's copy, and doesn't name this partner yet."""


@dataclass(frozen=True, slots=True)
class EntryState:
    """One state of an entry.

    Attributes:
        ended: WatchlistEnd; 0 while listed.
        changed_at: when this node made the revision or its end, in milliseconds since 1970.
        digest: of the content without recipients and sources; empty for an end.
        taken_over: our entry's only: from a copy.
        named: our entry's only: the partner is among its recipients.
    """

    revision: int
    ended: int
    changed_at: int
    digest: bytes
    taken_over: bool = False
    named: bool = True


def standing_of(own: EntryState | None, copy: EntryState) -> CopyStanding:
    """What a partner's copy means for our list.

    Both times are by this node's clock. An end for one partner alone says nothing about the entry at its revision.
    """
    if own is None:
        return CopyStanding.AGREES if copy.ended else CopyStanding.LOST
    if copy.revision < own.revision:
        return CopyStanding.AGREES
    if copy.revision > own.revision:
        overtaken = CopyStanding.AGREES if own.ended else CopyStanding.OVERTAKEN
        return CopyStanding.LOST if own.changed_at <= copy.changed_at else overtaken
    return _standing_at_one_revision(own, copy)


def _standing_at_one_revision(own: EntryState, copy: EntryState) -> CopyStanding:
    if own.ended or copy.ended == WATCHLIST_END_NOT_RELEASABLE:
        return CopyStanding.AGREES
    if copy.ended:
        return CopyStanding.LOST if own.changed_at <= copy.changed_at else CopyStanding.AGREES
    if own.digest != copy.digest:
        return CopyStanding.LOST if own.changed_at < copy.changed_at else CopyStanding.OVERTAKEN
    return CopyStanding.UNNAMED if own.taken_over and not own.named else CopyStanding.AGREES
