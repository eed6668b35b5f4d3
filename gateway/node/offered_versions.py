"""Keeps versions of the directory that partners offered, in a folder beside the accepted ones.

What stands in the folder is a claim until it is verified: neither names nor contents are trusted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from gateway.errors import DirectoryError
from gateway.files import OWNER_ONLY, listed, make_private, replace_file
from gateway.tlog.note import MAX_NOTE_BYTES
from gateway.trust.service.directory_offers import DirectoryState, Offer

log = logging.getLogger(__name__)

_NAME = re.compile(r"([0-9]{6,18})\.[0-9a-f]{64}\.([a-z][a-z0-9-]{0,31})\.note")
"""Number, SHA-256 of the text and who offered it: `000002.<64 digits>.cn.note`."""


class OfferedVersions:
    """The offered versions in a folder. What it can't read, store or remove is the caller's alarm, never a reason to
    forget a version that is verified."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stored: dict[Path, bytes] = {}

    def path(self, offer: Offer) -> Path:
        """Where an offer is kept."""
        version = offer.version
        return self.folder / f"{version.version:06}.{version.digest.hex()}.{offer.partner}.note"

    def verified(self, state: DirectoryState) -> DirectoryState:
        """The state with what the folder holds of offers; files that don't verify are passed over, and logged.

        Raises:
            DirectoryError: the folder or a file can't be read; what its versions revoke would count again.
        """
        waiting: dict[Path, Exception] = dict.fromkeys(sorted(self._files()), DirectoryError(""))
        while True:  # a version may stand before the one that it follows on
            refused: dict[Path, Exception] = {}
            for path in waiting:
                try:
                    note = _read(path)
                    state, _ = state.offered(note, _claimed_partner(path))
                    self._stored[path] = note
                except (DirectoryError, IsADirectoryError, FileNotFoundError) as error:
                    refused[path] = error
                except OSError as error:
                    raise _unreadable(path, error) from error
            if len(refused) == len(waiting):
                break
            waiting = refused
        for path, reason in refused.items():
            log.warning("%s doesn't count: %s", path, reason)
        return state

    def keep(self, state: DirectoryState) -> None:
        """Makes the folder hold the state's offers, and removes those that are over.

        One that can't be removed doesn't count any more, here or after a restart.

        Raises:
            OSError: an offer can't be stored; the others are.
        """
        failed: OSError | None = None
        wanted = {self.path(offer): offer.version.note for offer in state.offers}
        for path, note in wanted.items():
            if self._stored.get(path) != note or not path.exists():
                try:
                    self._store(path, note)
                except OSError as error:
                    failed = error
        for path in set(self._stored) - set(wanted):
            try:
                path.unlink(missing_ok=True)
                del self._stored[path]
            except OSError as error:
                log.debug("%s can't be removed: %s", path, error.strerror)
        if failed is not None:
            raise failed

    def removed(self, offer: Offer) -> bool:
        """Whether somebody has removed the file of an offer that was stored."""
        path = self.path(offer)
        return path in self._stored and not path.exists()

    def _store(self, path: Path, note: bytes) -> None:
        make_private(self.folder.parent.parent, self.folder.parent, self.folder)
        replace_file(path, note, mode=OWNER_ONLY)
        self._stored[path] = note

    def _files(self) -> Iterable[Path]:
        try:
            return [path for path in listed(self.folder) if _NAME.fullmatch(path.name)]
        except OSError as error:
            raise _unreadable(self.folder, error) from error


def _claimed_partner(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    return match[2] if match else ""


def _unreadable(path: Path, error: OSError) -> DirectoryError:
    return DirectoryError(
        f"offered versions of the directory: {path} can't be read: {error.strerror}",
        way_out="Run it as the node's user, or give it back to that user; a file that is broken may be moved away.",
    )


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_NOTE_BYTES + 1)
