"""Reads a list for the console, in a process of its own: `python -m gateway.console.reading.worker`.

Its arguments are the format, the list's name, the most rows, and defaults for empty fields in base64; the file is its
standard input. Its standard output is a frame for each row: four bytes with the length, one with the kind, then a row
of the contract, or JSON. Processor time and memory are bounded, and it can write no file.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import asdict
from typing import BinaryIO, Final, cast

from gateway.console.views.lists.list_files import read_file
from gateway.errors import GatewayError
from gateway.formats.lists.rows import BadRow
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import ImportRow

MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""Address space; a list is read row by row."""

CPU_S: Final = 60
"""Seconds of the processor: 50,000 entries take some 20."""

ROW, BAD, SKIPPED, ERROR, END = b"R", b"B", b"S", b"E", b"."
"""Kinds of frames."""

TOO_LARGE: Final = 3
"""Exit code where the memory doesn't suffice."""


class _File(io.RawIOBase):
    """Standard input with a position of its own: somebody else may be reading the same open file."""

    def __init__(self) -> None:
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(0).st_size}[whence] + offset
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        chunk = os.pread(0, len(buffer), self._at)
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)


def main() -> int:
    """Reads standard input; returns the exit code."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    kind, name, most, defaults = sys.argv[1:]
    out = sys.stdout.buffer  # noqa: TID251  # for the console
    try:
        for frame_kind, payload in _frames(kind, name, int(most), WatchlistContent.FromString(b64decode(defaults))):
            out.write(len(payload).to_bytes(4, "big") + frame_kind + payload)
    except MemoryError:
        return TOO_LARGE
    out.flush()
    return 0


def _frames(kind: str, name: str, most: int, defaults: WatchlistContent) -> Iterator[tuple[bytes, bytes]]:
    file = cast(BinaryIO, io.BufferedReader(_File()))
    try:
        for number, row in enumerate(read_file(kind, file, name, defaults).rows()):
            if number >= most:
                break
            if isinstance(row, ImportRow):
                yield ROW, row.SerializeToString()
            else:
                yield BAD if isinstance(row, BadRow) else SKIPPED, json.dumps(asdict(row)).encode()
    except GatewayError as error:
        yield ERROR, error.message.encode("utf-8", "replace")
    yield END, b""


if __name__ == "__main__":
    sys.exit(main())
