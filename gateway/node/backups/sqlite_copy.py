"""Copies an SQLite database with SQLite's online backup, beside the process that writes it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from gateway.errors import StoreUnavailableError
from gateway.files import OWNER_ONLY, create_file, sync

PAGES_PER_STEP = 2_000
"""Pages copied at once: 8 MB, some ten milliseconds of a disk."""

PAUSE_S = 0.005
"""Pause between steps, in seconds, in which the writer has the disk alone."""

BUSY_S = 30.0
"""Wait for a lock, in seconds; only the start of the node takes one that excludes readers."""


def copy_database(source: Path, target: Path, *, progress: Callable[[int, int], None] = lambda *_: None) -> None:
    """Copies one committed state of a database, which may be written meanwhile, into a new file.

    1. A transaction holds the state: in WAL mode it blocks no writer, and a commit doesn't restart the copy.
    2. SQLite copies the pages of that state, step by step.
    3. The copy leaves WAL mode: it is one file, readable from a folder that may not be written.
    4. It is durable before the return.

    A crash leaves `target` incomplete; copy again into another file.

    Args:
        progress: is called with pages copied and all pages.

    Raises:
        StoreUnavailableError: the source can't be read, or the target not be written.
    """
    create_file(target, mode=OWNER_ONLY).close()
    try:
        with _opened(source) as reader, _opened(target) as writer:
            reader.execute("BEGIN")  # 1
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reader.backup(  # 2
                writer,
                pages=PAGES_PER_STEP,
                progress=lambda _status, left, pages: _paused(progress, pages - left, pages),
                sleep=PAUSE_S,
            )
            writer.execute("PRAGMA journal_mode=delete")  # 3
        sync(target)  # 4
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailableError(f"{source} can't be copied to {target}: {error}", retry_after_s=None) from error


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _paused(progress: Callable[[int, int], None], copied: int, pages: int) -> None:
    progress(copied, pages)
    time.sleep(PAUSE_S)  # sqlite3 sleeps by itself only while the database is locked
