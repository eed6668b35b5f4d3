"""Takes files that have come whole, from own systems or partners, into the store.

1. The bytes' digest is what was said of them; others are discarded.
2. They begin as their media type says.
3. They are moved into the store, durably.
4. The file is made known, in one transaction with what brought it: readable, or to be scanned first.

A crash before 4 leaves an object that nobody knows; it is removed after a day (`Housekeeping`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.attachments.codec.classes import text_of
from gateway.attachments.commands.storing import KeepFileCommand
from gateway.attachments.rules.limits import FileLimits, require_beginning
from gateway.attachments.rules.states import StoredState
from gateway.attachments.service.storage import FileStore
from gateway.attachments.service.uploads import PartialFile
from gateway.attachments.tables import files
from gateway.attachments.tables.fetches import FetchRow
from gateway.attachments.tables.files import FileRow
from gateway.db.database import Database
from gateway.errors import FileRefusedError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.v1 import file_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Takes files; for one event loop.

    Attributes:
        scanned: whether a scanner looks at files first.
        wake: called after a file came.
    """

    database: Database
    store: FileStore
    limits: FileLimits
    writer: WriterClient
    scanned: bool
    wake: Callable[[], None]

    async def require_room(self, size: int) -> None:
        """Raises FileStoreFullError early; step 4 decides."""
        stored = await asyncio.to_thread(self._stored)
        self.limits.require_room(stored, size)

    def _stored(self) -> int:
        with self.database.read() as conn:
            return files.stored_bytes(conn)

    async def take(
        self, partial: PartialFile, row: FileRow, *, fetch: FetchRow | None = None, before_commit: Callable[[], None]
    ) -> FileRow:
        """Takes a file; `row` says what it is, `before_commit` records the call.

        Raises:
            FileRefusedError: steps 1 and 2, or no room; the partial file is gone.
            StoreUnavailableError: nothing was taken; the partial file stays.
        """
        await asyncio.to_thread(partial.require_digest, bytes.fromhex(row.sha256))  # 1
        try:
            require_beginning(row.media_type, await asyncio.to_thread(partial.head))  # 2
        except FileRefusedError:
            await asyncio.to_thread(partial.discard)
            raise
        before_commit()
        await asyncio.to_thread(self.store.put, row.sha256, partial.path)  # 3
        try:
            kept: FileRow = await self.writer.run(KeepFileCommand(row, self.limits, fetch))  # 4
        except FileRefusedError:
            await asyncio.to_thread(self.store.delete, row.sha256)
            raise
        self.wake()
        return kept

    def new_row(self, sha256: str, *, size: int, upload: file_pb2.FileUpload, added_by: str) -> FileRow:
        """The row of an upload."""
        return FileRow(
            sha256=sha256,
            size=size,
            media_type=upload.media_type,
            file_name=upload.file_name,
            description=upload.description,
            classes=text_of(upload.classes),
            state=self.first_state,
            reason="",
            own=True,
            added_at=0,
            added_by=added_by,
        )

    def fetched_row(self, fetch: FetchRow, size: int) -> FileRow:
        """The row of what a partner sent."""
        return FileRow(
            sha256=fetch.sha256,
            size=size,
            media_type=fetch.media_type,
            file_name=fetch.file_name,
            description=fetch.description,
            classes=fetch.classes,
            state=self.first_state,
            reason="",
            own=False,
            added_at=0,
            added_by=fetch.asked_by,
        )

    @property
    def first_state(self) -> StoredState:
        """State of a file that has just come."""
        return StoredState.UNSCANNED if self.scanned else StoredState.CLEAN
