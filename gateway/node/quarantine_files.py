"""Reads the files that were kept as evidence of a feed's quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.db.database import Database
from gateway.errors import NotFoundError, TooLargeError
from gateway.feed.tables import feeds

MOST_BYTES: Final = MAX_MESSAGE_BYTES - 64 * 1024
"""Bytes of all files that fit into one message."""


def quarantine_files(database: Database, origin: str) -> dict[str, bytes]:
    """Contents by name; the folder is the one that the database names, never a caller's.

    Raises:
        NotFoundError: there is no such feed, or no evidence of it on this machine.
        TooLargeError: the files don't fit into one message.
        MalformedError: not a feed's name.
    """
    with database.read() as conn:
        feed = feeds.find(conn, FeedOrigin.parse(origin))
    folder = Path(feed.evidence_path) if feed is not None and feed.evidence_path else None
    if folder is None or not folder.is_dir():
        raise NotFoundError(f"there is no evidence of a quarantine of {origin} on this machine")
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            continue
        left -= path.stat().st_size
        if left < 0:
            raise TooLargeError(f"the evidence in {folder} is too much for one message: copy it from there")
        found[path.name] = path.read_bytes()
    return found
