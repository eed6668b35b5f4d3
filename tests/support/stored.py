"""What a node's database holds, read from its file without the product's code, and judged by the RFC's own words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tests.support import merkle_oracle


@dataclass(frozen=True)
class StoredFeed:
    """A feed as it lies in a database: its entries (header, salt, payload) by index, its newest checkpoint, and in the
    publisher's how many entries have a receipt."""

    entries: tuple[tuple[bytes, bytes, bytes], ...]
    checkpoint: bytes
    receipted: int = field(compare=False)

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def root(self) -> bytes:
        """Computed from the entries by the recursive definition of RFC 6962."""
        return merkle_oracle.root([sha256(b"\x00" + header).digest() for header, _, _ in self.entries])


EMPTY = StoredFeed((), b"", 0)


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def read_feed(database: Path, origin: str) -> StoredFeed:
    """The feed with this name; EMPTY when there is none."""
    with opened(database) as connection:
        connection.execute("BEGIN")
        found = connection.execute(
            "SELECT id, checkpoint, receipted_size FROM feeds WHERE origin = ?", (origin,)
        ).fetchone()
        if found is None:
            return EMPTY
        rows = connection.execute(
            "SELECT idx, header, salt, payload FROM entries WHERE feed_id = ? ORDER BY idx", (found[0],)
        ).fetchall()
    assert [row[0] for row in rows] == list(range(len(rows))), f"{origin} has gaps"
    return StoredFeed(tuple(row[1:] for row in rows), found[1], found[2])


def feed_names(database: Path) -> set[str]:
    """Names of all feeds in a database."""
    with opened(database) as connection:
        return {row[0] for row in connection.execute("SELECT origin FROM feeds")}


def published_ids(feed: StoredFeed) -> list[str]:
    """Ids of the alerts that a feed publishes, in order, a double as often as it is there."""
    from gateway.v1.alert_pb2 import AlertEvent

    events = [AlertEvent.FromString(payload) for _, _, payload in feed.entries]
    return [event.published.id for event in events if event.WhichOneof("event") == "published"]
