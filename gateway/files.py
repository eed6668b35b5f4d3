"""Writes files so that neither a crash nor a link planted at their path does harm, and packs .zip files."""

from __future__ import annotations

import io
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY = 0o600
"""Mode of files that nobody but the node's user reads."""

BY_UMASK = 0o666
"""Mode of files whose readers the user's umask decides on."""

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE_MODE = 0o100644 << 16


def create_file(path: Path, *, mode: int = BY_UMASK) -> BinaryIO:
    """Opens a new file for writing, never through a link and never one that exists.

    Raises:
        FileExistsError: something has this name, be it a dangling link.
        OSError: it can't be created.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    return os.fdopen(descriptor, "wb")


@contextmanager
def replacement(path: Path, *, mode: int = BY_UMASK) -> Iterator[BinaryIO]:
    """A file to write piece by piece; it takes the place of `path` when the block has ended well.

    A link at `path` is replaced, not followed. A crash leaves the old file, and perhaps a `.partial` one.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with create_file(partial, mode=mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes, *, mode: int = BY_UMASK) -> None:
    """Writes a file as `replacement` does."""
    with replacement(path, mode=mode) as file:
        file.write(data)


def make_private(*folders: Path) -> None:
    """Makes folders for their owner alone, the outermost first: `parents` wouldn't have the mode."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def listed(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none. `Path.glob` tells no folder from one that can't be read.

    Raises:
        OSError: it can't be read.
    """
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def open_to_append(path: Path, *, mode: int = BY_UMASK) -> int:
    """Descriptor of a file that is written at its end, e.g. a log; never through a link.

    Raises:
        OSError: it can't be opened, or is a link.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def open_to_change(path: Path, *, mode: int = OWNER_ONLY) -> int:
    """Descriptor of a file to lock, read, cut and write anywhere, made if it isn't there; never through a link.

    Raises:
        OSError: it can't be opened, or is a link.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def sync(*paths: Path) -> None:
    """Makes the content of files, and the names in folders, survive a power cut."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def stored_zip(files: Mapping[str, bytes]) -> bytes:
    """A .zip file of these files in the order of their names, uncompressed: the same bytes on every machine.

    Bundles of evidence are verified in this form alone (evidence/codec/bundle.py).
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.create_system, info.external_attr = _UNIX, _FILE_MODE
            archive.writestr(info, content)
    return target.getvalue()
