"""Reads and writes files for commands; private keys are in trust.pki.secret_files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.errors import ConfigurationError, TooLargeError
from gateway.files import BY_UMASK, replacement
from gateway.translation.messages import gettext as _

MAX_INPUT_BYTES = 1 << 20
"""Largest file that is read here, in bytes: a signed note ends at 1 MiB."""


def read_input(path: Path, max_bytes: int = MAX_INPUT_BYTES) -> bytes:
    """A file's bytes; TooLargeError above `max_bytes`."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLargeError(
            _(
                "{path} has more than {max_bytes} bytes; this isn't what the command reads",
                path=path,
                max_bytes=max_bytes,
            )
        )
    return data


def write_output(path: Path, data: bytes, *, replace: bool = False, mode: int = BY_UMASK) -> None:
    """Writes a file; raises as `output_file`."""
    with output_file(path, replace=replace, mode=mode) as file:
        file.write(data)


@contextmanager
def output_file(path: Path, *, replace: bool = False, mode: int = BY_UMASK) -> Iterator[BinaryIO]:
    """A file to write piece by piece; it appears when the block has ended well.

    Raises:
        ConfigurationError: it exists, and `replace` isn't set.
    """
    if os.path.lexists(path) and not replace:
        raise ConfigurationError(_("{path} exists already: choose another --out or move it away", path=path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacement(path, mode=mode) as file:
        yield file
