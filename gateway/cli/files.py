"""Reads and writes files for commands; private keys are in trust.pki.secret_files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.errors import GatewayError, OptionError, TooLargeError
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


@contextmanager
def naming(path: Path, *, way_out: str = "") -> Iterator[None]:
    """Adds the file's name, and the step that helps, to errors about its content."""
    try:
        yield
    except GatewayError as error:
        if str(path) not in error.message:
            error.message = f"{path}: {error.message}"
        if way_out:
            error.way_out = way_out
        raise


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
        raise OptionError(_("{path} exists already", path=path), way_out=_("Choose another --out, or move it away."))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacement(path, mode=mode) as file:
        yield file
