"""Files of shipments for tests: a table as CSV, and the one record or the problems that come out of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.rows import BadRecord, ItemRow
from gateway.formats.tables.mapping import TableMapping

MINIMUM = {"record_id": "A-1", "procedure": "export", "declared_at": "2026-01-10T12:00:00+08:00"}


def table(*rows: Mapping[str, str], columns: Iterable[str] = (), delimiter: str = ",") -> io.BytesIO:
    header = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def one(*rows: Mapping[str, str], mapping: TableMapping | None = None) -> Any:
    (row,) = read_csv(table(*rows), mapping)
    assert isinstance(row, ItemRow), row
    return row.item


def wrong(*rows: Mapping[str, str], mapping: TableMapping | None = None) -> list[tuple[int, str, str]]:
    (row,) = read_csv(table(*rows), mapping)
    assert isinstance(row, BadRecord), row
    return [(problem.line, problem.field, problem.reason) for problem in row.problems]
