"""Verifies stored shipment records against the digests in the signed log of records.

The log's own entries and signatures were verified in steps 1 to 6.

* Positions in the log, and of stored items, have no gap.
* Each item's content has the logged digest, or a later log entry says that it was erased.
* Erased items are empty, and the erasing entry's digest covers their digests.
* Heads of the tree of keys have ascending numbers, and the stored tree is that of the newest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.evidence import tables as inspection
from gateway.evidence.service.key_tree_verification import check_key_tree
from gateway.feed.tables import feeds
from gateway.history.codec.shipments import parse_log_event, salted_digest
from gateway.plurals import counted
from gateway.v1 import record_log_pb2

STEP = "9 records"

CHUNK = 100
"""Log entries read at once: 50,000 digests."""

_HASH = 32

Add = Callable[[int | None, str], None]
"""Called with a position (None if unknown) and a problem."""


def check_records(database: Database, feed_id: int, size: int, add: Add) -> int:
    """Verifies the first `size` entries of a log of records; returns the number of items."""
    digests = bytearray()  # 32 bytes an item: 160 MB for five million
    erased: set[int] = set()
    head = record_log_pb2.KeyTreeMoved()
    for event in _events(database, feed_id, size, add):
        match event.WhichOneof("event"):
            case "added":
                count = len(digests) // _HASH
                if event.added.first_position != count + 1 or len(event.added.digests) % _HASH:
                    add(event.added.first_position, f"the log goes on after {counted(count, 'item')}")
                digests += event.added.digests
            case "erased":
                positions = event.erased.positions
                erased.update(positions)
                known = b"".join(_digest(digests, at) for at in positions)
                if sha256(known).digest() != event.erased.digest:
                    first = positions[0] if positions else None
                    add(first, "the entry that says what was erased has another digest than these items")
            case "key_tree_moved":
                if event.key_tree_moved.number <= head.number:
                    add(None, f"head {event.key_tree_moved.number} of the tree of keys comes after {head.number}")
                head = event.key_tree_moved
            case _:
                pass
    check_key_tree(database, head, lambda problem: add(None, problem))
    count = len(digests) // _HASH
    for at, salt, content in _rows(database, count, add):
        wrong = _fault(salt, content, _digest(digests, at), erased=at in erased)
        if wrong:
            add(at, wrong)
    return count


def _digest(digests: bytearray, position: int) -> bytes:
    return bytes(digests[(position - 1) * _HASH : position * _HASH]) if position > 0 else b""


def _events(database: Database, feed_id: int, size: int, add: Add) -> Iterator[record_log_pb2.RecordLogEvent]:
    for first in range(0, size, CHUNK):
        with database.read() as conn:
            entries = feeds.read_entries(conn, feed_id, first, min(first + CHUNK, size))
        for entry in entries:
            try:
                yield parse_log_event(entry.payload)
            except GatewayError as error:
                add(None, f"entry {entry.index} of the log: {error.message}")


def _rows(database: Database, count: int, add: Add) -> Iterator[tuple[int, bytes, bytes]]:
    expected = 1
    while expected <= count:
        with database.read() as conn:
            rows = inspection.records_after(conn, expected - 1, CHUNK * 10)
        for position, salt, content in rows:
            if position > count:
                break
            for missing in range(expected, position):
                add(missing, "the item is missing")
            yield position, salt, content
            expected = position + 1
        if not rows or rows[-1][0] > count:
            break
    for missing in range(expected, count + 1):
        add(missing, "the item is missing")


def _fault(salt: bytes, content: bytes, digest: bytes, *, erased: bool) -> str:
    """An item's problem; empty for none."""
    if not content and not salt:
        return "" if erased else "the content is gone, and the log doesn't say that it was erased"
    if erased:
        return "the log says that the content was erased, and it is there"
    return "" if salted_digest(salt, content) == digest else "the content isn't the one that the log committed to"
