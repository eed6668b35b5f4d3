"""Tables of evidence files; digests are SHA-256 in hexadecimal, times milliseconds since 1970, 0 for none."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, text

from gateway.db.schema import integrity_index, metadata

files = Table(
    "files",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("description", String(512), nullable=False),
    Column("classes", String(64), nullable=False),  # names, with spaces; empty: not said
    Column("state", String(16), nullable=False),
    Column("reason", String(1024), nullable=False),
    Column("own", Boolean, nullable=False),  # uploaded here before a partner named it
    Column("added_at", BigInteger, nullable=False),
    Column("added_by", String(255), nullable=False),
    Column("erased_at", BigInteger, nullable=False),
    Column("erased_by", String(255), nullable=False),
    Index(None, "added_at", "sha256"),
    Index(
        "ix_files_unscanned",
        "added_at",
        sqlite_where=text("state = 'unscanned'"),
        postgresql_where=text("state = 'unscanned'"),
    ),
    integrity_index(
        "files",
        "sha256",
        "size",
        "media_type",
        "file_name",
        "description",
        "classes",
        "state",
        "reason",
        "own",
        "added_at",
        "added_by",
        "erased_at",
        "erased_by",
    ),
    sqlite_with_rowid=False,
)

file_fetches = Table(
    "file_fetches",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("partner", String(32), primary_key=True),
    Column("state", String(16), nullable=False),  # waiting, done, refused
    Column("reason", String(1024), nullable=False),
    Column("alert_publisher", String(32), nullable=False),
    Column("alert_id", String(36), nullable=False),
    Column("event", String(16), nullable=False),  # of the partner's step that names it
    Column("size", BigInteger, nullable=False),  # as signed; 0: not said
    Column("media_type", String(128), nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("description", String(512), nullable=False),
    Column("classes", String(64), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("case_reference", String(128), nullable=False),
    Column("asked_by", String(255), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index(
        "ix_file_fetches_waiting",
        "asked_at",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    integrity_index(
        "file_fetches",
        "sha256",
        "partner",
        "state",
        "reason",
        "alert_publisher",
        "alert_id",
        "event",
        "size",
        "media_type",
        "file_name",
        "description",
        "classes",
        "purpose",
        "case_reference",
        "asked_by",
        "asked_at",
        "ended_at",
        "attempts",
    ),
    sqlite_with_rowid=False,
)

file_transfers = Table(
    "file_transfers",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("partner", String(32), primary_key=True),
    Column("alert_publisher", String(32), nullable=False),
    Column("alert_id", String(36), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("case_reference", String(128), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    integrity_index(
        "file_transfers",
        "sha256",
        "partner",
        "alert_publisher",
        "alert_id",
        "purpose",
        "case_reference",
        "started_at",
        "finished_at",
    ),
    sqlite_with_rowid=False,
)
