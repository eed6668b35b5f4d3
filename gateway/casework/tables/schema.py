"""Tables of the inbox, the search index, and what colleagues do.

The first five are projections of the feeds. The others are truth: they are in no feed, and go into backups.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from gateway.db.schema import POSTGRESQL_ONLY, integrity_index, metadata, progress_table

_FILTERED = ("open_until", "partner", "direction", "status", "wanted", "typologies")
"""Columns of conditions: the index has them, so that a page is chosen without reading rows."""

_KEY = ("alert_id", "publisher", "recipient")


def _urgent(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, *_KEY, *_FILTERED, sqlite_where=condition, postgresql_where=condition)


inbox_items = Table(
    "inbox_items",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Column("recipient", String(32), primary_key=True),
    Column("partner", String(32), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", String(1), nullable=False),
    Column("typologies", Text, nullable=False),  # ",concealment,other,"
    Column("wanted", Integer, nullable=False),  # casework.rules.wanted.RequiredAction
    Column("due_at", BigInteger, nullable=False),  # casework.rules.urgency.InboxTimes
    Column("act_by", BigInteger, nullable=False),
    Column("open_until", BigInteger, nullable=False),
    _urgent("ix_inbox_items_due", "due_at", "priority", where="wanted > 0 AND due_at > 0"),
    _urgent("ix_inbox_items_act_by", "act_by", "priority", where="wanted > 0 AND due_at = 0"),
    _urgent("ix_inbox_items_first", "act_by", "priority", where="wanted > 0 AND priority = 'A'"),
    Index("ix_inbox_items_open", *_KEY, sqlite_where=text("open_until > 0"), postgresql_where=text("open_until > 0")),
    sqlite_with_rowid=False,
)

_documents_words = Index("ix_alert_documents_words", "words", postgresql_using="gin", info={POSTGRESQL_ONLY: True})
_documents_words.ddl_if(dialect="postgresql")

alert_documents = Table(
    "alert_documents",
    metadata,
    Column("doc", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("words", TSVECTOR().with_variant(Text, "sqlite"), nullable=False),  # sorted, for tables.documents
    _documents_words,
)

alert_names = Table(
    "alert_names",
    metadata,
    Column("name", BigInteger, primary_key=True, autoincrement=False),  # contract.shipment_keys.name_key
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

alert_name_keys = Table(
    "alert_name_keys",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # of screening
    Column("name", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

casework_progress = progress_table(
    "casework_progress",
    Column("listed_position", BigInteger, nullable=False),  # in the local log: inbox_items
    Column("indexed_position", BigInteger, nullable=False),  # alert_documents
)

case_actions = Table(
    "case_actions",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("person", String(192), nullable=False),
    Column("done_at", BigInteger, nullable=False),
    Column("assignee", String(192), nullable=False),
    Column("note_id", String(36), nullable=False),
    Index(None, "alert_id"),
    integrity_index(
        "case_actions", "position", "alert_id", "publisher", "kind", "person", "done_at", "assignee", "note_id"
    ),
)

case_notes = Table(
    "case_notes",
    metadata,
    Column("note_id", String(36), primary_key=True),
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("author", String(192), nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),  # empty after erasure
    Column("erased_at", BigInteger, nullable=False),  # 0 while it is there
    Column("erased_by", String(192), nullable=False),
    Index(None, "alert_id"),
    Index(
        "ix_case_notes_written_at",
        "written_at",
        sqlite_where=text("erased_at = 0"),
        postgresql_where=text("erased_at = 0"),
    ),
    integrity_index(
        "case_notes",
        *("note_id", "alert_id", "publisher", "author", "written_at", "text", "erased_at", "erased_by"),
    ),
    sqlite_with_rowid=False,
)

case_assignments = Table(
    "case_assignments",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Column("assignee", String(192), nullable=False),
    Column("assigned_by", String(192), nullable=False),
    Column("assigned_at", BigInteger, nullable=False),
    Index(None, "assignee"),
    integrity_index("case_assignments", "alert_id", "publisher", "assignee", "assigned_by", "assigned_at"),
    sqlite_with_rowid=False,
)

_waits, _refused = text("reason = ''"), text("reason <> ''")

scheduled_acknowledgements = Table(
    "scheduled_acknowledgements",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Column("revision", Integer, nullable=False),  # that was read
    Column("request_id", String(36), nullable=False),  # of the acknowledgement, when it leaves
    Column("person", String(192), nullable=False),
    Column("principal", String(192), nullable=False),
    Column("actor", String(192), nullable=False),
    Column("system", String(192), nullable=False),  # through which a person acted; empty for a system
    Column("asked_at", BigInteger, nullable=False),
    Column("leaves_at", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),  # why it wasn't sent; empty while it waits
    Column("message", Text, nullable=False),
    Index("ix_scheduled_acknowledgements_leaves_at", "leaves_at", sqlite_where=_waits, postgresql_where=_waits),
    Index("ix_scheduled_acknowledgements_person", "person", sqlite_where=_refused, postgresql_where=_refused),
    integrity_index(
        "scheduled_acknowledgements",
        *("alert_id", "publisher", "revision", "request_id", "person", "principal", "actor", "system"),
        *("asked_at", "leaves_at", "reason", "message"),
    ),
    sqlite_with_rowid=False,
)

watch_marks = Table(
    "watch_marks",
    metadata,
    Column("person", String(192), primary_key=True),
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Index(None, "alert_id"),
    integrity_index("watch_marks", "person", "alert_id", "publisher"),
    sqlite_with_rowid=False,
)

form_drafts = Table(
    "form_drafts",
    metadata,
    Column("draft_id", String(36), primary_key=True),
    Column("owner", String(192), nullable=False),
    Column("form", Text, nullable=False),
    Column("summary", String(200), nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("fields", LargeBinary, nullable=False),  # serialised FormDraft with fields alone
    Index(None, "owner", "saved_at"),
    Index(None, "saved_at"),
    integrity_index("form_drafts", "draft_id", "owner", "form", "summary", "saved_at", "fields"),
    sqlite_with_rowid=False,
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("view_id", String(36), primary_key=True),
    Column("owner", String(192), nullable=False),
    Column("shared_with", String(16), nullable=False),  # a role; empty: nobody
    Column("name", String(64), nullable=False),
    Column("message", LargeBinary, nullable=False),  # serialised SavedView
    Index(None, "owner"),
    Index(None, "shared_with"),
    integrity_index("saved_views", "view_id", "owner", "shared_with", "name", "message"),
    sqlite_with_rowid=False,
)
