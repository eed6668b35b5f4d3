"""Compares a file with a list: what is new, what changes and how, what stays, what the file no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.console.views.lists.entries import ChangedLine, changed_lines, title_of
from gateway.errors import TooLargeError
from gateway.formats.lists.rows import BadRow, SkippedRow
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import ImportRow

MAX_SHOWN: Final = 50
"""Entries of each kind, and lines that can't be used, that a page shows one by one."""


@dataclass(frozen=True, slots=True)
class PreviewedEntry:
    """An entry that would be new or changed."""

    id: str
    title: str
    lines: Sequence[ChangedLine]


@dataclass(slots=True)
class ListPreview:
    """What an import would do. Counts and `coming`, the rows that are new or changed, are whole; the rest is at most
    `MAX_SHOWN` of each.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    vanished: int = 0
    bad: int = 0
    skipped: int = 0
    new_entries: list[PreviewedEntry] = field(default_factory=list)
    changed_entries: list[PreviewedEntry] = field(default_factory=list)
    vanished_entries: list[tuple[str, str]] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    coming: list[ImportRow] = field(default_factory=list)

    @property
    def is_useless(self) -> bool:
        """Nothing of the file can be used."""
        return not (self.added or self.changed or self.unchanged)


def preview_of(
    rows: Iterable[ImportRow | BadRow | SkippedRow], present: Mapping[str, WatchlistContent], most: int
) -> ListPreview:
    """Compares a whole file.

    Args:
        rows: of the file.
        present: what the list has, by id.
        most: entries that are compared.

    Raises:
        TooLargeError: the list or the file has more.
    """
    shown = ListPreview()
    seen: set[str] = set()
    bad_lines: set[int] = set()
    for row in rows:
        if isinstance(row, BadRow):
            bad_lines.add(row.line)
            seen.add(row.id)  # an entry on a bad line stays
            _keep(shown.bad_rows, row)
        elif isinstance(row, SkippedRow):
            shown.skipped += 1
        elif row.id in seen:
            bad_lines.add(row.line)
            _keep(
                shown.bad_rows, BadRow(row.line, row.id, "id", _("This id stood on a line before; the first counts."))
            )
        else:
            seen.add(row.id)
            _count(shown, row, present.get(row.id))
        if len(seen) > most or len(present) > most:
            raise TooLargeError(_("This is too large for a page: an operator can use gateway watchlist import."))
    shown.bad = len(bad_lines)
    vanished = [entry_id for entry_id in present if entry_id not in seen]
    shown.vanished = len(vanished)
    shown.vanished_entries = [(entry_id, title_of(present[entry_id], entry_id)) for entry_id in vanished[:MAX_SHOWN]]
    return shown


def _count(shown: ListPreview, row: ImportRow, before: WatchlistContent | None) -> None:
    entry_id, after = row.id, row.content
    if before is None:
        shown.coming.append(row)
        shown.added += 1
        if len(shown.new_entries) < MAX_SHOWN:
            lines = changed_lines(WatchlistContent(), after)
            shown.new_entries.append(PreviewedEntry(entry_id, title_of(after, entry_id), lines))
        return
    kept = WatchlistContent()
    kept.CopyFrom(after)
    kept.derived_from.extend(before.derived_from)  # the gateway keeps where an entry follows from
    if kept == before:
        shown.unchanged += 1
        return
    shown.coming.append(row)
    shown.changed += 1
    if len(shown.changed_entries) < MAX_SHOWN:
        lines = [line for line in changed_lines(before, kept) if line.is_changed]
        shown.changed_entries.append(PreviewedEntry(entry_id, title_of(after, entry_id), lines))


def _keep(rows: list[BadRow], row: BadRow) -> None:
    if len(rows) < MAX_SHOWN:
        rows.append(row)
