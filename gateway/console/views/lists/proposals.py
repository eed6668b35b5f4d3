"""A proposal in words: what each change does, the same as rows of a file, and what it costs in matches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.views.lists.entries import ChangedLine, changed_lines, title_of
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistReference
from gateway.v1.watchlist_service_pb2 import (
    ProposedChange,
    ProposedChangeKind,
)

NEW: Final = ProposedChangeKind.PROPOSED_CHANGE_KIND_NEW
CHANGED: Final = ProposedChangeKind.PROPOSED_CHANGE_KIND_CHANGED
WITHDRAWN: Final = ProposedChangeKind.PROPOSED_CHANGE_KIND_WITHDRAWN

KINDS: Final[Mapping[str, ProposedChangeKind.ValueType]] = {"new": NEW, "changed": CHANGED, "withdrawn": WITHDRAWN}


@dataclass(frozen=True, slots=True)
class ProposedView:
    """A change.

    Attributes:
        kind: `new`, `changed` or `withdrawn`.
        href: of the entry as it is now; empty for a new one.
        reason: of a withdrawal.
    """

    id: str
    title: str
    kind: str
    href: str
    reason: str
    lines: Sequence[ChangedLine]


def proposed_view(one: ProposedChange, publisher: str) -> ProposedView:
    """A change in words."""
    is_end = one.change.HasField("ended")
    named = one.change.ended if is_end else one.change.entered
    after = WatchlistContent() if is_end else one.change.entered.content
    reference = WatchlistReference(publisher=publisher, list=named.list, id=named.id)
    return ProposedView(
        id=named.id,
        title=title_of(one.present if is_end else after, named.id),
        kind=next(name for name, kind in KINDS.items() if kind == one.kind),
        href=entry_path(reference) if one.HasField("present") else "",
        reason=one.change.ended.reason,
        lines=[] if is_end else changed_lines(one.present, after),
    )


def file_columns() -> list[str]:
    """Heads of the file of a proposal."""
    return [_("Change"), _("Entry"), _("Name"), _("Field"), _("Before"), _("After")]


def file_rows(changes: Iterable[ProposedChange], publisher: str) -> Iterator[list[str]]:
    """A row for each value that comes, goes or changes; of a withdrawal one with its reason."""
    words = {"new": _("new"), "changed": _("amended"), "withdrawn": _("withdrawn")}
    for one in changes:
        view = proposed_view(one, publisher)
        about = [words[view.kind], view.id, view.title]
        if view.kind == "withdrawn":
            yield [*about, _("Reason"), "", view.reason]
        for line in view.lines:
            if line.is_changed:
                yield [*about, line.name, "\n".join(line.removed), "\n".join(line.added)]
