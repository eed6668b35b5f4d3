"""gRPC handlers of CaseworkService for drafts of forms."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import grpc.aio

from gateway.casework.commands.drafts import MAX_BYTES, DeleteDraftCommand, SaveDraftCommand
from gateway.casework.rpc.callers import person_of
from gateway.casework.tables import drafts
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import NotFoundError, TooLargeError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.rpc.calls import current_call
from gateway.v1 import casework_service_pb2 as service

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class DraftHandlers:
    """The part of CaseworkService that is about drafts."""

    def __init__(self, *, database: Database, writer: WriterClient) -> None:
        self._drafts_in = database
        self._draft_writer = writer

    async def ListDrafts(self, request: service.ListDraftsRequest, context: Context) -> service.ListDraftsResponse:
        person = person_of(current_call().principal)

        def read() -> list[service.FormDraft]:
            with self._drafts_in.read() as conn:
                return drafts.of(conn, person)

        return service.ListDraftsResponse(drafts=await asyncio.to_thread(read))

    async def SaveDraft(self, request: service.SaveDraftRequest, context: Context) -> service.SaveDraftResponse:
        if request.draft.ByteSize() > MAX_BYTES:
            raise TooLargeError(f"draft: it has more than {MAX_BYTES} bytes")
        await asyncio.to_thread(validate, request)
        call = current_call()
        call.record(subject_ids=[request.draft.draft_id], repeatable=True)
        return await self._draft_writer.run(SaveDraftCommand(request.draft, person_of(call.principal)))

    async def GetDraft(self, request: service.GetDraftRequest, context: Context) -> service.GetDraftResponse:
        validate(request)
        person = person_of(current_call().principal)

        def read() -> service.FormDraft | None:
            with self._drafts_in.read() as conn:
                return drafts.get(conn, request.draft_id, person)

        draft = await asyncio.to_thread(read)
        if draft is None:
            raise NotFoundError(f"there is no draft {request.draft_id} of yours")
        return service.GetDraftResponse(draft=draft)

    async def DeleteDraft(self, request: service.DeleteDraftRequest, context: Context) -> service.DeleteDraftResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.draft_id], repeatable=True)
        return await self._draft_writer.run(DeleteDraftCommand(request.draft_id, person_of(call.principal)))
