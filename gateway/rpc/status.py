"""Owns the form of errors on the wire: GatewayError to `google.rpc.Status` and back.

A status carries `ErrorInfo` (the stable reason code, domain `gateway.customs`, metadata), `BadRequest` with every
violation and `RetryInfo`.

Size: rich errors travel in HTTP/2 trailers, which many clients cut off at 8 kB. So a long message is shortened, and
violations beyond what fits are left out and counted: `violations_total` in the metadata says how many there were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

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
"""`ErrorInfo.domain`: reason codes of other domains aren't ours, even if they read alike."""

MAX_STATUS_BYTES = 5_120
"""Longest serialised status in bytes: 6,830 in the base64 of a trailer, below the usual 8,192 with the message."""

MAX_MESSAGE_BYTES = 280
"""Longest message in UTF-8 bytes: three times that in a trailer, where bytes beyond ASCII are percent-encoded."""

MAX_METADATA_CHARS = 256
"""Longest metadata value in characters."""

WRITE_FAILED = "Internal error from Core"
"""What gRPC itself says, with INTERNAL, when a connection ends under a write before the reason for it is known."""

DETAILS_KEY = "grpc-status-details-bin"
VIOLATIONS_TOTAL = "violations_total"

_HIDDEN_MESSAGE = {
    Kind.UNAUTHENTICATED: "unauthenticated",
    Kind.INTERNAL: "internal error; the gateway's log has the details",
}
"""Kinds whose own message stays in the log: it would teach an attacker, or show the inside."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def to_status(error: GatewayError) -> Status:
    """Return the error as a status; one of kind UNAUTHENTICATED or INTERNAL says nothing but its reason code.

    An INTERNAL error keeps the metadata `incident`, by which an operator finds it in the log.
    """
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


async def abort_with(context: grpc.aio.ServicerContext[object, object], error: GatewayError) -> NoReturn:
    """End the call with the error's status; raises what gRPC raises for that."""
    status = to_status(error)
    await context.abort(
        _CODES[status.code], status.message, trailing_metadata=((DETAILS_KEY, status.SerializeToString()),)
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> GatewayError:
    """Return what a call failed with as an error of the tree, by its reason code or else by its status code."""
    if (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, WRITE_FAILED):
        return UnavailableError("the connection ended while something was sent")
    try:
        status = rpc_status.from_call(error)
    except (ValueError, DecodeError):  # details that contradict the code, or aren't details
        status = None
    if status is None:
        return _from_code(error.code(), error.details() or "")
    return from_status(status)


def from_status(status: Status) -> GatewayError:
    """Return the error that a status describes; an unknown reason becomes the error of its status code."""
    info, violations, retry_after_s = _details(status)
    kind = _REASONS.get(info.reason) if info.domain == DOMAIN else None
    if kind is None:
        return _from_code(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message)
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
            continue  # a detail that can't be read says nothing; the code still does
    violations = tuple(Violation(one.field, one.reason, one.description) for one in bad.field_violations)
    return info, violations, retry_after_s


def _rebuilt(
    kind: type[GatewayError],
    message: str,
    metadata: dict[str, str],
    violations: tuple[Violation, ...],
    retry_after_s: float | None,
) -> GatewayError:
    # Not through the class's own constructor: those take what made the error, and here is only what it said.
    error = kind.__new__(kind)
    GatewayError.__init__(error, message, metadata=metadata, retry_after_s=retry_after_s)
    if isinstance(error, InvalidRequestError):
        error.violations = violations
    if isinstance(error, VerificationError):
        error.step = metadata.get("step", "")
    return error


def _from_code(code: grpc.StatusCode, message: str) -> GatewayError:
    kind = _BARE.get(code)
    return kind(message) if kind is not None else GatewayError(f"{code.name}: {message}")


_BARE: dict[grpc.StatusCode, type[GatewayError]] = {
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.UNIMPLEMENTED: MethodUnknownError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLargeError,  # gRPC's own answer to a message beyond its limit
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.CANCELLED: UnavailableError,
}
"""What a status without our details means."""


def _reasons() -> Iterator[tuple[str, type[GatewayError]]]:
    """Reason codes with their class; where a class inherits its base's code, the base stands for it."""
    found: dict[str, type[GatewayError]] = {}
    waiting: list[type[GatewayError]] = [GatewayError]
    while waiting:
        kind = waiting.pop(0)
        found.setdefault(kind.reason, kind)
        waiting.extend(kind.__subclasses__())
    yield from found.items()


_REASONS = dict(_reasons())


def _add_violations(status: Status, info: ErrorInfo, violations: Sequence[Violation]) -> None:
    bad = BadRequest()
    room = MAX_STATUS_BYTES - status.ByteSize() - 128  # 128: type URLs, lengths and the count
    for violation in violations:
        one = BadRequest.FieldViolation(
            field=violation.field[:MAX_METADATA_CHARS],
            # The rule's own id, e.g. `string.min_len`: the contract's rules are named so, and it must come back.
            reason=violation.rule[:MAX_METADATA_CHARS],
            description=_shortened(violation.message),
        )
        room -= one.ByteSize() + 4
        if room < 0:
            info.metadata[VIOLATIONS_TOTAL] = str(len(violations))
            status.details[0].CopyFrom(_packed(info))
            break
        bad.field_violations.append(one)
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
