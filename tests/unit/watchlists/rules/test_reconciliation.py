"""Which of two states of an own entry is the newer one, for every order of revisions, ends and times."""

from __future__ import annotations

import pytest

from gateway.v1.watchlist_pb2 import WATCHLIST_END_NOT_RELEASABLE, WATCHLIST_END_WITHDRAWN
from gateway.watchlists.rules.reconciliation import CopyStanding, EntryState, standing_of

A, B = b"a" * 32, b"b" * 32


def listed(
    revision: int, digest: bytes = A, at: int = 10, *, taken_over: bool = False, named: bool = True
) -> EntryState:
    return EntryState(revision, 0, at, digest, taken_over=taken_over, named=named)


def ended(revision: int, end: int = WATCHLIST_END_WITHDRAWN, at: int = 20) -> EntryState:
    return EntryState(revision, end, at, b"")


@pytest.mark.parametrize(
    ("own", "copy", "standing"),
    [
        (None, listed(3), CopyStanding.LOST),
        (None, ended(3), CopyStanding.AGREES),
        (listed(3), listed(2, B), CopyStanding.AGREES),  # distribution is on its way
        (listed(2), listed(3, B, 20), CopyStanding.LOST),
        (listed(2, at=30), listed(3, B, 20), CopyStanding.OVERTAKEN),
        (ended(2, at=30), listed(3, B, 20), CopyStanding.AGREES),  # the end goes out
        (ended(2, at=15), listed(3, B, 20), CopyStanding.LOST),
        (listed(2), ended(3), CopyStanding.LOST),
        (listed(2), listed(2), CopyStanding.AGREES),
        (listed(2, at=30), listed(2, B, 20), CopyStanding.OVERTAKEN),
        (listed(2, at=10), listed(2, B, 20), CopyStanding.LOST),
        (listed(2), ended(2), CopyStanding.LOST),
        (listed(2, at=30), ended(2), CopyStanding.AGREES),
        (listed(2), ended(2, WATCHLIST_END_NOT_RELEASABLE), CopyStanding.AGREES),
        (listed(2), ended(3, WATCHLIST_END_NOT_RELEASABLE), CopyStanding.LOST),
        (ended(2), listed(2), CopyStanding.AGREES),
        (listed(2, named=False), listed(2), CopyStanding.AGREES),  # decided here: the copy ends
        (listed(2, taken_over=True, named=False), listed(2), CopyStanding.UNNAMED),
        (listed(2, taken_over=True), listed(2), CopyStanding.AGREES),
    ],
)
def test_standing(own: EntryState | None, copy: EntryState, standing: CopyStanding) -> None:
    assert standing_of(own, copy) is standing
