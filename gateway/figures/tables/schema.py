"""Tables of figures."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from gateway.db.schema import metadata, progress_table

figure_counts = Table(
    "figure_counts",
    metadata,
    Column(
        "day", Integer, primary_key=True, autoincrement=False
    ),  # since 1970, by the authority's clock; negative: a month
    Column("measure", String(16), primary_key=True),  # figures.rules.counting.FigureMeasure
    Column("direction", String(3), primary_key=True),  # of the alert
    Column("partner", String(32), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),  # grams
    sqlite_with_rowid=False,
)

figure_progress = progress_table(
    "figure_progress",
    Column("position", BigInteger, nullable=False),  # of the last step that was counted, in the local log
    Column("utc_offset_minutes", Integer, nullable=False),  # by which days are cut
)
