"""Writes reports of whose verdict a list's change has changed, beside the matches that it follows from.

A report gathers the changes of one list until all parties are compared with them; a crash leaves it open, and the next
search ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from gateway.feed.service.writing.commits import VERDICTS
from gateway.feed.service.writing.transaction import Transaction
from gateway.watchlists.rules.matches import EntryKey
from gateway.watchlists.rules.verdicts import VerdictChange, kind_of
from gateway.watchlists.tables import screening_reports as reports
from gateway.watchlists.tables.screening_reports import LineRow, ReportRow

MOST_LINES = 1_000
"""Verdicts that one report names; the others are counted."""

KEPT_MS = 90 * 24 * 3_600_000
"""Milliseconds that a report is kept: ninety days, as notifications are by default."""


FORGET_EVERY = 16
"""Reports after which old ones are forgotten: each time would cost more than it frees."""


def report_changes(tx: Transaction, changes: Sequence[VerdictChange], *, revised: Collection[EntryKey]) -> None:
    """Adds changed verdicts to the open report of each list, or begins one.

    Args:
        revised: entries that were listed before: their verdicts may be in the report already.
    """
    if not changes:
        return
    known = reports.open_and_last(tx.conn)
    open_reports = {(row.publisher, row.list): row for row in known if not row.ended_at}
    last = known[-1].number if known else 0
    written: list[ReportRow] = []
    by_list = sorted(changes, key=_list_of)
    for (publisher, name), of_list in groupby(by_list, key=_list_of):
        report = open_reports.get((publisher, name))
        if report is None:
            last += 1
            report = ReportRow(last, publisher, name, began_at=tx.now_ms)
        written.append(_with_changes(tx, report, list(of_list), revised))
    reports.put(tx.conn, written)


def end_reports(tx: Transaction) -> None:
    """Ends the open reports; those that come to nothing aren't told, as nothing has changed."""
    numbers = [row.number for row in reports.open_reports(tx.conn)]
    if numbers:
        reports.end(tx.conn, numbers, tx.now_ms)
        if any(number % FORGET_EVERY == 0 for number in numbers):
            reports.forget_before(tx.conn, tx.now_ms - KEPT_MS)
        tx.topics.add(VERDICTS)


def _list_of(change: VerdictChange) -> tuple[str, str]:
    return change.key.entry.publisher, change.key.entry.list


def _with_changes(
    tx: Transaction, report: ReportRow, changes: Sequence[VerdictChange], revised: Collection[EntryKey]
) -> ReportRow:
    """The report with further changes. A verdict that changes twice is named with its first and its last class."""
    may_be_known = report.lines and any(change.key.entry in revised for change in changes)
    known = {_key(line): line for line in (reports.lines_of(tx.conn, report.number) if may_be_known else ())}
    counts = {"became": report.became, "ceased": report.ceased, "regraded": report.regraded}
    put: list[LineRow] = []
    removed: list[LineRow] = []
    named = report.lines
    for change in changes:
        line = _line(report.number, change)
        earlier = known.get(_key(line))
        if earlier is not None:
            counts[kind_of(earlier.class_before, earlier.class_after)] -= 1
            line = line._replace(class_before=earlier.class_before)
            if line.class_before == line.class_after:
                removed.append(earlier)
                continue
        elif named < MOST_LINES:
            named += 1
        else:
            counts[change.kind] += 1
            continue
        counts[kind_of(line.class_before, line.class_after)] += 1
        put.append(line)
    reports.put_lines(tx.conn, put)
    reports.remove_lines(tx.conn, removed)
    return report._replace(became=counts["became"], ceased=counts["ceased"], regraded=counts["regraded"], lines=named)


def _line(number: int, change: VerdictChange) -> LineRow:
    source = change.key.source
    return LineRow(
        number,
        source.kind.value,
        source.publisher,
        _storable(source.id),
        change.key.entry.id,
        _storable(change.field),
        change.match_id,
        change.class_before,
        change.class_after,
    )


def _storable(text: str) -> str:
    """PostgreSQL text can't hold NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _key(line: LineRow) -> tuple[str, ...]:
    return line.source, line.source_publisher, line.source_id, line.entry_id
