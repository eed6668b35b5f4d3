"""Opens the database and the directory that a node has, for commands beside it or without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.db import migrate
from gateway.db.database import Database
from gateway.db.url import parse_url
from gateway.errors import ConfigurationError
from gateway.node.directory_store import DirectoryStore, KeptVersions, pinned_anchors
from gateway.node.settings import Settings
from gateway.trust.service.directory_offers import DirectoryState
from gateway.trust.service.directory_versions import TrustedDirectory


@contextmanager
def existing_database(settings: Settings) -> Iterator[Database]:
    """Opens a node's database; raises as `maintenance`."""
    require_database_file(settings)
    database = Database(settings.effective_database_url)
    try:
        with database.read() as conn:
            if migrate.schema_version(conn) is None:
                raise ConfigurationError("database_url: that isn't a gateway's database; `gateway serve` makes it one")
        yield database
    finally:
        database.close()


def require_database_file(settings: Settings) -> None:
    """Raises ConfigurationError where the file of an embedded database is missing."""
    url = settings.effective_database_url
    path = parse_url(url).database
    if url.startswith("sqlite") and path and not Path(path).exists():
        raise ConfigurationError(f"database_url: there is no database at {path}; `gateway serve` makes it")


def accepted_directory(settings: Settings) -> TrustedDirectory:
    """The last accepted directory; before the first start, verifies the file."""
    kept, anchors = KeptVersions(settings.data_dir), pinned_anchors(settings)
    newest = kept.newest(anchors)
    if newest is not None:
        return newest
    return DirectoryStore(settings.directory.file, kept=kept, anchors=anchors, now=datetime.now(UTC)).trusted()


def directory_state(settings: Settings) -> DirectoryState:
    """Accepted and offered versions, verified; changes nothing.

    Raises:
        DirectoryError: a kept version doesn't verify.
        ConfigurationError: no version was accepted here yet.
    """
    kept = KeptVersions(settings.data_dir)
    history = kept.history(pinned_anchors(settings))
    if not history:
        raise ConfigurationError(
            f"data_dir: no version of the directory was in force in {settings.data_dir} yet",
            way_out="Start the node first: gateway serve.",
        )
    return kept.restricted(history)
