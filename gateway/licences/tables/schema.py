"""Tables of licences; all are projections."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from gateway.db.schema import metadata

_KEY = (
    ("issuer", String(32)),
    ("number", String(64)),
    ("kind", String(16)),  # revised, withdrawn, used, arrived, reexported, returned
    ("reporter", String(32)),
    ("declaration", String(64)),  # empty of revised and withdrawn
    ("line", Integer),
    ("revision", BigInteger),
)

licence_acts = Table(  # a set that only grows: balances follow from it alone
    "licence_acts",
    metadata,
    *(Column(name, kind, primary_key=True) for name, kind in _KEY),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

licences = Table(
    "licences",
    metadata,
    Column("issuer", String(32), primary_key=True),
    Column("number", String(64), primary_key=True),
    Column("withdrawn", Integer, nullable=False),  # 1: yes
    Column("valid_until", String(10), nullable=False),  # day, of the newest revision
    Column("breaches", Integer, nullable=False),
    Column("balance", LargeBinary, nullable=False),  # serialised LicenceBalance
    sqlite_with_rowid=False,
)

licence_dues = Table(  # own acts that a partner is to get; a row goes when the partner's feed has the act
    "licence_dues",
    metadata,
    Column("partner", String(32), primary_key=True),
    *(Column(name, kind, primary_key=True) for name, kind in _KEY),
    Column("purpose", String(64), nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # where the act stands
    Column("idx", BigInteger, nullable=False),
    Index(None, "partner", "purpose", "feed_id", "idx"),
    sqlite_with_rowid=False,
)

licence_proposals = Table(
    "licence_proposals",
    metadata,
    Column("proposal_id", String(36), primary_key=True),
    Column("state", String(16), nullable=False),  # complete, approved, rejected
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
