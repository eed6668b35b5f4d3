"""Typed progress instead of cursors.

Each named position of `cursors` and `match_cursors` gets a column. Known kinds of entries were a shortened hash and
aren't kept: the next start reads held entries again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS = {
    "list_progress": {"applied": "lists", "warned_at": "warned"},
    "match_progress": {
        "alert_position": "alert",
        "shipment_position": "shipment",
        "change_seq": "lists",
        "last_number": "changes",
    },
    "record_progress": {"indexed_position": "history", "evaluated_position": "risk"},
    "finding_progress": {
        "step_position": "findings",
        "record_position": "findings_records",
        "written_position": "findings_written",
    },
}
"""By table: columns, and the names of their values before."""

_DEFAULTS = dict.fromkeys(("alert_position", "shipment_position", "change_seq"))
"""Columns that are NULL without a position; others are 0."""

_PER_PARTNER = {"released:": "considered", "compared:": "directory_version", "swept:": "sweep_steps"}


def upgrade() -> None:
    """Apply this revision."""
    conn = op.get_bind()
    cursors = _positions(conn, "cursors")
    match_cursors = _positions(conn, "match_cursors")
    _create_progress_tables()
    op.create_table(
        "list_distribution",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("considered", sa.BigInteger(), nullable=True),
        sa.Column("directory_version", sa.BigInteger(), nullable=False),
        sa.Column("sweep_steps", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_list_distribution")),
        sqlite_with_rowid=False,
    )
    if "alerts" in cursors:
        _add(conn, "projector_progress", {"position": cursors["alerts"], "knowledge": b""})
    if "start" in cursors:
        _add(conn, "node_starts", {"token": cursors["start"], "token_before": cursors.get("start before")})
    for table, columns in _COLUMNS.items():
        positions = match_cursors if table == "match_progress" else cursors
        if positions.keys() & columns.values():
            _add(
                conn, table, {column: positions.get(name, _DEFAULTS.get(column, 0)) for column, name in columns.items()}
            )
    for row in _distribution(cursors):
        conn.execute(sa.insert(_table("list_distribution", row)).values(row))
    op.drop_table("cursors")
    op.drop_table("match_cursors")


def _create_progress_tables() -> None:
    _progress_table("projector_progress", _big("position"), sa.Column("knowledge", sa.LargeBinary(32), nullable=False))
    _progress_table("node_starts", _big("token"), _big("token_before", nullable=True))
    _progress_table("list_progress", _big("applied"), _big("warned_at"))
    _progress_table(
        "match_progress",
        _big("alert_position", nullable=True),
        _big("shipment_position", nullable=True),
        _big("change_seq", nullable=True),
        _big("last_number"),
    )
    _progress_table("record_progress", _big("indexed_position"), _big("evaluated_position"))
    _progress_table("finding_progress", _big("step_position"), _big("record_position"), _big("written_position"))


def _progress_table(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def _big(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _positions(conn: sa.Connection, table: str) -> dict[str, int]:
    named = sa.table(table, sa.column("name"), sa.column("position"))
    return {row.name: row.position for row in conn.execute(sa.select(named.c.name, named.c.position))}


def _distribution(cursors: Mapping[str, int]) -> Sequence[dict[str, object]]:
    rows: dict[str, dict[str, object]] = {}
    for prefix, column in _PER_PARTNER.items():
        for name in cursors:
            if name.startswith(prefix):
                partner = name.removeprefix(prefix)
                if partner not in rows:
                    rows[partner] = {"partner": partner, "considered": None, "directory_version": 0, "sweep_steps": 0}
                rows[partner][column] = cursors[name]
    return list(rows.values())


def _add(conn: sa.Connection, table: str, row: Mapping[str, object]) -> None:
    values = {"id": 1, **row}
    conn.execute(sa.insert(_table(table, values)).values(values))


def _table(name: str, row: Mapping[str, object]) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in row))
