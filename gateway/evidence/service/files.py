"""Reads and writes bundles on disk: a .zip file or a folder.

Bundles are untrusted: links and special files are refused, and sizes are checked before contents are read.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import MalformedError, OptionError, TooLargeError
from gateway.evidence.codec.bundle import (
    MAX_BUNDLE_BYTES,
    MAX_EVENTS,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_PARTS_BYTES,
    Bundle,
    decode_zips,
    encode_zip,
    require_file_name,
    require_file_size,
)
from gateway.files import create_file, replace_file

ZIP_SUFFIX = ".zip"

_MAX_DEPTH = 2
"""Nesting of folders in a bundle: events, and one for each event."""

_MAX_NAMES = MAX_FILES + MAX_EVENTS + 1
"""Most names looked at in a folder: files, and the folders they are in."""


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Writes a bundle to a .zip file (by its name) or a new folder.

    Raises:
        OptionError: the path exists.
        OSError: not writable.
    """
    if path.exists() or path.is_symlink():
        raise OptionError(f"{path} exists already", way_out="Choose another --out, or move it away.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ZIP_SUFFIX:
        replace_file(path, encode_zip(bundle))
        return
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    partial.mkdir()
    for name, content in bundle.files.items():
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with create_file(target) as file:
            file.write(content)
    partial.rename(path)


def read_bundle(path: Path) -> Bundle:
    """Reads a bundle from a folder or a .zip file.

    Raises:
        TooLargeError: it exceeds a limit.
        MalformedError: unknown files, or not a canonical .zip file.
        OSError: not readable.
    """
    (bundle, *others) = read_bundles(path)
    if others:
        raise MalformedError(f"{path.name} has {len(others) + 1} bundles: unpack it, each of them stands alone")
    return bundle


def read_bundles(path: Path) -> list[Bundle]:
    """The bundle of a folder or a .zip file, or those of a .zip file that has several; raises as `read_bundle`."""
    if path.is_dir():
        return [Bundle.of(_files(path))]
    with path.open("rb") as file:
        data = file.read(MAX_PARTS_BYTES + 1)
    return decode_zips(data)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    for name, path in _walk(root):
        require_file_name(name)
        content = _read(name, path)
        total += len(content)
        if total > MAX_BUNDLE_BYTES:
            raise TooLargeError(f"the files have more than {MAX_BUNDLE_BYTES} bytes")
        yield name, content


def _read(name: str, path: Path) -> bytes:
    """A file's bytes; what was put in its place since the folder was listed isn't followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _foreign(name)
        require_file_size(name, status.st_size)
        content = file.read(MAX_FILE_BYTES + 1)
    require_file_size(name, len(content))
    return content


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Files by name; stops after as many names as a bundle can have."""
    files = names = 0
    folders = [(root, "", 0)]
    while folders:
        folder, prefix, depth = folders.pop()
        with os.scandir(folder) as listing:
            for entry in listing:
                name = prefix + entry.name
                mode = entry.stat(follow_symlinks=False).st_mode
                names, files = names + 1, files + stat.S_ISREG(mode)
                if names > _MAX_NAMES or files > MAX_FILES:
                    raise TooLargeError(f"a bundle has at most {MAX_FILES} files")
                if stat.S_ISREG(mode):
                    yield name, Path(entry.path)
                elif stat.S_ISDIR(mode) and depth < _MAX_DEPTH:
                    folders.append((Path(entry.path), name + "/", depth + 1))
                else:
                    raise _foreign(name)


def _foreign(name: str) -> MalformedError:
    return MalformedError(f"{name} is neither a file nor a folder of a bundle")
