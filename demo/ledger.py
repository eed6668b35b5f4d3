"""What lies in a gateway's database, read from its file: each feed with a root that is computed here once more.

It is a second opinion: nothing that the gateway says about itself is taken for granted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from gateway.tlog.checkpoint import parse_checkpoint_body
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import parse_note
from gateway.v1.alert_pb2 import AlertEvent
from gateway.v1.feed_pb2 import DispositionOutcome


@dataclass(frozen=True, slots=True)
class FeedCopy:
    """One side's copy of a feed.

    Attributes:
        origin: its name.
        size: entries that are there, from the first without a gap.
        root: Merkle root over their headers, as computed here.
        signed_root: root in the newest checkpoint that the publisher signed.
        receipted_size: entries under the newest receipt.
        published: ids of the alerts that it publishes, in order; a double would stand here twice.
        kinds: events by kind.
        outcomes: entries of the other direction's feed by what the publisher of this one made of them.
    """

    origin: str
    size: int
    root: bytes
    signed_root: bytes
    receipted_size: int
    published: tuple[str, ...]
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)


def read_feeds(database: Path) -> dict[str, FeedCopy]:
    """All feeds of alerts in a gateway's SQLite file by name; it may be running."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")  # one state for all that follows
        rows = connection.execute(
            "SELECT id, origin, checkpoint, receipted_size FROM feeds WHERE size > 0 AND origin LIKE '%/alerts%'"
        ).fetchall()
        return {origin: _read(connection, key, origin, note, receipted) for key, origin, note, receipted in rows}


def _read(connection: sqlite3.Connection, key: int, origin: str, note: bytes, receipted: int) -> FeedCopy:
    rows = connection.execute("SELECT idx, header, payload FROM entries WHERE feed_id = ? ORDER BY idx", (key,))
    leaves: list[bytes] = []
    published: list[str] = []
    kinds: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for index, header, payload in rows:
        if index != len(leaves):
            break  # a gap: what follows it doesn't count as there
        leaves.append(leaf_hash(header))
        event = AlertEvent.FromString(payload)
        kind = event.WhichOneof("event") or "unknown"
        kinds[kind] += 1
        if kind == "published":
            published.append(event.published.id)
        elif kind == "disposition":
            name = DispositionOutcome.Name(event.disposition.outcome)
            outcomes[name.removeprefix("DISPOSITION_OUTCOME_").lower()] += event.disposition.count
    root = Tree.empty().append(leaves).tree.root
    signed = parse_checkpoint_body(parse_note(note).unverified_text).root
    return FeedCopy(origin, len(leaves), root, signed, receipted, tuple(published), kinds, outcomes)
