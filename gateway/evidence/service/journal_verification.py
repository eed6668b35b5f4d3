"""Verifies the journal: every entry has one position, and positions have no gap (step 7 of `verification`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.evidence import tables as inspection
from gateway.evidence.tables import FeedRow
from gateway.feed.service.local_log import missing_dependencies
from gateway.feed.tables import journal
from gateway.plurals import counted

CHUNK = 1_000
"""Runs read at once."""

Add = Callable[[str, int | None, str, str], None]
"""Called with place, index, step and problem."""


def check_journal(database: Database, rows: Sequence[FeedRow], head: int, add: Add) -> None:
    """Verifies all feeds' positions up to `head`."""
    expected = {row.id: 0 for row in rows}
    names = {row.id: row.origin for row in rows}
    position = 0
    while position < head:
        with database.read() as conn:
            runs = journal.runs_after(conn, position, CHUNK)
        if not runs:
            add("journal", position + 1, "7 journal", "the position is missing")
            return
        for run in runs:
            if run.first_position > head:
                break
            if run.first_position != position + 1:
                add("journal", position + 1, "7 journal", "the position is missing or stands twice")
            if expected.get(run.feed_id) != run.first_index:
                add("journal", run.first_position, "7 journal", "the entry at this position isn't the feed's next")
            expected[run.feed_id] = run.first_index + run.count
            position = run.first_position + run.count - 1
    reach = {names[row.id]: expected[row.id] for row in rows}
    for row in rows:
        _check_waiting(database, row, reach, add)


def _check_waiting(database: Database, row: FeedRow, reach: Mapping[str, int], add: Add) -> None:
    """Verifies a feed's count of entries without a position; `reach` counts the journal's entries by origin line."""
    covered = reach[row.origin]
    if covered != row.journaled_size:
        add(
            row.origin,
            covered,
            "7 journal",
            f"the entry has no position: the journal covers {counted(covered, 'entry')}, "
            f"the feed says {row.journaled_size}",
        )
    elif covered != row.size:
        with database.read() as conn:
            waiting = inspection.entries_between(conn, row.id, covered, covered + 1)
        try:
            origin = FeedOrigin.parse(row.origin)
            held = {related: reach.get(related.line, 0) for related in origin.related}
            waits = bool(waiting) and bool(missing_dependencies(origin, waiting[0].header, held))
        except GatewayError:  # reported at its feed or entry
            return
        if not waits:
            add(row.origin, covered, "7 journal", "the entry has no position, and waits for nothing")
