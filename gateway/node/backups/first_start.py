"""Lets a node start on an empty folder only when somebody has said what that means: a new node, or lost data.

A node whose disk was lost would take itself for a new one: it would answer "complete" for records that it had, and sign
its local feeds anew.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path

from gateway.db import migrate
from gateway.db.database import Database
from gateway.db.url import parse_url
from gateway.errors import ConfigurationError
from gateway.feed.service.continuity.mark_files import peek
from gateway.node.defaults import STARTS_FILE
from gateway.node.marks import mark_places, open_marks
from gateway.node.settings import Settings
from gateway.node.sole_use import sole_use


def require_prepared(settings: Settings) -> None:
    """Refuses a start on an empty folder and an empty database that nobody has prepared.

    Raises:
        ConfigurationError: nothing tells a new node from one that has lost its data.
        StoreUnavailableError: the database can't be reached.
    """
    if is_prepared(settings):
        return
    raise ConfigurationError(
        f"data_dir: {settings.data_dir} and the database are empty, and nothing says whether {settings.node} is new",
        way_out=(
            "If it is new: `gateway prepare --new`. If it has run before and lost its data: `gateway restore BACKUP`; "
            "without a backup `gateway prepare --data-lost`, then `gateway recover` (docs/runbook/lost-disk.md)."
        ),
    )


def prepare_start(settings: Settings, *, data_lost: bool, now: datetime) -> None:
    """Leaves in an empty folder, and on PostgreSQL in the empty database, what a first start needs.

    Args:
        data_lost: the node has run before, and its data are gone.

    Raises:
        ConfigurationError: the folder or the database isn't empty, or the node runs.
        StoreUnavailableError: the folder can't be written, or the database can't be reached.
    """
    with sole_use(settings, command="gateway prepare"):
        if is_prepared(settings):
            raise ConfigurationError(
                f"data_dir: {settings.data_dir}, or the database, isn't empty: {settings.node} can start",
                way_out="Start it: `gateway serve`. To put a backup in its place: `gateway restore BACKUP`.",
            )
        with closing(open_marks(settings)) as marks:
            marks.set_up(int(now.timestamp()) * 1000, lost_at=int(now.timestamp() * 1000) if data_lost else 0)
        if parse_url(settings.effective_database_url).get_backend_name() == "postgresql":
            with closing(Database(settings.effective_database_url)) as database:
                migrate.upgrade(database)  # further replicas have folders of their own


def is_prepared(settings: Settings) -> bool:
    """Whether a place of the marks, or the database, is a node's that has been prepared or has run."""
    if any(peek(place) for place in mark_places(settings)) or (settings.data_dir / STARTS_FILE).exists():
        return True
    url = parse_url(settings.effective_database_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).exists()):
        return False
    with closing(Database(settings.effective_database_url)) as database, database.read() as conn:
        return migrate.schema_version(conn) is not None
