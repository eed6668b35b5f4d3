"""Channels to partners, renewed with the directory and TLS credentials; links wait together for one that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import grpc
import grpc.aio

from gateway.contract.channel_options import CONNECT_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS, peer_channel_options
from gateway.errors import DirectoryError, GatewayError, UnavailableError
from gateway.rpc.listener.tls import channel_credentials, pinned_credentials
from gateway.rpc.server_certificates import PartnerServer, examined_certificate, revokes_single_ones
from gateway.tls.credentials import TlsSource
from gateway.trust.rules.directory import Directory
from gateway.trust.service.partner_anchors import usable_cas
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

ATTEMPTS_S = 5.0
"""Seconds of short attempts to connect, and of long ones in turn: short ones end soon after a partition, and long ones
get through where a line has become slow."""

SLOW_CONNECT_S = 4.0
"""Seconds for TCP and TLS of a long attempt: 64 kbit/s with a round trip of 400 ms take two."""


_END_S = 1.0
"""Longest wait for gRPC to tell who waits for a channel that it is closed, in seconds."""

_EXAMINE_AGAIN_S = 0.5
"""Seconds between examinations of a server that isn't reached."""

_ANEW_S = 0.05
"""Seconds until the next look at a channel that was closed while somebody waited for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTimes:
    """What is to be expected of the line to a partner, in seconds.

    Attributes:
        silence_s: the longest silence that is no cut.
        connect_s: to connect.
    """

    silence_s: float = 0.0
    connect_s: float = 0.0


ChannelBasis: TypeAlias = tuple[int, Directory]
"""The credentials' generation, and the directory with what restricts it: a revocation comes without a new number."""


@dataclass(slots=True)
class _PeerChannel:
    """A channel; `connecting` waits for its connection, for all who do."""

    channel: grpc.aio.Channel
    stub: ExchangeServiceStub
    basis: ChannelBasis
    silence_ms: int
    connect_ms: int
    is_pinned: bool
    connecting: asyncio.Task[None] | None = None

    def wait(self) -> asyncio.Task[None]:
        """The task that waits, begun anew where the last connection is gone."""
        if self.connecting is None or self.connecting.done():
            self.connecting = asyncio.create_task(_connected(self.channel), name="connecting")
        return self.connecting

    async def close(self) -> None:
        await self.channel.close()
        if self.connecting is not None:
            # It ends with the channel. Cancelled, gRPC would tell of the channel's end to a loop that may be closed.
            await asyncio.wait({self.connecting}, timeout=_END_S)
            self.connecting.cancel()
            await asyncio.gather(self.connecting, return_exceptions=True)


class Peers:
    """One channel per partner, shared by its feeds; for one event loop."""

    def __init__(
        self,
        *,
        own: str,
        directory: Callable[[], Directory],
        tls: TlsSource,
        endpoints: Mapping[str, str],
        line: Callable[[str], LineTimes],
    ) -> None:
        self._own = own
        self._directory = directory
        self._tls = tls
        self._endpoints = endpoints
        self._line = line
        self._channels: dict[str, _PeerChannel] = {}
        self._failing_since_s: dict[str, float] = {}
        self._examinations: dict[str, tuple[ChannelBasis, asyncio.Task[bytes]]] = {}

    def names(self) -> list[str]:
        """All other nodes of the directory."""
        return sorted(set(self._directory().nodes) - {self._own})

    def basis(self) -> ChannelBasis:
        """What new channels are made of."""
        return self._tls.generation, self._directory()

    async def stub(self, partner: str) -> ExchangeServiceStub:
        """The partner's ExchangeService.

        Raises:
            DirectoryError: the directory lacks its address, or what its server presents doesn't count.
            UnavailableError: its server can't be examined for revocations.
        """
        return (await self._made(partner)).stub

    async def connected(self, partner: str, *, within_s: float) -> bool:
        """Has gRPC connect to a partner; whether it has, within so many seconds.

        Raises:
            DirectoryError: as `stub`.
        """
        ends_at = asyncio.get_running_loop().time() + within_s
        while (left_s := ends_at - asyncio.get_running_loop().time()) > 0:
            try:
                connecting = (await self._made(partner)).wait()
            except UnavailableError:  # its server can't be examined
                await asyncio.sleep(min(left_s, _EXAMINE_AGAIN_S))
                continue
            await asyncio.wait({connecting}, timeout=left_s)
            if connecting.done() and not connecting.cancelled() and connecting.exception() is None:
                return True
            if connecting.done():  # the channel was made anew
                await asyncio.sleep(_ANEW_S)
        return False

    async def renew(self, partner: str) -> None:
        """Drops a channel that has failed, if the next one must be more patient or less, or trust another server."""
        self._failing_since_s.setdefault(partner, asyncio.get_running_loop().time())
        made = self._channels.get(partner)
        if made is None:
            return
        if made.is_pinned or (made.silence_ms, made.connect_ms) != self._timeouts(partner):
            del self._channels[partner]
            await made.close()

    def reached(self, partner: str) -> None:
        """Notes that a partner has answered."""
        self._failing_since_s.pop(partner, None)

    async def close(self) -> None:
        for made in self._channels.values():
            await made.close()
        self._channels.clear()

    async def _made(self, partner: str) -> _PeerChannel:
        basis = self.basis()
        made = self._channels.get(partner)
        if made is not None and made.basis == basis:
            return made
        try:
            pinned = await self._examined(partner, basis) if revokes_single_ones(basis[1]) else b""
            if self.basis() != basis or self._channels.get(partner) is not made:  # meanwhile
                return await self._made(partner)
            silence_ms, connect_ms = self._timeouts(partner)
            channel = self._channel(partner, pinned, silence_ms, connect_ms)
        except GatewayError:  # what the channel was made of may not count any more
            if made is not None and self._channels.get(partner) is made:
                del self._channels[partner]
                await made.close()
            raise
        new = self._channels[partner] = _PeerChannel(
            channel, ExchangeServiceStub(channel), basis, silence_ms, connect_ms, bool(pinned)
        )
        if made is not None:  # after the new one is there: several may ask at once
            await made.close()
        return new

    def _timeouts(self, partner: str) -> tuple[int, int]:
        """Milliseconds of silence and for connecting; in steps, so that channels are seldom made again."""
        line, now_s = self._line(partner), asyncio.get_running_loop().time()
        failing_s = now_s - self._failing_since_s.get(partner, now_s)
        slow = int(failing_s / ATTEMPTS_S) % 2 == 1
        connect_s = SLOW_CONNECT_S if slow else line.connect_s
        return _doubled(KEEPALIVE_TIMEOUT_MS, line.silence_s), _doubled(CONNECT_TIMEOUT_MS, connect_s)

    async def _examined(self, partner: str, basis: ChannelBasis) -> bytes:
        """The certificate of the partner's server; all that want to know by one basis wait for one examination."""
        examined_by, running = self._examinations.get(partner, (None, None))
        if running is None or running.done() or examined_by != basis:
            examining = asyncio.to_thread(examined_certificate, self._server(partner), basis[1], self._tls.files)
            running = asyncio.create_task(examining, name="examination")
            self._examinations[partner] = basis, running
            running.add_done_callback(lambda task: task.cancelled() or task.exception())  # all may have left
        return await asyncio.shield(running)

    def _server(self, partner: str) -> PartnerServer:
        node = self._directory().node(partner)
        endpoint = self._endpoints.get(partner) or next(iter(node.endpoints), "")
        if not endpoint:
            raise DirectoryError(f"the directory gives no endpoint of {partner}, and the settings have none")
        if not usable_cas(self._directory(), partner):
            raise DirectoryError(f"every CA of {partner} is revoked")
        return PartnerServer(partner, endpoint, node.tls_server_name)

    def _channel(self, partner: str, pinned: bytes, silence_ms: int, connect_ms: int) -> grpc.aio.Channel:
        """`pinned`: the only certificate that the server may have; empty: one by any of its CAs."""
        server, own = self._server(partner), self._tls.current()
        if pinned:
            credentials = pinned_credentials(pinned, own.certificate_pem, own.key_pem)
        else:
            cas = "".join(usable_cas(self._directory(), partner)).encode()
            credentials = channel_credentials(cas, own.certificate_pem, own.key_pem)
        options = peer_channel_options(server_name=server.server_name, silence_ms=silence_ms, connect_ms=connect_ms)
        return grpc.aio.secure_channel(server.endpoint, credentials, options=options)


async def _connected(channel: grpc.aio.Channel) -> None:
    """Returns once a channel is connected; gRPC tries again by itself. Raises grpc.aio.UsageError: it was closed."""
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)


def _doubled(milliseconds: int, seconds: float) -> int:
    """Milliseconds, doubled until they are at least so many seconds."""
    while milliseconds < seconds * 1_000:
        milliseconds *= 2
    return milliseconds


log = logging.getLogger(__name__)

ATTEMPT_EVERY_S = ATTEMPTS_S
"""Seconds between calls to a partner that isn't connected, by one link in turn: what they meet tells operators why, and
how patient the next attempts to connect must be."""


class Reconnection:
    """The links to one partner that wait for a connection to it; for one event loop.

    gRPC tries to connect meanwhile, for all of them, and wakes nobody until it has succeeded.
    """

    def __init__(self, partner: str, peers: Peers) -> None:
        self._partner = partner
        self._peers = peers
        self._waiting: list[asyncio.Event] = []
        self._watching: asyncio.Task[None] | None = None
        self._told = ""

    async def wait(self, kick: asyncio.Event) -> None:
        """Returns when `kick` is set: here, once the partner is connected or it is this link's turn, or elsewhere."""
        self._waiting.append(kick)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name=f"connection to {self._partner}")
        try:
            await kick.wait()
        finally:
            self._waiting.remove(kick)
            if not self._waiting and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    def lost(self, why: str) -> None:
        """Logs once for all links why the partner isn't reached."""
        if why != self._told:
            self._told = why
            log.warning("%s isn't reached: %s", self._partner, why)

    def regained(self) -> None:
        """Logs that the partner is reached, if it wasn't."""
        if self._told:
            self._told = ""
            log.info("%s is reached again", self._partner)

    async def _watch(self) -> None:
        while True:
            connected = await self._connected()
            for kick in self._waiting if connected else self._waiting[:1]:
                kick.set()
            await asyncio.sleep(0)  # those leave, and the last one ends this

    async def _connected(self) -> bool:
        try:
            return await self._peers.connected(self._partner, within_s=ATTEMPT_EVERY_S)
        except GatewayError as error:  # the directory gives no address any more
            log.debug("%s can't be connected to: %s", self._partner, error.message)
            await asyncio.sleep(ATTEMPT_EVERY_S)
            return False
