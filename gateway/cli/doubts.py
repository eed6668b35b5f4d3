"""Notices of bulk commands about identifiers that their published algorithms doubt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.contract.identification.identifiers import Doubt
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.translation.notices import noticed

MAX_SHOWN = 50
"""Notices listed one by one; --json has them all."""

StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict", help=_("Leave out, as errors, lines with a doubtful identifier, e.g. a wrong check digit.")
    ),
]


@dataclass(frozen=True, slots=True)
class LineNotice:
    """A doubt about a line's identifier; `id` is of the record or entry."""

    line: int
    id: str
    field: str
    scheme: str
    code: str
    message: str

    @property
    def reason(self) -> str:
        return f"{self.field}: {noticed(self.message)}"


@dataclass(slots=True)
class DoubtTally:
    """Notices of a file's lines; `strict`: a line with one is left out."""

    strict: bool = False
    notices: list[LineNotice] = field(default_factory=list)

    def note(self, line: int, doubts: Iterable[Doubt], *, id: str = "") -> list[LineNotice]:
        """The reasons to leave a line out: its notices if they are errors, else none."""
        found = [
            LineNotice(line, id, path, notice.scheme, notice.code.value, notice.message) for path, notice in doubts
        ]
        if self.strict:
            return found
        self.notices += found
        return []

    def show(self, output: Output) -> None:
        """Prints the notices on lines that weren't left out."""
        if not self.notices:
            return
        count = len(self.notices)
        output.note(
            ngettext(
                "{number} notice on an identifier; such a line is taken all the same, --strict leaves it out:",
                "{number} notices on identifiers; such lines are taken all the same, --strict leaves them out:",
                count,
            )
        )
        for notice in self.notices[:MAX_SHOWN]:
            place = f"{notice.line}, {notice.id}" if notice.id else notice.line
            output.note(_("Line {place}: {reason}", place=place, reason=notice.reason))
        if count > MAX_SHOWN:
            output.note(_("and {count} more; --json has them all", count=count - MAX_SHOWN))
