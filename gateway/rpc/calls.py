"""Gives a handler its caller and the audit record of its call, and ends calls: with an error's status, or at a stop.

A stop waits for unary calls; open streams end with a reason and a time to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn

import grpc
import grpc.aio

from gateway.contract.status import DETAILS_KEY, from_failed_call, to_status
from gateway.errors import (
    ApprovalRequiredError,
    DeadlineExceededError,
    GatewayError,
    PartnerError,
    UnauthenticatedError,
    UnavailableError,
)
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink
from gateway.trust.rules.permissions import Principal

CONTENT_BYTES = "bytes"
"""Count of an event of a refusal: the size of what was refused."""

OWN_WORK = ""
"""Caller of the node's own work: links, projections, upkeep."""

APPROVED = "approved"
NEEDED = "needed"
"""States of a call's approval by passkey."""

ROWS_PER_UNIT = 10
SUBJECTS_PER_UNIT = 1
BYTES_PER_UNIT = 8 * 1024
"""What costs as much as a small call, about 0.4 ms of a processor."""

UNITS_PER_CHANGE = 4
"""What a change costs in small calls: a commit, and its way to a partner (ADR 43)."""


def _owe_nothing(_units: float) -> None:
    return


def _spend_nothing(_size: int, _rows: int) -> None:
    return


def _stays_current() -> None:
    return


@dataclass(slots=True)
class Call:
    """One authorised call.

    Attributes:
        recorded: whether the call has an audit event.
        changes: whether it has one of a change.
        purpose, case_reference, subject_ids, basis: defaults for all its events, set by `concerns`.
        approval: APPROVED by the person, NEEDED where the handler asks for it, else empty.
        content_digest, content_bytes: SHA-256 in hexadecimal and size of what it brought; in events of its refusal.
        spend: counts the bytes and items of a message (limits).
        owe: adds units to the caller's debt (pacing).
        allowance: units that it may yet cost without that.
        require_current: called every few seconds of a stream; raises the GatewayError that ends it.
    """

    principal: Principal
    method: str
    audit: AuditSink
    time_ms: Callable[[], int]
    recorded: bool = False
    changes: bool = False
    purpose: str = ""
    case_reference: str = ""
    subject_ids: tuple[str, ...] = ()
    basis: str = ""
    owe: Callable[[float], None] = _owe_nothing
    spend: Callable[[int, int], None] = _spend_nothing
    allowance: float = 0.0
    content_digest: str = ""
    content_bytes: int = 0
    approval: str = ""
    require_current: Callable[[], None] = _stays_current

    def require_approval(self) -> None:
        """For a method whose approval depends on what is asked for. Raises ApprovalRequiredError."""
        if self.approval == NEEDED:
            raise ApprovalRequiredError("this needs the person's approval by passkey")

    def brings(self, content: bytes) -> None:
        """Keeps the digest of what is kept nowhere else if the call is refused."""
        self.content_digest, self.content_bytes = sha256(content).hexdigest(), len(content)

    def charge(self, *, rows: int = 0, subjects: int = 0, size: int = 0, changes: int = 0) -> None:
        """Adds what the call costs besides being a call; the caller's next calls wait for what is above its allowance.

        Args:
            rows, size: items and bytes received or sent; the interceptor charges those of all messages.
            subjects: screened.
            changes: calls that changed something.
        """
        units = rows / ROWS_PER_UNIT + subjects / SUBJECTS_PER_UNIT + size / BYTES_PER_UNIT
        units += changes * UNITS_PER_CHANGE
        free = min(units, self.allowance)
        self.allowance -= free
        if units > free:
            self.owe(units - free)

    def concerns(self, *, purpose: str, case_reference: str, legal_basis: str, subject_ids: Iterable[str] = ()) -> None:
        """Sets defaults for the call's audit events."""
        self.purpose, self.case_reference = purpose, case_reference
        self.basis, self.subject_ids = f"legal basis: {legal_basis}", tuple(subject_ids)

    def record(
        self,
        *,
        purpose: str = "",
        case_reference: str = "",
        subject_ids: Iterable[str] = (),
        counts: Mapping[str, int] | None = None,
        reason: str = "",
        detail: str = "",
        result: AuditResult = AuditResult.ALLOW,
        repeatable: bool = False,
    ) -> None:
        """Records what this call does, before it happens.

        A handler calls this before it passes a change to the writer, which commits both together. A stream may record
        each message. The interceptor records a unary call without a record at its end.

        Args:
            repeatable: without effect, so that the audit log may merge equal ones.

        Raises:
            OverloadedError: the audit log is full; the call must not go on.
        """
        numbers, subjects = dict(counts or {}), tuple(subject_ids) or self.subject_ids
        if result is not AuditResult.ALLOW and self.content_digest:
            numbers[CONTENT_BYTES] = self.content_bytes
            subjects = (*subjects, self.content_digest)
        self.audit(
            AuditEntry(
                time_ms=self.time_ms(),
                principal=self.principal.id,
                method=self.method,
                result=result,
                reason=reason,
                detail="; ".join(filter(None, (detail, self.basis, *self._circumstances()))),
                purpose=purpose or self.purpose,
                case_reference=case_reference or self.case_reference,
                subject_ids=subjects,
                counts=tuple(sorted(numbers.items())),
                repeatable=repeatable,
                system=self.principal.caller if self.principal.person else "",
            )
        )
        self.recorded = True
        self.changes = self.changes or not repeatable

    def _circumstances(self) -> tuple[str, ...]:
        grant = self.principal.break_glass
        approved = "approved by passkey" if self.approval == APPROVED else ""
        return approved, f"break-glass {grant}" if grant else ""


_CURRENT: ContextVar[Call] = ContextVar("gateway_call")


def enter_call(call: Call) -> None:
    """Makes `call` the current one of this task; gRPC gives each call a task."""
    _CURRENT.set(call)


def current_call() -> Call:
    """The admitted call of this task. Raises UnauthenticatedError outside of one."""
    try:
        return _CURRENT.get()
    except LookupError as error:
        raise UnauthenticatedError("there is no authenticated call here") from error


def current_caller() -> str:
    """Whom the work of this task or thread is for: a principal's account, or OWN_WORK outside of calls."""
    call = _CURRENT.get(None)
    return OWN_WORK if call is None else call.principal.account


def charge_message(*, size: int, rows: int) -> None:
    """Charges a message to the call of this task, if there is one: its bytes, and the items of its repeated fields."""
    call = _CURRENT.get(None)
    if call is not None:
        call.charge(size=size, rows=rows)
        call.spend(size, rows)


_CODES = {code.value[0]: code for code in grpc.StatusCode}


async def abort_with(context: grpc.aio.ServicerContext[object, object], error: GatewayError) -> NoReturn:
    """Ends the call with the error's status; raises what gRPC raises for that."""
    status = to_status(error)
    await context.abort(
        _CODES[status.code], status.message, trailing_metadata=((DETAILS_KEY, status.SerializeToString()),)
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> GatewayError:
    """The error of `gateway.errors` for a failed call."""
    return from_failed_call(error.code().value[0], error.details() or "", error.trailing_metadata() or ())


def from_partner(partner: str, error: grpc.aio.AioRpcError) -> GatewayError:
    """The error of a call of this node that a partner refused or didn't answer; the caller here did nothing wrong."""
    told = from_rpc_error(error)
    if isinstance(told, (UnavailableError, DeadlineExceededError)):
        return UnavailableError(f"{partner} can't be reached: {told.message}", retry_after_s=told.retry_after_s)
    return PartnerError(
        f"{partner} answered {told.reason}: {told.message}",
        metadata={"partner": partner, "partner_reason": told.reason},
        retry_after_s=told.retry_after_s,
    )


async def write_to(call: grpc.aio.StreamStreamCall[Any, Any], message: object) -> None:
    """Writes to a stream that the other side may have ended meanwhile, for which grpc.aio has an error of asyncio.

    Raises:
        grpc.aio.AioRpcError: the status with which the call has ended.
        UnavailableError: it has ended without an error.
    """
    try:
        await call.write(message)
    except asyncio.InvalidStateError as error:
        code = await call.code()
        if code is grpc.StatusCode.OK:
            raise UnavailableError("the partner has ended the stream") from error
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        ) from error


class RunningCalls:
    """Unary calls of a listener that run now; for one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def begin(self) -> None:
        """Counts a call; `end` must follow."""
        self._count += 1
        self._none.clear()

    def end(self) -> None:
        """A call has ended and its answer is sent."""
        self._count -= 1
        if not self._count:
            self._none.set()

    async def ended(self) -> None:
        """Returns when no call runs."""
        await self._none.wait()


class StreamEnd:
    """One stream's end, before its caller or its handler ends it; for one event loop.

    A stream with one request ends at once. One with many takes no more of them, and answers those that it took first.
    """

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self._waiting: asyncio.Task[object] | None = None

    def end(self, error: GatewayError) -> None:
        """Raises the error in the block that waits, or in the next one."""
        self.error = error
        if self._waiting is not None:
            self._waiting.cancel()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that the end interrupts; raises its error."""
        if self.error is not None:
            raise self.error
        task = self._waiting = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            # By this end alone, not by the caller or the server too.
            error = self._ended_with()
            if error is not None and task is not None and task.uncancel() == 0:
                raise error from None
            raise
        finally:
            self._waiting = None

    def _ended_with(self) -> GatewayError | None:
        return self.error


class OpenStreams:
    """Streams that are open now; for one event loop."""

    def __init__(self) -> None:
        self._ends: set[StreamEnd] = set()
        self._error: GatewayError | None = None
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def open(self) -> Iterator[StreamEnd]:
        """Counts a stream while its block runs; raises the error if all were ended."""
        if self._error is not None:
            raise self._error
        end = StreamEnd()
        self._ends.add(end)
        self._none.clear()
        try:
            yield end
        finally:
            self._ends.discard(end)
            if not self._ends:
                self._none.set()

    def end(self, error: GatewayError) -> None:
        """Ends all streams, and those that are opened from now on."""
        self._error = error
        for end in [*self._ends]:
            end.end(error)

    async def ended(self) -> None:
        """Returns when none is open."""
        await self._none.wait()
