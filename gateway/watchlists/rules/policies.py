"""Rules of list policies."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import InvalidRequestError, Violation


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """Policy of a list; `four_eyes`: changes need a second person's approval."""

    four_eyes: bool = True


WARN_BEFORE_MS = 14 * 24 * 3600 * 1000
"""Default warning time before an entry's end."""

MAX_LISTS = 256
"""Most lists of one publisher: every screening looks at each list's thresholds and visibility."""

DEFAULT_POLICY = ListPolicy()
"""Policy of lists outside the settings: unknown means no."""


def too_many_lists(field: str) -> InvalidRequestError:
    """The error of a change that would make more."""
    text = f"a publisher has at most {MAX_LISTS} lists, with those whose entries have all ended"
    return InvalidRequestError([Violation(field, "lists.most", text)])
