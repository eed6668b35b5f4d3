"""Makes the step on an existing alert of the request that asks for it, as it is taken or previewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from gateway.alerts.codec import quality_notices
from gateway.v1 import alert_pb2
from gateway.v1 import alert_service_pb2 as pb

ResponseT = TypeVar("ResponseT", bound=Message)
ResponseT_co = TypeVar("ResponseT_co", bound=Message, covariant=True)


@dataclass(frozen=True, slots=True)
class StepRequest(Generic[ResponseT_co]):
    """An own system's request for a step on an existing alert.

    Attributes:
        request_id: UUID as text.
        message: the whole request, for its digest.
        recipient: limits the step to one copy of an own alert; empty for all.
        event: without time and actor; for an amendment without recipient.
        response: its `entries` are filled in.
        revision: that the caller read, for a step whose event names none; 0: not said.
    """

    request_id: str
    message: Message
    publisher: str
    alert_id: str
    recipient: str
    event: alert_pb2.AlertEvent
    response: ResponseT_co
    revision: int = 0


class StepRequests:
    """Makes steps for one node.

    Args:
        node: this node.
        new_id: makes a UUIDv7, for a question.
        who_asked: who asked a question, from publisher, alert id and question id; empty for nobody.
    """

    def __init__(self, *, node: str, new_id: Callable[[], str], who_asked: Callable[[str, str, str], str]) -> None:
        self._node = node
        self._new_id = new_id
        self._who_asked = who_asked

    def previewed(self, request: pb.PreviewAlertStepRequest) -> StepRequest[Message]:
        """The step that a preview is asked of; reads the database for an answer."""
        kind = str(request.WhichOneof("step"))
        return _MAKERS[kind](self, getattr(request, kind))

    def _step(
        self, request: Any, alert: alert_pb2.AlertReference, response: ResponseT, **event: Any
    ) -> StepRequest[ResponseT]:
        return StepRequest(
            request_id=request.request_id,
            message=request,
            publisher=alert.publisher,
            alert_id=alert.alert_id,
            recipient="",
            event=alert_pb2.AlertEvent(**event),
            response=response,
        )

    def _own(self, request: Any) -> alert_pb2.AlertReference:
        return alert_pb2.AlertReference(publisher=self._node, alert_id=request.alert_id)

    def amend(self, request: pb.AmendAlertRequest) -> StepRequest[pb.AmendAlertResponse]:
        """Another text of an own alert."""
        notices = quality_notices(request.content)
        alert = alert_pb2.Alert(
            id=request.alert_id,
            revision=request.revision + 1,
            publisher=self._node,
            content=request.content,
            notices=notices,
        )
        response = pb.AmendAlertResponse(revision=request.revision + 1, notices=notices)
        return self._step(request, self._own(request), response, amended=alert)

    def withdraw(self, request: pb.WithdrawAlertRequest) -> StepRequest[pb.WithdrawAlertResponse]:
        """The withdrawal of an own alert."""
        alert = self._own(request)
        event = alert_pb2.AlertWithdrawn(alert=alert, revision=request.revision, reason=request.reason)
        return self._step(request, alert, pb.WithdrawAlertResponse(), withdrawn=event)

    def close(self, request: pb.CloseAlertRequest) -> StepRequest[pb.CloseAlertResponse]:
        """The outcome of an own alert."""
        alert = self._own(request)
        event = alert_pb2.AlertClosed(
            alert=alert,
            revision=request.revision,
            outcome=request.outcome,
            remarks=request.remarks,
            measures=request.measures,
        )
        return self._step(request, alert, pb.CloseAlertResponse(), closed=event)

    def acknowledge(self, request: pb.AcknowledgeAlertRequest) -> StepRequest[pb.AcknowledgeAlertResponse]:
        """That a partner's alert was taken up."""
        event = alert_pb2.AlertAcknowledged(
            alert=request.alert, revision=request.revision, case_reference=request.case_reference
        )
        return self._step(request, request.alert, pb.AcknowledgeAlertResponse(), acknowledged=event)

    def flag(self, request: pb.FlagAlertRequest) -> StepRequest[pb.FlagAlertResponse]:
        """A fault that was found in a partner's alert."""
        event = alert_pb2.AlertFlagged(
            alert=request.alert, revision=request.revision, reason=request.reason, explanation=request.explanation
        )
        return self._step(request, request.alert, pb.FlagAlertResponse(), flagged=event)

    def ask(self, request: pb.AskQuestionRequest) -> StepRequest[pb.AskQuestionResponse]:
        """A question to the other side."""
        question_id = self._new_id()
        event = alert_pb2.AlertQuestion(
            alert=request.alert,
            question_id=question_id,
            text=request.text,
            deadline=request.deadline,
            onward_recipients=request.onward_recipients,
        )
        step = self._step(request, request.alert, pb.AskQuestionResponse(question_id=question_id), question=event)
        return replace(step, recipient=request.recipient)

    def answer(self, request: pb.AnswerQuestionRequest) -> StepRequest[pb.AnswerQuestionResponse]:
        """The answer to a question; reads in the database who asked."""
        alert = request.alert
        event = alert_pb2.AlertAnswer(
            alert=alert,
            question_id=request.question_id,
            text=request.text,
            consent=request.consent,
            evidence=request.evidence,
        )
        step = self._step(request, alert, pb.AnswerQuestionResponse(), answer=event)
        recipient = self._who_asked(alert.publisher, alert.alert_id, request.question_id)
        return replace(step, recipient=recipient, revision=request.revision)

    def report_finding(self, request: pb.ReportFindingRequest) -> StepRequest[pb.ReportFindingResponse]:
        """What was found on a partner's or an own alert."""
        return self._step(request, request.finding.alert, pb.ReportFindingResponse(), finding=request.finding)

    def correct_finding(self, request: pb.CorrectFindingRequest) -> StepRequest[pb.CorrectFindingResponse]:
        """What is right of a finding that was reported."""
        alert = request.finding.alert
        event = alert_pb2.AlertFindingCorrected(
            alert=alert, replaces=request.replaces, finding=request.finding, reason=request.reason
        )
        return self._step(request, alert, pb.CorrectFindingResponse(), finding_corrected=event)

    def withdraw_finding(self, request: pb.WithdrawFindingRequest) -> StepRequest[pb.WithdrawFindingResponse]:
        """That a finding that was reported doesn't hold."""
        event = alert_pb2.AlertFindingWithdrawn(alert=request.alert, finding=request.finding, reason=request.reason)
        return self._step(request, request.alert, pb.WithdrawFindingResponse(), finding_withdrawn=event)


_MAKERS: Mapping[str, Callable[[StepRequests, Any], StepRequest[Message]]] = {
    "amend": StepRequests.amend,
    "withdraw": StepRequests.withdraw,
    "close": StepRequests.close,
    "acknowledge": StepRequests.acknowledge,
    "flag": StepRequests.flag,
    "ask": StepRequests.ask,
    "answer": StepRequests.answer,
    "report_finding": StepRequests.report_finding,
    "correct_finding": StepRequests.correct_finding,
    "withdraw_finding": StepRequests.withdraw_finding,
}
