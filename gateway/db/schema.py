"""The tables. Truth: feeds, entries, tiles, checkpoints, journal, requests. Projections: see PROJECTIONS. Matches are
neither: they keep what people decided here.

Every key on the hot path grows in order (feed and index, position, UUIDv7): random keys make SQLite ten times slower.
Times are milliseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")

feeds = Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("origin", String(320), nullable=False, unique=True),
    Column("direction", String(3), nullable=False),  # out, in
    Column("partner", String(32), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("journaled_size", BigInteger, nullable=False, server_default="0"),  # entries with a place in the journal
    Column("awaited_size", BigInteger, nullable=False, server_default="0"),  # see feed.tables.feeds.Feed
    Column("edge", LargeBinary, nullable=False),  # tlog Tree.edge_bytes
    Column("checkpoint", LargeBinary, nullable=False),  # newest signed note; empty at size 0
    Column("receipted_size", BigInteger, nullable=False, server_default="0"),  # out: the partner's newest receipt
    Column("disposed_size", BigInteger, nullable=False, server_default="0"),  # in: dispositions were sent up to here
    Column("state", String(16), nullable=False, server_default="active"),
    Column("state_reason", Text, nullable=False, server_default=""),
    Column("state_since", BigInteger, nullable=False, server_default="0"),
    Column("evidence_path", Text, nullable=False, server_default=""),
    Column("suspended_since", BigInteger, nullable=False, server_default="0"),  # by an operator; 0 when it isn't
    Column("suspension", Text, nullable=False, server_default=""),  # the operator's reason
)

entries = Table(
    "entries",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("idx", BigInteger, primary_key=True),
    Column("header", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # empty after erasure
    Column("payload", LargeBinary, nullable=False),  # empty after erasure
)

tiles = Table(
    "tiles",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("tile", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),  # up to 256 x 32 bytes
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),  # the publisher's signed note
    Column("cosignature", LargeBinary, nullable=False),  # the recipient's signature line; empty until receipted
    Column("receipted_at", BigInteger, nullable=False),  # the recipient's time in the cosignature; 0 until receipted
)

journal = Table(
    "journal",
    metadata,
    Column("first_position", BigInteger, primary_key=True, autoincrement=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("first_index", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("principal", String(160), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),  # SHA-256 of the request
    Column("response", LargeBinary, nullable=False),  # serialised response
    sqlite_with_rowid=False,
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

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
    Column("questions", Text, nullable=False),  # JSON; empty when there are none
    Column("priority", String(1), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("case_reference", String(128), nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("first_idx", BigInteger, nullable=False),  # entry that published it
    Column("current_idx", BigInteger, nullable=False),  # entry with its current revision
    Index(None, "direction", "valid_until"),
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

dispositions = Table(
    "dispositions",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),  # the feed that holds the entries
    Column("first_idx", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", LargeBinary, nullable=False),  # serialised Disposition
    Column("position", BigInteger, nullable=False),  # of the entry that says so, in this node's order
)

defects = Table(
    "defects",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("idx", BigInteger, primary_key=True),
    Column("problem", Text, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
)

list_changes = Table(
    "list_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # the entry with the update that takes effect here
    Column("idx", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("without_effect", Text, nullable=False),  # its changes that had none: "0,7", "*" for all of them
)

list_entries = Table(
    "list_entries",
    metadata,
    Column("publisher", String(32), primary_key=True),
    Column("list", String(64), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("ended", Integer, nullable=False),  # WatchlistEnd; 0 while it is listed
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # where its newest revision stands
    Column("idx", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("valid_until", BigInteger, nullable=False),  # 0: without end
    Column("first_published_at", BigInteger, nullable=False),  # own entries: its first revision
    Column("digest", LargeBinary, nullable=False),  # own entries: SHA-256 of the content
    Index(
        "ix_list_entries_valid_until",
        "valid_until",
        sqlite_where=text("valid_until > 0"),
        postgresql_where=text("valid_until > 0"),
    ),
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
    Column("idx", BigInteger, primary_key=True),  # in the own lists feed
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    sqlite_with_rowid=False,
)

list_copies = Table(
    "list_copies",
    metadata,
    Column("partner", String(32), primary_key=True),
    Column("list", String(64), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("ended", Integer, nullable=False),  # WatchlistEnd that was told; 0 while the partner has it
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # where it was told last
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

list_hits = Table(
    "list_hits",
    metadata,
    Column("hit_id", String(36), primary_key=True),
    Column("reporter", String(32), primary_key=True),  # node that met it
    Column("publisher", String(32), nullable=False),  # node whose entry was met
    Column("list", String(64), nullable=False),
    Column("entry_id", String(64), nullable=False),
    Column("outcome", Integer, nullable=False),  # HitOutcome; 0 until the owner has said so
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # where the hit stands
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

matches = Table(
    "matches",
    metadata,
    Column("match_id", String(36), primary_key=True),
    Column("change", BigInteger, nullable=False, unique=True),  # number of its last change, over all matches
    Column(
        "key", LargeBinary(32), nullable=False, unique=True
    ),  # source, entry and the two writings: watchlists.codec.matches
    Column("source", String(16), nullable=False),  # SourceKind
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
    Column("status", String(16), nullable=False),  # MatchStatus
    Column("hit_id", String(36), nullable=False),  # of the hit that was reported; empty when none was
    Column("decided_by", String(256), nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "source", "source_publisher", "source_id"),
    Index(None, "publisher", "list", "entry_id"),
)

match_cursors = Table(
    "match_cursors",
    metadata,
    Column("name", String(32), primary_key=True),  # a SourceKind, "lists", or "changes"
    Column("position", BigInteger, nullable=False),
)

record_log = Table(
    "record_log",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("record_id", String(64), nullable=False),
    Column("kind", Integer, nullable=False),  # history.codec.shipments: SHIPMENT, ADDITION
    Column("recorded_at", BigInteger, nullable=False),
    Column("recorded_by", String(128), nullable=False),
    Column("salt", LargeBinary, nullable=False),  # empty after erasure
    Column("content", LargeBinary, nullable=False),  # serialised item; empty after erasure
)

record_holds = Table(
    "record_holds",
    metadata,
    Column("hold_id", String(36), primary_key=True),
    Column("message", LargeBinary, nullable=False),  # serialised LegalHold
    Column("released", Integer, nullable=False),
    sqlite_with_rowid=False,
)

shipments = Table(
    "shipments",
    metadata,
    Column("record_id", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),  # of the newest revision; 0 while only additions are known
    Column("revision", Integer, nullable=False),
    Column("additions", Integer, nullable=False),
    Column("declared_at", BigInteger, nullable=False),
    Column("procedure", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the newest revision's content
    Column("retention_class", String(32), nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Index(None, "delete_at"),
    sqlite_with_rowid=False,
)

shipment_revisions = Table(
    "shipment_revisions",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("record_id", String(64), nullable=False),
    Column("revision", Integer, nullable=False),  # of an addition the revision that it was added to
    Column("declared_at", BigInteger, nullable=False),
    Column("procedure", Integer, nullable=False),
)

shipment_keys = Table(
    "shipment_keys",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),  # see history.tables.segments.SEGMENT_BITS
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # contract.shipment_keys
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

shipment_segments = Table(
    "shipment_segments",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),  # of shipment_keys
    Column("first_declared", BigInteger, nullable=False),  # least and greatest declared_at of its revisions
    Column("last_declared", BigInteger, nullable=False),
    Column("keys_filter", LargeBinary),  # history.rules.bloom; NULL until the segment is full and it is made
    sqlite_with_rowid=False,
)

shipment_times = Table(
    "shipment_times",
    metadata,
    Column("block", Integer, primary_key=True, autoincrement=False),  # see history.tables.segments.BLOCK_BITS
    Column("first_declared", BigInteger, nullable=False),  # as in shipment_segments
    Column("last_declared", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

party_names = Table(
    "party_names",
    metadata,
    Column("name", BigInteger, primary_key=True, autoincrement=False),  # its key in shipment_keys
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

party_name_keys = Table(
    "party_name_keys",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # of screening
    Column("name", BigInteger, primary_key=True, autoincrement=False),
    Index(None, "name"),
    sqlite_with_rowid=False,
)

risk_hits = Table(
    "risk_hits",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("rule_id", String(64), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("found_at", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),  # serialised Discrepancy
    sqlite_with_rowid=False,
)

history_answers = Table(
    "history_answers",
    metadata,
    Column("side", Integer, primary_key=True, autoincrement=False),  # history.tables.answers: ASKED, ANSWERED
    Column("query_id", String(36), primary_key=True),
    Column("partner", String(32), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("query", LargeBinary, nullable=False),  # serialised HistoryQuery
    Column("note", LargeBinary, nullable=False),  # the asker's, over the query
    Column("statement", LargeBinary, nullable=False),  # the answerer's; empty where there was none
    Index(None, "delete_at"),
)

history_answer_records = Table(
    "history_answer_records",
    metadata,
    Column("query_id", String(36), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),  # number of its first record in the answer
    Column("records", LargeBinary, nullable=False),  # serialised AnswerRecords
)

PROJECTIONS = (
    alert_events,
    alerts,
    dispositions,
    defects,
    list_changes,
    list_entries,
    list_proposals,
    list_parts,
    list_copies,
    list_hits,
    shipments,
    shipment_revisions,
    shipment_keys,
    shipment_segments,
    shipment_times,
    party_names,
    party_name_keys,
    risk_hits,
)
"""Tables that can be dropped and rebuilt from the truth."""
