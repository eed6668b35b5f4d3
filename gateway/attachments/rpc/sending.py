"""Sends files to partners that ask for them: the handler of ExchangeService.FetchFile.

The caller asks for each chunk, so that little is on its way at once and alerts don't wait behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from gateway.attachments.commands.passing_on import (
    BeginTransferCommand,
    FinishTransferCommand,
    PartnersRequest,
    require_ready,
)
from gateway.attachments.service.queries import FileQueries
from gateway.attachments.service.storage import FileStore, missing
from gateway.attachments.tables.files import FileRow
from gateway.contract.validation import validate
from gateway.errors import FilesOffError, InvalidRequestError, Violation
from gateway.feed.rpc.writer_client import WriterClient
from gateway.rpc.calls import current_call
from gateway.trust.rules.directory import Directory
from gateway.v1 import exchange_service_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSender:
    """Sends files; for one event loop."""

    store: FileStore
    queries: FileQueries
    writer: WriterClient
    directory: Callable[[], Directory]

    async def send(self, requests: AsyncIterator[pb.FetchFileRequest]) -> AsyncGenerator[pb.FetchFileResponse]:
        """The size of a file, then a chunk for each request.

        Raises:
            GatewayError: as BeginTransferCommand; later too, when the file is erased meanwhile.
        """
        opening = await self._opening(requests)
        row = await self._begun(opening)
        yield pb.FetchFileResponse(size_bytes=row.size)
        offset = opening.offset
        while offset < row.size:
            request = await anext(requests, None)
            if request is None:
                return
            chunk = await self._chunk(request, row, offset)
            offset += len(chunk)
            yield pb.FetchFileResponse(chunk=chunk)
        await self.writer.run(FinishTransferCommand(row.sha256, current_call().principal.node))

    async def _opening(self, requests: AsyncIterator[pb.FetchFileRequest]) -> pb.FileOpening:
        first = await anext(requests, pb.FetchFileRequest())
        if first.WhichOneof("message") != "open":
            raise InvalidRequestError([Violation("message", "stream.opening", "a stream begins with `open`")])
        validate(first)
        return first.open

    async def _begun(self, opening: pb.FileOpening) -> FileRow:
        call, sha256 = current_call(), opening.sha256.hex()
        call.concerns(
            purpose=opening.purpose,
            case_reference=opening.case_reference,
            legal_basis=f"the agreement on files for {opening.purpose}",
            subject_ids=[sha256, opening.alert.alert_id],
        )
        request = PartnersRequest(
            partner=call.principal.node,
            sha256=sha256,
            alert_publisher=opening.alert.publisher,
            alert_id=opening.alert.alert_id,
            purpose=opening.purpose,
            case_reference=opening.case_reference,
        )
        row: FileRow = await self.writer.run(BeginTransferCommand(request, self.directory))
        if opening.offset > row.size:
            raise InvalidRequestError([Violation("open.offset", "offset.here", f"the file has {row.size} bytes")])
        call.record(reason="FILE_SENT", counts={"bytes": row.size - opening.offset})  # before any byte leaves
        return row

    async def _chunk(self, request: pb.FetchFileRequest, row: FileRow, offset: int) -> bytes:
        if request.WhichOneof("message") != "more_bytes":
            raise InvalidRequestError([Violation("message", "stream.more", "after the opening chunks are asked for")])
        validate(request)
        wanted = min(request.more_bytes, row.size - offset)
        chunk = await asyncio.to_thread(self.store.read, row.sha256, offset, wanted)
        require_ready(await asyncio.to_thread(self.queries.row, row.sha256), row.sha256)  # still
        if not chunk:
            raise missing(row.sha256)
        return chunk


async def send_file(
    sender: FileSender | None, requests: AsyncIterator[pb.FetchFileRequest]
) -> AsyncGenerator[pb.FetchFileResponse]:
    """Answers a partner; without a sender, of a node that keeps no files, by FilesOffError."""
    if sender is None:
        raise FilesOffError("this gateway keeps no evidence files")
    async with aclosing(sender.send(requests)) as responses:
        async for response in responses:
            yield response
