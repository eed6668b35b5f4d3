"""gRPC options of a server: what a port takes before it knows who calls."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.contract.channel_options import (
    KEEPALIVE_TIMEOUT_MS,
    LINE_WINDOW_BYTES,
    Options,
    common_options,
    silence_options,
)

HANDSHAKE_TIMEOUT_MS = 3_000
"""Milliseconds for TLS and the client's HTTP/2 greeting: ten slow round trips. A silent connection holds its place no
longer than this."""

SETTINGS_TIMEOUT_MS = 3_000
"""Milliseconds until a client must have acknowledged this server's HTTP/2 settings. Until then gRPC applies none of
them: a header block may have 16 MB instead of MAX_REQUEST_METADATA_BYTES."""

MAX_REQUEST_METADATA_BYTES = 8_192
"""Most bytes of a call's headers, as HTTP/2 counts them: ten times those of this product's clients. gRPC refuses a
longer block by itself, once the caller has acknowledged this server's settings."""

HEADER_OVERHEAD_BYTES = 32
"""What counts for each header beside name and value (RFC 9113 section 6.5.2)."""

WINDOW_BYTES = 65_536
"""Bytes of a call that a caller may send before somebody waits for them; held for refused calls too, until they are
answered. gRPC widens it to the message that is waited for. Without this it measures the connection and widens the
window of every call, to 5 MB and more on a fast one."""

MAX_IDLE_MS = 600_000
"""Milliseconds after which a connection without calls is ended, so that it doesn't hold a place for nothing."""

MIN_PING_INTERVAL_MS = 1_000
"""A server's shortest interval of pings, half of this product's clients'; it disconnects faster senders."""

CONNECTION_AGE_MS = 3_600_000
"""Milliseconds after which a server ends a connection (±10 %, by gRPC): bounds how long an old certificate serves."""

CONNECTION_AGE_GRACE_MS = 30_000
"""Milliseconds for running calls after that; streams resume on the next connection."""


PEER_SILENCE_MS = 20_000
"""Milliseconds for a partner's answer to a ping: where it fetches, the answer waits behind what is sent to it, and an
alert of 150 kB takes that long at 64 kbit/s. A partner that connects anew doesn't wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLimits:
    """What a port takes at once.

    gRPC counts this before authentication, so it bounds what a stranger or a refused caller can make the process hold.

    Attributes:
        connections: TCP connections, those that are still in the handshake included. More are closed at once.
        streams: calls of one connection, those whose request hasn't arrived yet included.
        waiting: calls of one method that wait for the event loop; gRPC drops more.
        window_bytes: of a call that a caller may send before somebody waits for them.
        silence_ms: milliseconds for the answer to a ping.
    """

    connections: int
    streams: int
    waiting: int
    window_bytes: int = WINDOW_BYTES
    silence_ms: int = KEEPALIVE_TIMEOUT_MS


PEER_STREAMS, PEER_WAITING = 96, 64
"""What a partner may have open (limits), 64 calls and 32 streams; and as many calls at once."""

LOCAL_STREAMS, LOCAL_WAITING = 576, 1_024
"""What an own system may have open, 512 calls and 64 streams; and as many from two systems at once."""


def peer_limits(connections: int) -> PortLimits:
    """Limits of the peer port with so many connections."""
    return PortLimits(
        connections=connections,
        streams=PEER_STREAMS,
        waiting=PEER_WAITING,
        window_bytes=LINE_WINDOW_BYTES,
        silence_ms=PEER_SILENCE_MS,
    )


def local_limits(connections: int) -> PortLimits:
    """Limits of the local port with so many connections."""
    return PortLimits(connections=connections, streams=LOCAL_STREAMS, waiting=LOCAL_WAITING)


def server_options(limits: PortLimits, *, connection_age_ms: int = CONNECTION_AGE_MS) -> Options:
    """Options of a server."""
    silence = silence_options(limits.silence_ms)
    return [
        *(option for option in common_options() if option[0] not in dict(silence)),
        *silence,
        ("grpc.so_reuseport", 0),  # a second process on the port must fail, not share it silently
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", limits.window_bytes),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.http2.settings_timeout", SETTINGS_TIMEOUT_MS),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.server.max_pending_requests", limits.waiting),
        ("grpc.server.max_pending_requests_hard_limit", limits.waiting),
        # Two equal limits: between a lower and a higher one gRPC refuses at random.
        ("grpc.max_metadata_size", MAX_REQUEST_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_REQUEST_METADATA_BYTES),
        ("grpc.max_connection_idle_ms", MAX_IDLE_MS),
        ("grpc.max_connection_age_ms", connection_age_ms),
        ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_GRACE_MS),
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
