"""Reads and writes bundles on disk: a .zip file or a folder.

Bundles are untrusted: links and special files are refused, and sizes are checked before contents are read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import ConfigurationError, MalformedError, TooLargeError
from gateway.evidence.codec.bundle import (
    MAX_BUNDLE_BYTES,
    MAX_FILES,
    MAX_ZIP_BYTES,
    Bundle,
    decode_zip,
    encode_zip,
    require_file_name,
    require_file_size,
)

ZIP_SUFFIX = ".zip"

_MAX_DEPTH = 2
"""Nesting of folders in a bundle: events, and one for each event."""


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Writes a bundle to a .zip file (by its name) or a new folder.

    Raises:
        ConfigurationError: the path exists.
        OSError: not writable.
    """
    if path.exists() or path.is_symlink():
        raise ConfigurationError(f"{path} exists already: choose another --out or move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    if path.suffix == ZIP_SUFFIX:
        partial.write_bytes(encode_zip(bundle))
    else:
        partial.mkdir()
        for name, content in bundle.files.items():
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    partial.rename(path)


def read_bundle(path: Path) -> Bundle:
    """Reads a bundle from a folder or a .zip file.

    Raises:
        TooLargeError: it exceeds a limit.
        MalformedError: unknown files, or not a canonical .zip file.
        OSError: not readable.
    """
    if path.is_dir():
        return Bundle.of(_files(path))
    with path.open("rb") as file:
        data = file.read(MAX_ZIP_BYTES + 1)
    return decode_zip(data)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    for number, (name, path) in enumerate(_walk(root, "", 0)):
        if number >= MAX_FILES:
            raise TooLargeError(f"a bundle has at most {MAX_FILES} files")
        require_file_name(name)
        size = path.stat().st_size
        require_file_size(name, size)
        total += size
        if total > MAX_BUNDLE_BYTES:
            raise TooLargeError(f"the files have more than {MAX_BUNDLE_BYTES} bytes")
        yield name, path.read_bytes()


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISREG(mode):
                yield name, Path(entry.path)
            elif stat.S_ISDIR(mode) and depth < _MAX_DEPTH:
                yield from _walk(Path(entry.path), name + "/", depth + 1)
            else:
                raise MalformedError(f"{name} is neither a file nor a folder of a bundle")
