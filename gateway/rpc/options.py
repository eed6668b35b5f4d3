"""gRPC options of a server, each with its reason."""

from __future__ import annotations

from gateway.contract.channel_options import Options, common_options

MAX_STREAMS_PER_CONNECTION = 1_024
"""Concurrent calls of one connection: what a busy customs system needs, and a bound on memory for one caller."""

MIN_PING_INTERVAL_MS = 1_000
"""Pings that a server accepts, half of what clients of this product send; a faster sender is disconnected."""

CONNECTION_AGE_MS = 3_600_000
"""Milliseconds after which a server ends a connection (±10 %, by gRPC): bounds how long an old certificate serves."""

CONNECTION_AGE_GRACE_MS = 30_000
"""Milliseconds for running calls then; a stream resumes from its position on the next connection."""


def server_options(*, connection_age_ms: int = CONNECTION_AGE_MS) -> Options:
    """Options of a server."""
    return [
        *common_options(),
        ("grpc.so_reuseport", 0),  # a second process on the port must fail, not share it silently
        ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
        ("grpc.max_connection_age_ms", connection_age_ms),
        ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_GRACE_MS),
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
