"""Inputs that are kept in the repository: one file each, named by its digest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def corpus_of(target: str) -> Sequence[Path]:
    """The files of a target, in a fixed order."""
    return sorted((CORPUS / target).glob("*"))


def add(target: str, inputs: Iterable[bytes]) -> int:
    """Keeps inputs that aren't there yet; returns how many."""
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    added = 0
    for data in inputs:
        path = folder / sha256(data).hexdigest()[:16]
        if not path.exists():
            path.write_bytes(data)
            added += 1
    return added
