"""A network between two nodes: forwards TCP, and can be cut, silenced, delayed, narrowed, and cut after so many bytes.

Runs an event loop in a thread of its own, so that tests may block or run loops as they like.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

TURNS = 5
"""Turns of the loop after which a transport that was aborted has closed its socket; it takes two."""


PACKET_BYTES = 1_448
"""Bytes that a narrow line takes at once."""

SOCKET_BYTES = 8_192
"""Receive buffers of a narrow line's sockets, which the kernel doubles."""

READ_BYTES = 16_384
"""Bytes read from a connection before they are forwarded; asyncio may hold twice as many."""


class Line:
    """One direction of a narrow line, shared by all its connections: bytes leave one after the other at a rate.

    Args:
        bytes_per_s: its rate.
        queue_s: seconds of bytes that wait in front of it; what is beyond stays with the sender.
    """

    def __init__(self, bytes_per_s: float, queue_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._queue_s = queue_s
        self._free_at = 0.0

    async def room(self) -> None:
        """Waits until the queue takes more."""
        loop = asyncio.get_running_loop()
        while (wait_s := self._free_at - loop.time() - self._queue_s) > 0:  # noqa: ASYNC110
            await asyncio.sleep(wait_s)

    def left_at(self, count: int) -> float:
        """Puts bytes into the queue; the loop's time at which the last has left the line."""
        self._free_at = max(self._free_at, asyncio.get_running_loop().time()) + count / self._bytes_per_s
        return self._free_at


class Network:
    """The thread in which proxies run; ends them with itself."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._proxies: list[Proxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        await asyncio.gather(*(proxy.close() for proxy in self._proxies))
        # A connection that came just before has a task of asyncio's that makes its transport, which `_accepted` drops.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def proxy(self, target: int, port: int = 0) -> Proxy:
        """Starts a proxy in front of a port of this machine.

        Args:
            target: port that it forwards to.
            port: port that it listens on; 0 chooses one.
        """
        proxy = Proxy(target, self)
        asyncio.run_coroutine_threadsafe(proxy.listen(port), self._loop).result(60)
        self._proxies.append(proxy)
        return proxy

    def run(self, call: Callable[[], None]) -> None:
        """Calls it in the loop and waits until it is done."""
        done: threading.Event = threading.Event()

        def run() -> None:
            call()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(60), "the network's loop doesn't answer"


class Proxy:
    """One way from a node to a partner. Whole at first.

    Attributes:
        port: where it listens.
        forwarded: bytes that went through, both ways together.
        sent: bytes that went towards the target.
        cuts: how often it cut by itself (`cut_after`).
    """

    def __init__(self, target: int, network: Network) -> None:
        self._target = target
        self._network = network
        self._cut = self._closed = False
        self._delay_s = 0.0
        self._lines: tuple[Line | None, Line | None] = (None, None)
        self._budget: int | None = None
        self._repeat = self._every = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._known: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self.port = 0
        self.forwarded = self.sent = 0
        self.cuts = 0

    @property
    def accepted(self) -> int:
        """Connections that have come to it so far."""
        return len(self._known)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Ends all connections with a reset and refuses new ones in the same way."""

        def cut() -> None:
            self._cut = True
            self._reset()

        self._network.run(cut)

    def silence(self) -> None:
        """Bytes vanish and nobody is told, as when a cable is pulled; what was sent arrives after `heal`."""
        self._network.run(self._whole.clear)

    def delay(self, seconds: float) -> None:
        """Holds back what goes either way for so long."""
        self._delay_s = seconds

    def narrow(self, bits_per_s: float, *, queue_s: float = 0.25) -> None:
        """Sends no more than that either way, over all connections together; `heal` keeps it.

        Best before connections are made: those that exist keep their large socket buffers.
        """

        def narrow() -> None:
            self._lines = (Line(bits_per_s / 8, queue_s), Line(bits_per_s / 8, queue_s))
            for listening in self._server.sockets:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)

        self._network.run(narrow)

    def cut_after(self, count: int, *, times: int = 1) -> None:
        """Resets connections in the middle once `count` more bytes have gone through; `times` times in a row."""

        def arm() -> None:
            self._budget, self._repeat = count, times
            self._every = count

        self._network.run(arm)

    def heal(self) -> None:
        """Makes it whole."""

        def heal() -> None:
            self._cut, self._delay_s, self._budget = False, 0.0, None
            self._whole.set()

        self._network.run(heal)

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port, limit=READ_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._closed = True
        self._server.close()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._reset()
        for writer in self._known:  # whatever became of its task
            writer.transport.abort()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # From here on, since a task that is cancelled before its first step drops nothing.
        self._writers.add(writer)
        self._known.append(writer)
        if self._closed:  # accepted just before the server was
            self._drop(writer)
            return
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._whole.wait()
            if self._cut:
                return
            far_reader, far_writer = await asyncio.open_connection(sock=await self._connected(), limit=READ_BYTES)
            self._writers.add(far_writer)
            try:
                await asyncio.gather(self._pump(reader, far_writer, 0), self._pump(far_reader, writer, 1))
            finally:
                self._drop(far_writer)
        except OSError:
            return
        finally:
            self._drop(writer)

    async def _connected(self) -> socket.socket:
        far = socket.socket()
        try:
            if self._lines[0] is not None:
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
            far.setblocking(False)
            await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", self._target))
        except BaseException:
            far.close()
            raise
        return far

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: int) -> None:
        """Forwards one direction: 0 towards the target, 1 back."""
        async for data in self._arriving(reader, direction):
            await self._whole.wait()
            if not direction:
                self.sent += len(data)
            if not await self._within_budget(data, writer):
                return
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _arriving(self, reader: asyncio.StreamReader, direction: int) -> AsyncIterator[bytes]:
        """What comes from one side, when it reaches the other."""
        line = self._lines[direction]
        if line is None:
            while data := await reader.read(65_536):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                yield data
            return
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def enter() -> None:
            try:
                await line.room()
                while data := await reader.read(PACKET_BYTES):
                    under_way.put_nowait((line.left_at(len(data)) + self._delay_s, data))
                    await line.room()
            finally:
                under_way.put_nowait((0.0, b""))

        entering = asyncio.create_task(enter())
        try:
            loop = asyncio.get_running_loop()
            while True:
                at, data = await under_way.get()
                if not data:
                    return
                await asyncio.sleep(at - loop.time())
                yield data
        finally:
            entering.cancel()
            await asyncio.gather(entering, return_exceptions=True)

    async def _within_budget(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        self.forwarded += len(data)
        if self._budget is None:
            return True
        self._budget -= len(data)
        if self._budget > 0:
            return True
        writer.write(data[: len(data) + self._budget])  # the message's beginning still arrives
        await writer.drain()
        self.cuts += 1
        self._repeat -= 1
        self._budget = self._every if self._repeat else None
        self._reset()
        return False

    def _reset(self) -> None:
        for writer in [*self._writers]:
            self._drop(writer)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()
