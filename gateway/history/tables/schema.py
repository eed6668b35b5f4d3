"""Tables of recorded shipments, their index and their answers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.db.schema import integrity_index, metadata, progress_table

record_log = Table(
    "record_log",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("record_id", String(64), nullable=False),
    Column("kind", Integer, nullable=False),  # SHIPMENT, ADDITION
    Column("recorded_at", BigInteger, nullable=False),
    Column("recorded_by", String(128), nullable=False),
    Column("salt", LargeBinary, nullable=False),  # empty after erasure
    Column("content", LargeBinary, nullable=False),  # empty after erasure
    integrity_index("record_log", "position", "record_id", "kind", "recorded_at", "recorded_by"),
)

record_holds = Table(
    "record_holds",
    metadata,
    Column("hold_id", String(36), primary_key=True),
    Column("message", LargeBinary, nullable=False),  # serialised LegalHold
    Column("released", Integer, nullable=False),
    integrity_index("record_holds", "hold_id", "message", "released"),
    sqlite_with_rowid=False,
)

shipments = Table(
    "shipments",
    metadata,
    Column("record_id", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),  # newest revision; 0 while only additions are known
    Column("revision", Integer, nullable=False),
    Column("additions", Integer, nullable=False),
    Column("declared_at", BigInteger, nullable=False),
    Column("procedure", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the newest content
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
    Column("revision", Integer, nullable=False),  # of an addition: the revision it was added to
    Column("declared_at", BigInteger, nullable=False),
    Column("procedure", Integer, nullable=False),
)

shipment_keys = Table(
    "shipment_keys",
    metadata,
    Column("cell", Integer, primary_key=True, autoincrement=False),  # see history.tables.cells.CELL_BITS
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # contract.shipment_keys
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

shipment_cells = Table(
    "shipment_cells",
    metadata,
    Column("cell", Integer, primary_key=True, autoincrement=False),
    Column("first_declared", BigInteger, nullable=False),  # least and greatest in it
    Column("last_declared", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

shipment_times = Table(
    "shipment_times",
    metadata,
    Column("block", Integer, primary_key=True, autoincrement=False),  # see history.tables.cells.BLOCK_BITS
    Column("first_declared", BigInteger, nullable=False),
    Column("last_declared", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

release_lists = Table(
    "release_lists",
    metadata,
    Column("record_id", String(64), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the revision that has the list
    Column("nodes", Text, nullable=False),  # each between spaces
    integrity_index("release_lists", "record_id", "position", "nodes"),
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
    integrity_index("risk_hits", "position", "ordinal", "rule_id", "severity", "found_at", "message"),
    sqlite_with_rowid=False,
)

inspection_outcomes = Table(
    "inspection_outcomes",
    metadata,
    Column("hs6", String(6), primary_key=True),  # empty: of the whole record
    Column("record_id", String(64), primary_key=True),
    Column("inspected_at", BigInteger, nullable=False),
    Column("confirmed", Integer, nullable=False),  # 1: something was found
    Index(None, "record_id"),
    sqlite_with_rowid=False,
)

history_answers = Table(
    "history_answers",
    metadata,
    Column("side", Integer, primary_key=True, autoincrement=False),  # ASKED, ANSWERED
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
    Column("note", LargeBinary, nullable=False),  # the asker's
    Column("statement", LargeBinary, nullable=False),  # the answerer's, or empty
    Index(None, "delete_at"),
    integrity_index(
        "history_answers",
        *("side", "query_id", "partner", "actor", "asked_at", "ended_at", "delete_at", "outcome", "reason", "count"),
        *("query", "note", "statement"),
    ),
)

history_answer_records = Table(
    "history_answer_records",
    metadata,
    Column("query_id", String(36), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),  # number of its first record
    Column("records", LargeBinary, nullable=False),  # serialised AnswerRecords
)

history_answer_proofs = Table(
    "history_answer_proofs",
    metadata,
    Column("query_id", String(36), primary_key=True),
    Column("partner", String(32), nullable=False),
    Column("number", BigInteger, nullable=False),  # of the head
    Column("head", LargeBinary, nullable=False),  # its root and key
    Column("proof", LargeBinary, nullable=False),  # serialised CompletenessProof
    Index(None, "partner", "number"),
    integrity_index("history_answer_proofs", "query_id", "partner", "number", "head", "proof"),
)

history_pages = Table(
    "history_pages",
    metadata,
    Column("partner", String(32), primary_key=True),
    Column("before", BigInteger, primary_key=True, autoincrement=False),  # as told: history.rules.page_numbers
    Column("query_id", String(36), nullable=False),
    Column("as_of", BigInteger, nullable=False),  # as told
    Column("before_position", BigInteger, nullable=False),
    Column("as_of_position", BigInteger, nullable=False),
    Column("recorded_position", BigInteger, nullable=False),
    Index(None, "query_id"),
    integrity_index(
        "history_pages",
        *("partner", "before", "query_id", "as_of", "before_position", "as_of_position", "recorded_position"),
    ),
    sqlite_with_rowid=False,
)

key_tree_leaves = Table(
    "key_tree_leaves",
    metadata,
    Column("place", LargeBinary(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("records", LargeBinary, nullable=False),  # hidden names, see history.rules.key_tree
    sqlite_with_rowid=False,
)

key_tree_tiles = Table(
    "key_tree_tiles",
    metadata,
    Column("prefix", String(64), primary_key=True),  # hexadecimal
    Column("subtrees", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

key_tree_erasures = Table(
    "key_tree_erasures",
    metadata,
    Column("record_id", String(64), primary_key=True),
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # contract.shipment_keys
    integrity_index("key_tree_erasures", "record_id", "key"),
    sqlite_with_rowid=False,
)

key_tree_progress = progress_table(
    "key_tree_progress",
    Column("number", BigInteger, nullable=False),  # of its head
    Column("position", BigInteger, nullable=False),  # last one in record_log that it has
    Column("root", LargeBinary, nullable=False),
    Column("secret", LargeBinary, nullable=False),  # as secret as the records
)

record_progress = progress_table(
    "record_progress",
    Column("indexed_position", BigInteger, nullable=False),  # in record_log
    Column("evaluated_position", BigInteger, nullable=False),
)
