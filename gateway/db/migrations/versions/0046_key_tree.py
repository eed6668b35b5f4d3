"""The tree of keys that proves answers complete."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "key_tree_leaves",
        sa.Column("place", sa.LargeBinary(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_key_tree_leaves")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_tree_tiles",
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("subtrees", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_key_tree_tiles")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_tree_erasures",
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "key", name=op.f("pk_key_tree_erasures")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_tree_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_tree_progress")),
    )
    op.create_table(
        "history_answer_proofs",
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_history_answer_proofs")),
    )
    op.create_index(op.f("ix_history_answer_proofs_partner_number"), "history_answer_proofs", ["partner", "number"])
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index("ck_key_tree_erasures", "key_tree_erasures", ["record_id", "key"])
        op.create_index(
            "ck_history_answer_proofs", "history_answer_proofs", ["query_id", "partner", "number", "head", "proof"]
        )
        op.create_index("ck_key_tree_progress", "key_tree_progress", ["id", "number", "position", "root", "secret"])
