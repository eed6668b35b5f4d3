"""Reads what has happened since the cursors: steps of alerts, matches, hits, proposals; fires warnings of deadlines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from gateway.alerts import codec as wire
from gateway.alerts.codec import AlertKey
from gateway.alerts.rules.life import Side
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.due_conditions import DUE_COLUMNS
from gateway.alerts.tables.schema import alerts as alerts_table
from gateway.casework.tables import cases
from gateway.contract.ids import Channel, FeedOrigin
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, journal
from gateway.notifications.codec import messages
from gateway.notifications.commands.keeping import (
    NOTIFICATIONS,
    Audience,
    Gathered,
    Kept,
    locked,
    notifications_for,
    write_told,
)
from gateway.notifications.rules.audience import Happening
from gateway.notifications.rules.gathered import PendingNotification, group_of
from gateway.notifications.rules.warnings import DeadlineWarning, Stage, WarnedCopy, WarningTimes, warnings_of
from gateway.notifications.tables import notified_matches, warnings
from gateway.notifications.tables.progress import PROGRESS, NotificationProgress
from gateway.trust.rules.permissions import PERSON_PREFIX
from gateway.v1 import alert_pb2
from gateway.watchlists.commands.hits import own_reporter
from gateway.watchlists.rules.matches import MatchStatus
from gateway.watchlists.rules.visibility import ListVisibility
from gateway.watchlists.tables import hits, matches, proposals, screening_reports
from gateway.watchlists.tables.hits import HitRow
from gateway.watchlists.tables.matches import MatchRow
from gateway.watchlists.tables.schema import list_proposals

MOST_CHANGES = 200
"""Changes that are read and written at once: the writer is busy for some milliseconds."""

MOST_RUNS = 1_000
"""Runs of the local log that are looked through at once for hits."""

MOST_WARNINGS = 200
"""Warnings that are fired in one transaction."""

LOOK_BACK_MS = 7 * 24 * 3_600_000
"""Milliseconds: proposals of the last week are looked at, since an import of many parts may become complete late; and
what was due earlier isn't warned of any more.
"""

MOST_PROPOSALS = 500

MOST_REPORTS = 200
"""Newest reports of changed verdicts that are looked at."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What events need beside the database.

    Attributes:
        visibility: of watchlists, for matches and proposals.
        times: when a deadline is near.
        former: partners with which nothing is exchanged any more: nothing of theirs is due.
    """

    node: str
    visibility: ListVisibility
    times: WarningTimes
    former: Callable[[], Collection[str]] = frozenset

    def person_id(self, name: str) -> str:
        """Id of a person, or system, to whom alerts are assigned; empty for nobody."""
        return f"person/{self.node}/{name}" if name and "/" not in name else name

    def assignee(self, conn: Connection, row: AlertRow) -> str:
        """Id of who deals with an alert; empty for nobody."""
        return self.person_id(cases.assignee(conn, row.key.publisher, row.key.alert_id))


def gather(
    conn: Connection,
    sources: Sources,
    audience: Audience,
    *,
    now_ms: int,
    proposals_too: bool,
    reports_since: int | None = 0,
) -> Gathered | None:
    """What follows from changes after the stored cursors; None when there are none.

    Args:
        proposals_too: look at proposals, which have no cursor: when lists have changed.
        reports_since: look at reports of changed verdicts, which have none either, from this time on, in milliseconds
            since 1970: when one has ended; None: not at all.
    """
    since = PROGRESS.read(conn)
    if since.alert_position is None or since.match_change is None or since.proposals_since is None:
        return None
    reached: dict[str, int] = {}
    told: list[PendingNotification] = []
    matched = _new_matches(conn, since.match_change, reached)
    happenings = [
        *_steps(conn, sources, since.alert_position, reached),
        *_assignments(conn, sources, since, reached),
        *_matches(matched, sources),
        *_hits(conn, sources, audience, since.hit_position, reached),
        *(_proposals(conn, sources, since.proposals_since) if proposals_too else ()),
        *_verdicts(conn, sources, since.proposals_since, reports_since),
    ]
    if now_ms - since.proposals_since > 2 * LOOK_BACK_MS:
        reached["proposals_since"] = now_ms - LOOK_BACK_MS
    for happening in happenings:
        told += notifications_for(happening, audience)
    scheduled = _scheduled(conn, sources, since.alert_position, now_ms)
    if not reached and not told:
        return None
    return Gathered(since, reached, told, scheduled, [match.match_id for match in matched])


@dataclass(frozen=True, slots=True)
class BeginCommand:
    """Sets the cursors to the present when notifications are first on, and schedules what is due from then on."""

    sources: Sources
    weight: int = 1

    def execute(self, tx: Transaction) -> bool:
        """Whether this was the first time."""
        conn = tx.conn
        if locked(conn).alert_position is not None:
            return False
        for row in _with_deadlines(conn, tx.now_ms):
            wanted = _warnings(row, self.sources, tx.now_ms)
            warnings.schedule(conn, messages.copy_of(row.key), [one for one in wanted if one.due >= tx.now_ms])
        PROGRESS.write(
            conn,
            alert_position=journal.projected_position(conn),
            match_change=matches.last_change(conn),
            proposals_since=tx.now_ms,
            case_position=cases.last_action(conn),
            hit_position=journal.projected_position(conn),
        )
        return True


@dataclass(frozen=True, slots=True)
class FireCommand:
    """Fires the warnings whose time has come; the last of those of one deadline is told alone."""

    sources: Sources
    audience: Audience
    weight: int = 1

    def execute(self, tx: Transaction) -> Kept:
        """Raises HeadMovedError, as `locked`."""
        number = locked(tx.conn).last_warning
        due = warnings.due(tx.conn, tx.now_ms, MOST_WARNINGS)
        rows = alerts.find(tx.conn, {_key(warning) for warning in due})
        told: list[PendingNotification] = []
        unneeded: list[DeadlineWarning] = []
        for warning in due:
            row = rows.get(_key(warning))
            if row is None or warning not in _warnings(row, self.sources, tx.now_ms):
                unneeded.append(warning)
                continue
            number += 1
            warnings.fire(tx.conn, warning, number)
            if warning.stage is Stage.PASSED or warning.due >= tx.now_ms:
                told += notifications_for(_warned(tx.conn, warning, row, self.sources), self.audience)
        warnings.drop(tx.conn, unneeded)
        if number > PROGRESS.read(tx.conn).last_warning:
            PROGRESS.write(tx.conn, last_warning=number)
            tx.topics.add(NOTIFICATIONS)  # for the outbox too, where nobody is told
        return write_told(tx, told)


def _scheduled(conn: Connection, sources: Sources, after: int, now_ms: int) -> dict[WarnedCopy, list[DeadlineWarning]]:
    """What the copies that the steps after a position concern still ask for."""
    keys = {event.key for event, _, _ in events.after(conn, after, MOST_CHANGES)}
    return {messages.copy_of(key): _warnings(row, sources, now_ms) for key, row in alerts.find(conn, keys).items()}


def _steps(conn: Connection, sources: Sources, after: int, reached: dict[str, int]) -> Iterator[Happening]:
    """Steps of partners."""
    logged = events.after(conn, after, MOST_CHANGES)
    end = logged[-1][0].position if len(logged) == MOST_CHANGES else max(journal.projected_position(conn), after)
    if end == after:
        return
    reached["alert_position"] = end
    rows = alerts.find(conn, {event.key for event, _, _ in logged})
    for event, line, payload in logged:
        copy = rows.get(event.key)
        if copy is None or not payload:
            continue
        origin = FeedOrigin.parse(line)
        message = messages.step_message(event, wire.parse_event(payload), copy, _content(conn, copy), origin=origin)
        if message is not None:
            yield Happening(message, assignee=sources.assignee(conn, copy))


def _assignments(
    conn: Connection, sources: Sources, since: NotificationProgress, reached: dict[str, int]
) -> Iterator[Happening]:
    """Alerts that were given to somebody by somebody else."""
    if since.case_position is None:  # a node that was on before assignments were told
        reached["case_position"] = cases.last_action(conn)
        return
    actions = cases.actions_after(conn, since.case_position, MOST_CHANGES)
    if actions:
        reached["case_position"] = actions[-1].position
    assigned = [action for action in actions if action.kind == cases.CaseActionKind.ASSIGNED and action.assignee]
    for action in assigned:
        copies = alerts.copies(conn, action.publisher, action.alert_id)
        if copies:
            message = messages.assigned_message(action, copies[0], _content(conn, copies[0]))
            assignee = sources.person_id(action.assignee)
            yield Happening(message, not_to=action.person, only_to=assignee, assignee=assignee)


def _new_matches(conn: Connection, after: int, reached: dict[str, int]) -> list[MatchRow]:
    """Open matches that nobody was told of; one that was written again isn't new."""
    changed = matches.changed_after(conn, after, limit=MOST_CHANGES)
    if changed:
        reached["match_change"] = changed[-1].change
    opened = [match for match in changed if match.status == MatchStatus.OPEN.value]
    known = notified_matches.known(conn, [match.match_id for match in opened])
    return [match for match in opened if match.match_id not in known]


def _matches(matched: Sequence[MatchRow], sources: Sources) -> Iterator[Happening]:
    """New matches by entry, and by the partner whose messages they are in: rules choose by it."""
    alike: dict[tuple[str, str, str, str], list[MatchRow]] = defaultdict(list)
    for match in matched:
        alike[match.publisher, match.list, match.entry_id, match.source_publisher].append(match)
    for (publisher, name, entry_id, _), rows in alike.items():
        yield Happening(
            messages.matches_message(rows),
            visible_to=sources.visibility.roles_of(publisher, name),
            group=group_of(publisher, name, entry_id),
        )


def _hits(
    conn: Connection, sources: Sources, audience: Audience, after: int | None, reached: dict[str, int]
) -> Iterator[Happening]:
    """Hits on own lists that partners report, and partners' answers to own hits on theirs."""
    last = journal.projected_position(conn)
    if after is None:  # a node that was on before hits were told
        reached["hit_position"] = last
        return
    if last <= after:
        return
    runs = journal.runs_after(conn, after, MOST_RUNS)
    end = min(last, runs[-1].first_position + runs[-1].count - 1) if runs else last
    reached["hit_position"] = end
    told_by = {feed_id: feeds.get_by_id(conn, feed_id) for feed_id in {run.feed_id for run in runs}}
    for run in runs:
        feed = told_by[run.feed_id]
        if feed.direction != "in" or feed.origin.channel is not Channel.WATCHLIST:
            continue
        first = run.first_index + max(0, after + 1 - run.first_position)
        stop = run.first_index + min(run.count, end + 1 - run.first_position)
        for hit in hits.of_entries(conn, run.feed_id, first, stop):
            if hit.publisher == sources.node:
                visible_to = sources.visibility.roles_of(hit.publisher, hit.list)
                yield Happening(messages.hit_message(hit, run.committed_at), visible_to=visible_to)
        for hit in hits.answered_by_entries(conn, run.feed_id, first, stop):
            yield Happening(
                messages.hit_answered_message(hit, run.committed_at),
                visible_to=sources.visibility.roles_of(hit.publisher, hit.list),
                only_to=_reporting_person(conn, sources, audience, hit),
            )


def _reporting_person(conn: Connection, sources: Sources, audience: Audience, hit: HitRow) -> str:
    """Id of the person who reported an own hit; empty for a system, and for somebody who is told of nothing now."""
    reporter = own_reporter(conn, hit)
    person = sources.person_id(reporter.removeprefix(PERSON_PREFIX)) if reporter.startswith(PERSON_PREFIX) else ""
    return person if any(addressee.id == person for addressee in audience.addressees) else ""


def _proposals(conn: Connection, sources: Sources, since: int) -> Iterator[Happening]:
    """Proposals that wait; those that are known are told to nobody again."""
    recent = list_proposals.c.proposed_at >= since
    for proposal in proposals.waiting_proposals(conn, recent, after="", limit=MOST_PROPOSALS):
        visible_to = sources.visibility.roles_of(sources.node, proposal.list)
        message = messages.proposal_message(proposal, sources.node)
        yield Happening(message, visible_to=visible_to, not_to=proposal.proposer)


def _verdicts(conn: Connection, sources: Sources, on_since: int, since: int | None) -> Iterator[Happening]:
    """Reports of changed verdicts; those that are known are told to nobody again."""
    if since is None:
        return
    for report in reversed(screening_reports.ended_since(conn, max(on_since, since), MOST_REPORTS)):
        visible_to = sources.visibility.roles_of(report.publisher, report.list)
        yield Happening(messages.verdicts_message(report), visible_to=visible_to)


def _warned(conn: Connection, warning: DeadlineWarning, row: AlertRow, sources: Sources) -> Happening:
    assignee = sources.assignee(conn, row)
    return Happening(messages.warning_message(warning, row, _content(conn, row)), assignee=assignee)


def _warnings(row: AlertRow, sources: Sources, now_ms: int) -> list[DeadlineWarning]:
    """Warnings of a copy: none of a former partner's, none of what was due long ago, which was told, and isn't kept."""
    own = Side.PUBLISHER if row.direction == "out" else Side.RECIPIENT
    if row.partner in sources.former():
        return []
    found = warnings_of(messages.copy_of(row.key), row.life, sources.times, own=own, published_at=row.published_at)
    return [warning for warning in found if warning.due > now_ms - LOOK_BACK_MS]


def _key(warning: DeadlineWarning) -> AlertKey:
    return AlertKey(warning.key.publisher, warning.key.alert_id, warning.key.recipient)


def _content(conn: Connection, row: AlertRow) -> alert_pb2.AlertContent | None:
    payload = alerts.current_payload(conn, row.key.publisher, row.key.alert_id)
    alert = wire.alert_of(wire.parse_event(payload)) if payload else None
    return None if alert is None else alert.content


def _with_deadlines(conn: Connection, now_ms: int) -> Iterator[AlertRow]:
    """Open copies of which something is due, or a partner's that will end."""
    c = alerts_table.c
    has_due = or_(*(c[column] > 0 for column in DUE_COLUMNS.values()), c.direction == "in")
    keys = conn.execute(select(c.publisher, c.alert_id, c.recipient).where(has_due, c.open_until > now_ms)).all()
    for at in range(0, len(keys), MOST_CHANGES):
        yield from alerts.find(conn, {AlertKey(*row) for row in keys[at : at + MOST_CHANGES]}).values()
