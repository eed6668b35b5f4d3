"""Reads the changes that the outbox has to give, in order, from its cursors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from gateway.alerts.tables import events
from gateway.contract.ids import FeedOrigin
from gateway.feed.tables import feeds, journal
from gateway.notifications.codec.outbox import (
    OutboxMessage,
    decision_change,
    list_change,
    match_change,
    step_change,
    warning_change,
)
from gateway.notifications.tables import warnings
from gateway.notifications.tables.progress import OUTBOX, OUTBOX_LISTS, PROGRESS
from gateway.watchlists.codec import events as list_wire
from gateway.watchlists.service.updates import read_update
from gateway.watchlists.tables import lists, matches
from gateway.watchlists.tables import progress as list_progress

AT_ONCE: Final = 100
"""Changes under way: what a crash repeats, and what waits in memory."""

UPDATES_AT_ONCE: Final = 20
"""Updates of lists, and entries of our lists, among them: each has up to 500 entries."""


class OutboxChanges(NamedTuple):
    """Changes after the cursors, and the cursors after them by column; none where nothing has changed."""

    messages: Sequence[OutboxMessage]
    reached: dict[str, int]


def first_cursors(conn: Connection, own_lists: FeedOrigin) -> dict[str, int]:
    """The present, for the cursors that aren't set: what came before an outbox was on isn't told."""
    alerts, of_lists = OUTBOX.read(conn), OUTBOX_LISTS.read(conn)
    first: dict[str, int] = {}
    if alerts.alert_position is None:
        first["alert_position"] = journal.projected_position(conn)
        first["match_change"] = matches.last_change(conn)
        first["warning"] = PROGRESS.read(conn).last_warning
    if of_lists.list_change is None:
        first["list_change"] = list_progress.applied(conn)
        first["list_decision"] = _projected_decisions(conn, own_lists)
    return first


def read_outbox(conn: Connection, *, node: str, own_lists: FeedOrigin) -> OutboxChanges:
    """What has changed after the stored cursors, some of it.

    Args:
        own_lists: the feed of the node's own lists.
    """
    since, since_lists = OUTBOX.read(conn), OUTBOX_LISTS.read(conn)
    reached: dict[str, int] = {}
    messages = [
        *_steps(conn, since.alert_position or 0, reached, node),
        *_decisions(conn, since_lists.list_decision or 0, reached, node, own_lists),
        *_list_changes(conn, since_lists.list_change or 0, reached, node),
        *_matches(conn, since.match_change or 0, reached, node),
        *_warnings(conn, since.warning or 0, reached, node),
    ]
    return OutboxChanges(messages, reached)


def _steps(conn: Connection, after: int, reached: dict[str, int], node: str) -> Iterator[OutboxMessage]:
    logged = events.after(conn, after, AT_ONCE)
    end = logged[-1][0].position if len(logged) == AT_ONCE else journal.projected_position(conn)
    if end > after:
        reached["alert_position"] = end
    for event, line, payload in logged:
        yield step_change(event, line, payload, node=node)


def _matches(conn: Connection, after: int, reached: dict[str, int], node: str) -> Iterator[OutboxMessage]:
    changed = matches.changed_after(conn, after, limit=AT_ONCE)
    if changed:
        reached["match_change"] = changed[-1].change
    for match in changed:
        yield match_change(match, node=node)


def _warnings(conn: Connection, after: int, reached: dict[str, int], node: str) -> Iterator[OutboxMessage]:
    fired = warnings.fired_after(conn, after, AT_ONCE)
    if fired:
        reached["warning"] = fired[-1][0]
    for _, warning in fired:
        yield warning_change(warning, node=node)


def _list_changes(conn: Connection, after: int, reached: dict[str, int], node: str) -> Iterator[OutboxMessage]:
    """Updates of own and partners' lists that have taken effect here, one message for each."""
    applied = list_progress.applied(conn)
    updates = [row for row in lists.changes_after(conn, after, UPDATES_AT_ONCE) if row.seq <= applied]
    if updates:
        reached["list_change"] = updates[-1].seq
    for row in updates:
        update = read_update(conn, row.feed_id, row.idx)
        effective = [change for at, change in enumerate(update.changes) if row.has_effect(at)]
        if effective:
            yield list_change(row, effective, node=node)


def _decisions(
    conn: Connection, after: int, reached: dict[str, int], node: str, own_lists: FeedOrigin
) -> Iterator[OutboxMessage]:
    """Proposals that are complete, approved or rejected."""
    end = min(_projected_decisions(conn, own_lists), after + UPDATES_AT_ONCE)
    if end <= after:
        return
    reached["list_decision"] = end
    for at, entry in enumerate(feeds.read_entries(conn, feeds.get(conn, own_lists).id, after, end), start=after):
        if entry.payload:
            message = decision_change(list_wire.parse_decision(entry.payload), own_lists.line, at, node=node)
            if message is not None:
                yield message


def _projected_decisions(conn: Connection, own_lists: FeedOrigin) -> int:
    feed = feeds.find(conn, own_lists)
    return 0 if feed is None else journal.size_at(conn, feed.id, journal.projected_position(conn))
