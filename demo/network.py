"""A network between two gateways that can be cut: forwards TCP on loopback, or resets and refuses it.

Knows nothing of what they carry: it is TLS, and the keys are the gateways'.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

_CHUNK = 1 << 16
"""Bytes read at once."""


class Cable:
    """One way from a gateway to a partner's peer port; whole at first. Used in one event loop."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False

    async def open(self, port: int) -> None:
        """Listens on a port of this machine."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)

    def cut(self) -> None:
        """Resets every connection and refuses new ones."""
        self._is_cut = True
        self._reset()

    def heal(self) -> None:
        """Lets connections through again."""
        self._is_cut = False

    async def close(self) -> None:
        """Ends everything."""
        self._is_cut = True  # for a connection that is accepted just now
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reset()
        await asyncio.sleep(0.01)  # transports are gone a turn of the loop after they were closed

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        self._writers.add(writer)  # here, since a task that is cancelled before its first step closes nothing
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._writers.add(far)
            await asyncio.gather(_pump(near_reader, far), _pump(far_reader, near))
        except OSError:
            pass  # a reset, or nobody listens: the caller sees it too
        finally:
            for writer in (near, far):
                if writer is not None:
                    self._writers.discard(writer)
                    writer.transport.abort()

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
