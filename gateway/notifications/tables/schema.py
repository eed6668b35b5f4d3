"""Tables of notifications; none is a projection."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, text

from gateway.db.schema import Id, integrity_index, metadata, progress_table

RECIPIENT_CHARS = 160
"""Longest id of a person or system, or `webhook/` with a name."""

EVENT_CHARS = 192
"""Longest id of an event: a kind, two node names, an alert's id, a time and a stage."""

WAY_CHARS = 72
"""Longest name of a way: `webhook/` and 64 characters."""

notifications = Table(
    "notifications",
    metadata,
    Column("number", Id, primary_key=True, autoincrement=False),
    Column("recipient", String(RECIPIENT_CHARS), nullable=False),
    Column("event_id", String(EVENT_CHARS), nullable=False),  # of matches: their entry, while more may be added
    Column("kind", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # serialised Notification, without position and times of this row
    Column("read_at", BigInteger, nullable=False),  # 0 until it is read
    Index("uq_notifications_recipient_event_id", "recipient", "event_id", unique=True),
    Index(None, "recipient", "number"),
    Index(
        "ix_notifications_unread",
        "recipient",
        "number",
        sqlite_where=text("read_at = 0"),
        postgresql_where=text("read_at = 0"),
    ),
    Index(None, "created_at"),
    integrity_index("notifications", "number", "recipient", "event_id", "kind", "created_at", "body", "read_at"),
)

notified_matches = Table(  # matches of which was told: one that is written again isn't new
    "notified_matches",
    metadata,
    Column("match_id", String(36), primary_key=True),
    Column("told_at", BigInteger, nullable=False),
    Index(None, "told_at"),
    integrity_index("notified_matches", "match_id", "told_at"),
    sqlite_with_rowid=False,
)

notification_rules = Table(
    "notification_rules",
    metadata,
    Column("owner", String(RECIPIENT_CHARS), primary_key=True),  # empty: the authority's
    Column("rules", LargeBinary, nullable=False),  # serialised SetNotificationRulesRequest
    integrity_index("notification_rules", "owner", "rules"),
)

notification_deliveries = Table(  # what waits for a way out; a row goes when it was taken
    "notification_deliveries",
    metadata,
    Column("number", Id, primary_key=True, autoincrement=False),  # of the notification
    Column("way", String(WAY_CHARS), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),  # 0: given up
    Column("error", Text, nullable=False),  # of the last attempt
    Index(
        "ix_notification_deliveries_due",
        "way",
        "next_at",
        sqlite_where=text("next_at > 0"),
        postgresql_where=text("next_at > 0"),
    ),
    integrity_index("notification_deliveries", "number", "way", "created_at", "attempts", "next_at", "error"),
)

deadline_warnings = Table(
    "deadline_warnings",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Column("recipient", String(32), primary_key=True),
    Column("deadline", String(12), primary_key=True),  # reply, question_in, question_out, validity
    Column("due", BigInteger, primary_key=True),
    Column("stage", String(6), primary_key=True),  # near, passed
    Column("warn_at", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),  # in the order of firing; 0 until then
    Index(
        "ix_deadline_warnings_to_come",
        "warn_at",
        sqlite_where=text("number = 0"),
        postgresql_where=text("number = 0"),
    ),
    Index(
        "ix_deadline_warnings_fired",
        "number",
        sqlite_where=text("number > 0"),
        postgresql_where=text("number > 0"),
    ),
    integrity_index(
        "deadline_warnings",
        *("alert_id", "publisher", "recipient", "deadline", "due", "stage", "warn_at", "number"),
    ),
)

notification_progress = progress_table(
    "notification_progress",
    Column("alert_position", BigInteger),  # of the local log, up to which changes were read; NULL: never on
    Column("match_change", BigInteger),
    Column("proposals_since", BigInteger),  # proposals since then are looked at
    Column("last_number", BigInteger, nullable=False),  # of notifications
    Column("last_warning", BigInteger, nullable=False),  # of warnings that were fired
    Column("case_position", BigInteger),  # of what colleagues do; NULL: not yet read
    Column("hit_position", BigInteger),  # of the local log, up to which hits were read; NULL: not yet read
)

outbox_progress = progress_table(
    "outbox_progress",
    Column("alert_position", BigInteger),  # changes up to here were taken by the other side; NULL: never on
    Column("match_change", BigInteger),
    Column("warning", BigInteger),
)

outbox_list_progress = progress_table(
    "outbox_list_progress",
    Column("list_change", BigInteger),  # updates of lists up to here were taken; NULL: never on
    Column("list_decision", BigInteger),  # size of our lists' feed up to which decisions were taken
)
