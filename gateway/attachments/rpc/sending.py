"""Sends files to partners that ask for them: the handler of ExchangeService.FetchFile.

The caller asks for each chunk, so that little is on its way at once and alerts don't wait behind it. Before each, the
permission is looked at again: a feed may have been suspended, or an agreement ended, since the file began.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from gateway.alerts.commands.onward_transfer import ProjectedMoment
from gateway.attachments.commands.passing_on import (
    BeginTransferCommand,
    FinishTransferCommand,
    PartnersRequest,
    allowed_file,
)
from gateway.attachments.service.storage import FileStore, missing
from gateway.attachments.tables.files import FileRow
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import FilesOffError, InvalidRequestError, Violation
from gateway.feed.rpc.writer_client import WriterClient
from gateway.rpc.calls import current_call
from gateway.trust.rules.directory import Directory
from gateway.v1 import exchange_service_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSender:
    """Sends files; for one event loop."""

    node: str
    database: Database
    store: FileStore
    writer: WriterClient
    directory: Callable[[], Directory]
    clock: Callable[[], int]

    async def send(self, requests: AsyncIterator[pb.FetchFileRequest]) -> AsyncGenerator[pb.FetchFileResponse]:
        """The size of a file, then a chunk for each request.

        Raises:
            GatewayError: as BeginTransferCommand; later too, when it may no longer have the file.
        """
        opening = await self._opening(requests)
        request = _request_of(opening, current_call().principal.node)
        row = await self._begun(opening, request)
        yield pb.FetchFileResponse(size_bytes=row.size)
        offset = opening.offset
        while offset < row.size:
            asked = await anext(requests, None)
            if asked is None:
                return
            chunk = await self._chunk(asked, request, row, offset)
            offset += len(chunk)
            yield pb.FetchFileResponse(chunk=chunk)
        await self.writer.run(FinishTransferCommand(row.sha256, current_call().principal.node))

    async def _opening(self, requests: AsyncIterator[pb.FetchFileRequest]) -> pb.FileOpening:
        first = await anext(requests, pb.FetchFileRequest())
        if first.WhichOneof("message") != "open":
            raise InvalidRequestError([Violation("message", "stream.opening", "a stream begins with `open`")])
        validate(first)
        return first.open

    async def _begun(self, opening: pb.FileOpening, request: PartnersRequest) -> FileRow:
        call, sha256 = current_call(), opening.sha256.hex()
        call.concerns(
            purpose=opening.purpose,
            case_reference=opening.case_reference,
            legal_basis=f"the agreement on files for {opening.purpose}",
            subject_ids=[sha256, opening.alert.alert_id],
        )
        row: FileRow = await self.writer.run(BeginTransferCommand(request, self.directory))
        if opening.offset > row.size:
            raise InvalidRequestError([Violation("open.offset", "offset.here", f"the file has {row.size} bytes")])
        call.record(reason="FILE_SENT", counts={"bytes": row.size - opening.offset})  # before any byte leaves
        return row

    async def _chunk(self, asked: pb.FetchFileRequest, request: PartnersRequest, row: FileRow, offset: int) -> bytes:
        if asked.WhichOneof("message") != "more_bytes":
            raise InvalidRequestError([Violation("message", "stream.more", "after the opening chunks are asked for")])
        validate(asked)
        wanted = min(asked.more_bytes, row.size - offset)
        await asyncio.to_thread(self._require_allowed, request)
        chunk = await asyncio.to_thread(self.store.read, row.sha256, offset, wanted)
        if not chunk:
            raise missing(row.sha256)
        return chunk

    def _require_allowed(self, request: PartnersRequest) -> None:
        """Raises as `allowed_file`."""
        with self.database.read() as conn:
            allowed_file(ProjectedMoment(conn, self.node), request, self.directory(), at_ms=self.clock())


def _request_of(opening: pb.FileOpening, partner: str) -> PartnersRequest:
    return PartnersRequest(
        partner=partner,
        sha256=opening.sha256.hex(),
        alert_publisher=opening.alert.publisher,
        alert_id=opening.alert.alert_id,
        purpose=opening.purpose,
        case_reference=opening.case_reference,
    )


async def send_file(
    sender: FileSender | None, requests: AsyncIterator[pb.FetchFileRequest]
) -> AsyncGenerator[pb.FetchFileResponse]:
    """Answers a partner; without a sender, of a node that keeps no files, by FilesOffError."""
    if sender is None:
        raise FilesOffError("this gateway keeps no evidence files")
    async with aclosing(sender.send(requests)) as responses:
        async for response in responses:
            yield response
