"""Scans files, and removes what is left over: retention that has ended, bytes that nobody knows, abandoned uploads."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice

from gateway.attachments.commands.storing import FilePurgeResult, PurgeFilesCommand, ScannedCommand
from gateway.attachments.rules.states import StoredState
from gateway.attachments.service.scanning import Scanner, ScanResult, ScanVerdict
from gateway.attachments.service.storage import FileStore
from gateway.attachments.service.uploads import Uploads
from gateway.attachments.tables import files
from gateway.attachments.tables.files import FileRow
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import WriterClient, set_within
from gateway.feed.service.alarms import FILE_SCANNER, Alarms

log = logging.getLogger(__name__)

SCAN_AT_ONCE = 20
"""Files that one look for unscanned ones reads."""

LOOK_S = 2.0
"""Seconds between looks for unscanned files."""

RETRY_S = 10.0
"""Seconds before the scanner is asked again when it said nothing."""

SWEEP_S = 600.0
"""Seconds between looks for leftovers."""

UNKNOWN_S = 24 * 3600.0
"""Age in seconds at which bytes are removed that no row knows: a file on its way into the database is younger."""

COMING_S = 60.0
"""Age in seconds of bytes of an erased file that may be there since it is being uploaded anew."""

_DIGESTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """Lets the virus scanner look at each file before anybody reads it; for one event loop."""

    database: Database
    store: FileStore
    scanner: Scanner
    writer: WriterClient
    alarms: Alarms
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Scans what comes, oldest first, until cancelled."""
        while True:
            self.moved.clear()
            try:
                went_well = await self._look()
            except GatewayError as error:
                log.warning("scanning of files waits: %s", error.message)
                went_well = False
            except Exception:
                log.exception("scanning of files failed; it is tried again")
                went_well = False
            await (set_within(self.moved, LOOK_S) if went_well else asyncio.sleep(RETRY_S))

    async def _look(self) -> bool:
        """Scans waiting files; False when the scanner said nothing of one, so that it isn't asked again at once."""
        while rows := await asyncio.to_thread(self._unscanned):
            verdicts = [await self._scan(row) for row in rows]
            if ScanVerdict.FAILED in verdicts:
                return False
        return True

    def _unscanned(self) -> list[FileRow]:
        with self.database.read() as conn:
            return files.unscanned(conn, SCAN_AT_ONCE)

    async def _scan(self, row: FileRow) -> ScanVerdict:
        try:
            result = await asyncio.to_thread(self._scanned, row.sha256)
        except GatewayError as error:
            result = ScanResult(ScanVerdict.FAILED, error.message)
        if result.verdict is ScanVerdict.FAILED:
            self.alarms.set(FILE_SCANNER, "", f"the virus scanner says nothing of file {row.sha256}: {result.text}")
            return result.verdict
        self.alarms.clear(FILE_SCANNER, "")
        clean = result.verdict is ScanVerdict.CLEAN
        if not clean:
            log.warning("file %s is in quarantine: %s", row.sha256, result.text)
        await self.writer.run(ScannedCommand(row.sha256, clean, result.text))
        return result.verdict

    def _scanned(self, sha256: str) -> ScanResult:
        with self.store.local(sha256) as path:
            return self.scanner.scan(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Removes leftovers; for one event loop."""

    database: Database
    store: FileStore
    uploads: Uploads
    writer: WriterClient
    retention_ms: int

    async def run(self) -> None:
        """Looks for leftovers at the start and from time to time, until cancelled."""
        while True:
            try:
                await self.step()
            except GatewayError as error:
                log.warning("removing of files waits: %s", error.message)
            except Exception:
                log.exception("removing of files failed; it is tried again")
            await asyncio.sleep(SWEEP_S)

    async def step(self) -> None:
        """One look."""
        await asyncio.to_thread(self.uploads.sweep)
        await self._purge()
        await asyncio.to_thread(self._remove_unknown)

    async def _purge(self) -> None:
        after = ""
        while True:
            result: FilePurgeResult = await self.writer.run(PurgeFilesCommand(self.retention_ms, after))
            for sha256 in result.erased:
                await asyncio.to_thread(self.store.delete, sha256)
            after = result.last
            if not after:
                return

    def _remove_unknown(self) -> None:
        """Removes bytes of erased files, which a crash has left, and of unknown ones after a day."""
        objects = self.store.objects()
        while batch := list(islice(objects, _DIGESTS_AT_ONCE)):
            with self.database.read() as conn:
                known = files.find_all(conn, [stored.sha256 for stored in batch])
            for stored in batch:
                row = known.get(stored.sha256)
                if row is None and stored.age_s > UNKNOWN_S:
                    log.warning("file %s is removed: it was cut off before it was known", stored.sha256)
                    self.store.delete(stored.sha256)
                elif row is not None and row.state is StoredState.ERASED and stored.age_s > COMING_S:
                    self.store.delete(stored.sha256)
