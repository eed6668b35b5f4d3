"""Reads, verifies, stores and replaces the node's directory.

The data folder keeps the last accepted version: a restart can't be tricked into an older one.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from gateway.errors import DirectoryError, GatewayError
from gateway.feed.service.alarms import DIRECTORY, Alarms
from gateway.trust.rules.directory import Directory, Validity
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory, accept, unsafe_reopen

log = logging.getLogger(__name__)

MAX_DIRECTORY_FILE_BYTES = 4 * 1024 * 1024
"""Largest directory file, in bytes."""


class DirectoryStore:
    """Holds the trusted directory. Reads are thread-safe."""

    def __init__(self, file: Path, *, kept: Path, anchors: RootOfTrust, now: datetime) -> None:
        """Raises DirectoryError for an unreadable or untrusted file; the node must not start."""
        self._file = file
        self._kept = kept
        self._anchors = anchors
        self._seen = _read(file)
        previous = unsafe_reopen(_read(kept)) if kept.exists() else None
        self._trusted = accept(self._seen, now=now, previous=previous, anchors=anchors)
        self._keep()

    def trusted(self) -> TrustedDirectory:
        """The version in force."""
        return self._trusted

    def directory(self) -> Directory:
        """Its content."""
        return self._trusted.directory

    def refresh(self, *, now: datetime, alarms: Alarms) -> bool:
        """Takes over a changed file; True for a new version. An untrusted file only raises an alarm."""
        try:
            note = _read(self._file)
            changed = note != self._seen
            if changed:
                self._seen = note
                self._trusted = accept(note, now=now, previous=self._trusted, anchors=self._anchors)
                self._keep()
                log.info("directory version %d is in force", self._trusted.version)
        except GatewayError as error:
            alarms.set(
                DIRECTORY, "file", f"{self._file}: {error.message}; version {self._trusted.version} stays in force"
            )
            return False
        if changed:
            alarms.clear(DIRECTORY, "file")
        self._watch_validity(now, alarms)
        return changed

    def _watch_validity(self, now: datetime, alarms: Alarms) -> None:
        if self._trusted.validity(now) is Validity.CURRENT:
            alarms.clear(DIRECTORY, "validity")
            return
        ends = self._trusted.directory.grace_ends_at
        alarms.set(
            DIRECTORY,
            "validity",
            f"directory version {self._trusted.version} has expired; the exchange stops at {ends:%Y-%m-%d %H:%M} UTC: "
            "get the next version signed",
        )

    def _keep(self) -> None:
        self._kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._kept.with_suffix(".new")
        temporary.write_bytes(self._trusted.note)
        temporary.replace(self._kept)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            note = stream.read(MAX_DIRECTORY_FILE_BYTES + 1)
    except OSError as error:
        raise DirectoryError(f"directory file {file}: {error.strerror}") from error
    if len(note) > MAX_DIRECTORY_FILE_BYTES:
        raise DirectoryError(f"directory file {file}: longer than {MAX_DIRECTORY_FILE_BYTES} bytes")
    return note
