"""Decides when a failed delivery is tried again, and when it is given up."""

from __future__ import annotations

from typing import Final

FIRST_PAUSE_MS: Final = 5_000
"""Milliseconds before the second attempt; each further pause is twice as long."""

LONGEST_PAUSE_MS: Final = 600_000
"""Ten minutes: a receiver that is back gets everything within that time."""


def next_attempt(attempts: int, *, now_ms: int, created_at: int, give_up_ms: int) -> int:
    """When a delivery is tried again, in milliseconds since 1970; 0: it is given up.

    Args:
        attempts: that have failed, this one too.
        created_at: when it began to wait.
        give_up_ms: how long it may wait in all.
    """
    pause = min(FIRST_PAUSE_MS << min(attempts - 1, 16), LONGEST_PAUSE_MS)
    return now_ms + pause if now_ms + pause < created_at + give_up_ms else 0
