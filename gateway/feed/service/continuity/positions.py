"""Positions that callers keep: they name the restore after which they were given.

A restored database gives the same numbers again to other changes. So a position has two parts: how many restores there
were when it was given, and the number. One that was given before a restore counts only as far as the restored state
goes.
"""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Connection

from gateway.contract.timestamps import clipped_moment
from gateway.errors import PositionUnknownError
from gateway.feed.tables import restores

NUMBER_BITS = 44
"""Bits of the number; with 512 restores a position is below 2**53, which every JSON reader keeps exact."""


NUMBERS = (1 << NUMBER_BITS) - 1
"""The bits of a position that are its number."""


class PositionKind(Enum):
    """What is numbered, by the attribute of a restore that says up to where numbers mean the same."""

    ALERT_CHANGES = "position"
    LIST_CHANGES = "list_changes"
    MATCHES = "matches"


def given(conn: Connection, number: int) -> int:
    """The position that a caller keeps for a number."""
    return len(restores.list_all(conn)) << NUMBER_BITS | number


def number_of(conn: Connection, position: int, numbered: PositionKind, newest: int) -> int:
    """The number of a position that a caller has kept.

    Args:
        newest: the newest number there is.

    Raises:
        PositionUnknownError: beyond the newest, or lost by a restore; `metadata["last"]` is the last position that
            still means the same.
    """
    epoch, number = position >> NUMBER_BITS, position & NUMBERS
    done = restores.list_all(conn)
    since = done[epoch:]
    kept = min((getattr(restore, numbered.value) for restore in since), default=newest)
    if epoch <= len(done) and number <= min(kept, newest):
        return number
    last = min(kept, newest)
    shown = len(done) << NUMBER_BITS | last
    if since:
        when = clipped_moment(since[-1].restored_at).strftime("%Y-%m-%d %H:%M:%S")
        problem = f"position {position} was given before the database was restored on {when} UTC, and is lost"
    else:
        problem = f"position {position} is beyond this gateway's last one, {shown}"
    raise PositionUnknownError(problem, metadata={"position": str(position), "last": str(shown)})
