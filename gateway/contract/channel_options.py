"""gRPC options of a channel: limits, keepalive and back-off, each with its reason; a server shares some of them."""

from __future__ import annotations

from gateway.contract.limits import MAX_MESSAGE_BYTES

KEEPALIVE_TIME_MS = 2_000
"""Milliseconds of silence before a ping, so that a cut link is noticed before TCP does."""

KEEPALIVE_TIMEOUT_MS = 2_000
"""Milliseconds a ping may take: ten slow round trips across the border."""

INITIAL_BACKOFF_MS = 100
"""Milliseconds before the first new attempt to connect."""

MAX_BACKOFF_MS = 400
"""Most milliseconds between attempts; with gRPC's jitter below 500, so a link resumes within a second."""

CONNECT_TIMEOUT_MS = 1_000
"""Milliseconds for TCP and TLS together; gRPC's 20 s would hold a link down that long after a partition."""

MAX_METADATA_BYTES = 16_384
"""Longest headers or trailers in bytes; rich errors stay below gRPC's default of 8,192, for other clients."""

Options = list[tuple[str, int | str]]


def channel_options(*, server_name: str | None = None) -> Options:
    """Options of a client's channel.

    Args:
        server_name: the name in the server's certificate where it differs from the dialled one, e.g. through a
            forwarder.
    """
    options: Options = [
        *common_options(),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),  # keepalive goes on while a stream is idle
        ("grpc.initial_reconnect_backoff_ms", INITIAL_BACKOFF_MS),
        ("grpc.max_reconnect_backoff_ms", MAX_BACKOFF_MS),
        ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),  # gRPC's name for the time an attempt gets
        ("grpc.dns_min_time_between_resolutions_ms", INITIAL_BACKOFF_MS),
        ("grpc.use_local_subchannel_pool", 1),  # never share a connection made with other credentials
    ]
    if server_name is not None:
        options.append(("grpc.ssl_target_name_override", server_name))
    return options


def common_options() -> Options:
    """Options of channels and servers alike."""
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        # gRPC's bandwidth pings wait 60 s and hold keepalive back meanwhile: a link cut just after data was noticed
        # only then (measured).
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ]
