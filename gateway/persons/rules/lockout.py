"""Slows guessing down: after some failures each further one locks the name for twice as long."""

from __future__ import annotations

FREE_FAILURES = 5
"""Failures in a row without a lock."""

FIRST_LOCK_MS = 30_000
LONGEST_LOCK_MS = 3_600_000
"""Bounds of a lock in milliseconds; the longest bounds what somebody can do to a person whose name is known. Sign-in by
passkey alone isn't locked.
"""

FORGET_MS = 24 * 3_600_000
"""Milliseconds after which failures are forgotten."""


def lock_ms(failures: int) -> int:
    """Milliseconds for which the name is locked after so many failures in a row."""
    over = failures - FREE_FAILURES
    return 0 if over < 0 else min(FIRST_LOCK_MS << min(over, 16), LONGEST_LOCK_MS)
