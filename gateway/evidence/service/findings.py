"""What the verification of a database finds, and how a step that fails on damaged rows becomes a finding."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

MAX_FINDINGS = 1_000
"""Most findings kept."""

_MAX_CAUSE_CHARS = 300


@dataclass(frozen=True, slots=True)
class DatabaseFinding:
    """A problem.

    Attributes:
        place: the feed's origin, a table's name, `database`, `journal`, `audit`, `records` or `answers`.
        index: entry, position or event; None if unknown.
        step: as in `verification`, e.g. `2 entries`.
    """

    place: str
    index: int | None
    step: str
    problem: str


@dataclass(slots=True)
class FindingList:
    """The findings of one verification."""

    found: list[DatabaseFinding] = field(default_factory=list)

    def add(self, place: str, index: int | None, step: str, problem: str) -> None:
        if len(self.found) < MAX_FINDINGS:
            self.found.append(DatabaseFinding(place, index, step, problem))

    def of(self, place: str, step: str) -> Callable[[str], None]:
        """Adds a problem of a place without a number."""
        return lambda problem: self.add(place, None, step, problem)

    @contextmanager
    def whatever_fails(self, place: str, step: str) -> Iterator[None]:
        """Makes any exception a finding: damaged rows fail in ways that nobody can list."""
        try:
            yield
        except Exception as error:
            log.debug("verification: %s of %s failed", step, place, exc_info=True)
            cause = " ".join(str(getattr(error, "orig", None) or error).split())[:_MAX_CAUSE_CHARS]
            self.add(place, None, step, f"it can't be read: {cause or type(error).__name__}")
