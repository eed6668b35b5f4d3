"""Makes a backup of a node: a checked copy of its database, the files beside it, and a manifest of the heads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from gateway import __version__
from gateway.db import migrate
from gateway.db.url import parse_url
from gateway.errors import ConfigurationError
from gateway.evidence.service.audit_heads import AUDIT_HEAD_FILE
from gateway.files import OWNER_ONLY, create_file, sync
from gateway.node.assembly.node import system_clock_ms
from gateway.node.backups.manifest import Manifest, digests_in, moment, write_manifest
from gateway.node.backups.postgresql_dump import dump, exported_snapshot
from gateway.node.backups.snapshot import checked_heads, opened_copy, read_tally, require_intact
from gateway.node.backups.sqlite_copy import copy_database
from gateway.node.capabilities.attachments import FILES_FOLDER, UPLOADS_FOLDER
from gateway.node.directory_store import KEPT_FOLDER
from gateway.node.existing_data import accepted_directory, existing_database
from gateway.node.settings import Settings
from gateway.trust.service.directory_versions import TrustedDirectory

DATABASE_FILE = "gateway.sqlite3"
DUMP_FILE = "gateway.dump"

KEYS_FOLDER = "keys"
"""Folder of a backup with settings, keys and certificates; only where they were asked for."""

BESIDE = (KEPT_FOLDER, AUDIT_HEAD_FILE, "quarantine", FILES_FOLDER)
"""What else a backup has of the data folder."""

INCLUDED, ELSEWHERE, NONE = "included", "elsewhere", "none"
"""Whether a backup has the evidence files: they are in it, in a store that is backed up by other means, or not kept."""

Progress = Callable[[int, int], None]
"""Called with pages copied and all pages."""


def make_backup(
    settings: Settings,
    out: Path,
    *,
    settings_file: Path | None = None,
    manifest_only: bool = False,
    progress: Progress = lambda *_: None,
) -> Manifest:
    """Makes a backup in a new folder, beside a running node or without one.

    1. The database is copied from one committed state; nothing of the node waits for it.
    2. The copy is checked: SQLite's integrity check, and every head (snapshot.checked_heads).
    3. Accepted directories, the head of the audit log, the evidence of quarantines and the evidence files that lie in
       the data folder are copied; with `settings_file` also settings, keys and certificates.
    4. The manifest is written, with the digests of all files.
    5. The folder gets its name. A crash before leaves a folder with a `.partial` name, which the next run replaces.

    Args:
        settings_file: back up this file too, and the keys and certificates that it names.
        manifest_only: write heads and digests alone, for a base backup taken by other means after it.

    Raises:
        ConfigurationError: `out` exists, there is no database, or the directory isn't trusted.
        BackupInvalidError: the database is damaged.
        StoreUnavailableError: it can't be read, or the folder not be written.
    """
    if out.exists():
        raise ConfigurationError(f"{out} is there already", way_out="Name a new folder for each backup.")
    trust = accepted_directory(settings)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    made_at = moment(system_clock_ms())
    with _copied(settings, partial, manifest_only=manifest_only, progress=progress) as (kind, conn):  # 1
        manifest = _manifest(conn, settings, trust, kind=kind, made_at=made_at)  # 2
    manifest = replace(manifest, evidence_files=_evidence_files(settings, manifest_only=manifest_only))
    _copy_files(settings, partial, settings_file, evidence=manifest.evidence_files == INCLUDED)  # 3
    manifest = replace(manifest, files=digests_in(partial))
    write_manifest(partial, manifest)  # 4
    sync(*[path for path in partial.rglob("*") if path.is_dir()], partial)
    partial.rename(out)  # 5
    sync(out.parent)
    return manifest


@contextmanager
def _copied(
    settings: Settings, folder: Path, *, manifest_only: bool, progress: Progress
) -> Iterator[tuple[str, Connection]]:
    """Kind of the database in the backup, and a connection that reads what was copied."""
    url = settings.effective_database_url
    with existing_database(settings) as database:
        if database.dialect == "postgresql":
            with exported_snapshot(database) as (conn, snapshot):
                if not manifest_only:
                    dump(url, folder / DUMP_FILE, snapshot=snapshot)
                yield "none" if manifest_only else "postgresql", conn
            return
        if manifest_only:
            with database.read() as conn:
                yield "none", conn
            return
    copy = folder / DATABASE_FILE
    copy_database(Path(parse_url(url).database or ""), copy, progress=progress)
    with opened_copy(copy) as conn:
        require_intact(conn, DATABASE_FILE)
        yield "sqlite", conn


def _manifest(conn: Connection, settings: Settings, trust: TrustedDirectory, *, kind: str, made_at: str) -> Manifest:
    return Manifest(
        node=settings.node,
        federation=settings.federation,
        software=__version__,
        schema=migrate.schema_version(conn) or "",
        made_at=made_at,
        database=kind,
        heads=checked_heads(conn, trust),
        tally=read_tally(conn),
        files={},
    )


def _evidence_files(settings: Settings, *, manifest_only: bool) -> str:
    attachments = settings.attachments
    if not attachments.enabled:
        return NONE
    return ELSEWHERE if attachments.store or manifest_only else INCLUDED


def _copy_files(settings: Settings, folder: Path, settings_file: Path | None, *, evidence: bool) -> None:
    unfinished = settings.data_dir / FILES_FOLDER / UPLOADS_FOLDER
    for name in BESIDE:
        source = settings.data_dir / name
        files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        for file in files:
            if name == FILES_FOLDER and (not evidence or file.is_relative_to(unfinished)):
                continue
            # A file that is erased meanwhile isn't there any more.
            with suppress(FileNotFoundError) if name == FILES_FOLDER else nullcontext():
                copy_file(file, folder / file.relative_to(settings.data_dir))
    if settings_file is None:
        return
    for file in _secret_files(settings, settings_file):
        copy_file(file, folder / KEYS_FOLDER / file.name)


def _secret_files(settings: Settings, settings_file: Path) -> list[Path]:
    tls = settings.tls
    return list(dict.fromkeys([settings_file, tls.certificate, tls.key, tls.ca, *settings.keys.files]))


def copy_file(source: Path, target: Path) -> None:
    """Copies a file durably, for its owner alone."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with source.open("rb") as read, create_file(target, mode=OWNER_ONLY) as write:
        shutil.copyfileobj(read, write)
        write.flush()
    sync(target)
