"""gRPC options of a server."""

from __future__ import annotations

from gateway.contract.channel_options import Options, common_options

MAX_STREAMS_PER_CONNECTION = 1_024
"""Concurrent calls of one connection: enough for a busy customs system, and a bound on memory per caller."""

MIN_PING_INTERVAL_MS = 1_000
"""A server's shortest interval of pings, half of this product's clients'; it disconnects faster senders."""

CONNECTION_AGE_MS = 3_600_000
"""Milliseconds after which a server ends a connection (±10 %, by gRPC): bounds how long an old certificate serves."""

CONNECTION_AGE_GRACE_MS = 30_000
"""Milliseconds for running calls after that; streams resume on the next connection."""


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
