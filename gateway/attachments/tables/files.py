"""Statements on stored files and on what went to partners."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, tuple_, update

from gateway.attachments.rules.states import StoredState
from gateway.attachments.tables.schema import file_transfers, files
from gateway.db.statements import insert_rows, storable_text

MAX_REASON_CHARS = 1_024
"""Longest reason in characters."""

_COLUMNS = tuple(files.c.keys())
_TRANSFER_COLUMNS = tuple(file_transfers.c.keys())


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file whose bytes are or were here; members as the columns."""

    sha256: str
    size: int
    media_type: str
    file_name: str
    description: str
    classes: str
    state: StoredState
    reason: str
    own: bool
    added_at: int
    added_by: str
    erased_at: int = 0
    erased_by: str = ""


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A file that a partner has fetched, or begun to."""

    sha256: str
    partner: str
    alert_publisher: str
    alert_id: str
    purpose: str
    case_reference: str
    started_at: int
    finished_at: int = 0


def find(conn: Connection, sha256: str) -> FileRow | None:
    """The file of a digest."""
    return find_all(conn, [sha256]).get(sha256)


def find_all(conn: Connection, digests: Collection[str]) -> dict[str, FileRow]:
    """Files by digest, without unknown ones."""
    if not digests:
        return {}
    rows = conn.execute(select(files).where(files.c.sha256.in_(sorted(digests))))
    return {row.sha256: _file(tuple(row)) for row in rows}


def put(conn: Connection, row: FileRow) -> None:
    """Writes a file, in place of what was known of it."""
    conn.execute(delete(files).where(files.c.sha256 == row.sha256))
    insert_rows(conn, files, _COLUMNS, [_values(row)])


def page(
    conn: Connection, *, states: Collection[StoredState], before: tuple[int, str] | None, limit: int
) -> list[FileRow]:
    """Files in some states (all when none are named), newest first, before a place (added_at, sha256)."""
    query = select(files).order_by(files.c.added_at.desc(), files.c.sha256.desc()).limit(limit)
    if states:
        query = query.where(files.c.state.in_([state.value for state in states]))
    if before is not None:
        query = query.where(tuple_(files.c.added_at, files.c.sha256) < tuple_(*before))
    return [_file(tuple(row)) for row in conn.execute(query)]


def unscanned(conn: Connection, limit: int) -> list[FileRow]:
    """Files that a scanner hasn't looked at, oldest first."""
    query = select(files).where(files.c.state == "unscanned").order_by(files.c.added_at).limit(limit)
    return [_file(tuple(row)) for row in conn.execute(query)]


def added_before(conn: Connection, time_ms: int, *, after: str, limit: int) -> list[FileRow]:
    """Files with bytes that came before a time, in order of their digests after one."""
    query = (
        select(files)
        .where(files.c.state != "erased", files.c.added_at < time_ms, files.c.sha256 > after)
        .order_by(files.c.sha256)
        .limit(limit)
    )
    return [_file(tuple(row)) for row in conn.execute(query)]


def kept_after(conn: Connection, after: str, limit: int) -> list[FileRow]:
    """Files with bytes, in order of their digests after one."""
    return added_before(conn, 2**62, after=after, limit=limit)


def own_of(conn: Connection, digests: Collection[str]) -> set[str]:
    """Those of some digests whose files were uploaded here before a partner named them; erased ones count."""
    query = select(files.c.sha256).where(files.c.sha256.in_(digests), files.c.own)
    return set(conn.execute(query).scalars())


def stored_bytes(conn: Connection) -> int:
    """Bytes of all files that are kept."""
    total = conn.execute(select(func.coalesce(func.sum(files.c.size), 0)).where(files.c.state != "erased"))
    return int(total.scalar_one())


def note_transfer(conn: Connection, row: TransferRow) -> None:
    """Writes that a partner fetches a file; the time of the first byte stays that of its first fetch."""
    before = conn.execute(select(file_transfers.c.started_at).where(*_is(row))).scalar_one_or_none()
    conn.execute(delete(file_transfers).where(*_is(row)))
    started = row.started_at if before is None else int(before)
    values = (row.sha256, row.partner, row.alert_publisher, row.alert_id, row.purpose)
    insert_rows(
        conn,
        file_transfers,
        _TRANSFER_COLUMNS,
        [(*values, storable_text(row.case_reference), started, row.finished_at)],
    )


def finish_transfer(conn: Connection, sha256: str, partner: str, now_ms: int) -> None:
    """Writes that a partner has the last byte."""
    conn.execute(
        update(file_transfers)
        .where(file_transfers.c.sha256 == sha256, file_transfers.c.partner == partner)
        .values(finished_at=now_ms)
    )


def transfers(conn: Connection, digests: Sequence[str]) -> list[TransferRow]:
    """What went to partners of some files, in order of time."""
    if not digests:
        return []
    query = select(file_transfers).where(file_transfers.c.sha256.in_(digests)).order_by(file_transfers.c.started_at)
    return [TransferRow(*row) for row in conn.execute(query)]


def _is(row: TransferRow) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return file_transfers.c.sha256 == row.sha256, file_transfers.c.partner == row.partner


def _file(row: tuple[object, ...]) -> FileRow:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["state"] = StoredState(str(values["state"]))
    values["own"] = bool(values["own"])
    return FileRow(**values)  # type: ignore[arg-type]


def _values(row: FileRow) -> tuple[object, ...]:
    """In the order of _COLUMNS."""
    texts = tuple(map(storable_text, (row.file_name, row.description)))
    reason = storable_text(row.reason[:MAX_REASON_CHARS])
    about = (row.sha256, row.size, row.media_type, *texts, row.classes, row.state.value, reason, row.own)
    return (*about, row.added_at, row.added_by, row.erased_at, row.erased_by)
