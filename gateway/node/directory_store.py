"""Reads, verifies, stores and replaces the node's directory.

The data folder keeps every accepted version: a restart can't be tricked into an older one, and verifies the kept ones
again from the pinned anchors, so that a planted one counts for nothing.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gateway.errors import DirectoryError, GatewayError
from gateway.feed.service.alarms import DIRECTORY, Alarms
from gateway.files import OWNER_ONLY, replace_file
from gateway.node.settings import Settings
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory, accept, reopen

log = logging.getLogger(__name__)

MAX_DIRECTORY_FILE_BYTES = 4 * 1024 * 1024
"""Largest directory file, in bytes."""

KEPT_FOLDER = "directory"
"""Folder in the data folder with the accepted versions, `000007.note` for version 7."""

EARLIER_FILE = "directory.accepted.note"
"""File of earlier releases in the data folder, with the newest version alone."""

_EMPTY_WAY_OUT = (
    "Get this version of the directory from a partner or a backup and put it there; without it, remove the empty file "
    "only if directory.file has this version or a later one that follows on the version before."
)

_NOTE = re.compile(r"[0-9]{6,}\.note")


class KeptVersionsError(DirectoryError):
    """The kept versions don't follow from the pinned anchors."""

    way_out = (
        "If nobody planted these files, put every version that the federation signed since the anchors into the "
        "folder directory of the data folder, as 000001.note and so on; or get the present directory keys from the "
        "authorities themselves and pin those as anchors."
    )


class KeptVersions:
    """The accepted versions in a data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / KEPT_FOLDER
        self._earlier = data_dir / EARLIER_FILE

    def newest(self, anchors: RootOfTrust) -> TrustedDirectory | None:
        """The newest version, verified from the anchors; None before the first.

        Raises:
            DirectoryError: a kept file can't be read, or doesn't verify.
        """
        files = self._files()
        if not files:
            return None
        notes = [_read(file) for file in files]
        for file, note in zip(files, notes, strict=True):
            if not note:
                raise KeptVersionsError(f"{file} is empty", way_out=_EMPTY_WAY_OUT)
        try:
            return reopen(notes, anchors=anchors)
        except DirectoryError as error:
            raise KeptVersionsError(
                f"{_first_wrong(files, notes, anchors)}: {error.message}", metadata=error.metadata
            ) from error

    def add(self, version: TrustedDirectory) -> None:
        """Keeps an accepted version, unless it is kept: more signatures on it might not follow on the one before."""
        file = self._folder / f"{version.version:06}.note"
        if not file.exists():
            for folder in (self._folder.parent, self._folder):  # `parents` wouldn't have the mode
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(file, version.note, mode=OWNER_ONLY)
        self._earlier.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        """The oldest first."""
        kept = [path for path in self._folder.glob("*.note") if _NOTE.fullmatch(path.name)]
        if not kept and self._earlier.exists():
            return [self._earlier]
        return sorted(kept, key=lambda path: int(path.stem))


class DirectoryStore:
    """Holds the trusted directory. Reads are thread-safe."""

    def __init__(self, file: Path, *, kept: KeptVersions, anchors: RootOfTrust, now: datetime) -> None:
        """Without a file that verifies the newest accepted version is in force, and `refresh` raises the alarm.

        Raises:
            DirectoryError: a kept version doesn't verify, or the file doesn't before the first version was accepted;
                the node must not start.
        """
        self._file = file
        self._kept = kept
        self._anchors = anchors
        self._seen: bytes | None = None
        self._stamp: tuple[int, ...] | None = None
        self._problem = ""
        previous = kept.newest(anchors)
        if previous is None:
            self._seen = _read(file)
            self._trusted = accept(self._seen, now=now, previous=None, anchors=anchors)
        else:
            self._trusted = previous
            self._keep_if_possible()  # from an earlier release's file
            self._begin(now)
        self._keep_if_possible()

    def _keep_if_possible(self) -> None:
        with contextlib.suppress(OSError):  # `refresh` tries again, and raises the alarm
            self._kept.add(self._trusted)

    def _begin(self, now: datetime) -> None:
        """Takes over the file as in a running node: what is wrong with it doesn't stop the start."""
        try:
            self._look(now)
        except GatewayError as error:
            self._problem = error.message
            log.error("%s; version %d, accepted before, is in force", error.message, self._trusted.version)

    def trusted(self) -> TrustedDirectory:
        """The version in force."""
        return self._trusted

    def directory(self) -> Directory:
        """Its content."""
        return self._trusted.directory

    def refresh(self, *, now: datetime, alarms: Alarms) -> bool:
        """Takes over a changed file; True for a new version. An untrusted or missing file only raises an alarm."""
        try:
            changed = self._look(now)
        except GatewayError as error:
            self._problem, changed = error.message, False
        if self._problem:
            alarms.set(DIRECTORY, "file", f"{self._problem}; version {self._trusted.version} stays in force")
        else:
            alarms.clear(DIRECTORY, "file")
        self._keep(alarms)
        return changed

    def _keep(self, alarms: Alarms) -> None:
        """Keeps the version in force until that succeeds: a revocation counts at once, also on a full disk."""
        try:
            self._kept.add(self._trusted)
        except OSError as error:
            alarms.set(
                DIRECTORY,
                "kept",
                f"version {self._trusted.version} of the directory can't be kept in the data folder, and a restart may "
                f"not know it: {error.strerror}",
            )
        else:
            alarms.clear(DIRECTORY, "kept")

    def _look(self, now: datetime) -> bool:
        """Reads the file, and verifies it if it isn't the one that was seen last."""
        stamp = _stamp(self._file)
        if stamp is not None and stamp == self._stamp:
            return False
        try:
            note = _read(self._file)
        except DirectoryError:
            self._seen = self._stamp = None  # whatever comes back is looked at again
            raise
        self._stamp = stamp
        if note == self._seen:
            return False
        self._seen = note
        try:
            self._trusted = accept(note, now=now, previous=self._trusted, anchors=self._anchors)
        except GatewayError as error:
            raise DirectoryError(f"directory file {self._file}: {error.message}") from error
        self._problem = ""
        log.info("directory version %d is in force", self._trusted.version)
        return True


def pinned_anchors(settings: Settings) -> RootOfTrust:
    """The directory keys pinned in the settings; raises ConfigurationError."""
    pinned = settings.directory
    return RootOfTrust.from_vkeys(pinned.anchors, federation=settings.federation, threshold=pinned.threshold)


def _first_wrong(files: Sequence[Path], notes: Sequence[bytes], anchors: RootOfTrust) -> Path:
    """The first kept file that doesn't follow; the newest if the anchors signed none."""
    for at in range(len(files), 0, -1):
        with contextlib.suppress(DirectoryError):
            reopen(notes[:at], anchors=anchors)
            return files[at]
    return files[-1]


def _stamp(file: Path) -> tuple[int, ...] | None:
    """Differs after each change of a file; None where it can't be looked at."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode, status.st_uid


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            note = stream.read(MAX_DIRECTORY_FILE_BYTES + 1)
    except OSError as error:
        raise DirectoryError(f"directory file {file}: {error.strerror}") from error
    if len(note) > MAX_DIRECTORY_FILE_BYTES:
        raise DirectoryError(f"directory file {file}: longer than {MAX_DIRECTORY_FILE_BYTES} bytes")
    return note
