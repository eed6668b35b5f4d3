"""What SQLite compares rows with: indexes over what can't be computed again, and checksums of answered requests.

PostgreSQL has checksums of pages instead of such indexes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)

_INDEXES = {
    "feeds": (
        "id direction partner channel awaited_size accepted_at disposed_size state state_reason "
        "state_since evidence_path suspended_since suspension"
    ),
    "finding_progress": "id step_position record_position written_position",
    "history_answers": (
        "side query_id partner actor asked_at ended_at delete_at outcome reason count query note statement"
    ),
    "history_pages": "partner before query_id as_of before_position as_of_position recorded_position",
    "journal": "first_position feed_id first_index count committed_at",
    "list_distribution": "partner considered directory_version sweep_steps",
    "list_imports": "list digest proposal_id",
    "list_progress": "id applied warned_at",
    "list_reconciliations": "partner feed_state_since list entry_id finished",
    "maintenance_known": "partner announced_at",
    "maintenance_windows": "node starts_at ends_at reason announced_at",
    "match_progress": "id alert_position shipment_position change_seq last_number",
    "matches": (
        "match_id change key source source_publisher source_id source_revision field subject publisher "
        "list entry_id match_class hit found_at backward status hit_id decided_by decided_at reason"
    ),
    "node_identity": "id federation node log_key",
    "node_starts": "id token token_before",
    "partner_usage": "day partner kind items bytes",
    "projector_progress": "id position knowledge",
    "record_holds": "hold_id message released",
    "record_log": "position record_id kind recorded_at recorded_by",
    "record_progress": "id indexed_position evaluated_position",
    "restores": "number restored_at backup_at position list_changes matches losses started",
    "risk_hits": "position ordinal rule_id severity found_at message",
    "schema_revisions": "revision version compatible applied_at",
}


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("requests", sa.Column("checksum", sa.BigInteger(), server_default="0", nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in _INDEXES.items():
            op.create_index(f"ck_{table}", table, columns.split())
