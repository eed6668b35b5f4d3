"""Counts what an import reads, and tells what it couldn't use or understand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.cli.doubts import DoubtTally
from gateway.cli.output import Output
from gateway.contract.identification.identifiers import entry_doubts
from gateway.formats.lists.rows import BadRow, ListRow, Row, SkippedRow
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext

MAX_REMARKS_SHOWN = 20
"""Remarks listed one by one; --json has them all."""

_DATE = re.compile(r"\b(?:(?:[0-9]{1,2} )?[A-Z][a-z]+ )?(?:19|20)[0-9]{2}\b")
_NUMBER = re.compile(r"[0-9]{3}|@")


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A text in the remarks of an entry whose meaning isn't known."""

    line: int
    id: str
    text: str

    @property
    def may_identify(self) -> bool:
        """It has a number that is no date, or an e-mail address."""
        return _NUMBER.search(_DATE.sub("", self.text)) is not None


@dataclass(slots=True)
class ImportTally:
    """Rows of a file read so far; `wide`: ids that aren't taken, with the matches a day that they would have."""

    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
    not_understood: list[NotUnderstood] = field(default_factory=list)
    doubts: DoubtTally = field(default_factory=DoubtTally)
    wide: dict[str, int] = field(default_factory=dict)

    def take(self, rows: Iterator[Row]) -> Iterator[ListRow]:
        """Rows that can be used; the others are noted."""
        for row in rows:
            if isinstance(row, BadRow):
                self.bad.append(row)
            elif isinstance(row, SkippedRow):
                self.skipped.append(row)
            elif row.id in self.wide:
                continue
            elif errors := self.doubts.note(row.line, entry_doubts(row.content), id=row.id):
                self.bad += [BadRow(row.line, row.id, notice.field, notice.reason) for notice in errors]
            else:
                self.rows += 1
                self.not_understood += (NotUnderstood(row.line, row.id, text) for text in row.not_understood)
                yield row

    @property
    def bad_lines(self) -> int:
        return len({row.line for row in self.bad})

    @property
    def against_pruning(self) -> str:
        """Why no entry may be withdrawn as vanished."""
        if self.bad:
            return ngettext(
                "{number} row can't be read, so it isn't known which entries the file no longer has",
                "{number} rows can't be read, so it isn't known which entries the file no longer has",
                self.bad_lines,
            )
        return "" if self.rows else _("the file has no entries")


def print_not_understood(output: Output, tally: ImportTally) -> None:
    """Says how many remarks have no known meaning, and lists those with numbers."""
    if not tally.not_understood:
        return
    numbered = [text for text in tally.not_understood if text.may_identify]
    output.note(
        ngettext(
            "{number} remark isn't wholly understood and stays in words, which screening doesn't read.",
            "{number} remarks aren't wholly understood and stay in words, which screening doesn't read.",
            len(tally.not_understood),
        )
    )
    if numbered:
        output.note(_("With numbers, which may identify: {count}", count=len(numbered)))
    for text in numbered[:MAX_REMARKS_SHOWN]:
        output.note(_("Line {place}: {reason}", place=f"{text.line}, {text.id}", reason=text.text))
    left = len(numbered) - MAX_REMARKS_SHOWN
    if left > 0:
        output.note(_("and {count} more; --json has them all", count=left))
