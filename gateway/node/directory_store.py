"""Reads, verifies, stores and replaces the node's directory, and keeps what partners offer of later versions.

The data folder keeps every accepted version: a restart can't be tricked into an older one, and verifies the kept ones
again from the pinned anchors, so that a planted one counts for nothing. Offered versions lie in a folder below.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gateway.errors import DirectoryError, GatewayError
from gateway.feed.service.alarms import DIRECTORY, DIRECTORY_OFFERED, DIRECTORY_SPLIT, Alarms
from gateway.files import OWNER_ONLY, listed, make_private, replace_file
from gateway.node.offered_versions import OfferedVersions
from gateway.node.owner_revocations import OwnerRevocations
from gateway.node.settings import Settings
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_offers import DirectoryState, unverified_digest
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory, accept, reopen, reopen_all
from gateway.trust.service.owner_revocations import TrustedRevocation

log = logging.getLogger(__name__)

MAX_DIRECTORY_FILE_BYTES = 4 * 1024 * 1024
"""Largest directory file, in bytes."""

KEPT_FOLDER = "directory"
"""Folder in the data folder with the accepted versions, `000007.note` for version 7."""

OFFERED_FOLDER = "offered"
"""Folder in that one with versions that partners offered."""

REVOCATIONS_FOLDER = "revocations"
"""Another one, with what authorities revoked by themselves; operators put files there too."""

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
        self.offered = OfferedVersions(self._folder / OFFERED_FOLDER)
        self.by_owners = OwnerRevocations(self._folder / REVOCATIONS_FOLDER)

    def restricted(self, history: Sequence[TrustedDirectory]) -> DirectoryState:
        """The state with what is kept of offered versions and of revocations by their owners.

        Raises:
            DirectoryError: something of it can't be read; what it revokes would count again.
        """
        return self.by_owners.verified(self.offered.verified(DirectoryState.of(history)))

    def newest(self, anchors: RootOfTrust) -> TrustedDirectory | None:
        """The last of `history`; None before the first."""
        return next(reversed(self.history(anchors)), None)

    def history(self, anchors: RootOfTrust) -> tuple[TrustedDirectory, ...]:
        """The versions, verified from the anchors, the oldest first.

        Raises:
            DirectoryError: a kept file can't be read, or doesn't verify.
        """
        files = self._files()
        if not files:
            return ()
        notes = [_read(file) for file in files]
        for file, note in zip(files, notes, strict=True):
            if not note:
                raise KeptVersionsError(f"{file} is empty", way_out=_EMPTY_WAY_OUT)
        try:
            return reopen_all(notes, anchors=anchors)
        except DirectoryError as error:
            raise KeptVersionsError(
                f"{_first_wrong(files, notes, anchors)}: {error.message}", metadata=error.metadata
            ) from error

    def add(self, version: TrustedDirectory) -> None:
        """Keeps an accepted version, unless it is kept: more signatures on it might not follow on the one before."""
        file = self._folder / f"{version.version:06}.note"
        if not file.exists():
            make_private(self._folder.parent, self._folder)
            replace_file(file, version.note, mode=OWNER_ONLY)
        self._earlier.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        """The oldest first.

        Raises:
            DirectoryError: the folder can't be listed; without what it holds an older version would be accepted.
        """
        try:
            kept = [path for path in listed(self._folder) if _NOTE.fullmatch(path.name)]
            if not kept and self._earlier.exists():
                return [self._earlier]
        except OSError as error:
            raise DirectoryError(
                f"accepted versions of the directory in {self._folder} can't be read: {error.strerror}",
                way_out="Run it as the node's user, or give that user the folder back.",
            ) from error
        return sorted(kept, key=lambda path: int(path.stem))


class DirectoryStore:
    """Holds the directory in force with what restricts it, as one value. Thread-safe."""

    def __init__(
        self, file: Path, *, kept: KeptVersions, anchors: RootOfTrust, now: datetime, takes_offers: bool = False
    ) -> None:
        """Without a file that verifies the newest accepted version is in force, and `refresh` raises the alarm.

        Args:
            takes_offers: whether `refresh` puts the newest offered version in force.

        Raises:
            DirectoryError: a kept version doesn't verify, or the file doesn't before the first version was accepted;
                the node must not start.
        """
        self._file = file
        self._kept = kept
        self._anchors = anchors
        self._takes_offers = takes_offers
        self._lock = threading.RLock()
        self._seen: bytes | None = None
        self._stamp: tuple[int, ...] | None = None
        self._problem = ""
        history = kept.history(anchors)
        self._confirmed = max(len(history) - 1, 0)
        if not history:
            self._seen = _read(file)
            first = accept(self._seen, now=now, previous=None, anchors=anchors)
            self._state = kept.by_owners.verified(DirectoryState.of([first]))
        else:
            self._state = kept.restricted(history)
            self._keep_if_possible()  # from an earlier release's file
            self._begin(now)
        self._told: Directory = self.directory()
        self._keep_if_possible()

    def _keep_if_possible(self) -> None:
        with contextlib.suppress(OSError):  # `refresh` tries again, and raises the alarm
            self._keep_versions()

    def _begin(self, now: datetime) -> None:
        """Takes over the file as in a running node: what is wrong with it doesn't stop the start."""
        try:
            self._look(now)
        except GatewayError as error:
            self._problem = error.message
            log.error("%s; version %d, accepted before, is in force", error.message, self.trusted().version)

    def state(self) -> DirectoryState:
        """Accepted and offered versions."""
        return self._state

    def trusted(self) -> TrustedDirectory:
        """The version in force, without what offered versions and owners revoke."""
        return self._state.trusted

    def directory(self) -> Directory:
        """Its content."""
        return self._state.trusted.directory

    def offer(self, note: bytes, partner: str) -> TrustedDirectory:
        """Verifies and keeps a version that a partner offers; what it revokes doesn't count from now on.

        Args:
            note: untrusted bytes.

        Raises:
            DirectoryError: it isn't accepted as an offer.
        """
        with self._lock:
            before = self._state
            self._state, version = before.offered(note, partner)
            if self._problem and self._state is not before:
                self._seen = self._stamp = None  # a file that was refused may follow on it
            with contextlib.suppress(OSError):  # `refresh` tries again, and raises the alarm
                self._kept.offered.keep(self._state)
        return version

    def take(self, note: bytes, now: datetime) -> TrustedDirectory:
        """Puts an untrusted version that verifies at the file's place, for `refresh`; raises DirectoryError."""
        with self._lock:
            accepted = self._state.accepting(note, now).in_force
            put_in_place(self._file, note, self._state)
        return accepted

    def revoke(self, note: bytes, partner: str) -> TrustedRevocation:
        """Verifies and keeps what an authority revokes by itself; it doesn't count from now on.

        Args:
            note: untrusted bytes, from a partner.

        Raises:
            DirectoryError: it isn't accepted.
        """
        with self._lock:
            self._state, revocation = self._kept.by_owners.take(self._state, note, partner)
            with contextlib.suppress(OSError):  # `refresh` tries again, and raises the alarm
                self._kept.by_owners.keep(self._state)
        return revocation

    def new_revocations(self) -> list[tuple[TrustedRevocation, str]]:
        """Revocations that were taken since the last call, each with who gave it, a partner or BY_HAND."""
        with self._lock:
            taken, self._kept.by_owners.taken = self._kept.by_owners.taken, []
        return taken

    def refresh(self, *, now: datetime, alarms: Alarms) -> bool:
        """Takes over a changed file; True if the version in force, or what restricts it, has changed since.

        An untrusted or missing file only raises an alarm.
        """
        with self._lock:
            try:
                self._look(now)
                if self._takes_offers:
                    self._take(now, alarms)
            except GatewayError as error:
                self._problem = error.message
            self._forget_removed()
            self._state = self._kept.by_owners.refreshed(self._state, alarms)
            if self._problem:
                alarms.set(DIRECTORY, "file", f"{self._problem}; version {self.trusted().version} stays in force")
            else:
                alarms.clear(DIRECTORY, "file")
            self._keep(alarms)
            self._tell_of_offers(alarms)
            self._kept.by_owners.tell(self._state, alarms, now)
            before, self._told = self._told, self.directory()
            return self._told is not before

    def _keep(self, alarms: Alarms) -> None:
        """Keeps the versions until that succeeds: a revocation counts at once, also on a full disk."""
        try:
            self._keep_versions()
        except OSError as error:
            alarms.set(
                DIRECTORY,
                "kept",
                f"version {self.trusted().known_version} of the directory can't be kept in the data folder, and a "
                f"restart may not know it: {error.strerror}",
            )
        else:
            alarms.clear(DIRECTORY, "kept")

    def _keep_versions(self) -> None:
        """Accepted ones in their order, then offers: a crash in between leaves a way from each to the next."""
        for version in self._state.history[self._confirmed :]:
            self._kept.add(version)
        self._confirmed = len(self._state.history) - 1  # the last one is looked at again, in case it is removed
        self._kept.offered.keep(self._state)
        self._kept.by_owners.keep(self._state)

    def _look(self, now: datetime) -> None:
        """Reads the file, and verifies it if it isn't the one that was seen last."""
        stamp = _stamp(self._file)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            note = _read(self._file)
        except DirectoryError:
            self._seen = self._stamp = None  # whatever comes back is looked at again
            raise
        self._stamp = stamp
        if note == self._seen:
            return
        self._seen = note
        try:
            self._state = self._state.accepting(note, now)
        except GatewayError as error:
            raise DirectoryError(f"directory file {self._file}: {error.message}") from error
        self._problem = ""
        log.info("directory version %d is in force", self.trusted().version)

    def _take(self, now: datetime, alarms: Alarms) -> None:
        """Puts the newest offer at the file's place, which then takes effect as any other."""
        try:
            offer = self._state.newest(now)
            if offer is not None:
                put_in_place(self._file, offer.version.note, self._state)
                self._look(now)
        except DirectoryError as error:
            alarms.set(DIRECTORY_OFFERED, "take", f"the offered version of the directory isn't taken: {error.message}")
        else:
            alarms.clear(DIRECTORY_OFFERED, "take")

    def _forget_removed(self) -> None:
        """Forgets an offer that makes a split once an operator has removed its file."""
        numbers = {split.version for split in self._state.splits()}
        gone = [
            offer
            for offer in self._state.offers
            if offer.version.version in numbers and self._kept.offered.removed(offer)
        ]
        if gone:
            left = [offer for offer in self._state.offers if offer not in gone]
            self._state = self._state.with_offers(left)

    def _tell_of_offers(self, alarms: Alarms) -> None:
        newest = None if self._takes_offers else next(reversed(self._state.later), None)
        if newest is not None:
            alarms.set(
                DIRECTORY_OFFERED,
                "",
                f"version {newest.version.version} of the directory is offered by {newest.partner}, and what it "
                "revokes is refused already: gateway directory take puts it in force",
            )
        else:
            alarms.clear(DIRECTORY_OFFERED, "")
        alarms.keep(DIRECTORY_SPLIT, {split.second_digest.hex(): (split.sentence, 0) for split in self._state.splits()})


def put_in_place(file: Path, note: bytes, state: DirectoryState) -> None:
    """Replaces the directory's file by a verified version. What isn't an accepted version stays: somebody put it there.

    Raises:
        DirectoryError: there is no file, or another one, or it can't be written.
    """
    if unverified_digest(_read(file)) not in {version.digest for version in state.history}:
        raise DirectoryError(
            f"directory file {file} was changed, and isn't a version that was in force here; it is left alone",
            way_out="If it is right, have it put in force; otherwise put the version in force back, and try again.",
        )
    try:
        before = file.stat()
        replace_file(file, note)
        file.chmod(before.st_mode & 0o777)  # whatever the umask is
    except OSError as error:
        raise DirectoryError(
            f"directory file {file}: {error.strerror}",
            way_out="Run it as a user who may write there, or put the version there yourself.",
        ) from error
    with contextlib.suppress(PermissionError):  # only root may, and only root needs it
        os.chown(file, before.st_uid, before.st_gid)


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
