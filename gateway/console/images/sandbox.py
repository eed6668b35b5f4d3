"""Runs the worker for one picture: with time and size bounded, and nothing of the console's environment."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.console.images.worker import MAX_INPUT_BYTES, MAX_SIDE, TOO_LARGE
from gateway.errors import OverloadedError

TIME_S: Final = 15.0
"""Seconds for one picture, the start of the process included."""

MAX_OUTPUT_BYTES: Final = 24 * 1024 * 1024
"""Largest picture that is taken from a worker."""

AT_ONCE: Final = 2
MOST_WAITING: Final = 16
"""Workers at once, and pictures that wait for one."""

_MEDIA_TYPES: Final = frozenset({b"image/png", b"image/jpeg"})
_PIXELS: Final = re.compile(rb"([1-9][0-9]{0,9}) ([1-9][0-9]{0,9})")


class PictureError(Exception):
    """A file that isn't shown as a picture.

    Attributes:
        too_large: it has too many pixels or bytes.
        pixels: its width and height then, where it says them.
    """

    def __init__(self, *, too_large: bool, pixels: tuple[int, int] | None = None) -> None:
        super().__init__("too large" if too_large else "not a picture that is shown")
        self.too_large = too_large
        self.pixels = pixels


@dataclass(frozen=True, slots=True)
class SafePicture:
    """A picture that the worker made."""

    media_type: str
    content: bytes


@dataclass(slots=True)
class PictureSandbox:
    """Makes safe pictures; for one event loop."""

    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _waiting: int = 0

    async def safe_picture(self, content: bytes, *, side: int = MAX_SIDE) -> SafePicture:
        """The picture of a file, made anew; its longest side has at most so many pixels.

        Raises:
            PictureError: it is none, or too large.
            OverloadedError: too many pictures wait.
        """
        media_type, _line_end, picture = (await self._answer(content, side)).partition(b"\n")
        if media_type not in _MEDIA_TYPES:
            raise PictureError(too_large=False)
        return SafePicture(media_type.decode(), picture)

    async def require_showable(self, content: bytes) -> None:
        """Looks at a file's head alone; raises as `safe_picture`, which may raise all the same."""
        await self._answer(content, 0)

    async def _answer(self, content: bytes, side: int) -> bytes:
        if len(content) > MAX_INPUT_BYTES:
            raise PictureError(too_large=True)
        if self._waiting >= MOST_WAITING:
            raise OverloadedError("too many pictures are being opened", retry_after_s=2.0)
        self._waiting += 1
        try:
            async with self._slots:
                return await _run(content, side)
        finally:
            self._waiting -= 1


async def _run(content: bytes, side: int) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "gateway.console.images.worker",
        str(side),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd="/",
        env={},
        start_new_session=True,
        limit=MAX_OUTPUT_BYTES,
    )
    try:
        async with asyncio.timeout(TIME_S):
            output = await _exchanged(process, content)
            code = await process.wait()
    except TimeoutError:
        raise PictureError(too_large=True) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if code != 0 or len(output) > MAX_OUTPUT_BYTES:
        said = _PIXELS.fullmatch(output) if code == TOO_LARGE else None
        raise PictureError(
            too_large=code == TOO_LARGE or code < 0 or len(output) > MAX_OUTPUT_BYTES,
            pixels=(int(said[1]), int(said[2])) if said else None,
        )
    return output


async def _exchanged(process: asyncio.subprocess.Process, content: bytes) -> bytes:
    """Sends the file and reads at most what a picture may have."""
    assert process.stdin is not None  # noqa: S101  # a pipe
    assert process.stdout is not None  # noqa: S101
    sending = asyncio.create_task(_sent(process.stdin, content))
    try:
        output = bytearray()
        while chunk := await process.stdout.read(1024 * 1024):
            output += chunk
            if len(output) > MAX_OUTPUT_BYTES:
                break
        return bytes(output)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _sent(stdin: asyncio.StreamWriter, content: bytes) -> None:
    with suppress(ConnectionError):
        stdin.write(content)
        await stdin.drain()
        stdin.close()
