"""A network between two nodes: forwards TCP, and can be cut, silenced, delayed, and cut after so many bytes.

Runs an event loop in a thread of its own, so that tests may block or run loops as they like.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

TURNS = 5
"""Turns of the loop after which a transport that was aborted has closed its socket; it takes two."""


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
        cuts: how often it cut by itself (`cut_after`).
    """

    def __init__(self, target: int, network: Network) -> None:
        self._target = target
        self._network = network
        self._cut = self._closed = False
        self._delay_s = 0.0
        self._budget: int | None = None
        self._repeat = self._every = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._known: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self.port = 0
        self.forwarded = 0
        self.cuts = 0

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
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)
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
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far_writer)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._drop(far_writer)
        except OSError:
            return
        finally:
            self._drop(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._whole.wait()
            if not await self._within_budget(data, writer):
                return
            writer.write(data)
            await writer.drain()
        writer.close()

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
