"""The manifest of a backup: which heads it has, how much only this node knows, and the digests of its files.

It says nothing secret. It is written last: a folder without it is no backup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError
from gateway.files import OWNER_ONLY, replace_file

MANIFEST_FILE = "manifest.json"

FORMAT = 1
"""Version of the manifest's form."""

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
"""Largest manifest read, in bytes: quarantines make many files."""


class BackupInvalidError(ConfigurationError):
    """A backup is incomplete, changed, or another node's."""

    reason = "BACKUP_INVALID"
    way_out = "Take another backup; keep this one for comparison."


@dataclass(frozen=True, slots=True)
class FeedHead:
    """A feed's head: size, root in hexadecimal, and the signed checkpoint."""

    origin: str
    direction: str
    size: int
    root: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class NodeTally:
    """How far what only this node has goes. Each number only grows.

    Attributes:
        position: of the local log; watchers of alerts have positions up to it.
        records: shipments recorded, with their revisions and what became of them.
        holds: legal holds ever placed.
        audit_events: events of the audit log.
        list_changes: updates of lists; watchers of lists have positions up to it.
        matches: changes of matches; watchers of matches have positions up to it.
    """

    position: int = 0
    records: int = 0
    holds: int = 0
    audit_events: int = 0
    list_changes: int = 0
    matches: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup has.

    Attributes:
        made_at: time of the database's snapshot, RFC 3339.
        database: `sqlite`, `postgresql`, or `none` where the database is backed up by other means.
        files: SHA-256 in hexadecimal by path inside the backup.
        evidence_files: `included`, `elsewhere` (their store has backups of its own), or `none` where none are kept.
    """

    node: str
    federation: str
    software: str
    schema: str
    made_at: str
    database: str
    heads: tuple[FeedHead, ...]
    tally: NodeTally
    files: Mapping[str, str]
    evidence_files: str = "none"

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each feed by name."""
        return {head.origin: head.size for head in self.heads}

    @property
    def time(self) -> datetime:
        """Time of the snapshot."""
        return datetime.fromisoformat(self.made_at)


def moment(now_ms: int) -> str:
    """A time as manifests have it."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")


def digest_of(file: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def digests_in(folder: Path) -> dict[str, str]:
    """SHA-256 of all files in a folder but the manifest, by path inside it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST_FILE)
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest durably."""
    document = {"format": FORMAT, **asdict(manifest)}
    replace_file(folder / MANIFEST_FILE, json.dumps(document, indent=1).encode() + b"\n", mode=OWNER_ONLY)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        BackupInvalidError: there is none, or it isn't of this form.
    """
    file = folder / MANIFEST_FILE
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise BackupInvalidError(f"{folder} is no complete backup: {MANIFEST_FILE}: {error.strerror}") from error
    if len(data) > MAX_MANIFEST_BYTES:
        raise BackupInvalidError(f"{file} is longer than {MAX_MANIFEST_BYTES} bytes")
    try:
        return _manifest(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackupInvalidError(f"{file} isn't a manifest: {error}") from error


def require_digests(folder: Path, manifest: Manifest) -> None:
    """Raises BackupInvalidError, with its name, for a file that is missing or changed."""
    for name, digest in manifest.files.items():
        file = folder / name
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            raise BackupInvalidError(f"{folder}: {name} is missing")
        if digest_of(file) != digest:
            raise BackupInvalidError(f"{folder}: {name} isn't the file that was backed up: its SHA-256 differs")


def _manifest(document: dict[str, Any]) -> Manifest:
    if document.pop("format") != FORMAT:
        raise ValueError("another format than this software's")
    heads = tuple(
        FeedHead(**{field.name: head[field.name] for field in fields(FeedHead)}) for head in document["heads"]
    )
    tally = NodeTally(**{field.name: int(document["tally"].get(field.name, 0)) for field in fields(NodeTally)})
    files = {str(name): str(digest) for name, digest in document["files"].items()}
    rest = {name: str(document[name]) for name in ("node", "federation", "software", "schema", "made_at", "database")}
    evidence = str(document.get("evidence_files", "none"))
    manifest = Manifest(**rest, heads=heads, tally=tally, files=files, evidence_files=evidence)
    if manifest.time.tzinfo is None:
        raise ValueError("made_at has no zone")
    return manifest
