"""Runs the worker that reads a list: beside the pages of others, with time and memory bounded."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.console.reading.worker import BAD, END, ERROR, ROW, TOO_LARGE
from gateway.console.views.lists.list_files import ListFile
from gateway.errors import GatewayError, InputFileError, OverloadedError, TooLargeError
from gateway.formats.lists.rows import BadRow, SkippedRow
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_service_pb2 import ImportRow

log = logging.getLogger(__name__)

TIME_S: Final = 120.0
"""Seconds for one file, the start of the process included."""

AT_ONCE: Final = 2
MOST_WAITING: Final = 8
"""Files that are read at once, and that wait for it."""

MAX_ROW_BYTES: Final = 4 * 1024 * 1024
"""Of a row: more than a message to the gateway has room for."""

MAX_ERROR_BYTES: Final = 4 * 1024
"""Of what a reader that fails wrote last; the log has it."""

_LIMIT_CODES: Final = frozenset({TOO_LARGE, -signal.SIGXCPU, -signal.SIGKILL})
"""Exit codes of a reader that reached its limits; the kernel ends one with SIGKILL also where memory is short."""

ReadRow = ImportRow | BadRow | SkippedRow


@dataclass(slots=True)
class ListReader:
    """Reads lists; for one event loop."""

    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _waiting: int = 0

    async def rows(self, file: ListFile, most: int) -> list[ReadRow]:
        """The rows of a file: those to import, and those that can't be or aren't entries.

        Raises:
            InputFileError: the file as a whole can't be read.
            TooLargeError: it has more than `most` rows, or takes too much time or memory.
            GatewayError: the reader failed otherwise, which is a defect; the log says how.
            OverloadedError: too many files wait to be read.
        """
        if self._waiting >= MOST_WAITING:
            raise OverloadedError("too many files are being read", retry_after_s=5.0)
        self._waiting += 1
        try:
            async with self._slots:
                return await _run(file, most)
        finally:
            self._waiting -= 1


async def _run(file: ListFile, most: int) -> list[ReadRow]:
    file.stream.flush()
    defaults = b64encode(file.options.defaults.SerializeToString()).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "gateway.console.reading.worker",
        *(file.kind, file.options.list, str(most + 1), defaults),
        stdin=file.stream,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={},
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101  # a pipe
    assert process.stderr is not None  # noqa: S101
    errors = asyncio.create_task(_last(process.stderr))
    rows: list[ReadRow] = []
    try:
        async with asyncio.timeout(TIME_S):
            while (row := await _next(process.stdout)) is not None:
                rows.append(row)
    except TimeoutError:
        raise _too_large() from None
    except asyncio.IncompleteReadError:
        raise _failure(await process.wait(), await errors) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await errors
    if len(rows) > most:
        raise _too_large()
    return rows


async def _last(stream: asyncio.StreamReader) -> bytes:
    """The last bytes of a stream that is read to its end."""
    last = b""
    while chunk := await stream.read(MAX_ERROR_BYTES):
        last = (last + chunk)[-MAX_ERROR_BYTES:]
    return last


def _failure(code: int, errors: bytes) -> GatewayError:
    """Why a reader ended before its last row."""
    if code in _LIMIT_CODES:
        return _too_large()
    log.error("the reader of lists failed", extra={"code": code, "stderr": errors.decode("utf-8", "replace")})
    return GatewayError(_("The list can't be read: this is a defect of the console; its log has the details."))


async def _next(frames: asyncio.StreamReader) -> ReadRow | None:
    head = await frames.readexactly(5)
    size, kind = int.from_bytes(head[:4], "big"), head[4:]
    if size > MAX_ROW_BYTES:
        raise _too_large()
    payload = await frames.readexactly(size)
    if kind == END:
        return None
    if kind == ERROR:
        raise InputFileError(payload.decode())
    if kind == ROW:
        return ImportRow.FromString(payload)
    return (BadRow if kind == BAD else SkippedRow)(**json.loads(payload))


def _too_large() -> TooLargeError:
    return TooLargeError(_("This is too large for a page: an operator can use gateway watchlist import."))
