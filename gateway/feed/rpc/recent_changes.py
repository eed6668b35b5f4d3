"""Keeps what the last commits have projected, so that watchers that are up to date needn't read it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.contract.limits import BATCH_BYTES
from gateway.feed.service.writing.commits import Commit
from gateway.feed.service.writing.transaction import ProjectedPage

MOST_PAGES = 200
"""Commits that are kept: seconds of lone alerts. Whoever is further behind reads."""


MOST_KEPT_BYTES = BATCH_BYTES
"""Most bytes of payloads in these pages: what a watcher gets at once has no more."""


class RecentChanges:
    """Pages of the local log that follow each other without a gap; for one event loop."""

    def __init__(self) -> None:
        self._pages: deque[ProjectedPage] = deque()
        self._bytes = 0

    def forget(self) -> None:
        """Forgets all: positions may have got another meaning."""
        self._pages.clear()
        self._bytes = 0

    def committed(self, commit: Commit) -> None:
        """Takes note of a commit, of this process or another replica."""
        page = commit.page
        if page is None or not page.is_whole:
            self.forget()
        elif page.until is not None:
            if self._pages and self._pages[-1].until != page.after:
                self.forget()
            self._pages.append(page)
            self._bytes += page.size_bytes
            while len(self._pages) > MOST_PAGES or self._bytes > MOST_KEPT_BYTES:
                self._bytes -= self._pages.popleft().size_bytes

    def after(self, position: int) -> tuple[Sequence[object], int] | None:
        """What was projected after a position of the local log, and the position reached; None if it has to be read."""
        reached = self._pages[-1].until if self._pages else None
        if reached is None:
            return None
        changes: list[object] = []
        for page in reversed(self._pages):
            if page.until == position:
                return changes, reached
            changes[:0] = page.changes
            if page.after == position:
                return changes, reached
        return None
