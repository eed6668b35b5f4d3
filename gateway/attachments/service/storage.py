"""Stores the bytes of files by their digest; what may be read of them, the database says."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.errors import FileDamagedError, StoreUnavailableError
from gateway.files import sync

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A file in the store: its digest in hexadecimal, size in bytes, and age in seconds."""

    sha256: str
    size: int
    age_s: float


class FileStore(Protocol):
    """Files by digest (SHA-256 in hexadecimal).

    `put` returns when the file survives a power cut; readers see it whole or not at all. All methods may run in any
    thread. They raise StoreUnavailableError when the store can't be reached or written.
    """

    def put(self, sha256: str, source: Path) -> None:
        """Takes a local file's bytes, in place of what is there; the file is gone afterwards."""

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        """Bytes from an offset, fewer at the end. Raises FileDamagedError when there is no such file."""

    def delete(self, sha256: str) -> None:
        """Removes a file, if it is there."""

    def objects(self) -> Iterator[StoredObject]:
        """All files, in any order."""

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """A path at which another process can read a file meanwhile. Raises FileDamagedError when it isn't there."""


class FolderStore:
    """A folder; a file lies under its digest, in a folder of the digest's first two digits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, sha256: str, source: Path) -> None:
        path = self._path(sha256)
        with failing_as_store():
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            sync(source)
            source.replace(path)
            sync(path.parent, self._folder)

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        with failing_as_store(sha256), self._path(sha256).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def delete(self, sha256: str) -> None:
        path = self._path(sha256)
        with failing_as_store():
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync(path.parent)

    def objects(self) -> Iterator[StoredObject]:
        now_s = time.time()
        for path in sorted(self._folder.glob("??/*")):
            if _DIGEST.match(path.name) and path.parent.name == path.name[:2]:
                with failing_as_store(path.name):
                    found = path.stat()
                yield StoredObject(path.name, found.st_size, now_s - found.st_mtime)

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        path = self._path(sha256)
        if not path.is_file():
            raise missing(sha256)
        yield path

    def _path(self, sha256: str) -> Path:
        return self._folder / require_digest(sha256)[:2] / sha256


def require_digest(sha256: str) -> str:
    """The digest; raises ValueError for what isn't one, so that nothing else becomes a path."""
    if not _DIGEST.match(sha256):
        raise ValueError("not a SHA-256 in hexadecimal")
    return sha256


def missing(sha256: str) -> FileDamagedError:
    """The error of a file that the database has and the store hasn't."""
    return FileDamagedError(f"the bytes of file {sha256} are gone", metadata={"sha256": sha256})


@contextmanager
def failing_as_store(sha256: str = "") -> Iterator[None]:
    """Turns errors of files into the store's: with a digest, a missing file is damage."""
    try:
        yield
    except FileNotFoundError as error:
        if sha256:
            raise missing(sha256) from error
        raise StoreUnavailableError(f"evidence files: {error.strerror or error}") from error
    except OSError as error:
        about = {"about": "disk"} if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
        said = os.strerror(error.errno) if error.errno else error
        raise StoreUnavailableError(f"evidence files: {said}", metadata=about) from error
