"""Tables of link analysis: an index that can be made again from alerts and records."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from gateway.db.schema import metadata, progress_table

_SHIPMENTS = text("source = 1")
"""Of these alone something is removed."""

link_terms = Table(
    "link_terms",
    metadata,
    Column("source", Integer, primary_key=True, autoincrement=False),  # ALERT, SHIPMENT
    Column("cell", Integer, primary_key=True, autoincrement=False),  # of refs; see link_analysis.tables.terms.CELL_BITS
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # link_analysis.rules.things.term
    Column("ref", BigInteger, primary_key=True, autoincrement=False),  # position in the local log, or of the record
    Index("ix_link_terms_shipments", "ref", sqlite_where=_SHIPMENTS, postgresql_where=_SHIPMENTS),
    sqlite_with_rowid=False,
)

link_names = Table(  # of parties in alerts; those in shipments are in party_names
    "link_names",
    metadata,
    Column("name", BigInteger, primary_key=True, autoincrement=False),  # its key in link_terms
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

link_name_keys = Table(
    "link_name_keys",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # of screening
    Column("name", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

link_progress = progress_table(
    "link_progress",
    Column("alert_position", BigInteger, nullable=False),
    Column("record_position", BigInteger, nullable=False),
)
