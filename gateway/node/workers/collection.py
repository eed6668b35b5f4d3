"""Sets the garbage collection of a worker process that reads messages in bulk."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLD: Final = 50_000
"""New objects before a garbage collection: a message makes many, all short-lived."""


def collect_seldom() -> None:
    """Leaves out of collections what is there now, and has them less often."""
    gc.freeze()
    gc.set_threshold(THRESHOLD)
