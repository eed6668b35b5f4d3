"""Saves an index to a file and loads it, so that a start needn't read a million names.

The file: `MAGIC` with the format's version; length of a JSON header, and the header; the columns of every run as in
memory; a BLAKE2b digest of all before. The header has each column's length and the last change (`seq`) of a history
(`source`). A damaged file, or one of another format or other rules (`RULES`), is refused; the caller compares `source`.
The file is written aside, made durable and moved: a crash leaves the old one or the new one.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from gateway.errors import GatewayError, Kind
from gateway.files import OWNER_ONLY, replacement
from gateway.screening.index.columns import NUMBERS, EntryColumns, Postings
from gateway.screening.index.index import NameIndex
from gateway.screening.index.runs import SortedRun

MAGIC = b"gateway screening index 2\n"
RULES = 10
"""Raise it whenever names are read or keyed differently."""

_DIGEST_BYTES = 32
_PIECE = 1 << 24
_BYTES = ("texts", "brands", "ids", "dead")
_FILE_NAMES = {"features": "marks"}
"""Columns with another name in files."""


class SnapshotUnusableError(GatewayError):
    """Reports a snapshot that is missing, damaged, or of another format, version or source."""

    reason = "SNAPSHOT_UNUSABLE"
    kind = Kind.DATA_LOSS
    way_out = (
        "Nothing needs to be done: the index is built anew from the lists, which takes some minutes for a million."
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An index, its last change, and their history."""

    index: NameIndex
    seq: int
    source: str


def write(path: Path, index: NameIndex, *, source: str, seq: int) -> int:
    """Replaces the snapshot and returns its size in bytes. Writing thread only.

    Args:
        source: names the history of changes.
        seq: the last change in the index.

    Raises:
        OSError: disk full or not writable.
    """
    runs = index.sorted_runs()
    header = {
        "rules": RULES,
        "byteorder": sys.byteorder,
        "source": source,
        "seq": seq,
        "groups": index.groups,
        "held": [run.held for run in runs],
        "runs": [{name: len(memoryview(part).cast("B")) for name, part in _parts(run)} for run in runs],
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    with replacement(path, mode=OWNER_ONLY) as file:
        digest = blake2b(digest_size=_DIGEST_BYTES)
        _put(file, digest, MAGIC + len(text).to_bytes(8, "big") + text)
        for run in runs:
            for _, part in _parts(run):
                _put(file, digest, memoryview(part).cast("B"))
        file.write(digest.digest())
        size = file.tell()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return size


def read(path: Path) -> Snapshot:
    """Loads a snapshot.

    Raises:
        SnapshotUnusableError: none can be used.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except FileNotFoundError as error:
        raise SnapshotUnusableError("there is no snapshot of the screening index") from error
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise SnapshotUnusableError(f"the snapshot of the screening index can't be read: {error}") from error


def _read(file: BinaryIO) -> Snapshot:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    if _take(file, digest, len(MAGIC)) != MAGIC:
        raise SnapshotUnusableError("the snapshot of the screening index has another format")
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(_take(file, digest, 8), "big")
    if length > size:
        raise SnapshotUnusableError("the snapshot of the screening index is damaged")
    header: dict[str, Any] = json.loads(_take(file, digest, length))
    if (header["rules"], header["byteorder"]) != (RULES, sys.byteorder):
        raise SnapshotUnusableError("the snapshot of the screening index was made by another version")
    if sum(sum(run.values()) for run in header["runs"]) + file.tell() + _DIGEST_BYTES != size:
        raise SnapshotUnusableError("the snapshot of the screening index is cut off")
    runs = [_read_run(file, digest, *run) for run in zip(header["runs"], header["held"], strict=True)]
    if file.read(_DIGEST_BYTES) != digest.digest():
        raise SnapshotUnusableError("the snapshot of the screening index is damaged: its digest is another one")
    return Snapshot(NameIndex(runs, header["groups"]), int(header["seq"]), str(header["source"]))


def _parts(run: SortedRun) -> Iterator[tuple[str, Any]]:
    for name in (*NUMBERS, *_BYTES):
        yield _FILE_NAMES.get(name, name), getattr(run.columns, name)
    yield "postings", run.postings.values
    yield "present", run.postings.present
    yield "references", run.references.values


def _read_run(file: BinaryIO, digest: Any, sizes: dict[str, int], held: int) -> SortedRun:
    columns = EntryColumns()
    for name, code in NUMBERS.items():
        setattr(columns, name, _numbers(file, digest, code, sizes[_FILE_NAMES.get(name, name)]))
    for name in _BYTES:
        setattr(columns, name, bytearray(_take(file, digest, sizes[name])))
    columns.dead_count = columns.dead.count(1)
    postings = _numbers(file, digest, "Q", sizes["postings"])
    present = bytearray(_take(file, digest, sizes["present"]))
    references = _numbers(file, digest, "Q", sizes["references"])
    return SortedRun(columns, Postings(postings, present), Postings(references), int(held))


def _numbers(file: BinaryIO, digest: Any, code: str, size: int) -> array[int]:
    values: array[int] = array(code)
    while size:
        piece = _take(file, digest, min(size, _PIECE))
        values.frombytes(piece)
        size -= len(piece)
    return values


def _put(file: BinaryIO, digest: Any, part: bytes | memoryview) -> None:
    for at in range(0, len(part), _PIECE):
        piece = part[at : at + _PIECE]
        digest.update(piece)
        file.write(piece)


def _take(file: BinaryIO, digest: Any, size: int) -> bytes:
    piece = file.read(size)
    if len(piece) != size:
        raise SnapshotUnusableError("the snapshot of the screening index is cut off")
    digest.update(piece)
    return piece
