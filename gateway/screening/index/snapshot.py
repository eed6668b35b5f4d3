"""Saves an index to a file and searches it there, so that a start needn't read a million names.

The file: `MAGIC` with the format's version; length of a JSON header, and the header; the columns of every run as in
memory, each from a multiple of `_ALIGNED` bytes on; a BLAKE2b digest of all before. The header has each column's length
and the last change (`seq`) of a history (`source`). A damaged file, or one of another format or other rules (`RULES`),
is refused; the caller compares `source`. The file is written aside, made durable and moved: a crash leaves the old one
or the new one.

What is read is mapped, not copied: pages that no search needs take no memory, and what takes memory can be dropped by
the system and read again. Of names and postings a search needs a few pieces, which are read from the file: the system
would map sixteen pages and more for each. The file must not be changed in place.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from gateway.errors import GatewayError, Kind
from gateway.files import OWNER_ONLY, replacement
from gateway.screening.index.columns import BYTES, NUMBERS, READ_FROM_FILE, Code, EntryColumns, FileBytes, FileNumbers
from gateway.screening.index.index import NameIndex
from gateway.screening.index.postings import Postings
from gateway.screening.index.runs import SortedRun

MAGIC = b"gateway screening index 4\n"
RULES = 11
"""Raise it whenever names are read or keyed differently."""

_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_PIECE = 1 << 20
MOST_MAPPED = 32_000_000
"""Bytes of a column of names or postings, above which it is read from the file: reading costs a search 7 %."""
_ALIGNED = 64
"""A line of the processor's cache; eight bytes are needed."""


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
        "runs": [{name: len(part) for name, part in _parts(run)} for run in runs],
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    with replacement(path, mode=OWNER_ONLY) as file:
        target = _DigestedFile(file)
        target.put(MAGIC + len(text).to_bytes(_LENGTH_BYTES, "big") + text)
        for run in runs:
            for _, part in _parts(run):
                target.put(part)
        file.write(target.digest.digest())
        size = file.tell()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return size


class _DigestedFile:
    """Writes aligned parts."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = blake2b(digest_size=_DIGEST_BYTES)

    def put(self, part: bytes | memoryview | FileBytes) -> None:
        for at in range(0, len(part), _PIECE):
            self._write(part[at : at + _PIECE])
        self._write(bytes(-len(part) % _ALIGNED))

    def _write(self, piece: bytes | memoryview) -> None:
        self.digest.update(piece)
        self._file.write(piece)


def read(path: Path) -> Snapshot:
    """Verifies a snapshot and maps it.

    Raises:
        SnapshotUnusableError: none can be used.
    """
    try:
        with path.open("rb") as file:
            _verify(file)
            return _mapped(_Parts(file))
    except FileNotFoundError as error:
        raise SnapshotUnusableError("there is no snapshot of the screening index") from error
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise SnapshotUnusableError(f"the snapshot of the screening index can't be read: {error}") from error


def _verify(file: BinaryIO) -> None:
    """Reads all of it, so that what is mapped stands in the system's cache."""
    digest, left = blake2b(digest_size=_DIGEST_BYTES), os.fstat(file.fileno()).st_size - _DIGEST_BYTES
    buffer = memoryview(bytearray(_PIECE))
    if file.read(len(MAGIC)) != MAGIC:
        raise SnapshotUnusableError("the snapshot of the screening index has another format")
    digest.update(MAGIC)
    left -= len(MAGIC)
    while left > 0 and (count := file.readinto(buffer[: min(left, _PIECE)])):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
        left -= count
    if left or file.read() != digest.digest():
        raise SnapshotUnusableError("the snapshot of the screening index is damaged: its digest is another one")


def _mapped(parts: _Parts) -> Snapshot:
    """The index in a verified file."""
    header: dict[str, Any] = json.loads(parts.header())
    if (header["rules"], header["byteorder"]) != (RULES, sys.byteorder):
        raise SnapshotUnusableError("the snapshot of the screening index was made by another version")
    runs = [_run(parts, *run) for run in zip(header["runs"], header["held"], strict=True)]
    return Snapshot(NameIndex(runs, header["groups"]), int(header["seq"]), str(header["source"]))


class _Parts:
    """Takes the aligned parts of a file, one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self._file = file
        self._at = 0

    def header(self) -> bytes:
        fixed = len(MAGIC) + _LENGTH_BYTES
        length = int.from_bytes(self._content[len(MAGIC) : fixed], "big")
        start = self._next(fixed + length)
        return bytes(self._content[start + fixed : start + fixed + length])

    def mapped(self, size: int) -> memoryview:
        start = self._next(size)
        return self._content[start : start + size]

    def in_file(self, size: int) -> FileBytes:
        return FileBytes(os.dup(self._file.fileno()), self._next(size), size)

    def _next(self, size: int) -> int:
        start = self._at
        self._at = start + size + -size % _ALIGNED
        return start


_CODES: dict[str, Code] = NUMBERS | {"fences": "I", "postings": "Q", "reference_fences": "I", "reference_postings": "Q"}
"""Of the other parts bytes."""


def _parts(run: SortedRun) -> Iterator[tuple[str, memoryview | FileBytes]]:
    """Bytes in file order."""
    for name in (*NUMBERS, *BYTES, "dead"):
        yield name, _bytes_of(getattr(run.columns, name))
    for prefix, postings in (("", run.postings), ("reference_", run.references)):
        yield f"{prefix}postings", _bytes_of(postings.values)
        yield f"{prefix}present", _bytes_of(postings.present)
        yield f"{prefix}fences", _bytes_of(postings.fences)


def _part(parts: _Parts, name: str, size: int) -> memoryview | FileBytes | FileNumbers:
    code = _CODES.get(name, "B")
    if name in READ_FROM_FILE and size > MOST_MAPPED:
        content = parts.in_file(size)
        return FileNumbers(content) if code == "Q" else content
    return parts.mapped(size).cast(code)


def _bytes_of(part: Any) -> memoryview | FileBytes:
    if isinstance(part, FileNumbers):
        return part.content
    return part if isinstance(part, FileBytes) else memoryview(part).cast("B")


def _run(parts: _Parts, sizes: dict[str, int], held: int) -> SortedRun:
    part: dict[str, Any] = {name: _part(parts, name, size) for name, size in sizes.items()}
    postings, references = (
        Postings(part[f"{prefix}postings"], part[f"{prefix}present"], part[f"{prefix}fences"])
        for prefix in ("", "reference_")
    )
    return SortedRun(EntryColumns(part, bytearray(part["dead"])), postings, references, int(held))
