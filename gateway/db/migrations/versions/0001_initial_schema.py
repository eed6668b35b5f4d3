"""Initial schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "audit_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.String(length=512), nullable=False),
        sa.Column("method", sa.String(length=512), nullable=False),
        sa.Column("result", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_events")),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "feeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=320), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("journaled_size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("awaited_size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("edge", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.Column("receipted_size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("disposed_size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="active", nullable=False),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state_since", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("evidence_path", sa.Text(), server_default="", nullable=False),
        sa.Column("suspended_since", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("suspension", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("origin", name=op.f("uq_feeds_origin")),
    )
    op.create_table(
        "history_answer_records",
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("query_id", "first", name=op.f("pk_history_answer_records")),
    )
    op.create_table(
        "history_answers",
        sa.Column("side", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("delete_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("side", "query_id", name=op.f("pk_history_answers")),
    )
    with op.batch_alter_table("history_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_history_answers_delete_at"), ["delete_at"], unique=False)

    op.create_table(
        "list_proposals",
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("proposer", sa.String(length=256), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_list_proposals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "match_cursors",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_match_cursors")),
    )
    op.create_table(
        "matches",
        sa.Column("match_id", sa.String(length=36), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_publisher", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.String(length=128), nullable=False),
        sa.Column("source_revision", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(length=256), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("match_class", sa.Integer(), nullable=False),
        sa.Column("hit", sa.LargeBinary(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("backward", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("hit_id", sa.String(length=36), nullable=False),
        sa.Column("decided_by", sa.String(length=256), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("match_id", name=op.f("pk_matches")),
        sa.UniqueConstraint("change", name=op.f("uq_matches_change")),
        sa.UniqueConstraint("key", name=op.f("uq_matches_key")),
    )
    with op.batch_alter_table("matches", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_matches_publisher_list_entry_id"), ["publisher", "list", "entry_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_matches_source_source_publisher_source_id"),
            ["source", "source_publisher", "source_id"],
            unique=False,
        )

    op.create_table(
        "party_name_keys",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "name", name=op.f("pk_party_name_keys")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("party_name_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_party_name_keys_name"), ["name"], unique=False)

    op.create_table(
        "party_names",
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_party_names")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record_holds",
        sa.Column("hold_id", sa.String(length=36), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_record_holds")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record_log",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_record_log")),
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("principal", sa.String(length=160), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "principal", name=op.f("pk_requests")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "risk_hits",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", "ordinal", name=op.f("pk_risk_hits")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shipment_keys",
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("segment", "key", "position", name=op.f("pk_shipment_keys")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shipment_revisions",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_shipment_revisions")),
    )
    op.create_table(
        "shipment_segments",
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_declared", sa.BigInteger(), nullable=False),
        sa.Column("last_declared", sa.BigInteger(), nullable=False),
        sa.Column("keys_filter", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_shipment_segments")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shipment_times",
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_declared", sa.BigInteger(), nullable=False),
        sa.Column("last_declared", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block", name=op.f("pk_shipment_times")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shipments",
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("additions", sa.Integer(), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("retention_class", sa.String(length=32), nullable=False),
        sa.Column("delete_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_shipments")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("shipments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shipments_delete_at"), ["delete_at"], unique=False)

    op.create_table(
        "alert_events",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("committed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_alert_events_feed_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_alert_events")),
    )
    with op.batch_alter_table("alert_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_events_alert_id"), ["alert_id"], unique=False)

    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("acknowledged_revision", sa.Integer(), nullable=False),
        sa.Column("questions", sa.Text(), nullable=False),
        sa.Column("priority", sa.String(length=1), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("case_reference", sa.String(length=128), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("first_idx", sa.BigInteger(), nullable=False),
        sa.Column("current_idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_alerts_feed_id")),
        sa.PrimaryKeyConstraint("alert_id", "publisher", "recipient", name=op.f("pk_alerts")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_direction_valid_until"), ["direction", "valid_until"], unique=False)

    op.create_table(
        "checkpoints",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("cosignature", sa.LargeBinary(), nullable=False),
        sa.Column("receipted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_checkpoints_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "defects",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_defects_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "idx", name=op.f("pk_defects")),
    )
    op.create_table(
        "dispositions",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("first_idx", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_dispositions_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "first_idx", name=op.f("pk_dispositions")),
    )
    op.create_table(
        "entries",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_entries_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "idx", name=op.f("pk_entries")),
    )
    op.create_table(
        "journal",
        sa.Column("first_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("first_index", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("committed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_journal_feed_id")),
        sa.PrimaryKeyConstraint("first_position", name=op.f("pk_journal")),
    )
    op.create_table(
        "list_changes",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", sa.BigInteger(), nullable=False),
        sa.Column("without_effect", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_list_changes_feed_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_list_changes")),
    )
    op.create_table(
        "list_copies",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_list_copies_feed_id")),
        sa.PrimaryKeyConstraint("partner", "list", "entry_id", name=op.f("pk_list_copies")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "list_entries",
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("first_published_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_list_entries_feed_id")),
        sa.PrimaryKeyConstraint("publisher", "list", "entry_id", name=op.f("pk_list_entries")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("list_entries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_list_entries_valid_until",
            ["valid_until"],
            unique=False,
            sqlite_where=sa.text("valid_until > 0"),
            postgresql_where=sa.text("valid_until > 0"),
        )

    op.create_table(
        "list_hits",
        sa.Column("hit_id", sa.String(length=36), nullable=False),
        sa.Column("reporter", sa.String(length=32), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_list_hits_feed_id")),
        sa.PrimaryKeyConstraint("hit_id", "reporter", name=op.f("pk_list_hits")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "list_parts",
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_list_parts_feed_id")),
        sa.PrimaryKeyConstraint("proposal_id", "idx", name=op.f("pk_list_parts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tiles",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("tile", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_tiles_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "level", "tile", name=op.f("pk_tiles")),
    )
