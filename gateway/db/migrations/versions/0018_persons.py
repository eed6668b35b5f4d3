"""Persons, their passkeys, sessions, roles for a time, and pseudonyms."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it


_COMPARED = {
    "person_challenges": [
        "challenge_id",
        "kind",
        "challenge",
        "person",
        "session_id",
        "system",
        "method",
        "request_sha256",
        "expires_at",
    ],
    "person_enrolments": ["person", "token_digest", "expires_at"],
    "person_failures": ["name_digest", "failures", "last_at", "locked_until"],
    "person_grants": ["grant_id", "person", "roles", "reason", "granted_at", "expires_at", "ended_at"],
    "person_passkeys": [
        "credential_id",
        "person",
        "label",
        "public_key",
        "sign_count",
        "registered_at",
        "used_at",
        "backed_up",
    ],
    "person_pseudonyms": ["pseudonym", "partner", "person", "made_at"],
    "person_secrets": ["purpose", "secret", "made_at"],
    "person_sessions": [
        "session_id",
        "person",
        "system",
        "device",
        "way",
        "token_digest",
        "started_at",
        "used_at",
        "ends_at",
        "ended_at",
    ],
    "persons": [
        "name",
        "display_name",
        "roles",
        "source",
        "subject",
        "email",
        "disabled",
        "added_at",
        "signed_in_at",
        "user_handle",
        "password_hash",
        "language",
        "zone",
        "theme",
    ],
}
"""What SQLite's integrity check compares rows with; PostgreSQL has checksums of pages."""


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "person_challenges",
        sa.Column("challenge_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=128), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("challenge_id", name=op.f("pk_person_challenges")),
    )

    op.create_table(
        "person_enrolments",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_person_enrolments")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_person_enrolments_token_digest")),
    )

    op.create_table(
        "person_failures",
        sa.Column("name_digest", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name_digest", name=op.f("pk_person_failures")),
    )

    op.create_table(
        "person_grants",
        sa.Column("grant_id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_person_grants")),
    )
    op.create_index("ix_person_grants_person", "person_grants", ["person"])

    op.create_table(
        "person_passkeys",
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_person_passkeys")),
    )
    op.create_index("ix_person_passkeys_person", "person_passkeys", ["person"])

    op.create_table(
        "person_pseudonyms",
        sa.Column("pseudonym", sa.String(length=64), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pseudonym", name=op.f("pk_person_pseudonyms")),
    )

    op.create_table(
        "person_secrets",
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_person_secrets")),
    )

    op.create_table(
        "person_sessions",
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_person_sessions")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_person_sessions_token_digest")),
    )
    op.create_index("ix_person_sessions_person", "person_sessions", ["person"])

    op.create_table(
        "persons",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=128), nullable=False),
        sa.Column("roles", sa.String(length=256), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_at", sa.BigInteger(), nullable=False),
        sa.Column("user_handle", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("theme", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_persons")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in _COMPARED.items():
            op.create_index(f"ck_{table}", table, columns)
