"""Acknowledgements that leave some seconds after they were asked for, unless they are undone.

1. What is asked for is stored, with the time at which it leaves: it survives a crash, and no partner hears of it yet.
2. Who undoes it and who sends it hold one lock: the first one wins, and there is nothing left for the other.
3. What leaves is checked as a new acknowledgement is, with the rights that the person has then. The step and the
   removal are one transaction: a crash leaves both or neither. What may not leave stays, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.step_requests import StepRequest, StepRequests
from gateway.alerts.commands.steps import StepCommand, require_possible
from gateway.casework.commands.cases import CaseLog
from gateway.casework.service.messages import acknowledgement_message
from gateway.casework.tables import acknowledgements
from gateway.casework.tables.acknowledgements import AcknowledgementRow
from gateway.casework.tables.cases import AlertId, CaseActionKind
from gateway.errors import (
    AgreementForbidsError,
    GatewayError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RevisionConflictError,
)
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.commits import ACKNOWLEDGEMENTS
from gateway.feed.service.writing.transaction import Transaction
from gateway.v1 import alert_pb2
from gateway.v1 import alert_service_pb2 as alerts
from gateway.v1 import casework_service_pb2 as service

UNDO_MS: Final = 10_000
"""How long an acknowledgement waits, in milliseconds: one notices a wrong click, and the publisher hardly waits."""

MayAcknowledge = Callable[[Connection, str, int], bool]
"""Whether a principal, by its id, may acknowledge alerts at a time in milliseconds since 1970."""

_FINAL = (
    AgreementForbidsError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RevisionConflictError,
)
"""Errors of a step that trying again doesn't mend."""


@dataclass(frozen=True, slots=True)
class Acknowledger:
    """What acknowledgements of one node are checked and made with."""

    publisher: Publisher
    steps: StepRequests
    may_acknowledge: MayAcknowledge

    def step(self, row: AcknowledgementRow) -> StepRequest[alerts.AcknowledgeAlertResponse]:
        """The step that leaves."""
        alert = alert_pb2.AlertReference(publisher=row.publisher, alert_id=row.alert_id)
        request = alerts.AcknowledgeAlertRequest(request_id=row.request_id, alert=alert, revision=row.revision)
        return self.steps.acknowledge(request)


class ScheduleCommand(IdempotentCommand[service.ScheduleAcknowledgementsResponse]):
    """Stores acknowledgements; says of each alert why not."""

    response_type = service.ScheduleAcknowledgementsResponse

    def __init__(
        self,
        request: service.ScheduleAcknowledgementsRequest,
        *,
        acknowledger: Acknowledger,
        person: str,
        principal: str,
        actor: str,
        system: str,
    ) -> None:
        """`system`: through which a person acts; empty for a system."""
        self.request = request
        self.principal = principal
        self._acknowledger = acknowledger
        self._person = person
        self._actor = actor
        self._system = system

    @property
    def weight(self) -> int:
        return len(self.request.alerts)

    def answer(self, tx: Transaction) -> service.ScheduleAcknowledgementsResponse:
        tx.catch_up()
        log = CaseLog(tx, self._person)
        read = {(one.alert.publisher, one.alert.alert_id): one.revision for one in self.request.alerts}
        before = acknowledgements.of_alerts(tx.conn, [alert_id for _, alert_id in read])
        outcomes = [self._scheduled(tx, log, alert, read[alert], before.get(alert)) for alert in read]
        tx.topics.add(ACKNOWLEDGEMENTS)
        return service.ScheduleAcknowledgementsResponse(outcomes=outcomes)

    def _scheduled(
        self, tx: Transaction, log: CaseLog, alert: AlertId, revision: int, before: AcknowledgementRow | None
    ) -> service.ScheduleOutcome:
        publisher, alert_id = alert
        outcome = service.ScheduleOutcome(alert=alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id))
        waits = before if before is not None and not before.reason else None
        row = waits or AcknowledgementRow(
            *(alert_id, publisher, revision, self._acknowledger.publisher.new_id(), self._person),
            *(self.principal, self._actor, self._system, tx.now_ms, tx.now_ms + UNDO_MS),
        )
        try:
            if row.person != self._person:
                raise IllegalTransitionError(f"{row.person} has acknowledged it already")
            if waits is None:
                step = self._acknowledger.step(row)
                require_possible(tx, step, publisher=self._acknowledger.publisher, actor=self._actor)
        except _FINAL as error:
            outcome.refused.CopyFrom(_item_error(error))
            return outcome
        if waits is None:
            acknowledgements.put(tx.conn, row)
            log.add(alert, CaseActionKind.ACKNOWLEDGEMENT_SCHEDULED)
        outcome.scheduled.CopyFrom(acknowledgement_message(row))
        return outcome


class UndoCommand(IdempotentCommand[service.UndoAcknowledgementsResponse]):
    """Removes acknowledgements; says of each alert why not."""

    response_type = service.UndoAcknowledgementsResponse

    def __init__(
        self, request: service.UndoAcknowledgementsRequest, *, person: str, principal: str, may_undo_any: bool
    ) -> None:
        self.request = request
        self.principal = principal
        self._person = person
        self._may_undo_any = may_undo_any

    @property
    def weight(self) -> int:
        return len(self.request.alerts)

    def answer(self, tx: Transaction) -> service.UndoAcknowledgementsResponse:
        log = CaseLog(tx, self._person)
        named = dict.fromkeys((one.publisher, one.alert_id) for one in self.request.alerts)
        rows = acknowledgements.of_alerts(tx.conn, [alert_id for _, alert_id in named])
        response = service.UndoAcknowledgementsResponse()
        for alert in named:
            outcome = response.outcomes.add()
            outcome.alert.publisher, outcome.alert.alert_id = alert
            row = rows.get(alert)
            if row is None:
                outcome.refused.CopyFrom(_item_error(NotFoundError("no acknowledgement of it waits; it may have left")))
            elif row.person != self._person and not self._may_undo_any:
                message = f"the acknowledgement is {row.person}'s; a supervisor may undo it too"
                outcome.refused.CopyFrom(_item_error(PermissionDeniedError(message)))
            else:
                acknowledgements.remove(tx.conn, alert)
                log.add(alert, CaseActionKind.ACKNOWLEDGEMENT_UNDONE)
        return response


class Departure(StrEnum):
    """What became of an acknowledgement whose time had come."""

    SENT = "sent"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class SendCommand:
    """Sends one acknowledgement whose time has come, or notes why it may not leave; what became of it, and why."""

    row: AcknowledgementRow
    acknowledger: Acknowledger
    weight = 1

    def execute(self, tx: Transaction) -> tuple[Departure, str]:
        log = CaseLog(tx, self.row.person)
        now = acknowledgements.of_alerts(tx.conn, [self.row.alert_id]).get(self.row.alert)
        if now != self.row:  # undone, sent by another replica, or asked for anew
            return Departure.GONE, ""
        try:
            self._send(tx)
        except _FINAL as error:
            reason, message = error.reason, error.message
            acknowledgements.refuse(tx.conn, self.row.alert, reason=reason, message=message)
            log.add(self.row.alert, CaseActionKind.ACKNOWLEDGEMENT_UNSENT)
            return Departure.REFUSED, reason
        acknowledgements.remove(tx.conn, self.row.alert)
        return Departure.SENT, ""

    def _send(self, tx: Transaction) -> None:
        row, acknowledger = self.row, self.acknowledger
        if not acknowledger.may_acknowledge(tx.conn, row.principal, tx.now_ms):
            raise PermissionDeniedError(f"{row.person} may not acknowledge alerts any more")
        step = acknowledger.step(row)
        StepCommand(step, publisher=acknowledger.publisher, principal=row.principal, actor=row.actor).execute(tx)


def due(rows: Iterable[AcknowledgementRow], now_ms: int) -> Sequence[AcknowledgementRow]:
    """Those whose time has come."""
    return [row for row in rows if row.leaves_at <= now_ms]


def _item_error(error: GatewayError) -> alerts.ItemError:
    return alerts.ItemError(reason=error.reason, message=error.message)
