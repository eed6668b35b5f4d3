"""Restores a node's database from a backup, and says before what the backup lacks."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import inspect

from gateway.db import migrate
from gateway.db.database import Database
from gateway.db.url import parse_url
from gateway.errors import ConfigurationError
from gateway.feed.tables import restores
from gateway.feed.tables.restores import Loss
from gateway.files import sync
from gateway.node.assembly.node import system_clock_ms
from gateway.node.backups.create import BESIDE, DATABASE_FILE, DUMP_FILE, copy_file
from gateway.node.backups.known import Known
from gateway.node.backups.losses import losses_of
from gateway.node.backups.manifest import BackupInvalidError, Manifest, read_manifest, require_digests
from gateway.node.backups.postgresql_dump import load
from gateway.node.backups.snapshot import checked_heads, opened_copy, read_tally, require_intact
from gateway.node.backups.sqlite_copy import copy_database
from gateway.node.backups.start import next_restore, record_restore, staged_file
from gateway.node.directory_store import KeptVersions, pinned_anchors
from gateway.node.existing_data import accepted_directory
from gateway.node.settings import Settings
from gateway.node.sole_use import sole_use
from gateway.trust.service.directory_versions import TrustedDirectory

ASIDE_FOLDER = "before-restore"
"""Folder beside the database with what was there before each restore."""

_UNFINISHED = "unfinished"
_SQLITE_ENDINGS = ("-wal", "-shm", "")
"""Of the files of an SQLite database; the one without which there is none goes last."""


class RestoreLosesError(ConfigurationError):
    """A backup is older than what this node has signed."""

    reason = "RESTORE_LOSES"
    way_out = (
        "Take a newer backup if there is one. Otherwise run the command again with --accept-loss, and fetch back what "
        "partners have with `gateway recover`."
    )


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A checked backup, and what it lacks."""

    folder: Path
    manifest: Manifest
    losses: tuple[Loss, ...]

    @property
    def older(self) -> tuple[Loss, ...]:
        """Own feeds of which more was signed than the backup has."""
        return tuple(loss for loss in self.losses if loss.of_feed and loss.lost)

    @property
    def complete(self) -> bool:
        """Whether the marks show that the backup lacks nothing signed."""
        feeds = [loss for loss in self.losses if loss.of_feed]
        return all(loss.reached is not None for loss in feeds) and not self.older

    def require_complete(self) -> None:
        """Raises RestoreLosesError, naming what is missing."""
        if self.complete:
            return
        if not self.older:
            raise RestoreLosesError(
                f"no mark says how far this node had signed; the backup is of {self.manifest.made_at}, and what came "
                "after isn't in it"
            )
        missing = "; ".join(f"{loss.lost} of {loss.kind}" for loss in self.older)
        raise RestoreLosesError(f"the backup of {self.manifest.made_at} lacks entries that this node signed: {missing}")


def plan_restore(settings: Settings, source: Path, known: Known) -> RestorePlan:
    """Checks a backup and says what it lacks; nothing is changed.

    Args:
        source: a folder that `gateway backup` made, or the file of an SQLite database made by another program.

    Raises:
        BackupInvalidError: incomplete, changed, damaged, or another node's.
        ConfigurationError: of a schema that this software doesn't know.
    """
    manifest = _of_file(settings, source) if source.is_file() else _of_folder(settings, source)
    own = (manifest.node, manifest.federation)
    if own != (settings.node, settings.federation):
        raise BackupInvalidError(f"{source} is a backup of {own[0]} in {own[1]}, not of {settings.node}")
    known = known.reaching(int(manifest.time.timestamp() * 1000))
    losses = losses_of(settings.node, manifest.sizes, known.signed, manifest.tally, known.tally)
    return RestorePlan(source, manifest, losses)


def restore(settings: Settings, plan: RestorePlan) -> Path | None:
    """Puts a checked backup in the place of the database; returns the folder with what was there before, or None.

    1. The backup is copied beside the database's place, migrated, and told of its losses: a row and an audit event.
    2. The old database is moved aside. Nothing is deleted; the marks of what was signed stay.
    3. The copy gets the database's name.

    A crash leaves the old database, or none and the copy: `gateway serve` then refuses, and this command, run again,
    ends the work. Feeds that lack entries are blocked at the next start; without marks all are.

    Raises:
        ConfigurationError: the node runs, the PostgreSQL database isn't empty, or pg_restore fails.
        StoreUnavailableError: the disk is full or can't be written.
    """
    with sole_use(settings, command="gateway restore"):
        return _restore(settings, plan)


def _restore(settings: Settings, plan: RestorePlan) -> Path | None:
    url = parse_url(settings.effective_database_url)
    _put_back(settings, plan)
    if url.get_backend_name() != "sqlite":
        _load(settings, plan)
        return None
    place = Path(url.database or "")
    staged = staged_file(place)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for ending in _SQLITE_ENDINGS:
        staged.with_name(staged.name + ending).unlink(missing_ok=True)
    _stage(plan, staged)  # 1
    old = [place.with_name(place.name + ending) for ending in reversed(_SQLITE_ENDINGS)]
    unfinished = _put_aside(place.parent, old)  # 2
    staged.rename(place)  # 3
    sync(place.parent)
    return _named(unfinished)


def _of_folder(settings: Settings, folder: Path) -> Manifest:
    manifest = read_manifest(folder)
    require_digests(folder, manifest)
    if manifest.database == "sqlite":
        with opened_copy(folder / DATABASE_FILE) as conn:
            if checked_heads(conn, _trust(settings, folder)) != manifest.heads:
                raise BackupInvalidError(f"{folder}: the database's heads aren't those of the manifest")
    return manifest


def _trust(settings: Settings, folder: Path) -> TrustedDirectory:
    """The accepted directory, of the backup where the data folder has none."""
    anchors = pinned_anchors(settings)
    kept = KeptVersions(settings.data_dir).newest(anchors) or KeptVersions(folder).newest(anchors)
    return kept or accepted_directory(settings)


def _put_back(settings: Settings, plan: RestorePlan) -> None:
    """Copies what the data folder lacks of the small files; what it has is newer."""
    for name in plan.manifest.files:
        target = settings.data_dir / name
        if name.partition("/")[0] in BESIDE and not target.exists():
            copy_file(plan.folder / name, target)


def _of_file(settings: Settings, file: Path) -> Manifest:
    """What a manifest would say of the file of a database, which another program copied while it was whole."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".gateway-") as folder:
        copy = Path(folder) / DATABASE_FILE
        copy_database(file, copy)  # as SQLite reads it, with what a -wal beside it has
        with opened_copy(copy) as conn:
            require_intact(conn, file.name)
            return Manifest(
                node=settings.node,
                federation=settings.federation,
                software="",
                schema=migrate.schema_version(conn) or "",
                made_at=datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds"),
                database="sqlite",
                heads=checked_heads(conn, accepted_directory(settings)),
                tally=read_tally(conn),
                files={},
            )


def _stage(plan: RestorePlan, staged: Path) -> None:
    source = plan.folder if plan.folder.is_file() else plan.folder / DATABASE_FILE
    copy_database(source, staged)
    _prepare(f"sqlite:///{staged}", plan)
    sync(staged)


def _prepare(url: str, plan: RestorePlan) -> None:
    """Migrates restored content and records the restore, once."""
    with closing(Database(url)) as database:
        migrate.upgrade(database)
        with database.write() as conn:
            done = restores.list_all(conn)
            if done and not done[-1].started:
                return
            row = next_restore(conn, plan.manifest.time, plan.losses, system_clock_ms())
            record_restore(conn, row, plan.manifest.node, plan.folder.name)


def _load(settings: Settings, plan: RestorePlan) -> None:
    """Loads a dump into an empty PostgreSQL database; with a manifest alone the content is there already."""
    url = settings.effective_database_url
    with closing(Database(url)) as database:
        with database.read() as conn:
            empty = not inspect(conn).get_table_names()
        if plan.manifest.database == "postgresql" and empty:
            load(url, plan.folder / DUMP_FILE)
        with database.read() as conn:
            if checked_heads(conn, _trust(settings, plan.folder)) != plan.manifest.heads:
                raise ConfigurationError(
                    "database_url: the database isn't empty, and its heads aren't those of the backup",
                    way_out="Name a new, empty database in database_url; the old one stays as it is.",
                )
    _prepare(url, plan)


def _put_aside(folder: Path, files: list[Path]) -> Path:
    """Moves files into a folder, which a restore that is run again after a crash goes on with."""
    unfinished = folder / ASIDE_FOLDER / _UNFINISHED
    unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in files:
        if file.exists():
            _move(file, unfinished / file.name)
    sync(unfinished, folder)
    return unfinished


def _named(unfinished: Path) -> Path | None:
    """The folder under the present time; None where there was nothing before."""
    if not any(unfinished.iterdir()):
        unfinished.rmdir()
        return None
    return unfinished.rename(unfinished.with_name(f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"))


def _move(file: Path, target: Path) -> None:
    try:
        file.rename(target)
    except OSError:  # another file system
        shutil.copy2(file, target)
        os.unlink(file)
