"""Fetches files from the partners that named them, in the background, as the line allows.

1. The opening names the digest, the alert, the purpose and the case. The partner says the size; another than it signed,
   or more than this node takes, is refused.
2. Pieces are asked for one by one (rules.pieces), each written where it belongs. An interruption goes on at the bytes
   that are here.
3. Whole, the bytes must have the digest that the partner signed. Others are discarded, and the partner is named in an
   alarm that stays until the node restarts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import grpc.aio

from gateway.attachments.commands.fetching import NoteFetchCommand
from gateway.attachments.rpc.arrivals import Arrivals
from gateway.attachments.rules.limits import FileLimits
from gateway.attachments.rules.pieces import PieceSize, pause_s
from gateway.attachments.service.uploads import PartialFile, Uploads
from gateway.attachments.tables import fetches
from gateway.attachments.tables.fetches import FetchRow
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.errors import (
    DeadlineExceededError,
    FileNotReadyError,
    FileRefusedError,
    GatewayError,
    Kind,
    OverloadedError,
    StoreUnavailableError,
    UnavailableError,
)
from gateway.feed.rpc.writer_client import WriterClient, set_within
from gateway.feed.service.alarms import FILE_WRONG, Alarms
from gateway.rpc.beats import beat_in_s
from gateway.rpc.calls import from_rpc_error, write_to
from gateway.rpc.peers import Peers
from gateway.v1 import alert_pb2
from gateway.v1 import exchange_service_pb2 as pb

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Seconds between looks for files that are to be fetched, while some wait or anything was committed."""

QUIET_S = 60.0
"""The same otherwise."""

AT_ONCE = 2
"""Most files on their way from one partner."""

MOST_WAITING = 200
"""Most fetches that one look reads."""

SILENCE_S = 60.0
"""Seconds after which a piece that doesn't come is taken for an interruption."""

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
"""Bounds of the pause after an interruption, which doubles each time."""


class _WrongFile(Exception):
    """The partner sends another file than it signed."""


@dataclass(slots=True)
class _Retry:
    """When a fetch is tried again, by the loop's clock, and after how long a pause."""

    at_s: float = 0.0
    pause_s: float = FIRST_RETRY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFetcher:
    """Fetches files; for one event loop and one replica at a time."""

    database: Database
    peers: Peers
    uploads: Uploads
    limits: FileLimits
    arrivals: Arrivals
    writer: WriterClient
    alarms: Alarms
    news: NewsSince
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)
    _retries: dict[tuple[str, str], _Retry] = field(default_factory=dict)

    async def run(self) -> None:
        """Fetches what is asked for, until cancelled."""
        try:
            while True:
                is_told = self.moved.is_set()
                self.moved.clear()
                if self.news.is_due or is_told or self._retries:
                    await self._look()
                await set_within(self.moved, beat_in_s(LOOK_S))
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._running.clear()

    async def _look(self) -> None:
        try:
            waiting = await asyncio.to_thread(self._waiting)
        except GatewayError as error:
            log.warning("files that are asked for wait: %s", error.message)
            return
        self.news.looked()
        now_s = asyncio.get_running_loop().time()
        for row in waiting:
            key = row.sha256, row.partner
            due = self._retries.setdefault(key, _Retry()).at_s <= now_s
            busy = sum(partner == row.partner for _, partner in self._running)
            if due and key not in self._running and busy < AT_ONCE:
                self._running[key] = asyncio.create_task(self._fetch(row), name=f"file {row.sha256[:12]}")

    def _waiting(self) -> list[FetchRow]:
        with self.database.read() as conn:
            return fetches.waiting(conn, MOST_WAITING)

    async def _fetch(self, row: FetchRow) -> None:
        key = row.sha256, row.partner
        try:
            await self._receive(row)
            self._retries.pop(key, None)
        except _WrongFile as error:
            await self._wrong(row, str(error))
        except GatewayError as error:
            await self._failed(row, error)
        except Exception:
            log.exception("fetching file %s from %s failed; it is tried again", *key)
            self._later(key)
        finally:
            self._running.pop(key, None)
            self.moved.set()

    async def _receive(self, row: FetchRow) -> None:
        name = Uploads.of_fetch(row.sha256, row.partner)
        self.limits.require_size(row.size)
        with self.uploads.opened(name) as partial:
            async with self._opened(row, partial.size) as (call, size, round_trip_s):
                await self._pieces(call, partial, size, round_trip_s)
            try:
                await self.arrivals.take(
                    partial, self.arrivals.fetched_row(row, partial.size), fetch=row, before_commit=lambda: None
                )
            except FileRefusedError as error:
                if error.metadata.get("field") == "sha256":
                    raise _WrongFile(error.message) from error  # 3
                raise

    @asynccontextmanager
    async def _opened(self, row: FetchRow, offset: int) -> AsyncIterator[tuple[Any, int, float]]:
        """1: the call, the file's size and the seconds that the answer took."""
        loop = asyncio.get_running_loop()
        stub = await self.peers.stub(row.partner)
        call = stub.FetchFile()
        try:
            began_s = loop.time()
            await write_to(call, pb.FetchFileRequest(open=_opening(row, offset)))
            size = (await _next(call)).size_bytes
            if row.size and size != row.size:
                raise _WrongFile(f"it has {size:,} bytes, and the step that names it says {row.size:,}")
            self.limits.require_size(size)
            await self.arrivals.require_room(size)
            if offset > size:
                raise _WrongFile(f"it has {size:,} bytes, and {offset:,} of it came before")
            yield call, size, loop.time() - began_s
            with suppress(Exception):
                await call.done_writing()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    async def _pieces(self, call: Any, partial: PartialFile, size: int, round_trip_s: float) -> None:
        """2. What a piece takes beyond a round trip is what the line needs for its bytes."""
        loop, piece = asyncio.get_running_loop(), PieceSize()
        while partial.size < size:
            wanted, began_s = min(piece.size, size - partial.size), loop.time()
            await write_to(call, pb.FetchFileRequest(more_bytes=wanted))
            chunk = (await _next(call)).chunk
            took_s = loop.time() - began_s
            round_trip_s = min(round_trip_s, took_s)
            if not 0 < len(chunk) <= wanted:
                raise _WrongFile(f"a piece of {wanted:,} bytes came with {len(chunk):,}")
            await asyncio.to_thread(partial.append, chunk)
            carried_s = took_s - round_trip_s
            piece = piece.after(carried_s)
            if pause := pause_s(carried_s):
                await asyncio.sleep(pause)

    async def _wrong(self, row: FetchRow, why: str) -> None:
        text = f"{row.partner} doesn't send the file that it signed: {why}"
        self.alarms.set(FILE_WRONG, row.partner, f"file {row.sha256} isn't kept: {text}")
        await asyncio.to_thread(self.uploads.discard, Uploads.of_fetch(row.sha256, row.partner))
        await self._refuse(row, "FILE_WRONG", text)

    async def _failed(self, row: FetchRow, error: GatewayError) -> None:
        key = row.sha256, row.partner
        if _is_passing(error):
            self._later(key, error.retry_after_s or 0.0)
            text = f"{row.partner}: {error.message}"
            if text != row.reason:
                await self._note(NoteFetchCommand(row, refused=False, code=error.reason, reason=text))
            return
        await asyncio.to_thread(self.uploads.discard, Uploads.of_fetch(row.sha256, row.partner))
        await self._refuse(row, error.reason, f"{row.partner}: {error.message}")

    async def _refuse(self, row: FetchRow, code: str, text: str) -> None:
        self._retries.pop((row.sha256, row.partner), None)
        log.warning("file %s of %s isn't fetched: %s", row.sha256, row.partner, text)
        await self._note(NoteFetchCommand(row, refused=True, code=code, reason=text))

    async def _note(self, command: NoteFetchCommand) -> None:
        try:
            await self.writer.run(replace(command))
        except GatewayError as error:
            log.warning("how file %s stands isn't noted: %s", command.row.sha256, error.message)
            self._later((command.row.sha256, command.row.partner))

    def _later(self, key: tuple[str, str], at_least_s: float = 0.0) -> None:
        retry = self._retries.setdefault(key, _Retry())
        retry.at_s = asyncio.get_running_loop().time() + max(retry.pause_s, at_least_s)
        retry.pause_s = min(retry.pause_s * 2, LONGEST_RETRY_S)


def _opening(row: FetchRow, offset: int) -> pb.FileOpening:
    return pb.FileOpening(
        sha256=bytes.fromhex(row.sha256),
        offset=offset,
        alert=alert_pb2.AlertReference(publisher=row.alert_publisher, alert_id=row.alert_id),
        purpose=row.purpose,
        case_reference=row.case_reference,
    )


async def _next(call: Any) -> pb.FetchFileResponse:
    """The next message; raises UnavailableError when none comes or the partner ends without an error."""
    try:
        async with asyncio.timeout(SILENCE_S):
            message = await call.read()
    except TimeoutError:
        raise UnavailableError(f"nothing came for {SILENCE_S:g} s") from None
    if not isinstance(message, pb.FetchFileResponse):
        code = await call.code()
        if code is grpc.StatusCode.OK:
            raise UnavailableError("the partner has ended the stream")
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        )
    return message


_PASSING = (UnavailableError, DeadlineExceededError, OverloadedError, StoreUnavailableError)


def _is_passing(error: GatewayError) -> bool:
    """Whether the same request may succeed later without anybody's doing."""
    if isinstance(error, FileNotReadyError):
        return error.retry_after_s is not None
    return isinstance(error, _PASSING) or error.kind in (Kind.UNAVAILABLE, Kind.INTERNAL, Kind.UNAUTHENTICATED)
