"""Reads and writes files that hold private keys and passphrases."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from gateway.errors import CredentialsError
from gateway.files import OWNER_ONLY, create_file

MAX_SECRET_FILE_BYTES = 64 * 1024
"""A key or passphrase has a few hundred bytes; the cap stops a wrong path from being read whole."""

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def write_secret(path: Path, data: bytes) -> None:
    """Creates a file with mode 0600 and makes it durable; a missing parent folder gets mode 0700.

    Raises:
        ConfigurationError: the path exists (a key is never overwritten), or the folder can't be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CredentialsError(f"folder {path.parent} can't be made: {error.strerror}") from error
    try:
        created = create_file(path, mode=OWNER_ONLY)
    except FileExistsError:
        raise CredentialsError(f"{path} exists already and a key is never overwritten: move it away first") from None
    except OSError as error:
        raise CredentialsError(f"{path} can't be created: {error.strerror}") from error
    try:
        with created as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a key is worse than none
        raise CredentialsError(f"{path} can't be written: {error.strerror}") from error


def read_secret(path: Path) -> bytes:
    """Bytes of a secret file; the open file is checked, not its path, so nothing can be swapped in between.

    Raises:
        ConfigurationError: missing, not a regular file, too large, or readable or writable by group or others.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CredentialsError(f"{path} isn't a regular file")
            data = file.read(MAX_SECRET_FILE_BYTES + 1)
            if data.startswith(_CERTIFICATE):
                raise CredentialsError(f"{path} is a certificate, not a secret key")
            if status.st_mode & _OTHERS:
                raise CredentialsError(
                    f"{path} holds a secret and is open to group or others (mode {stat.S_IMODE(status.st_mode):04o}): "
                    f"run `chmod 600 {path}`, and replace the secret if others could have read it",
                    way_out=f"Run `chmod 600 {path}`.",
                )
    except OSError as error:
        raise CredentialsError(f"{path} can't be read: {error.strerror}") from error
    if len(data) > MAX_SECRET_FILE_BYTES:
        raise CredentialsError(f"{path} is larger than {MAX_SECRET_FILE_BYTES} bytes; this isn't a key or passphrase")
    return data


def read_passphrase(
    *, file: Path | None = None, variable: str | None = None, environment: Mapping[str, str]
) -> bytes | None:
    """The passphrase from a file, without one final newline, or an environment variable; None when neither is named.

    Raises:
        ConfigurationError: both are named, the named one is missing or empty, or the file is open to others.
    """
    if file is not None and variable is not None:
        raise CredentialsError("a passphrase comes from a file or from an environment variable; name only one")
    if file is not None:
        passphrase = read_secret(file).removesuffix(b"\n").removesuffix(b"\r")
        source = str(file)
    elif variable is not None:
        passphrase = environment.get(variable, "").encode()
        source = f"environment variable {variable}"
    else:
        return None
    if not passphrase:
        raise CredentialsError(f"{source} should hold the passphrase of a key and is empty or not set")
    return passphrase


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
