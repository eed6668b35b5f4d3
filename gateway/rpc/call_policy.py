"""Decides about a listener's calls before their handlers run, and records what was decided.

The steps are those of `gateway.rpc.interceptors`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog

from gateway.errors import GatewayError, Kind, OverloadedError, UnauthenticatedError
from gateway.rpc.authentication import Authenticator, NoPersons, PersonCalls, approval_in, assertion_in
from gateway.rpc.calls import APPROVED, NEEDED, Call
from gateway.rpc.fairness.caller_connections import ABANDONED_WITHIN_S, AbandonedCalls, CallerConnections, Disconnector
from gateway.rpc.fairness.limits import CallerBuffers, CallerLimits
from gateway.rpc.fairness.pacing import MOST_RUNNING, PROMPT_WEIGHT, CallPacer, Turn
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink
from gateway.trust.rules.permissions import SIGN_IN_LANE, Approval, Permission, PermissionTable, Principal

UNKNOWN_METHOD = "(unknown)"
"""Method in the audit event of an unknown one; the detail has its name."""

SMALL_REQUEST_BYTES = 8 * 1024
BATCH_BYTES_PER_UNIT = 512
"""A request larger than that is a batch, e.g. 500 parties to screen in 30 kB; some 512 bytes of one cost as much as a
small call.
"""

# In quotes: gRPC's classes are generic in the type stubs alone.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AdmittedCall:
    """Who calls, after step 3, and the method's row."""

    principal: Principal
    permission: Permission


@dataclass(slots=True)
class IdentifiedCaller:
    """What step 1 has found so far of a call's caller; None at its beginning."""

    principal: Principal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """Steps 1 to 4 of a listener's calls, and their audit events. `time_ms` gives milliseconds since 1970."""

    authenticator: Authenticator
    permissions: PermissionTable
    limits: CallerLimits
    pacer: CallPacer
    abandoned: AbandonedCalls
    audit: AuditSink
    time_ms: Callable[[], int]
    connections: CallerConnections
    disconnector: Disconnector
    buffers: CallerBuffers = field(default_factory=CallerBuffers)
    persons: PersonCalls = field(default_factory=NoPersons)
    monotonic_s: Callable[[], float] = field(default=time.monotonic)

    async def admit(
        self,
        method: str,
        context: Context,
        caller: IdentifiedCaller,
        *,
        streaming: bool,
        refusal: Callable[[], GatewayError] | None = None,
    ) -> AdmittedCall:
        """Runs steps 1 to 3; `release` must follow when the call ends.

        Args:
            caller: told whom step 1 finds, as soon as it does.
            refusal: why the call is refused in step 3, whoever calls.

        Raises GatewayError, and records the refusal and holds it back, if a step fails.
        """
        try:
            principal = await self._identified(method, context, caller)  # 1
            self.limits.enter(principal, streaming=streaming, now_s=self.monotonic_s())  # 2
            try:
                if refusal is not None:
                    raise refusal()
                permission = self.permissions.authorise(principal, method)  # 3
            except GatewayError:
                self.limits.leave(principal, streaming=streaming)
                raise
        except GatewayError as error:
            await self.refuse(method if refusal is None else UNKNOWN_METHOD, caller.principal, error, context)
            raise
        return AdmittedCall(principal, permission)

    async def _identified(self, method: str, context: Context, caller: IdentifiedCaller) -> Principal:
        """Step 1: the system, then the person or the lane that its call counts for. Raises GatewayError."""
        system = caller.principal = self.authenticator.authenticate(context)
        self.connections.admit(context.peer(), system.id)
        self._require_served(system, context)
        assertion = assertion_in(context.invocation_metadata())
        if assertion:
            person = caller.principal = self.persons.identify(assertion, system)
            self.abandoned.require_served(person.account)
            caller.principal = await self.persons.recheck(person, system)
        elif self.permissions[method].before_sign_in:
            caller.principal = replace(system, lane=SIGN_IN_LANE)
            self.abandoned.require_served(caller.principal.account)
        return caller.principal

    def _require_served(self, principal: Principal, context: Context) -> None:
        try:
            self.abandoned.require_served(principal.account)
        except OverloadedError:
            self.disconnector.now(context.peer())
            raise

    async def refuse(self, method: str, principal: Principal | None, error: GatewayError, context: Context) -> None:
        """Records a refusal, then waits until it may be answered."""
        self.record_refusal(method, principal, error)
        await self.pacer.hold_refusal(_account(principal, context))

    @contextmanager
    def watched(self, context: Context) -> Iterator[IdentifiedCaller]:
        """Counts the call in the block if its caller leaves it within ABANDONED_WITHIN_S."""
        began_s, caller = self.monotonic_s(), IdentifiedCaller()
        try:
            yield caller
        except asyncio.CancelledError:
            if self.monotonic_s() - began_s < ABANDONED_WITHIN_S:
                self._abandon(context, caller.principal)
            raise

    def _abandon(self, context: Context, principal: Principal | None) -> None:
        if principal is None:  # left before step 1
            with suppress(UnauthenticatedError):
                principal = self.authenticator.authenticate(context)
        shared = principal.caller if principal is not None and principal.shares_connection else ""
        if self.abandoned.count(_account(principal, context), shared_with=shared):
            self.disconnector.now(context.peer())

    async def approve(self, method: str, admission: AdmittedCall, context: Context, request: bytes | None) -> str:
        """Requires the approval of a call in a person's name, where its method needs one.

        Returns:
            `approved`, `needed` (by the handler, if what is asked for needs one), or nothing.

        Raises:
            ApprovalRequiredError.
        """
        principal, asked = admission.principal, admission.permission.approval
        if not principal.person or asked is Approval.NEVER:
            return ""
        approval = approval_in(context.invocation_metadata())
        if asked is Approval.BY_CONTENT and not approval:
            return NEEDED if await self.persons.needs_approval(principal) else ""
        return APPROVED if await self.persons.approve(principal, method, approval, request or b"") else ""

    async def begin(
        self, method: str, admission: AdmittedCall, request_bytes: int, *, approval: str = ""
    ) -> tuple[Call, Turn]:
        """Waits for the caller's turn, which must be given back. Raises GatewayError."""
        principal = admission.principal
        batch = max(0, request_bytes - SMALL_REQUEST_BYTES) / BATCH_BYTES_PER_UNIT
        weight = min(admission.permission.weight + batch, MOST_RUNNING)
        turn = await self.pacer.enter(principal.account, weight)
        call = Call(principal, method, self.audit, self.time_ms, owe=partial(self.pacer.charge, principal.account))
        call.approval = approval
        call.spend = lambda size, rows: self.limits.spend(principal, size=size, rows=rows)
        call.allowance = PROMPT_WEIGHT if turn.prompt else weight
        return call, turn

    def end(self, call: Call, turn: Turn) -> None:
        """Gives the turn back, and what the call hasn't spent of its weight."""
        self.pacer.leave(turn, unspent=min(call.allowance, turn.weight - 1))

    def admitted(self, turn: Turn) -> None:
        """Gives the turn of a stream's opening back; the caller owes its weight, whatever becomes of the stream."""
        self.pacer.leave(turn)
        if turn.prompt:
            self.pacer.charge(turn.caller, turn.weight)

    def release(self, admission: AdmittedCall, *, streaming: bool) -> None:
        self.limits.leave(admission.principal, streaming=streaming)

    async def pace_message(self, call: Call) -> None:
        """Waits for a turn for a stream's next message. Raises OverloadedError when the caller's day is used up."""
        self.limits.require_day(call.principal)
        turn = await self.pacer.enter(call.principal.account, most_s=math.inf)
        self.pacer.leave(turn)
        call.allowance = 1.0

    async def recheck(self, call: Call) -> None:
        """Runs steps 1 and 3 again for an open stream, and its own check. Raises GatewayError."""
        call.require_current()
        principal = self.authenticator.recheck(call.principal)
        if call.principal.person:
            principal = await self.persons.recheck(call.principal, principal)
        self.permissions.authorise(principal, call.method)

    def record_refusal(self, method: str, principal: Principal | None, error: GatewayError) -> None:
        who = principal.id if principal is not None else f"unverified:{error.metadata.get('claimed', '')}"
        event = AuditEntry(
            time_ms=self.time_ms(),
            principal=who,
            method=method,
            result=AuditResult.DENY,
            reason=error.reason,
            detail=error.message,
            system=principal.caller if principal is not None and principal.person else "",
        )
        with self._or_logged(who, method, error.reason):
            self.audit(event)

    def record_failure(self, call: Call, error: GatewayError) -> None:
        denied = error.kind in (Kind.PERMISSION_DENIED, Kind.UNAUTHENTICATED)
        result = AuditResult.DENY if denied else AuditResult.ERROR
        with self._or_logged(call.principal.id, call.method, error.reason):
            call.record(result=result, reason=error.reason, detail=error.message)

    @contextmanager
    def _or_logged(self, who: str, method: str, reason: str) -> Iterator[None]:
        try:
            yield
        except OverloadedError:
            # The call ends with an error either way; the log keeps the outcome.
            _log.error("the audit log is full; an outcome is only here", principal=who, method=method, reason=reason)


def _account(principal: Principal | None, context: Context) -> str:
    """Whose calls count together: an authenticated caller's, else an address's."""
    return principal.account if principal is not None else context.peer().rpartition(":")[0]
