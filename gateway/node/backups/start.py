"""What a start has to do with restores: it refuses a cut-off one, and records each with its losses."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from gateway.contract.ids import KEPT, FeedOrigin
from gateway.contract.messages import clipped_moment
from gateway.db.database import Database
from gateway.db.url import parse_url
from gateway.errors import ConfigurationError
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.continuity.recovery import detect_restore
from gateway.feed.tables import feeds, restores
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.feed.tables.restores import Loss, Restore
from gateway.node.backups.known import known_of, signed_size
from gateway.node.backups.losses import losses_of
from gateway.node.backups.snapshot import read_tally
from gateway.node.marks import start_of
from gateway.node.settings import Settings
from gateway.persons.tables import assertion_keys, sessions
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.rules.directory import Directory

METHOD = "restore"
"""Method of the audit event of a restore."""

RESTORED = "RESTORED"
"""Its reason."""

MOST_COUNTS = 16
"""Most numbers in an audit event."""

_STAGED = ".restoring"


def detect_restored(
    database: Database,
    settings: Settings,
    marks: Marks,
    directory: Directory,
    *,
    now_ms: int,
    others_run: bool = False,
) -> OwnHistory:
    """Blocks own feeds of a restored database (feed.service.recovery), and records the restore.

    One that `gateway restore` made is recorded already: what it says of local feeds is the operator's decision. Of
    another one the counts beside the database tell the losses. A feed that is behind since the last restore shows no
    other one: an earlier start has found it, and nobody has recovered it since.
    """
    history = OwnHistory(marks, node=settings.node)
    with database.read() as conn:
        explained = _behind_since_restore(conn)
    doubt = detect_restore(database, history, start_of(settings, directory, now_ms, others_run=others_run))
    with database.read() as conn:
        heads = {head.origin: head for head in feeds.own_heads(conn)}
        behind = any(
            head.size < signed_size(marks, origin) for origin, head in heads.items() if origin not in explained
        )
        emptied = not any(head.size for head in heads.values())
    if behind or (doubt and not emptied) or _lost_all(database, marks):
        _record_start(database, settings, history, now_ms)
    return history


def _lost_all(database: Database, marks: Marks) -> bool:
    """Whether the data were lost without any backup, and no start has recorded it yet."""
    lost_at = marks.state.lost_at
    if not lost_at:
        return False
    with database.read() as conn:
        return not any(restore.restored_at >= lost_at for restore in restores.list_all(conn))


def _record_start(database: Database, settings: Settings, history: OwnHistory, now_ms: int) -> None:
    known = known_of(settings, history.marks)
    with database.write() as conn:
        newest = restores.list_all(conn)[-1:]
        if newest and not newest[0].started:
            restores.set_started(conn, newest[0].number)
            _take_up_behind(conn, history, newest[0].restored_at, now_ms)
            return
        sizes = {feed.origin.line: feed.size for feed in feeds.list_all(conn)}
        losses = losses_of(settings.node, sizes, known.signed, read_tally(conn), known.tally)
        row = next_restore(conn, None, losses, now_ms)
        record_restore(conn, row, settings.node, "files that `gateway restore` didn't put here")
        restores.set_started(conn, row.number)


def _behind_since_restore(conn: Connection) -> set[FeedOrigin]:
    """Own feeds that are behind since the last restore, which a start has recorded."""
    done = restores.list_all(conn)[-1:]
    if not done or not done[0].started:
        return set()
    return {feed.origin for feed in _behind(conn) if feed.state_since <= done[0].restored_at}


def _take_up_behind(conn: Connection, history: OwnHistory, restored_at: int, now_ms: int) -> None:
    """Feeds that are behind are so since `gateway restore`.

    Local ones go on without what it has told to be lost: no partner could return it. That holds as well where the node
    has signed others meanwhile, on an empty folder: the operator has put this history in their place.
    """
    for feed in _blocked(conn, FeedState.BEHIND, FeedState.FORKED):
        if feed.origin.channel in KEPT:
            history.give_up(conn, feed, now_ms)
            feeds.set_state(conn, feed.id, FeedState.ACTIVE, reason="", since=now_ms)
        elif feed.state is FeedState.BEHIND:
            feeds.set_state(conn, feed.id, feed.state, reason=feed.state_reason, since=restored_at)


def _behind(conn: Connection) -> list[Feed]:
    return _blocked(conn, FeedState.BEHIND)


def _blocked(conn: Connection, *states: FeedState) -> list[Feed]:
    return [feeds.get(conn, head.origin) for head in feeds.own_heads(conn) if head.state in states]


def staged_file(place: Path) -> Path:
    """Where a restore prepares the file that gets the database's name."""
    return place.with_name(place.name + _STAGED)


def require_no_cut_off_restore(settings: Settings) -> None:
    """Raises ConfigurationError where a restore was cut off between putting the old database aside and the end."""
    url = parse_url(settings.effective_database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    place = Path(url.database)
    if not place.exists() and staged_file(place).exists():
        raise ConfigurationError(
            f"a restore of {place} was cut off", way_out="Run the same `gateway restore` again; then start the node."
        )


def record_restore(conn: Connection, restore_row: Restore, node: str, source: str) -> None:
    """Records a restore with its losses, and an audit event of it, in one transaction; persons sign in again.

    A backup has sessions, links and keys that were ended, used or replaced since: none of them may come back.
    """
    restores.add(conn, restore_row)
    ended = sessions.end_everything(conn, restore_row.restored_at)
    assertion_keys.remove_all(conn)
    audit.append(conn, [_event(restore_row, node, source, ended)])


def next_restore(conn: Connection, backup_time: datetime | None, losses: tuple[Loss, ...], now_ms: int) -> Restore:
    """The row of a restore to the present content of a database."""
    tally = read_tally(conn)
    return Restore(
        number=len(restores.list_all(conn)) + 1,
        restored_at=now_ms,
        backup_at=0 if backup_time is None else int(backup_time.timestamp() * 1000),
        position=tally.position,
        list_changes=tally.list_changes,
        matches=tally.matches,
        losses=losses,
        started=False,
    )


def _event(row: Restore, node: str, source: str, sessions_ended: int) -> AuditEntry:
    known = [loss for loss in row.losses if loss.lost]
    unknown = [loss.kind for loss in row.losses if loss.lost is None]
    back = [f"{loss.lost} of {loss.kind} (from {loss.source})" for loss in known if loss.source]
    gone = [f"{loss.lost} {loss.kind}" for loss in known if not loss.source]
    backup = clipped_moment(row.backup_at).isoformat() if row.backup_at else "unknown"
    parts = [f"restored from {source}, state of {backup}"]
    if gone:
        parts.append(f"lost: {', '.join(gone)}")
    if back:
        parts.append(f"to be fetched back: {', '.join(back)}")
    if row.backup_at:
        parts.append("answers to requests after it are lost")
    if sessions_ended:
        parts.append(f"sessions of persons ended: {sessions_ended}")
    if unknown:
        parts.append(f"how much is lost isn't known of {', '.join(unknown)}")
    return AuditEntry(
        time_ms=row.restored_at,
        principal=f"gateway/{node}",
        method=METHOD,
        result=AuditResult.ERROR,
        reason=RESTORED,
        detail="; ".join(parts),
        counts=tuple(sorted((loss.kind[-64:], loss.lost or 0) for loss in known))[:MOST_COUNTS],
    )
