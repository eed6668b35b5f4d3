"""Tables of risk profiles; all are projections."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table

from gateway.db.schema import metadata

_KEY = (
    ("offerer", String(32)),
    ("profile_id", String(24)),
    ("kind", String(16)),  # offered, withdrawn, adopted, reported
    ("reporter", String(32)),
    ("number", BigInteger),
)

risk_profile_acts = Table(  # a set that only grows: the state of profiles follows from it alone
    "risk_profile_acts",
    metadata,
    *(Column(name, kind, primary_key=True) for name, kind in _KEY),
    Column("acted_at", BigInteger, nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

risk_profile_dues = Table(  # own acts that a partner is to get; a row goes when the partner's feed has the act
    "risk_profile_dues",
    metadata,
    Column("partner", String(32), primary_key=True),
    *(Column(name, kind, primary_key=True) for name, kind in _KEY),
    Column("purpose", String(64), nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),  # where the act stands
    Column("idx", BigInteger, nullable=False),
    Index(None, "partner", "purpose", "feed_id", "idx"),
    sqlite_with_rowid=False,
)

risk_profile_proposals = Table(
    "risk_profile_proposals",
    metadata,
    Column("proposal_id", String(36), primary_key=True),
    Column("state", String(16), nullable=False),  # complete, approved, rejected
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
