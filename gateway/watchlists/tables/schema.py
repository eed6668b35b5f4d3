"""Tables of watchlists and matches."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from gateway.db.schema import integrity_index, metadata, progress_table

_IS_OPEN = text("status = 'open'")
_IS_DECIDED = text("decided_at > 0")

list_changes = Table(
    "list_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # of the update
    Column("idx", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("without_effect", Text, nullable=False),  # ordinals, as "0,7"; "*" for all
)

list_entries = Table(
    "list_entries",
    metadata,
    Column("publisher", String(32), primary_key=True),
    Column("list", String(64), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("ended", Integer, nullable=False),  # WatchlistEnd; 0 while listed
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # of its newest revision
    Column("idx", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("valid_until", BigInteger, nullable=False),  # 0: without end
    Column("first_published_at", BigInteger, nullable=False),  # own entries: time of the first revision
    Column("digest", LargeBinary, nullable=False),  # own entries: SHA-256 of the content
    Index(
        "ix_list_entries_valid_until",
        "valid_until",
        sqlite_where=text("valid_until > 0"),
        postgresql_where=text("valid_until > 0"),
    ),
    sqlite_with_rowid=False,
)

list_revisions = Table(  # where revisions of entries stand that another change has replaced
    "list_revisions",
    metadata,
    Column("publisher", String(32), primary_key=True),
    Column("list", String(64), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("replaced_seq", BigInteger, primary_key=True),  # of the update that replaced it
    Column("replaced_ordinal", Integer, primary_key=True),  # of the change in that update
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    sqlite_with_rowid=False,
)

list_proposals = Table(
    "list_proposals",
    metadata,
    Column("proposal_id", String(36), primary_key=True),
    Column("list", String(64), nullable=False),
    Column("proposer", String(256), nullable=False),
    Column("note", Text, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),  # open (parts may follow), complete, approved, rejected
    sqlite_with_rowid=False,
)

list_parts = Table(
    "list_parts",
    metadata,
    Column("proposal_id", String(36), primary_key=True),
    Column("idx", BigInteger, primary_key=True),  # in our lists feed
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    sqlite_with_rowid=False,
)

list_imports = Table(  # waiting proposals of imports; not a projection: written with the entry, removed when decided
    "list_imports",
    metadata,
    Column("list", String(64), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),  # of the changes, without their times
    Column("proposal_id", String(36), nullable=False),
    integrity_index("list_imports", "list", "digest", "proposal_id"),
    sqlite_with_rowid=False,
)

list_copies = Table(
    "list_copies",
    metadata,
    Column("partner", String(32), primary_key=True),
    Column("list", String(64), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("ended", Integer, nullable=False),  # WatchlistEnd distributed; 0 while active
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # of the last distribution
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

list_hits = Table(
    "list_hits",
    metadata,
    Column("hit_id", String(36), primary_key=True),
    Column("reporter", String(32), primary_key=True),  # node
    Column("publisher", String(32), nullable=False),  # owner of the entry
    Column("list", String(64), nullable=False),
    Column("entry_id", String(64), nullable=False),
    Column("outcome", Integer, nullable=False),  # HitOutcome; 0 until the owner answers
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("outcome_feed_id", BigInteger),  # of the owner's last answer; NULL until then
    Column("outcome_idx", BigInteger),
    Index(None, "feed_id", "idx"),
    Index(None, "outcome_feed_id", "outcome_idx"),
    sqlite_with_rowid=False,
)

matches = Table(
    "matches",
    metadata,
    Column("match_id", String(36), primary_key=True),
    Column("change", BigInteger, nullable=False, unique=True),  # number of its last change, over all matches
    Column("key", LargeBinary(32), nullable=False, unique=True),
    Column("source", String(16), nullable=False),
    Column("source_publisher", String(32), nullable=False),
    Column("source_id", String(128), nullable=False),
    Column("source_revision", BigInteger, nullable=False),
    Column("field", String(256), nullable=False),
    Column("subject", LargeBinary, nullable=False),  # serialised ScreeningSubject
    Column("publisher", String(32), nullable=False),
    Column("list", String(64), nullable=False),
    Column("entry_id", String(64), nullable=False),
    Column("match_class", Integer, nullable=False),
    Column("hit", LargeBinary, nullable=False),  # serialised ScreeningHit
    Column("found_at", BigInteger, nullable=False),
    Column("backward", Integer, nullable=False),  # 1: the entry came after the source
    Column("status", String(16), nullable=False),
    Column("hit_id", String(36), nullable=False),  # of the reported hit; empty for none
    Column("decided_by", String(256), nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "source", "source_publisher", "source_id"),
    Index(None, "publisher", "list", "entry_id"),
    # For figures: what is open, and what was decided in a period; most matches of years are neither.
    Index("ix_matches_open", "publisher", "list", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    Index(
        "ix_matches_decided_at",
        *("decided_at", "publisher", "list", "status"),
        sqlite_where=_IS_DECIDED,
        postgresql_where=_IS_DECIDED,
    ),
    integrity_index(
        "matches",
        *("match_id", "change", "key", "source", "source_publisher", "source_id", "source_revision", "field"),
        *("subject", "publisher", "list", "entry_id", "match_class", "hit", "found_at", "backward", "status"),
        *("hit_id", "decided_by", "decided_at", "reason"),
    ),
)

screening_reports = Table(  # whose verdict a list's change has changed; not a projection: written with the matches
    "screening_reports",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("publisher", String(32), nullable=False),
    Column("list", String(64), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),  # 0 until all parties were compared with the change
    Column("became", BigInteger, nullable=False),  # verdicts, named in lines or not
    Column("ceased", BigInteger, nullable=False),
    Column("regraded", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),  # that were ever written: at most so many
    Index(None, "ended_at"),
    integrity_index(
        "screening_reports",
        *("number", "publisher", "list", "began_at", "ended_at", "became", "ceased", "regraded", "lines"),
    ),
    sqlite_with_rowid=False,
)

screening_report_lines = Table(
    "screening_report_lines",
    metadata,
    Column("number", BigInteger, primary_key=True),
    Column("source", String(16), primary_key=True),
    Column("source_publisher", String(32), primary_key=True),
    Column("source_id", String(128), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("field", String(256), nullable=False),
    Column("match_id", String(36), nullable=False),
    Column("class_before", Integer, nullable=False),  # MatchClass; 0: no hit
    Column("class_after", Integer, nullable=False),
    Index(None, "source", "source_id"),
    integrity_index(
        "screening_report_lines",
        *("number", "source", "source_publisher", "source_id", "entry_id", "field", "match_id"),
        *("class_before", "class_after"),
    ),
    sqlite_with_rowid=False,
)

list_progress = progress_table(
    "list_progress",
    Column("applied", BigInteger, nullable=False),  # last effective change
    Column("warned_at", BigInteger, nullable=False),  # of entries that end soon; 0: never
)

list_distribution = Table(
    "list_distribution",
    metadata,
    Column("partner", String(32), primary_key=True),
    Column("considered", BigInteger),  # last change considered for it; NULL before its first
    Column("directory_version", BigInteger, nullable=False),  # of the last completed sweep; 0: never
    Column("sweep_steps", BigInteger, nullable=False),  # of the sweep under way; 0 for none
    integrity_index("list_distribution", "partner", "considered", "directory_version", "sweep_steps"),
    sqlite_with_rowid=False,
)

list_reconciliations = Table(
    "list_reconciliations",
    metadata,
    Column("partner", String(32), primary_key=True),  # a row: copies came back from it and aren't all compared
    Column("list", String(64), nullable=False),  # of the last copy compared; empty before the first
    Column("entry_id", String(64), nullable=False),
    integrity_index("list_reconciliations", "partner", "list", "entry_id"),
    sqlite_with_rowid=False,
)

match_progress = progress_table(
    "match_progress",
    Column("alert_position", BigInteger),  # up to which alerts were screened; NULL: never
    Column("shipment_position", BigInteger),  # likewise recorded shipments
    Column("change_seq", BigInteger),  # list changes compared with earlier parties; NULL: none
    Column("last_number", BigInteger, nullable=False),  # of changes of matches, including removed ones
)
