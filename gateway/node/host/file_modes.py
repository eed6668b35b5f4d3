"""Finds out who besides the node's user may read or write its settings, data folder and database files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from gateway.node.settings import Settings

UMASK = 0o077
"""What a node makes is its user's alone."""

DATABASE_ENDINGS = ("", "-wal", "-shm", "-journal")
"""Files of an embedded database, by what follows on its name."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class SharedPath:
    """A file or folder that others may read or write."""

    path: Path
    mode: int

    @property
    def writable(self) -> bool:
        """Whether others may change it, and so what the node trusts and knows."""
        return bool(self.mode & _OTHERS_WRITE)

    def __str__(self) -> str:
        return f"{self.path} (mode {self.mode:04o})"


def shared_paths(settings: Settings, config: Path) -> Iterator[SharedPath]:
    """Of the settings file, the data folder and the embedded database, what others may read or write.

    Raises:
        OSError: a path can't be looked at.
    """
    for path in (config, settings.data_dir, *_database_files(settings)):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        if mode & _OTHERS:
            yield SharedPath(path, mode)


def _database_files(settings: Settings) -> Iterator[Path]:
    url = make_url(settings.effective_database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        database = Path(url.database)
        yield from (database.with_name(database.name + ending) for ending in DATABASE_ENDINGS)
