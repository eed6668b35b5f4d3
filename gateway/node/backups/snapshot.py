"""Reads heads and counts from one consistent reading of a database, and checks that the heads hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError
from gateway.evidence import tables as inspection
from gateway.evidence.tables import FeedRow
from gateway.feed.tables import journal
from gateway.feed.tables.heads import StoredTiles
from gateway.history.tables import shipments
from gateway.history.tables.schema import record_holds
from gateway.node.backups.manifest import BackupInvalidError, FeedHead, NodeTally
from gateway.plurals import counted
from gateway.tlog.checkpoint import verify_checkpoint
from gateway.tlog.merkle import Tree, tree_root
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches


@contextmanager
def opened_copy(file: Path) -> Iterator[Connection]:
    """A connection to an SQLite file that nobody writes; nothing beside it is made or changed.

    Raises:
        BackupInvalidError: it isn't a database, or SQLite finds damage while the block reads.
    """
    engine = create_engine(f"sqlite:///file:{quote(str(file))}?mode=ro&immutable=1&uri=true", poolclass=NullPool)
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
    try:
        with engine.connect() as conn:
            yield conn
    except DatabaseError as error:
        raise BackupInvalidError(f"{file}: {error.orig}") from error
    finally:
        engine.dispose()


def require_intact(conn: Connection, name: str) -> None:
    """SQLite's own check of all pages and indexes; raises BackupInvalidError."""
    problems = [str(row[0]) for row in conn.exec_driver_sql("PRAGMA integrity_check(10)")]
    if problems != ["ok"]:
        raise BackupInvalidError(f"{name}: SQLite's integrity check finds damage: {'; '.join(problems)}")


def read_tally(conn: Connection) -> NodeTally:
    """How far what only this node has goes."""
    return NodeTally(
        position=journal.head_position(conn),
        records=shipments.last_position(conn),
        holds=_count(conn, record_holds),
        audit_events=inspection.audit_length(conn),
        list_changes=watchlists.last_seq(conn),
        matches=matches.last_change(conn),
    )


def checked_heads(conn: Connection, trust: TrustedDirectory) -> tuple[FeedHead, ...]:
    """The heads of all feeds with entries.

    1. Entries and checkpoints reach as far as the head says.
    2. The edge that the next entries grow from leads to the root, and so do the stored tiles.
    3. The newest checkpoint has this size and root, and a log key of the publisher has signed it.

    Raises:
        BackupInvalidError: with the feed's name.
    """
    return tuple(_checked(conn, row, trust) for row in inspection.feed_rows(conn) if row.size)


def _checked(conn: Connection, row: FeedRow, trust: TrustedDirectory) -> FeedHead:
    try:
        origin = FeedOrigin.parse(row.origin)
        if row.last_index + 1 != row.size or row.last_checkpoint != row.size:  # 1
            held = f"{row.last_index + 1} are stored, {row.last_checkpoint} signed"
            raise BackupInvalidError(f"the head has {counted(row.size, 'entry')}, {held}")
        root = Tree.from_bytes(row.size, row.edge).root  # 2
        if tree_root(row.size, StoredTiles(conn, row.id)) != root:
            raise BackupInvalidError("the edge of the tree and the stored tiles lead to different roots")
        _require_signed(row, origin, root, trust)  # 3
    except GatewayError as error:
        raise BackupInvalidError(f"feed {row.origin}: {error.message}; run `gateway verify`") from error
    return FeedHead(row.origin, row.direction, row.size, root.hex(), row.checkpoint.decode("utf-8", "replace"))


def _require_signed(row: FeedRow, origin: FeedOrigin, root: bytes, trust: TrustedDirectory) -> None:
    problem = "the directory names no log key of the publisher"
    for verifier in trust.every_log_verifier(origin):
        try:
            signed = verify_checkpoint(row.checkpoint, verifier, origin.line).checkpoint
        except GatewayError as error:
            problem = error.message
            continue
        if (signed.size, signed.root) == (row.size, root):
            return
        problem = "the signed checkpoint has another size or root than the head"
    raise BackupInvalidError(problem)


def _count(conn: Connection, table: object) -> int:
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]
