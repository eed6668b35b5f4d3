"""Defines the rows that watchlist readers return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.contract.validation import violations
from gateway.errors import Violation
from gateway.formats.lists.normal import normalise
from gateway.formats.tables.layout import Problem
from gateway.formats.wrong_lines import until_too_many_wrong
from gateway.v1.watchlist_pb2 import WatchlistContent

MAX_ID_CHARS = 64
"""As WatchlistEntry.id has it."""

DEFAULTABLE = ("kind", "reason", "legal_basis", "purpose", "requested_action", "handling", "releasable_to")
"""Fields that the contract needs and many sources lack, for ListOptions.defaults."""


@dataclass(frozen=True, slots=True)
class ListRow:
    """A complete entry in normal form that keeps the contract's rules.

    Attributes:
        line: from 1; for XML that of the element's start.
        id: within the list.
        not_understood: texts that stay in its remarks, and that the reader can't say the meaning of. They may identify.
    """

    line: int
    id: str
    content: WatchlistContent
    not_understood: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """One reason why a row can't be used; a row may have several.

    Attributes:
        line: from 1.
        id: empty if it can't be read.
        field: column, element or property; empty for the whole row.
        reason: a sentence that names the field and, if there is one, the way out.
    """

    line: int
    id: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A readable row that isn't an entry, such as an ownership."""

    line: int
    id: str
    reason: str


Row = ListRow | BadRow | SkippedRow

Label = Callable[[Violation, WatchlistContent], str]
"""Names the column, element or property of a broken rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """The caller's facts about a file.

    Attributes:
        list: name of the list; rows that name another are bad. Empty: any.
        defaults: for empty fields.
    """

    list: str = ""
    defaults: WatchlistContent = field(default_factory=WatchlistContent)


def bounded(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of a file.

    Raises:
        InputFileError: it has too many lines that can't be used.
    """
    return until_too_many_wrong(
        rows, lambda row: Problem(row.line, row.field, row.reason) if isinstance(row, BadRow) else None
    )


def finish(
    line: int,
    entry_id: str,
    content: WatchlistContent,
    options: ListOptions,
    label: Label,
    *,
    not_understood: tuple[str, ...] = (),
) -> Iterator[Row]:
    """The row, which takes the content over, or every reason why there is none."""
    whole = with_defaults(content, options.defaults)
    normalise(whole)
    problems = list(_id_problems(line, entry_id))
    for violation in violations(whole):
        name = label(violation, whole)
        problems.append(BadRow(line, entry_id, name, f"{name}: {violation.message}{_way_out(violation)}"))
    if problems:
        yield from problems
    else:
        yield ListRow(line, entry_id, whole, not_understood)


def with_defaults(content: WatchlistContent, defaults: WatchlistContent) -> WatchlistContent:
    """The content, with defaults for empty fields."""
    whole = WatchlistContent()
    whole.CopyFrom(defaults)
    for descriptor, _ in defaults.ListFields():
        name: Any = descriptor.name
        if name in ("valid_from", "valid_until"):
            if content.HasField(name):
                whole.ClearField(name)
        elif descriptor.is_repeated and getattr(content, name):
            whole.ClearField(name)
    if content.HasField("handling") and content.handling.onward_transfer:
        # recipients belong to their onward transfer
        whole.handling.ClearField("onward_recipients")
    whole.MergeFrom(content)
    return whole


def _id_problems(line: int, entry_id: str) -> Iterator[BadRow]:
    if not entry_id:
        yield BadRow(line, "", "id", "id: is missing; every entry needs the id that its source gives it")
    elif len(entry_id) > MAX_ID_CHARS:
        yield BadRow(line, "", "id", f"id: has {len(entry_id)} characters, at most {MAX_ID_CHARS} are allowed")
    elif not entry_id.isprintable():
        yield BadRow(line, "", "id", "id: has characters that can't be printed")


def _way_out(violation: Violation) -> str:
    name = violation.field.partition(".")[0].partition("[")[0]
    return f" (what the file doesn't say can be given as a default: {name})" if name in DEFAULTABLE else ""
