"""Files that are coming, piece by piece: each in a file of its own that nobody reads before it is whole.

What a crash leaves goes on at its size; what nobody goes on with is removed after a day.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Self

from gateway.attachments.rules.limits import HEAD_BYTES, FileLimits
from gateway.attachments.service.storage import failing_as_store
from gateway.errors import FileRefusedError, InvalidRequestError, OverloadedError, Violation
from gateway.files import open_to_change

ABANDONED_S = 24 * 3600.0
"""Seconds after its last byte when a partial file is removed."""

_RETRY_S = 1.0


class PartialFile:
    """A file that is being written; used by one caller at a time.

    Attributes:
        size: bytes that are there.
    """

    def __init__(self, path: Path, descriptor: int, size: int, limits: FileLimits) -> None:
        self.path = path
        self.size = size
        self._descriptor = descriptor
        self._limits = limits

    def append(self, chunk: bytes) -> None:
        """Adds bytes. Raises FileRefusedError beyond the largest size, StoreUnavailableError when the disk is full."""
        self._limits.require_size(self.size + len(chunk))
        with failing_as_store():
            view = memoryview(chunk)
            while view:
                written = os.pwrite(self._descriptor, view, self.size)
                self.size += written
                view = view[written:]

    def head(self) -> bytes:
        """The first bytes."""
        with failing_as_store():
            return os.pread(self._descriptor, HEAD_BYTES, 0)

    def require_digest(self, expected: bytes) -> None:
        """Makes the bytes durable and compares their digest; other bytes are discarded.

        Raises:
            FileRefusedError: they have another digest.
        """
        with failing_as_store():
            os.fsync(self._descriptor)
            with self.path.open("rb") as file:
                digest = file_digest(file, "sha256").digest()
        if digest != expected:
            self.discard()
            raise FileRefusedError(
                f"the bytes have the digest {digest.hex()}, not {expected.hex()}: they are discarded",
                metadata={"field": "sha256"},
            )

    def discard(self) -> None:
        """Removes it."""
        with failing_as_store():
            os.ftruncate(self._descriptor, 0)
            self.path.unlink(missing_ok=True)
        self.size = 0


class Uploads:
    """The partial files of one process, in a folder of their own. Thread-safe but for one name at once."""

    def __init__(self, folder: Path, limits: FileLimits) -> None:
        self.folder = folder
        self._limits = limits
        self._open: set[str] = set()

    def prepare(self) -> Self:
        """Makes the folder. Raises StoreUnavailableError."""
        with failing_as_store():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    @staticmethod
    def of_caller(principal: str, upload_id: str) -> str:
        """Name of a caller's upload: nobody else goes on with it or learns of it."""
        return "upload-" + sha256(f"{principal}\n{upload_id.lower()}".encode()).hexdigest()

    @staticmethod
    def of_fetch(digest: str, partner: str) -> str:
        """Name of a file that comes from a partner."""
        return f"fetch-{digest}-" + sha256(partner.encode()).hexdigest()[:16]

    def size(self, name: str) -> int:
        """Bytes of a partial file that are there; 0 without one."""
        try:
            return self._path(name).stat().st_size
        except OSError:
            return 0

    @contextmanager
    def opened(self, name: str, offset: int | None = None) -> Iterator[PartialFile]:
        """A partial file, to go on at an offset (0 anew, None where it is).

        Raises:
            InvalidRequestError: it has fewer bytes.
            OverloadedError: it is being written.
        """
        if name in self._open:
            raise OverloadedError("this upload is being written by another call", retry_after_s=_RETRY_S)
        self._open.add(name)
        descriptor = -1
        try:
            path = self._path(name)
            with failing_as_store():
                descriptor = open_to_change(path)
                size = os.fstat(descriptor).st_size
            at = size if offset is None else offset
            if at > size:
                text = f"{size} bytes are here: go on at most there"
                raise InvalidRequestError([Violation("begin.offset", "offset.here", text)])
            with failing_as_store():
                os.ftruncate(descriptor, at)
            yield PartialFile(path, descriptor, at, self._limits)
        finally:
            self._open.discard(name)
            if descriptor >= 0:
                os.close(descriptor)

    def discard(self, name: str) -> None:
        """Removes a partial file, if it is there and nobody writes it."""
        if name not in self._open:
            with failing_as_store():
                self._path(name).unlink(missing_ok=True)

    def total(self) -> int:
        """Bytes of all partial files."""
        return sum(found.st_size for _, found in self._files())

    def sweep(self, *, older_s: float = ABANDONED_S) -> int:
        """Removes partial files that nobody has written to for so many seconds; returns their number."""
        now_s, gone = time.time(), 0
        for path, found in self._files():
            if now_s - found.st_mtime > older_s and path.stem not in self._open:
                with failing_as_store():
                    path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in sorted(self.folder.glob("*.part")):
            try:
                yield path, path.stat()
            except OSError:
                continue  # it has just ended

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.part"
