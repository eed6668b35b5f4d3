"""gRPC channel options, some shared with servers."""

from __future__ import annotations

from gateway.contract.limits import MAX_MESSAGE_BYTES

KEEPALIVE_TIME_MS = 2_000
"""Milliseconds of silence before a ping, to notice cut links before TCP."""

KEEPALIVE_TIMEOUT_MS = 2_000
"""Ping timeout in milliseconds: ten slow round trips across the border."""

LINE_WINDOW_BYTES = 262_144
"""Bytes of a call between gateways that may be on the way before somebody waits for them: 2 Mbit/s with a round trip of
400 ms need 150 kB."""

UNSENT_TIMEOUT_MS = 60_000
"""Milliseconds for which the kernel may be unable to send between gateways (TCP_USER_TIMEOUT, which gRPC takes from
its keepalive timeout): a narrow line's full queue is no cut."""

INITIAL_BACKOFF_MS = 100
"""Milliseconds before the first reconnect."""

MAX_BACKOFF_MS = 400
"""Most milliseconds between reconnects; below 500 with jitter, so a link resumes within a second."""

PEER_MAX_BACKOFF_MS = 600
"""The same between gateways, which may be away for days; below 750 with jitter."""

PEER_RESOLUTION_MS = 1_000
"""Least milliseconds between two looks for a partner's address. Each look begins another attempt to connect: at 100 ms
two partners that were away took 0.6 % of a core in gRPC alone, and 0.3 % so."""

CONNECT_TIMEOUT_MS = 1_000
"""Milliseconds for TCP and TLS; gRPC's 20 s would delay recovery from a partition."""

MAX_METADATA_BYTES = 16_384
"""Most bytes of an answer's headers or trailers; rich errors stay below gRPC's default of 8,192."""

_CONNECT_TIMEOUT = "grpc.min_reconnect_backoff_ms"
"""gRPC's name for the connect timeout."""

_MAX_BACKOFF = "grpc.max_reconnect_backoff_ms"
_RESOLUTION = "grpc.dns_min_time_between_resolutions_ms"

Options = list[tuple[str, int | str]]


def channel_options(*, server_name: str | None = None) -> Options:
    """`server_name`: the certificate's name if it differs from the dialled one."""
    options: Options = [
        *common_options(),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),  # also while a stream is idle
        ("grpc.initial_reconnect_backoff_ms", INITIAL_BACKOFF_MS),
        (_MAX_BACKOFF, MAX_BACKOFF_MS),
        (_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS),
        (_RESOLUTION, INITIAL_BACKOFF_MS),
        ("grpc.use_local_subchannel_pool", 1),  # never share connections across credentials
    ]
    if server_name is not None:
        options.append(("grpc.ssl_target_name_override", server_name))
    return options


def peer_channel_options(*, server_name: str | None, silence_ms: int, connect_ms: int) -> Options:
    """Options of a channel to a partner's gateway, perhaps over a narrow line.

    Args:
        server_name: as in `channel_options`.
        silence_ms: milliseconds for the answer to a ping, which is sent when nothing has come for a while.
        connect_ms: milliseconds for TCP and TLS.
    """
    return [
        *(option for option in channel_options(server_name=server_name) if option[0] not in _OF_THE_LINE),
        *silence_options(silence_ms),
        (_CONNECT_TIMEOUT, connect_ms),
        (_MAX_BACKOFF, PEER_MAX_BACKOFF_MS),
        (_RESOLUTION, PEER_RESOLUTION_MS),
        ("grpc.http2.lookahead_bytes", LINE_WINDOW_BYTES),
        ("grpc.http2.bdp_probe", 0),  # its pings would wait behind data, and block keepalive
    ]


def silence_options(silence_ms: int) -> Options:
    """Ends a connection whose ping has no answer after so many milliseconds."""
    return [("grpc.keepalive_timeout_ms", UNSENT_TIMEOUT_MS), ("grpc.http2.ping_timeout_ms", silence_ms)]


def common_options() -> Options:
    """Options of channels and servers."""
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        # gRPC's bandwidth pings wait 60 s and block keepalive meanwhile, so a cut link is noticed late (measured).
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ]


_OF_THE_LINE = frozenset({_CONNECT_TIMEOUT, _MAX_BACKOFF, _RESOLUTION, *dict(silence_options(0))})
