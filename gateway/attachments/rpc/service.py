"""gRPC handlers of FileService, for an authority's systems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc.aio

from gateway.attachments.codec.classes import needed, text_of
from gateway.attachments.commands.fetching import RequestCommand
from gateway.attachments.commands.passing_on import require_files_allowed, require_ready
from gateway.attachments.commands.storing import EraseFileCommand
from gateway.attachments.rpc.arrivals import Arrivals
from gateway.attachments.rules.limits import CHUNK_BYTES, FileLimits
from gateway.attachments.service.queries import FileQueries
from gateway.attachments.service.storage import FileStore
from gateway.attachments.service.uploads import PartialFile, Uploads
from gateway.attachments.tables.fetches import FetchRow, FetchState
from gateway.contract.validation import validate
from gateway.errors import FileRefusedError, FilesOffError, InvalidRequestError, Violation
from gateway.feed.rpc.writer_client import WriterClient
from gateway.rpc.calls import Call, current_call
from gateway.trust.rules.directory import Directory
from gateway.v1 import file_pb2, file_service_pb2_grpc
from gateway.v1 import file_service_pb2 as pb

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileParts:
    """What the handlers work with.

    Attributes:
        wake_fetcher: called after a file was asked for.
        retention_days: as the settings have it.
    """

    node: str
    store: FileStore
    uploads: Uploads
    limits: FileLimits
    arrivals: Arrivals
    queries: FileQueries
    writer: WriterClient
    directory: Callable[[], Directory]
    wake_fetcher: Callable[[], None]
    clock: Callable[[], int]
    retention_days: int


class FileServicer(file_service_pb2_grpc.FileServiceServicer):
    """Handlers of FileService; without parts every one refuses."""

    def __init__(self, parts: FileParts | None) -> None:
        self._parts = parts

    def register(self, server: grpc.aio.Server) -> None:
        """Makes a server serve it."""
        file_service_pb2_grpc.add_FileServiceServicer_to_server(self, server)

    async def PutFile(self, request_iterator: AsyncIterator[pb.PutFileRequest], context: Context) -> pb.PutFileResponse:
        parts, call, requests = self._on(), current_call(), aiter(request_iterator)
        first = await anext(requests, pb.PutFileRequest())
        if first.WhichOneof("message") != "begin":
            raise InvalidRequestError([Violation("message", "stream.opening", "an upload begins with `begin`")])
        validate(first)
        upload = first.begin
        parts.limits.require_taken(media_type=upload.media_type, size=upload.offset)
        name = Uploads.of_caller(call.principal.id, upload.upload_id)
        with parts.uploads.opened(name, upload.offset) as partial:
            try:
                digest = await self._received(requests, partial)
                await parts.arrivals.require_room(partial.size)
            except FileRefusedError:
                await asyncio.to_thread(partial.discard)
                raise
            row = parts.arrivals.new_row(digest, size=partial.size, upload=upload, added_by=call.principal.id)
            await parts.arrivals.take(partial, row, before_commit=lambda: _record_upload(call, upload, digest, partial))
        return pb.PutFileResponse(file=await asyncio.to_thread(parts.queries.get, digest))

    async def _received(self, requests: AsyncIterator[pb.PutFileRequest], partial: PartialFile) -> str:
        """Writes the chunks; the digest that the end says, in hexadecimal."""
        async for request in requests:
            match request.WhichOneof("message"):
                case "chunk":
                    _require_chunk(request.chunk)
                    await asyncio.to_thread(partial.append, request.chunk)
                case "end":
                    validate(request)
                    return request.end.sha256.hex()
                case _:
                    break
        raise InvalidRequestError([Violation("message", "stream.end", "an upload is chunks, and ends with `end`")])

    async def GetUpload(self, request: pb.GetUploadRequest, context: Context) -> pb.GetUploadResponse:
        parts = self._on()
        validate(request)
        name = Uploads.of_caller(current_call().principal.id, request.upload_id)
        return pb.GetUploadResponse(offset=await asyncio.to_thread(parts.uploads.size, name))

    async def ReadFile(self, request: pb.ReadFileRequest, context: Context) -> AsyncIterator[pb.ReadFileResponse]:
        parts, call, sha256 = self._on(), current_call(), request.sha256.hex()
        validate(request)
        file = await asyncio.to_thread(parts.queries.get, sha256)
        row = require_ready(await asyncio.to_thread(parts.queries.row, sha256), sha256)
        call.record(
            purpose=request.purpose,
            case_reference=request.case_reference,
            subject_ids=[sha256],
            reason="FILE_READ",
            counts={"bytes": max(0, row.size - request.offset)},
        )
        yield pb.ReadFileResponse(file=file)
        offset = request.offset
        while offset < row.size:
            chunk = await asyncio.to_thread(parts.store.read, sha256, offset, min(CHUNK_BYTES, row.size - offset))
            require_ready(await asyncio.to_thread(parts.queries.row, sha256), sha256)
            if not chunk:
                return
            offset += len(chunk)
            yield pb.ReadFileResponse(chunk=chunk)

    async def RequestFile(self, request: pb.RequestFileRequest, context: Context) -> pb.RequestFileResponse:
        parts, call, sha256 = self._on(), current_call(), request.sha256.hex()
        validate(request)
        mention, evidence, event = await asyncio.to_thread(
            parts.queries.partners_mention, sha256, request.alert.publisher, request.alert.alert_id
        )
        partner, classes = mention.row.speaker, text_of(evidence.classes)
        parts.limits.require_taken(media_type=evidence.media_type, size=evidence.size_bytes)
        require_files_allowed(
            parts.directory(),
            sender=partner,
            recipient=parts.node,
            purpose=request.purpose,
            classes=needed(classes),
            at_ms=parts.clock(),
        )
        row = FetchRow(
            sha256=sha256,
            partner=partner,
            state=FetchState.WAITING,
            reason="",
            alert_publisher=request.alert.publisher,
            alert_id=request.alert.alert_id,
            event=event,
            size=evidence.size_bytes,
            media_type=evidence.media_type,
            file_name=evidence.file_name,
            description=evidence.description,
            classes=classes,
            purpose=request.purpose,
            case_reference=request.case_reference,
            asked_by=call.principal.id,
            asked_at=0,
        )
        call.record(
            purpose=request.purpose,
            case_reference=request.case_reference,
            subject_ids=[sha256, request.alert.alert_id],
            detail=f"from {partner}",
        )
        if await parts.writer.run(RequestCommand(row)):
            parts.wake_fetcher()
        return pb.RequestFileResponse(file=await asyncio.to_thread(parts.queries.get, sha256))

    async def GetFile(self, request: pb.GetFileRequest, context: Context) -> pb.GetFileResponse:
        parts = self._on()
        validate(request)
        return pb.GetFileResponse(file=await asyncio.to_thread(parts.queries.get, request.sha256.hex()))

    async def ListAlertFiles(self, request: pb.ListAlertFilesRequest, context: Context) -> pb.ListAlertFilesResponse:
        parts = self._on()
        validate(request)
        return await asyncio.to_thread(parts.queries.of_alert, request.alert.publisher, request.alert.alert_id)

    async def ListFiles(self, request: pb.ListFilesRequest, context: Context) -> pb.ListFilesResponse:
        parts = self._on()
        validate(request)
        return await asyncio.to_thread(parts.queries.list, request)

    async def EraseFile(self, request: pb.EraseFileRequest, context: Context) -> pb.EraseFileResponse:
        parts, call = self._on(), current_call()
        validate(request)
        call.record(subject_ids=[request.sha256.hex()], detail=request.reason)
        command = EraseFileCommand(request, call.principal.id, lambda tx, sha256: parts.queries.read(tx.conn, sha256))
        response: pb.EraseFileResponse = await parts.writer.run(command)
        await asyncio.to_thread(parts.store.delete, request.sha256.hex())
        return response

    async def GetFileLimits(self, request: pb.GetFileLimitsRequest, context: Context) -> pb.GetFileLimitsResponse:
        parts = self._on()
        return pb.GetFileLimitsResponse(
            max_file_bytes=parts.limits.max_file_bytes,
            max_total_bytes=parts.limits.max_total_bytes,
            media_types=sorted(parts.limits.media_types),
            scanned=parts.arrivals.scanned,
            retention_days=parts.retention_days,
        )

    def _on(self) -> FileParts:
        if self._parts is None:
            raise FilesOffError("this gateway keeps no evidence files")
        return self._parts


def _require_chunk(chunk: bytes) -> None:
    if not 0 < len(chunk) <= CHUNK_BYTES:
        raise InvalidRequestError([Violation("chunk", "bytes.len", f"a chunk has 1 to {CHUNK_BYTES:,} bytes")])


def _record_upload(call: Call, upload: file_pb2.FileUpload, digest: str, partial: PartialFile) -> None:
    call.record(
        purpose=upload.purpose,
        case_reference=upload.case_reference,
        subject_ids=[digest],
        counts={"bytes": partial.size},
    )
