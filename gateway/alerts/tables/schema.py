"""Tables of projected alerts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

from gateway.db.schema import metadata


def _of_some(name: str) -> Index:
    """An index of the rows that have a time in a column: few of all, in a table that grows for years.

    It has the end of their validity too, so that SQLite chooses a page without reading rows.
    """
    has_time = text(f"{name} > 0")
    return Index(f"ix_alerts_{name}", name, "open_until", sqlite_where=has_time, postgresql_where=has_time)


alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Column("recipient", String(32), primary_key=True),
    Column("direction", String(3), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("acknowledged_revision", Integer, nullable=False),
    Column("replied_revision", Integer, nullable=False),
    Column("questions", Text, nullable=False),  # JSON; empty when there are none
    Column("priority", String(1), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("case_reference", String(128), nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("reply_by", BigInteger, nullable=False),  # 0: no reply is needed
    Column("informs", Boolean, nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("first_idx", BigInteger, nullable=False),  # entry that published it
    Column("current_idx", BigInteger, nullable=False),  # entry with its current revision
    Column("last_idx", BigInteger, nullable=False),  # entry with its current revision, or that ended it
    # What of the above asks for something still, for the indexes: 0 for nothing.
    Column("open_until", BigInteger, nullable=False),  # valid_until, while no step has ended it
    Column("reply_due", BigInteger, nullable=False),
    Column("question_in_due", BigInteger, nullable=False),  # first deadline of questions to this node
    Column("question_out_due", BigInteger, nullable=False),  # first deadline of questions of this node
    Index(
        "ix_alerts_direction_open_until",
        "direction",
        "open_until",
        sqlite_where=text("open_until > 0"),
        postgresql_where=text("open_until > 0"),
    ),
    Index(
        "ix_alerts_ended",  # with the key, so that the newest come first
        *("direction", "status", "alert_id", "publisher", "recipient"),
        sqlite_where=text("open_until = 0"),
        postgresql_where=text("open_until = 0"),
    ),
    _of_some("reply_due"),
    _of_some("question_in_due"),
    _of_some("question_out_due"),
    # Feeds of current_idx and last_idx: an alert whose priority has changed has entries in several.
    Column("current_feed_id", Integer, nullable=False, server_default="0"),
    Column("last_feed_id", Integer, nullable=False, server_default="0"),
    # Entry of the newest finding of either side; 0 for none.
    Column("finding_feed_id", Integer, nullable=False, server_default="0"),
    Column("finding_idx", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("recipient", String(32), nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Index(None, "alert_id"),
)

alert_evidence = Table(
    "alert_evidence",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the step that names it
    Column("number", Integer, primary_key=True, autoincrement=False),  # in the step's list
    Column("sha256", String(64), nullable=False),  # hexadecimal
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("recipient", String(32), nullable=False),
    Column("speaker", String(32), nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Index(None, "sha256"),
    Index(None, "alert_id"),
    sqlite_with_rowid=False,
)

alert_erasures = Table(  # what a node has said of erasing a copy; its newest word counts
    "alert_erasures",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the entry that says so
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("recipient", String(32), nullable=False),
    Column("node", String(32), nullable=False),  # whose feed has the entry
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("said_at", BigInteger, nullable=False),
    Column("rule", String(64), nullable=False),  # empty: it refuses
    Column("legal_basis", Text, nullable=False),
    Column("erased", Integer, nullable=False),  # entries
    Column("asks", Boolean, nullable=False),
    Column("refusal", Integer, nullable=False),  # ErasureRefusal
    Index(None, "alert_id"),
    sqlite_with_rowid=False,
)

erased_entries = Table(
    "erased_entries",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),  # of the first entry that says so
    sqlite_with_rowid=False,
)
