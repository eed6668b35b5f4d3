"""Converts `GatewayError` to and from `google.rpc.Status`.

A status carries `ErrorInfo` (reason code, domain, metadata), `BadRequest` with the violations, and `RetryInfo`. Many
clients cut off HTTP/2 trailers at 8 kB, so long messages are shortened and excess violations dropped;
`violations_total` in the metadata counts them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    InvalidRequestError,
    Kind,
    MethodUnknownError,
    NotFoundError,
    PermissionDeniedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    VerificationError,
    Violation,
)

DOMAIN = "gateway.customs"
"""`ErrorInfo.domain`: other domains' reason codes aren't ours."""

MAX_STATUS_BYTES = 5_120
"""Longest serialised status in bytes: 6,830 as base64, below 8,192 with the message."""

MAX_MESSAGE_BYTES = 280
"""Longest message in UTF-8 bytes: a trailer may triple it by percent-encoding."""

MAX_METADATA_CHARS = 256
"""Longest metadata value in characters."""

WRITE_FAILED = "Internal error from Core"
"""gRPC's message, with INTERNAL, when a connection ends during a write before the cause is known."""

DETAILS_KEY = "grpc-status-details-bin"
VIOLATIONS_TOTAL = "violations_total"

_HIDDEN_MESSAGE = {
    Kind.UNAUTHENTICATED: "unauthenticated",
    Kind.INTERNAL: "internal error; the gateway's log has the details",
}
"""Kinds whose details would help an attacker; the log keeps them."""


def to_status(error: GatewayError) -> Status:
    """UNAUTHENTICATED and INTERNAL disclose only their reason code; INTERNAL adds `incident`, its id in the log."""
    hidden = _HIDDEN_MESSAGE.get(error.kind)
    message = hidden or _shortened(error.message)
    metadata = {key: value[:MAX_METADATA_CHARS] for key, value in error.metadata.items() if _shown(key, hidden)}
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    status = Status(code=error.kind.value, message=message, details=[_packed(info)])
    if error.retry_after_s is not None:
        status.details.append(_packed(RetryInfo(retry_delay=_duration(error.retry_after_s))))
    if isinstance(error, InvalidRequestError):
        _add_violations(status, info, error.violations)
    return status


def answered(trailers: Iterable[tuple[str, str | bytes]]) -> bool:
    """Whether a gateway has said why a call failed: else the connection did, and nobody may have seen the call."""
    return any(key == DETAILS_KEY for key, _value in trailers)


def from_failed_call(code: int, message: str, trailers: Iterable[tuple[str, str | bytes]]) -> GatewayError:
    """Converts by reason code, or else by status code."""
    if (code, message) == (Kind.INTERNAL.value, WRITE_FAILED):
        return UnavailableError("the connection ended while something was sent")
    details = next((value for key, value in trailers if key == DETAILS_KEY), None)
    try:
        status = Status.FromString(details) if isinstance(details, bytes) else None
    except DecodeError:
        status = None
    if status is None or (status.code, status.message) != (code, message):  # no details, or they contradict the call
        return _from_code(code, message)
    return from_status(status)


def from_status(status: Status) -> GatewayError:
    """An unknown reason becomes the error of its status code."""
    info, violations, retry_after_s = _details(status)
    kind = _REASONS.get(info.reason) if info.domain == DOMAIN else None
    if kind is None:
        return _from_code(status.code, status.message)
    return _rebuilt(kind, status.message, dict(info.metadata), violations, retry_after_s)


def _details(status: Status) -> tuple[ErrorInfo, tuple[Violation, ...], float | None]:
    info, bad, retry, retry_after_s = ErrorInfo(), BadRequest(), RetryInfo(), None
    for detail in status.details:
        try:
            if detail.Unpack(retry):
                retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
            else:
                detail.Unpack(info) or detail.Unpack(bad)
        except DecodeError:
            continue  # the code remains
    violations = tuple(
        Violation(violation.field, violation.reason, violation.description) for violation in bad.field_violations
    )
    return info, violations, retry_after_s


def _rebuilt(
    kind: type[GatewayError],
    message: str,
    metadata: dict[str, str],
    violations: tuple[Violation, ...],
    retry_after_s: float | None,
) -> GatewayError:
    # Constructors take an error's cause, which the wire lacks.
    error = kind.__new__(kind)
    GatewayError.__init__(error, message, metadata=metadata, retry_after_s=retry_after_s)
    if isinstance(error, InvalidRequestError):
        error.violations = violations
    if isinstance(error, VerificationError):
        error.step = metadata.get("step", "")
    return error


def _from_code(code: int, message: str) -> GatewayError:
    kind = _BARE.get(code)
    if kind is not None:
        return kind(message)
    name = code_pb2.Code.Name(code) if code in code_pb2.Code.values() else "UNKNOWN"
    return GatewayError(f"{name}: {message}")


_BARE: dict[int, type[GatewayError]] = {
    code_pb2.UNAUTHENTICATED: UnauthenticatedError,
    code_pb2.PERMISSION_DENIED: PermissionDeniedError,
    code_pb2.NOT_FOUND: NotFoundError,
    code_pb2.UNIMPLEMENTED: MethodUnknownError,
    code_pb2.RESOURCE_EXHAUSTED: TooLargeError,  # gRPC's answer to a message beyond its limit
    code_pb2.DEADLINE_EXCEEDED: DeadlineExceededError,
    code_pb2.UNAVAILABLE: UnavailableError,
    code_pb2.CANCELLED: UnavailableError,
}
"""Errors for statuses without our details."""


def _reasons() -> dict[str, type[GatewayError]]:
    """Error classes by reason code; an inherited code gives the base."""
    by_reason: dict[str, type[GatewayError]] = {}
    waiting: list[type[GatewayError]] = [GatewayError]
    while waiting:
        kind = waiting.pop(0)
        by_reason.setdefault(kind.reason, kind)
        waiting.extend(kind.__subclasses__())
    return by_reason


_REASONS = _reasons()


def _add_violations(status: Status, info: ErrorInfo, violations: Sequence[Violation]) -> None:
    bad = BadRequest()
    room = MAX_STATUS_BYTES - status.ByteSize() - 128  # 128: type URLs, lengths and the count
    for violation in violations:
        listed = BadRequest.FieldViolation(
            field=violation.field[:MAX_METADATA_CHARS],
            # The rule's id, e.g. `string.min_len`, must come back unchanged.
            reason=violation.rule[:MAX_METADATA_CHARS],
            description=_shortened(violation.message),
        )
        room -= listed.ByteSize() + 4
        if room < 0:
            info.metadata[VIOLATIONS_TOTAL] = str(len(violations))
            status.details[0].CopyFrom(_packed(info))
            break
        bad.field_violations.append(listed)
    status.details.append(_packed(bad))


def _shown(key: str, hidden: str | None) -> bool:
    return hidden is None or key == "incident"


def _shortened(message: str) -> str:
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return encoded.decode()
    return encoded[: MAX_MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "…"


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration


def _packed(message: ErrorInfo | RetryInfo | BadRequest) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
