"""Revisions of a list entry, newest first, each with what it changed in the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.views.lists.entries import ChangedLine, changed_lines
from gateway.v1.watchlist_pb2 import WatchlistChange, WatchlistContent
from gateway.v1.watchlist_service_pb2 import GetEntryResponse


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One revision, or the end of one.

    Attributes:
        kind: `now`, `earlier`, `ended` or `erased`.
        at: when it was published or ended; None where its text was erased.
        lines: what it changed in the one before it; of the first one all that it said.
        is_first: nothing that is known came before it.
        reason: of an end.
        place: of the signed entry, feed and index; empty for the present one.
    """

    number: int
    kind: str
    at: Timestamp | None
    lines: Sequence[ChangedLine]
    is_first: bool
    reason: str
    place: str


def revision_views(found: GetEntryResponse) -> list[RevisionView]:
    """What an entry says and said. Of an end, what came before it is compared with nothing: it changed nothing."""
    changes = [WatchlistChange(entered=found.entry)] if found.HasField("entry") else []
    places = ["" for _present in changes]
    for one in found.earlier:
        changes.append(one.change)
        places.append(f"{one.place.origin} {one.place.index}")
    return [
        _view(change, before, place)
        for change, before, place in zip(changes, [*changes[1:], None], places, strict=False)
    ]


def _view(change: WatchlistChange, before: WatchlistChange | None, place: str) -> RevisionView:
    name = change.WhichOneof("change")
    if name is None:
        return RevisionView(0, "erased", None, (), before is None, "", place)
    if name == "ended":
        ended = change.ended
        return RevisionView(ended.revision, "ended", ended.ended_at, (), False, ended.reason, place)
    entry = change.entered
    old = before.entered.content if before is not None else WatchlistContent()
    kind = "earlier" if place else "now"
    lines = [line for line in changed_lines(old, entry.content) if line.is_changed]
    return RevisionView(entry.revision, kind, entry.published_at, lines, old == WatchlistContent(), "", place)
