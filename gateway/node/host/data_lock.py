"""Keeps a second process off a data folder and off an embedded database, wherever that lies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.db.url import parse_url
from gateway.errors import ConfigurationError
from gateway.files import open_to_change
from gateway.node.settings import Settings

LOCK_FILE = "lock"
"""File in the data folder that the process locks which uses the folder; it holds that process's id."""

_MAX_PID_CHARS = 20


@contextmanager
def locked_data(settings: Settings) -> Iterator[None]:
    """Locks the data folder, and beside its file an embedded database, while the block runs.

    The lock ends with the process, however that ends: a file that is left says nothing.

    Raises:
        ConfigurationError: another process has it, or the file can't be made.
    """
    with ExitStack() as held:
        held.enter_context(_locked(settings.data_dir / LOCK_FILE, "data_dir", str(settings.data_dir)))
        url = parse_url(settings.effective_database_url)
        if url.get_backend_name() == "sqlite" and url.database:
            database = Path(url.database).resolve()  # by whatever name the settings reach it
            lock = database.with_name(f"{database.name}.{LOCK_FILE}")
            held.enter_context(_locked(lock, "database_url", str(database)))
        yield


@contextmanager
def _locked(path: Path, setting: str, what: str) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = open_to_change(path)
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} can't be made: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, _MAX_PID_CHARS, 0).decode("ascii", "replace").strip()
            by = f"process {holder}" if holder else "another process"
            raise ConfigurationError(
                f"{setting}: {what} is in use: {by} holds the lock {path}",
                way_out=f"Stop {by} first; a replica needs PostgreSQL and a data_dir of its own.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
