"""Owns what a handler sees of its call: who calls, and the way to tell the audit log what the call was about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from gateway.errors import UnauthenticatedError
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink
from gateway.trust.rules.permissions import Principal


@dataclass(slots=True)
class Call:
    """One authorised call.

    Attributes:
        principal: who calls.
        method: full method name.
        recorded: whether the permission to go on is in the audit log already.
        purpose, case_reference, subject_ids, basis: what the call is about, once `concerns` has said it: every event
            of the call has it, a refusal too.
    """

    principal: Principal
    method: str
    audit: AuditSink
    time_ms: Callable[[], int]
    recorded: bool = False
    purpose: str = ""
    case_reference: str = ""
    subject_ids: tuple[str, ...] = ()
    basis: str = ""

    def concerns(self, *, purpose: str, case_reference: str, legal_basis: str, subject_ids: Iterable[str] = ()) -> None:
        """Says what the call is about, for events that don't say it themselves."""
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
    ) -> None:
        """Put what this call does into the audit log, before it is done.

        A handler that changes something calls this before it hands the change to the writer, so that both are
        committed together and nothing is done that isn't recorded. A stream may do so once for each of its messages.
        For a unary call that never does, the interceptor records the bare call at its end.

        Raises:
            OverloadedError: the audit log can't keep up; the call must not go on.
        """
        self.audit(
            AuditEntry(
                time_ms=self.time_ms(),
                principal=self.principal.id,
                method=self.method,
                result=result,
                reason=reason,
                detail="; ".join(filter(None, (detail, self.basis))),
                purpose=purpose or self.purpose,
                case_reference=case_reference or self.case_reference,
                subject_ids=tuple(subject_ids) or self.subject_ids,
                counts=tuple(sorted((counts or {}).items())),
            )
        )
        self.recorded = True


_CURRENT: ContextVar[Call] = ContextVar("gateway_call")


def enter_call(call: Call) -> None:
    """Make `call` the current one of this task; gRPC runs each call in a task of its own, so nothing leaves it."""
    _CURRENT.set(call)


def current_call() -> Call:
    """Return the call that runs in this task.

    Raises:
        UnauthenticatedError: outside a call that passed the interceptor; empty means no.
    """
    try:
        return _CURRENT.get()
    except LookupError as error:
        raise UnauthenticatedError("there is no authenticated call here") from error


def current_principal() -> Principal:
    """Return who calls; raises as `current_call` does."""
    return current_call().principal
