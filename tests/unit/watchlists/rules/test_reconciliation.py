"""Which of two states of an own entry is the newer one, for every order of revisions, ends and times."""

from __future__ import annotations

import pytest

from gateway.v1.watchlist_pb2 import WATCHLIST_END_NOT_RELEASABLE, WATCHLIST_END_WITHDRAWN
from gateway.watchlists.rules.reconciliation import EntryState, Standing, standing_of

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
        (None, listed(3), Standing.LOST),
        (None, ended(3), Standing.AGREES),
        (listed(3), listed(2, B), Standing.AGREES),  # distribution is on its way
        (listed(2), listed(3, B, 20), Standing.LOST),
        (listed(2, at=30), listed(3, B, 20), Standing.OVERTAKEN),
        (ended(2, at=30), listed(3, B, 20), Standing.AGREES),  # the end goes out
        (ended(2, at=15), listed(3, B, 20), Standing.LOST),
        (listed(2), ended(3), Standing.LOST),
        (listed(2), listed(2), Standing.AGREES),
        (listed(2, at=30), listed(2, B, 20), Standing.OVERTAKEN),
        (listed(2, at=10), listed(2, B, 20), Standing.LOST),
        (listed(2), ended(2), Standing.LOST),
        (listed(2, at=30), ended(2), Standing.AGREES),
        (listed(2), ended(2, WATCHLIST_END_NOT_RELEASABLE), Standing.AGREES),
        (listed(2), ended(3, WATCHLIST_END_NOT_RELEASABLE), Standing.LOST),
        (ended(2), listed(2), Standing.AGREES),
        (listed(2, named=False), listed(2), Standing.AGREES),  # decided here: the copy ends
        (listed(2, taken_over=True, named=False), listed(2), Standing.UNNAMED),
        (listed(2, taken_over=True), listed(2), Standing.AGREES),
    ],
)
def test_standing(own: EntryState | None, copy: EntryState, standing: Standing) -> None:
    assert standing_of(own, copy) is standing
