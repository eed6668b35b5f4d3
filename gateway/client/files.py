"""Client for evidence files: upload, download, requests to partners (`client.files`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Backoff, Connection, explained, is_transient
from gateway.client.pages import all_rows
from gateway.errors import GatewayError, InputFileError, MalformedError
from gateway.v1 import file_service_pb2 as service
from gateway.v1.alert_pb2 import AlertReference, EvidenceDigest
from gateway.v1.file_pb2 import AlertFile, AttachedFile, FileState, FileUpload
from gateway.v1.options_pb2 import DisclosureClass

CHUNK_BYTES = 256 * 1024
"""Bytes of one message of an upload."""

ATTEMPTS = 5
"""Most attempts to go on with an upload that is cut off without progress."""

PAGE_SIZE = 500
"""Rows of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAbout:
    """What an upload says of a file.

    Attributes:
        media_type: IANA media type, e.g. image/jpeg.
        purpose, case_reference: of our case; for the audit log.
        file_name: for people; no path. Slashes, control characters and marks of writing direction are refused.
        classes: what its content tells of; a partner gets it only where the agreement allows every one of them, and
            without any only where it allows all.
    """

    media_type: str
    purpose: str
    case_reference: str
    file_name: str = ""
    description: str = ""
    classes: tuple[DisclosureClass.ValueType, ...] = ()

    def upload(self, upload_id: str, offset: int) -> FileUpload:
        return FileUpload(
            upload_id=upload_id,
            offset=offset,
            media_type=self.media_type,
            file_name=self.file_name,
            classes=self.classes,
            description=self.description,
            case_reference=self.case_reference,
            purpose=self.purpose,
        )


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file that is being read: what is known of it, and its bytes from the offset on.

    Iterate `chunks` to the end or close it; neither verifies the digest of a part.
    """

    file: AttachedFile
    chunks: AsyncGenerator[bytes, None]


class FilesClient:
    """FileService. The contract names each method's roles."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, path: Path, about: FileAbout, *, upload_id: str | None = None) -> AttachedFile:
        """Uploads a file; goes on where an upload was cut off, also in a later run with the same `upload_id`.

        Returns:
            The file; its `evidence` goes into an alert, a finding or an answer.

        Raises:
            InputFileError: it can't be read.
            GatewayError: it is too large, of a type that isn't taken, or the gateway can't be reached.
        """
        upload_id = upload_id or new_request_id()
        digest = await asyncio.to_thread(_digest_of, path)
        backoff, failures, reached = Backoff(), 0, 0
        while True:
            offset = await self.upload_offset(upload_id)
            failures, reached = (0, offset) if offset > reached else (failures + 1, reached)
            try:
                return await self._put(_parts(path, offset), about.upload(upload_id, offset), digest)
            except GatewayError as error:
                if not is_transient(error) or failures >= ATTEMPTS:
                    raise
                await backoff.pause(error)

    async def put_stream(
        self, chunks: AsyncIterable[bytes], about: FileAbout, *, upload_id: str | None = None
    ) -> AttachedFile:
        """Uploads bytes as they come, e.g. of a form; they can't be sent again, so a cut-off upload fails.

        An upload that fails because its source fails leaves nothing that is shown.
        """
        return await self._put(chunks, about.upload(upload_id or new_request_id(), 0), None)

    async def upload_offset(self, upload_id: str) -> int:
        """Bytes of an upload that the gateway has."""
        request = service.GetUploadRequest(upload_id=upload_id)
        method = self._connection.stubs.files.GetUpload
        return (await self._connection.unary(method, request, service.GetUploadResponse)).offset

    async def read(self, sha256: bytes, *, purpose: str, case_reference: str, offset: int = 0) -> OpenedFile:
        """Opens a file that is here.

        Raises:
            GatewayError: it isn't here, isn't scanned yet, is in quarantine, or was erased.
        """
        request = service.ReadFileRequest(sha256=sha256, offset=offset, purpose=purpose, case_reference=case_reference)
        call = self._connection.stubs.files.ReadFile(request)
        messages = aiter(call)
        try:
            first = await anext(messages, None)
        except grpc.aio.AioRpcError as error:
            raise await explained(self._connection.error(error)) from None
        if first is None or first.WhichOneof("message") != "file":
            call.cancel()
            raise MalformedError("the gateway's answer doesn't begin with the file")
        return OpenedFile(first.file, self._chunks(call, messages))

    async def get_bytes(self, sha256: bytes, *, purpose: str, case_reference: str, most: int) -> bytes:
        """A whole file of at most so many bytes, verified by its digest.

        Raises:
            MalformedError: it has more bytes, or others than its digest says.
        """
        opened = await self.read(sha256, purpose=purpose, case_reference=case_reference)
        content = bytearray()
        async with aclosing(opened.chunks) as chunks:
            async for chunk in chunks:
                content += chunk
                if len(content) > most:
                    raise MalformedError(f"the file has more than {most} bytes")
        if _sha256(content) != sha256:
            raise MalformedError("the file's bytes aren't those of its digest")
        return bytes(content)

    async def request(self, sha256: bytes, alert: AlertReference, *, purpose: str, case_reference: str) -> AttachedFile:
        """Starts fetching a file from the partner that named it; `wait` returns when the transfer has ended."""
        request = service.RequestFileRequest(sha256=sha256, alert=alert, purpose=purpose, case_reference=case_reference)
        method = self._connection.stubs.files.RequestFile
        return (await self._connection.unary(method, request, service.RequestFileResponse)).file

    async def wait(self, sha256: bytes, *, timeout_s: float, every_s: float = 0.2) -> AttachedFile:
        """Waits until a file is neither being fetched nor waiting for the virus scanner, `timeout_s` seconds at most.

        Returns:
            Its state then: after the time limit it may still be on its way.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while True:
            file = await self.get(sha256)
            is_pending = file.state in (FileState.FILE_STATE_FETCHING, FileState.FILE_STATE_UNSCANNED)
            if not is_pending or loop.time() >= ends_at:
                return file
            await asyncio.sleep(every_s)

    async def get(self, sha256: bytes) -> AttachedFile:
        """State and properties of a file. Raises NotFoundError if this gateway doesn't know it."""
        request = service.GetFileRequest(sha256=sha256)
        method = self._connection.stubs.files.GetFile
        return (await self._connection.unary(method, request, service.GetFileResponse)).file

    async def of_alert(self, alert: AlertReference) -> list[AlertFile]:
        """Files that an alert, its findings and answers name."""
        request = service.ListAlertFilesRequest(alert=alert)
        method = self._connection.stubs.files.ListAlertFiles
        return list((await self._connection.unary(method, request, service.ListAlertFilesResponse)).files)

    async def list_page(
        self,
        *,
        state: FileState.ValueType = FileState.FILE_STATE_UNSPECIFIED,
        page_size: int = 0,
        page_token: str = "",
    ) -> service.ListFilesResponse:
        request = service.ListFilesRequest(page_size=page_size, page_token=page_token, state=state)
        method = self._connection.stubs.files.ListFiles
        return await self._connection.unary(method, request, service.ListFilesResponse)

    def list(
        self, *, state: FileState.ValueType = FileState.FILE_STATE_UNSPECIFIED, page_size: int = PAGE_SIZE
    ) -> AsyncGenerator[AttachedFile, None]:
        """Files of this gateway, newest first."""
        return all_rows(
            lambda token: self.list_page(state=state, page_size=page_size, page_token=token), lambda page: page.files
        )

    async def erase(self, sha256: bytes, *, reason: str, request_id: str | None = None) -> AttachedFile:
        """Erases a file's bytes here; its digest and the reason stay. Partners' copies stay theirs: `given_to`."""
        request = service.EraseFileRequest(request_id=request_id or new_request_id(), sha256=sha256, reason=reason)
        method = self._connection.stubs.files.EraseFile
        return (await self._connection.unary(method, request, service.EraseFileResponse)).file

    async def limits(self) -> service.GetFileLimitsResponse:
        """Sizes and media types that the gateway takes. Raises FilesOffError where it keeps no files."""
        method = self._connection.stubs.files.GetFileLimits
        return await self._connection.unary(method, service.GetFileLimitsRequest(), service.GetFileLimitsResponse)

    async def _put(self, chunks: AsyncIterable[bytes], upload: FileUpload, digest: bytes | None) -> AttachedFile:
        """Sends one stream; without a digest it is that of the chunks."""
        failed: list[Exception] = []
        sent = 0

        async def requests() -> AsyncIterator[service.PutFileRequest]:
            nonlocal sent
            running = sha256()
            try:
                yield service.PutFileRequest(begin=upload)
                async for chunk in chunks:
                    for part in _split(chunk):
                        running.update(part)
                        sent += len(part)
                        yield service.PutFileRequest(chunk=part)
            except Exception as error:  # gRPC would tell only that the call was cancelled
                failed.append(error)
                raise
            yield service.PutFileRequest(end=service.UploadEnd(sha256=digest or running.digest()))

        try:
            response: service.PutFileResponse = await self._connection.stubs.files.PutFile(requests())
        except grpc.aio.AioRpcError as rpc_error:
            if failed:
                raise failed[0] from None
            error = self._connection.error(rpc_error)
            refusal = await self._refusal(upload, sent) if is_transient(error) else None
            raise refusal or await explained(error) from None
        except asyncio.CancelledError:
            if failed:
                raise failed[0] from None
            raise
        return response.file

    async def _refusal(self, upload: FileUpload, sent: int) -> GatewayError | None:
        """Why the gateway refuses so many bytes, whatever they are."""
        opening = FileUpload()
        opening.CopyFrom(upload)
        opening.offset += sent
        begin = service.PutFileRequest(begin=opening)
        return await self._connection.refusal(self._connection.stubs.files.PutFile, begin, "offset.here", "stream.end")

    async def _chunks(
        self,
        call: grpc.aio.UnaryStreamCall[service.ReadFileRequest, service.ReadFileResponse],
        messages: AsyncIterator[service.ReadFileResponse],
    ) -> AsyncGenerator[bytes, None]:
        try:
            async for message in messages:
                yield message.chunk
        except grpc.aio.AioRpcError as error:
            raise await explained(self._connection.error(error)) from None
        finally:
            with suppress(Exception):
                call.cancel()


def evidence_of(file: AttachedFile, description: str = "") -> EvidenceDigest:
    """A file's digest for an alert, a finding or an answer, with another description."""
    evidence = EvidenceDigest()
    evidence.CopyFrom(file.evidence)
    if description:
        evidence.description = description
    return evidence


def _digest_of(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return file_digest(stream, "sha256").digest()
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror}", way_out="Give the path of a file.") from error


async def _parts(path: Path, offset: int) -> AsyncIterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(offset)
        while chunk := await asyncio.to_thread(stream.read, CHUNK_BYTES):
            yield chunk


def _split(chunk: bytes) -> Iterable[bytes]:
    return _slices(chunk) if len(chunk) > CHUNK_BYTES else ((chunk,) if chunk else ())


def _slices(chunk: bytes) -> Iterator[bytes]:
    for at in range(0, len(chunk), CHUNK_BYTES):
        yield chunk[at : at + CHUNK_BYTES]


def _sha256(content: bytes | bytearray) -> bytes:
    return sha256(content).digest()
