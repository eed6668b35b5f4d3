"""Finds the shared reference data that lies beside the repository; a test that needs it fails clearly without it."""

from __future__ import annotations

import os
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def shared_path(relative: str) -> Path:
    """Path of a shared data file, e.g. `data/identifier_vectors.json`.

    Looks in $GATEWAY_SHARED, else in the folder `shared` beside the repository.

    Raises:
        AssertionError: the file isn't there; the message says where it was looked for.
    """
    root = Path(os.environ.get("GATEWAY_SHARED", _REPOSITORY.parent / "shared"))
    path = root / relative
    assert path.is_file(), f"{path} is missing: put the shared data beside the repository or set GATEWAY_SHARED"
    return path
