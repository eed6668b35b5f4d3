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
    EntryEstimate,
    EstimateMatchesResponse,
    ProposedChange,
    ProposedChangeKind,
)

HEAVY_PER_DAY: Final = 10.0
"""Matches a day from which on an entry is said to match too much: each is a line that somebody has to decide."""

DAY_S: Final = 24 * 3600

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


@dataclass(frozen=True, slots=True)
class CostView:
    """What entries would have matched in the last month.

    Attributes:
        per_day: expected matches a day of all entries, those that weren't compared counted like the others.
        days: how far back the shipments and alerts reach.
        heavy: entries that match too much: id, matches in that time and a day.
    """

    estimate: EstimateMatchesResponse
    per_day: float
    days: int
    heavy: Sequence[tuple[str, int, float]]

    @property
    def is_whole(self) -> bool:
        return self.estimate.compared == self.estimate.entries


def cost_view(estimate: EstimateMatchesResponse) -> CostView:
    """An estimate by the day. Less than a day counts as one: what came in an hour doesn't come every hour."""
    days = max(1.0, (estimate.until.seconds - estimate.since.seconds) / DAY_S)
    share = estimate.compared / estimate.entries if estimate.entries else 1.0
    return CostView(
        estimate,
        per_day=estimate.matches / share / days if share else 0.0,
        days=round(days),
        heavy=[
            (one.id, one.matches, one.matches / days) for one in estimate.most if one.matches / days >= HEAVY_PER_DAY
        ],
    )


def joined_estimates(parts: Iterable[EstimateMatchesResponse]) -> EstimateMatchesResponse:
    """Estimates of several slices of a list as one."""
    whole = EstimateMatchesResponse()
    most: list[EntryEstimate] = []
    for part in parts:
        most += part.most
        entries, compared, matches = whole.entries, whole.compared, whole.matches
        whole = EstimateMatchesResponse()
        whole.CopyFrom(part)
        whole.entries, whole.compared, whole.matches = (
            entries + part.entries,
            compared + part.compared,
            matches + part.matches,
        )
    del whole.most[:]
    whole.most.extend(sorted(most, key=lambda one: -one.matches))
    return whole
