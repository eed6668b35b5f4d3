"""Tables of feeds, entries, the local log and dispositions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from gateway.db.schema import integrity_index, metadata, progress_table

feeds = Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("origin", String(320), nullable=False, unique=True),
    Column("direction", String(3), nullable=False),  # out, in
    Column("partner", String(32), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("journaled_size", BigInteger, nullable=False, server_default="0"),  # entries in the journal
    Column("awaited_size", BigInteger, nullable=False, server_default="0"),
    Column("edge", LargeBinary, nullable=False),  # tlog Tree.edge_bytes
    Column("checkpoint", LargeBinary, nullable=False),  # newest signed note; empty at size 0
    Column("receipted_size", BigInteger, nullable=False, server_default="0"),  # out
    Column("accepted_at", BigInteger, nullable=False, server_default="0"),  # out: first agreed position; 0 for never
    Column("disposed_size", BigInteger, nullable=False, server_default="0"),  # in: answered
    Column("state", String(16), nullable=False, server_default="active"),
    Column("state_reason", Text, nullable=False, server_default=""),
    Column("state_since", BigInteger, nullable=False, server_default="0"),
    Column("evidence_path", Text, nullable=False, server_default=""),
    Column("suspended_since", BigInteger, nullable=False, server_default="0"),  # 0 for not suspended
    Column("suspension", Text, nullable=False, server_default=""),  # the operator's reason
    Column("applied_size", BigInteger, nullable=False, server_default="0"),  # in: applied, to be answered
    integrity_index(
        "feeds",
        *("id", "direction", "partner", "channel", "awaited_size", "accepted_at", "disposed_size", "applied_size"),
        *("state", "state_reason", "state_since", "evidence_path", "suspended_since", "suspension"),
    ),
)

given_up_heads = Table(
    "given_up_heads",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),  # an own feed; the newest decision on it
    Column("given_up_at", BigInteger, nullable=False),  # milliseconds since 1970; larger than the one before
    Column("size", BigInteger, nullable=False),  # at which the feed went on
    Column("root", LargeBinary, nullable=False),  # of these entries
    Column("reached", BigInteger, nullable=False),  # largest size that a replica had signed before
    integrity_index("given_up_heads", "feed_id", "given_up_at", "size", "root", "reached"),
)

signed_heads = Table(
    "signed_heads",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),  # an own feed that lacks entries, or lacked them
    Column("size", BigInteger, nullable=False),  # largest that a replica had signed
    Column("root", LargeBinary, nullable=False),  # of these entries
    integrity_index("signed_heads", "feed_id", "size", "root"),
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
    Column("note", LargeBinary, nullable=False),  # signed by the publisher
    Column("cosignature", LargeBinary, nullable=False),  # the recipient's; empty until receipted
    Column("receipted_at", BigInteger, nullable=False),  # time in the cosignature; 0 until receipted
)

journal = Table(
    "journal",
    metadata,
    Column("first_position", BigInteger, primary_key=True, autoincrement=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("first_index", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    integrity_index("journal", "first_position", "feed_id", "first_index", "count", "committed_at"),
)

requests = Table(
    "requests",
    metadata,
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("principal", String(160), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),  # SHA-256 of the request
    Column("response", LargeBinary, nullable=False),  # serialised
    Column("checksum", BigInteger, nullable=False, server_default="0"),  # CRC-32 of the others; 0 before 0014
    Column("answered_at", BigInteger, nullable=False, server_default="0", index=True),  # milliseconds since 1970
    sqlite_with_rowid=False,
)

dispositions = Table(
    "dispositions",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),  # of the entries
    Column("first_idx", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", LargeBinary, nullable=False),  # serialised Disposition
    Column("position", BigInteger, nullable=False),  # of the stating entry in the local log
)

defects = Table(
    "defects",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("idx", BigInteger, primary_key=True),
    Column("problem", Text, nullable=False),
    Column("noted_at", BigInteger, nullable=False),
)

partner_usage = Table(
    "partner_usage",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("partner", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("items", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    integrity_index("partner_usage", "day", "partner", "kind", "items", "bytes"),
    sqlite_with_rowid=False,
)

restores = Table(
    "restores",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # 1 for the first
    Column("restored_at", BigInteger, nullable=False),
    Column("backup_at", BigInteger, nullable=False),  # time of the restored state; 0 for unknown
    Column("position", BigInteger, nullable=False),  # last one in the local log that still means the same
    Column("list_changes", BigInteger, nullable=False),  # likewise of changes of lists
    Column("matches", BigInteger, nullable=False),  # likewise of changes of matches
    Column("losses", LargeBinary, nullable=False),  # JSON
    Column("started", Integer, nullable=False),  # 1 once the node has started on it
    integrity_index(
        "restores",
        *("number", "restored_at", "backup_at", "position", "list_changes", "matches", "losses", "started"),
    ),
)

projector_progress = progress_table(
    "projector_progress",
    Column("position", BigInteger, nullable=False),  # last one projected in the local log
    Column("knowledge", LargeBinary(32), nullable=False),  # SHA-256 of the known entry kinds
)

node_starts = progress_table(
    "node_starts",
    Column("token", BigInteger, nullable=False),  # random, of the last start
    Column("token_before", BigInteger),  # of the start before; NULL for none
)

node_identity = progress_table(
    "node_identity",
    Column("federation", String(320), nullable=False),
    Column("node", String(32), nullable=False),
    Column("log_key", LargeBinary(32), nullable=False),  # public, Ed25519; of the last start
)
