"""Keeps what authorities revoked by themselves, in a folder beside the versions, and takes what operators put there.

What stands in the folder is a claim until it is verified: neither names nor contents are trusted.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.contract.json_document import format_time
from gateway.errors import DirectoryError
from gateway.feed.service.alarms import DIRECTORY, REVOCATION_REFUSED, REVOKED_BY_OWNER, Alarms
from gateway.files import OWNER_ONLY, listed, make_private, replace_file
from gateway.trust.codec.owner_revocation import MAX_REVOCATION_BYTES
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.service.directory_offers import DirectoryState, unverified_digest
from gateway.trust.service.owner_revocations import Outstanding, TrustedRevocation

log = logging.getLogger(__name__)

METHOD: Final = "take revocation"
"""Name of the operation in the audit log."""

BY_HAND = ""
"""Source of a revocation that an operator put into the folder."""

_KEPT = re.compile(r"[a-z][a-z0-9-]{0,31}\.[0-9a-f]{64}\.note")
"""Authority and SHA-256 of the text: `mo.<64 digits>.note`. What has another name was put there by an operator."""


class OwnerRevocations:
    """The revocations in a folder, and which of them nobody has been told of yet. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[tuple[TrustedRevocation, str]] = []
        """Revocations that are new here, each with the partner that gave it, or BY_HAND."""
        self._stored: dict[Path, bytes] = {}
        self._looked_at: dict[Path, tuple[tuple[int, ...], bytes, str]] = {}

    def path(self, revocation: TrustedRevocation) -> Path:
        """Where a revocation is kept."""
        return self.folder / f"{revocation.authority}.{revocation.digest.hex()}.note"

    def verified(self, state: DirectoryState) -> DirectoryState:
        """The state with what the folder holds; kept files that don't verify are passed over, and logged.

        Raises:
            DirectoryError: the folder or a file can't be read; what it revokes would count again.
        """
        try:
            for path in sorted(self._files()):
                if _KEPT.fullmatch(path.name):
                    note = _read(path)
                    try:
                        state = state.reopening(note)
                        self._stored[path] = note
                    except DirectoryError as error:
                        log.warning("%s doesn't count: %s", path, error.message)
            return self._with_files(state)
        except OSError as error:
            raise DirectoryError(
                f"revocations by their owners: {error.filename or self.folder} can't be read: {error.strerror}",
                way_out="Run it as the node's user, or give it back to that user.",
            ) from error

    def take(self, state: DirectoryState, note: bytes, source: str) -> tuple[DirectoryState, TrustedRevocation]:
        """Verifies a revocation; the state with it. Raises DirectoryError if it isn't accepted."""
        made, revocation = state.revoking(note)
        if made is not state:
            self.taken.append((revocation, source))
        return made, revocation

    def refreshed(self, state: DirectoryState, alarms: Alarms) -> DirectoryState:
        """The state with what operators have put into the folder since; what can't be read is an alarm."""
        try:
            state = self._with_files(state)
        except OSError as error:
            alarms.set(DIRECTORY, "revocations", f"{error.filename or self.folder} can't be read: {error.strerror}")
        else:
            alarms.clear(DIRECTORY, "revocations")
        return state

    def _with_files(self, state: DirectoryState) -> DirectoryState:
        """Verifies files that aren't kept ones, each again once it or the version in force has changed."""
        by_hand = [path for path in sorted(self._files()) if path not in self._stored]
        self._looked_at = {path: seen for path, seen in self._looked_at.items() if path in by_hand}
        for path in by_hand:
            stamp = _stamp(path)
            seen = self._looked_at.get(path)
            if seen is None or seen[:2] != (stamp, state.in_force.digest):
                state, problem = self._taken_by_hand(state, path)
                self._looked_at[path] = stamp, state.in_force.digest, problem
        return state

    def _taken_by_hand(self, state: DirectoryState, path: Path) -> tuple[DirectoryState, str]:
        """The state with a file's revocation, or why it isn't taken."""
        try:
            state, revocation = self.take(state, _read(path), BY_HAND)
        except DirectoryError as error:
            return state, f"{path.name}: {error.message}"
        except OSError as error:
            return state, f"{path.name} can't be read: {error.strerror}"
        if state.revocation(revocation.digest) is None:
            return state, f"{path.name}: the directory says all of it already; remove the file"
        return state, ""

    def keep(self, state: DirectoryState) -> None:
        """Makes the folder hold the state's revocations, each under its name; an operator's file is moved to it.

        Raises:
            OSError: one can't be stored; the others are.
        """
        failed: OSError | None = None
        for revocation in state.revocations:
            path = self.path(revocation)
            if self._stored.get(path) != revocation.note or not path.exists():
                try:
                    make_private(self.folder.parent.parent, self.folder.parent, self.folder)
                    replace_file(path, revocation.note, mode=OWNER_ONLY)
                    self._stored[path] = revocation.note
                except OSError as error:
                    failed = error
        if failed is not None:
            raise failed
        for path, (_, _, problem) in self._looked_at.items():
            if not problem and path not in self._stored:
                self._remove_taken(path, state)

    def put(self, note: bytes, revocation: TrustedRevocation) -> None:
        """Puts a revocation into the folder for the node, as an operator would.

        Raises:
            DirectoryError: it can't be written.
        """
        path = self.folder / f"{revocation.digest.hex()}.note"
        try:
            make_private(self.folder.parent, self.folder)
            replace_file(path, note, mode=OWNER_ONLY)
            owner = self.folder.parent.stat()
            with suppress(PermissionError):  # only root may, and only root needs it
                for made in (self.folder, path):
                    os.chown(made, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise DirectoryError(f"{path}: {error.strerror}", way_out="Run it as the node's user.") from error

    def tell(self, state: DirectoryState, alarms: Alarms, now: datetime) -> None:
        """Raises alarms of revocations that count beside the version in force, and of files that are refused."""
        by_authority: defaultdict[str, list[Outstanding]] = defaultdict(list)
        for one in state.outstanding:
            if one.items.keys or any(certificate.not_after >= now for certificate in one.items.certificates):
                by_authority[one.revocation.authority].append(one)
        alarms.keep(REVOKED_BY_OWNER, {name: (_sentence(name, several), 0) for name, several in by_authority.items()})
        problems = [problem for _, _, problem in self._looked_at.values() if problem]
        if problems:
            alarms.set(REVOCATION_REFUSED, BY_HAND, f"a revocation in {self.folder} is refused: {problems[0]}")
        else:
            alarms.clear(REVOCATION_REFUSED, BY_HAND)

    def _remove_taken(self, path: Path, state: DirectoryState) -> None:
        try:
            if state.revocation(unverified_digest(_read(path))) is not None:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.debug("%s can't be removed: %s", path, error.strerror)

    def _files(self) -> Iterable[Path]:
        return [path for path in listed(self.folder) if path.suffix == ".note" and not path.name.startswith(".")]


def audit_entry(revocation: TrustedRevocation, source: str, *, node: str, time_ms: int) -> AuditEntry:
    """The audit event of a revocation that was taken. `source`: the partner that gave it, or BY_HAND."""
    content = revocation.content
    owners = dict.fromkeys(f"CA of {one.owner}" if one.is_ca else one.owner for one in revocation.certificates)
    return AuditEntry(
        time_ms,
        f"gateway/{source or node}",
        METHOD,
        AuditResult.ALLOW,
        detail=f"{content.authority}, {format_time(content.issued_at)}: {content.reason}; {', '.join(owners)}",
        subject_ids=(revocation.digest.hex(), *(one.fingerprint for one in revocation.certificates)),
        counts=(("certificates", len(revocation.certificates)), ("keys", len(content.keys))),
    )


def _sentence(authority: str, outstanding: list[Outstanding]) -> str:
    certificates = {one.fingerprint for found in outstanding for one in found.items.certificates}
    keys = {key for found in outstanding for key in found.items.keys}
    last = max((found.revocation.content for found in outstanding), key=lambda content: content.issued_at)
    return (
        f"{authority} has revoked certificates ({len(certificates)}) and signing keys ({len(keys)}) by itself, the "
        f"last at {last.issued_at:%Y-%m-%d %H:%M} UTC; draft a version of the directory that says so; its reason: "
        f"{last.reason}"
    )


def _stamp(path: Path) -> tuple[int, ...]:
    """Differs after each change of a file; empty where it can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode, status.st_uid


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_REVOCATION_BYTES + 1)
