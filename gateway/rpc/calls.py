"""What a handler knows of its call: who calls, and what the audit log shall say of it."""

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
        recorded: whether an audit event of the call exists.
        purpose, case_reference, subject_ids, basis: what the call is about, as set by `concerns`, for all its events.
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
        """Sets what the call is about, for events that don't say it themselves."""
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
        """Records what this call does, before it is done.

        A handler calls this before it gives a change to the writer: both are committed together. A stream may record
        each of its messages. For a unary call without a record the interceptor records the bare call at its end.

        Raises:
            OverloadedError: the audit log is full; the call must not go on.
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
    """Makes `call` the current one of this task; gRPC runs each call in a task of its own."""
    _CURRENT.set(call)


def current_call() -> Call:
    """The call that runs in this task.

    Raises:
        UnauthenticatedError: outside an admitted call.
    """
    try:
        return _CURRENT.get()
    except LookupError as error:
        raise UnauthenticatedError("there is no authenticated call here") from error


def current_principal() -> Principal:
    """Who calls; raises as `current_call` does."""
    return current_call().principal
