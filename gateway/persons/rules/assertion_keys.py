"""Which of a node's keys signs assertions, and until when the ones before it still count.

A new key is stored first and signs ANNOUNCED_MS later: by then every replica has read it, and knows what it signed.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.persons.rules.assertions import MAX_SKEW_S
from gateway.persons.rules.policy import ASSERTION_S

LOOK_S = 4.0
"""Seconds between two looks of a replica at the keys."""

ANNOUNCED_MS = 10_000
"""Milliseconds from a key's storing to its first use: two looks of a replica, and what clocks may differ."""

OUTLIVES_MS = ANNOUNCED_MS + (ASSERTION_S + MAX_SKEW_S) * 1000
"""Milliseconds after the storing of the next key in which a key's last assertions expire."""


def signing_key(made_at: Sequence[int], now_ms: int) -> int:
    """Index of the key that signs: the newest that all replicas know.

    Args:
        made_at: when each was stored, milliseconds since 1970, the oldest first; at least one.
    """
    known = [index for index, at in enumerate(made_at) if at + ANNOUNCED_MS <= now_ms]
    return known[-1] if known else 0


def signed_until(made_at: Sequence[int], index: int) -> int | None:
    """Until when a key may have signed, milliseconds since 1970; None for the newest."""
    return made_at[index + 1] + ANNOUNCED_MS + MAX_SKEW_S * 1000 if index + 1 < len(made_at) else None


def forgotten_before(made_at: Sequence[int], now_ms: int) -> int:
    """How many of the oldest keys have no assertion in force any more."""
    return sum(1 for following in made_at[1:] if following + OUTLIVES_MS < now_ms)
