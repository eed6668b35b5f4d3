"""Declares the tables of persons."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.db.schema import integrity_index, metadata

NAME = String(64)
UUID_TEXT = String(36)

persons = Table(
    "persons",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("display_name", String(128), nullable=False),
    Column("roles", String(256), nullable=False),  # sorted, by commas
    Column("source", String(16), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("email", String(254), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("signed_in_at", BigInteger, nullable=False),
    Column("user_handle", LargeBinary, nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("language", String(16), nullable=False),
    Column("zone", NAME, nullable=False),
    Column("theme", String(16), nullable=False),
    integrity_index(
        "persons",
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
    ),
)

person_passkeys = Table(
    "person_passkeys",
    metadata,
    Column("credential_id", LargeBinary, primary_key=True),
    Column("person", NAME, nullable=False),
    Column("label", NAME, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # COSE
    Column("sign_count", BigInteger, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Index("ix_person_passkeys_person", "person"),
    integrity_index(
        "person_passkeys",
        "credential_id",
        "person",
        "label",
        "public_key",
        "sign_count",
        "registered_at",
        "used_at",
        "backed_up",
    ),
)

person_sessions = Table(
    "person_sessions",
    metadata,
    Column("session_id", UUID_TEXT, primary_key=True),
    Column("person", NAME, nullable=False),
    Column("system", NAME, nullable=False),
    Column("device", String(200), nullable=False),
    Column("way", String(32), nullable=False),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    Column("started_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Index("ix_person_sessions_person", "person"),
    integrity_index(
        "person_sessions",
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
    ),
)

person_challenges = Table(
    "person_challenges",
    metadata,
    Column("challenge_id", UUID_TEXT, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("challenge", LargeBinary, nullable=False),
    Column("person", NAME, nullable=False),  # empty: the authenticator says
    Column("session_id", UUID_TEXT, nullable=False),
    Column("system", NAME, nullable=False),
    Column("method", String(128), nullable=False),  # of the call that is approved
    Column("request_sha256", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    integrity_index(
        "person_challenges",
        "challenge_id",
        "kind",
        "challenge",
        "person",
        "session_id",
        "system",
        "method",
        "request_sha256",
        "expires_at",
    ),
)

person_enrolments = Table(
    "person_enrolments",
    metadata,
    Column("person", NAME, primary_key=True),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    Column("expires_at", BigInteger, nullable=False),
    integrity_index("person_enrolments", "person", "token_digest", "expires_at"),
)

person_failures = Table(
    "person_failures",
    metadata,
    Column("name_digest", LargeBinary, primary_key=True),  # known and unknown names alike
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("locked_until", BigInteger, nullable=False),
    integrity_index("person_failures", "name_digest", "failures", "last_at", "locked_until"),
)

person_secrets = Table(
    "person_secrets",
    metadata,
    Column("purpose", String(32), primary_key=True),  # what the key is for
    Column("secret", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    integrity_index("person_secrets", "purpose", "secret", "made_at"),
)

person_grants = Table(
    "person_grants",
    metadata,
    Column("grant_id", UUID_TEXT, primary_key=True),
    Column("person", NAME, nullable=False),
    Column("roles", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Index("ix_person_grants_person", "person"),
    integrity_index("person_grants", "grant_id", "person", "roles", "reason", "granted_at", "expires_at", "ended_at"),
)

person_pseudonyms = Table(
    "person_pseudonyms",
    metadata,
    Column("pseudonym", NAME, primary_key=True),
    Column("partner", String(32), nullable=False),
    Column("person", NAME, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    integrity_index("person_pseudonyms", "pseudonym", "partner", "person", "made_at"),
)
