"""An HTTP/2 client that does what the protocol forbids: frames as it is told, over TLS 1.3 with a real certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from bench.attacks.attack import HOST, KeyPair, Target

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

CONNECT_S = 10.0
"""Seconds for TCP and TLS, before a connection counts as refused."""

MAX_STREAMS, INITIAL_WINDOW = 3, 4
"""Numbers of settings (RFC 9113 section 6.5.2)."""

_FIRST_WINDOW, _MAX_FRAME = 65_535, 16_384
_FRAME_HEADER = 9
_PREFIX = 5  # gRPC: one byte for compression, four for the length


class RefusedError(Exception):
    """The node didn't take the connection, or ended it."""


@cache
def tls_context(target: Target, pair: KeyPair | None) -> ssl.SSLContext:
    """TLS 1.3 with ALPN h2, and a certificate unless None."""
    context = ssl.create_default_context(cafile=str(target.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


class HostileConnection:
    """One connection. What comes is read and counted; SETTINGS are acknowledged and PING answered unless told not to.

    Attributes:
        received: frames by type, e.g. `HeadersFrame`.
        resets: error codes of RST_STREAM by count.
        settings: the node's settings by their numbers (RFC 9113 section 6.5.2).
        goaway: error code and text of the node's GOAWAY.
        greeted, ended: set when the node's settings have come, and when the connection is over.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, *, acknowledge: bool
    ) -> None:
        self._reader, self._writer, self._authority = reader, writer, authority
        self._acknowledge = acknowledge
        self._encoder = Encoder()
        self._next_stream = 1
        self._reading: asyncio.Task[None] | None = None
        self.received: Counter[str] = Counter()
        self.resets: Counter[int] = Counter()
        self.settings: dict[int, int] = {}
        self.goaway: tuple[int, bytes] | None = None
        self.greeted, self.ended, self._widened = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._credit: Counter[int] = Counter({0: _FIRST_WINDOW})  # by stream; 0 is the connection

    def read(self) -> None:
        """Reads from now on."""
        self._reading = asyncio.create_task(self._read())

    async def send(self, *frames: Frame | bytes) -> None:
        """Sends frames, or bytes that were prepared; raises RefusedError when the node has ended the connection."""
        if self.ended.is_set() or self._writer.transport.is_closing():
            raise RefusedError("the node has ended the connection")
        try:
            self._writer.write(b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames))
            await self._writer.drain()
            await asyncio.sleep(0)  # drain doesn't wait while the socket takes everything
        except (OSError, ssl.SSLError) as error:
            raise RefusedError(str(error)) from error

    async def send_content(self, stream: int, content: bytes) -> None:
        """Sends DATA as fast as the node's windows allow; waits for it to widen them."""
        while content:
            room = min(self._credit[0], self._credit[stream], _MAX_FRAME)
            if room <= 0:
                self._widened.clear()
                await self._widened.wait()
                continue
            for counted in (0, stream):
                self._credit[counted] -= min(room, len(content))
            await self.send(DataFrame(stream, content[:room]))
            content = content[room:]

    def new_stream(self) -> int:
        number, self._next_stream = self._next_stream, self._next_stream + 2
        self._credit[number] = self.settings.get(INITIAL_WINDOW, _FIRST_WINDOW)
        return number

    def block(self, path: str, extra: Iterable[tuple[str, str]] = ()) -> bytes:
        """The header block of a gRPC call."""
        return self._encoder.encode(
            [
                (":method", "POST"),
                (":scheme", "https"),
                (":path", path),
                (":authority", self._authority),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                *extra,
            ]
        )

    def call(self, path: str, extra: Iterable[tuple[str, str]] = (), flags: Sequence[str] = ("END_HEADERS",)) -> Frame:
        """HEADERS that open a call on a new stream."""
        return HeadersFrame(self.new_stream(), self.block(path, extra), flags=list(flags))

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._writer.transport.abort()

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._frame()
                self.received[type(frame).__name__] += 1
                self._note(frame)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self.ended.set()

    def _note(self, frame: Frame) -> None:
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            wider = frame.settings.get(INITIAL_WINDOW, 0) - self.settings.get(INITIAL_WINDOW, _FIRST_WINDOW)
            if INITIAL_WINDOW in frame.settings:
                for stream in self._credit.keys() - {0}:
                    self._credit[stream] += wider
            self.settings |= frame.settings
            self.greeted.set()
            if self._acknowledge:
                self._writer.write(SettingsFrame(0, flags=["ACK"]).serialize())
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self._writer.write(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
        elif isinstance(frame, WindowUpdateFrame):
            self._credit[frame.stream_id] += frame.window_increment
            self._widened.set()
        elif isinstance(frame, RstStreamFrame):
            self.resets[frame.error_code] += 1
        elif isinstance(frame, GoAwayFrame):
            self.goaway = frame.error_code, frame.additional_data

    async def _frame(self) -> Frame:
        frame, length = Frame.parse_frame_header(memoryview(await self._reader.readexactly(_FRAME_HEADER)))
        frame.parse_body(memoryview(await self._reader.readexactly(length)))
        return frame


@asynccontextmanager
async def connection(
    target: Target,
    port: int,
    pair: KeyPair | None,
    *,
    settings: dict[int, int] | None = None,
    greet: bool = True,
    acknowledge: bool = True,
) -> AsyncIterator[HostileConnection]:
    """A connection with preface and SETTINGS sent, closed at the end.

    Args:
        settings: of this client, by number.
        greet: False sends nothing after the TLS handshake.
        acknowledge: False never acknowledges the node's settings, so that they don't apply.

    Raises:
        RefusedError: the node doesn't take it.
    """
    try:
        reader, writer = await _open(target, port, pair)
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise RefusedError(str(error)) from error
    made = HostileConnection(reader, writer, target.server_name, acknowledge=acknowledge)
    try:
        made.read()
        if greet:
            await made.send(PREFACE, SettingsFrame(0, settings or {}))
        yield made
    finally:
        with contextlib.suppress(OSError, ssl.SSLError):
            await made.close()


async def _open(target: Target, port: int, pair: KeyPair | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """TCP and TLS. A cancelled handshake is let end first: asyncio leaks a transport whose handshake hasn't begun."""
    opening = asyncio.ensure_future(
        asyncio.open_connection(
            HOST,
            port,
            ssl=tls_context(target, pair),
            server_hostname=target.server_name,
            local_addr=(target.source, 0) if target.source else None,
        )
    )
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.shield(opening)
    except (asyncio.CancelledError, TimeoutError):
        await asyncio.wait([opening], timeout=CONNECT_S)
        if not opening.done():
            opening.cancel()
        elif not opening.exception():
            opening.result()[1].transport.abort()
        raise


def header_block(stream: int, block: bytes, *, most: int = _MAX_FRAME) -> bytes:
    """HEADERS with as many CONTINUATION frames as this block needs."""
    parts = [block[start : start + most] for start in range(0, len(block), most)]
    frames: list[Frame] = [HeadersFrame(stream, parts[0]), *(ContinuationFrame(stream, part) for part in parts[1:])]
    frames[-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in frames)


def message(content: bytes) -> bytes:
    """A gRPC message with its prefix."""
    return b"\x00" + len(content).to_bytes(_PREFIX - 1, "big") + content
