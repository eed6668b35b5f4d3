"""The steps of an alert's life as forms: what is asked, how it becomes a request, and what of it is sent."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from gateway.client import GatewayClient
from gateway.console.agreed import nodes_of
from gateway.console.form import Form
from gateway.console.views.alerts.alert import AlertView
from gateway.console.views.alerts.alert_form import enum_options
from gateway.console.views.alerts.changes import ContentChange
from gateway.console.views.words import capitalised
from gateway.console.views.written import number_in
from gateway.contract.enum_words import words
from gateway.contract.findings import ReportedFinding
from gateway.translation.labels import METHOD, label
from gateway.translation.messages import gettext as _
from gateway.v1 import alert_service_pb2 as service
from gateway.v1.alert_pb2 import (
    CloseOutcome,
    FindingResult,
    FlagReason,
    MeasureKind,
    MeasureTaken,
    RequestedAction,
    TransferConsent,
)

ASK_FOR: Final = timedelta(hours=24)
"""Deadline of a question that the form suggests, where no reply is due before twice that time."""

METHODS: Final = ("x_ray", "physical", "laboratory", "document")

_ELEMENT: Final = re.compile(r"[A-Z][a-z]?")


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a form is made for.

    Attributes:
        view: the alert as it is.
        node: this authority's.
        zone: the reader's.
        question_id: of the question that is answered.
        finding: that is corrected or withdrawn, as it is now.
    """

    view: AlertView
    node: str
    zone: ZoneInfo
    question_id: str = ""
    finding: ReportedFinding | None = None

    @property
    def partners(self) -> list[str]:
        """Who hears of a step: the publisher, or the recipients whose copy hasn't ended."""
        view = self.view
        return [copy.recipient for copy in view.copies if not copy.ended] if view.own else [view.alert.publisher]


@dataclass(frozen=True, slots=True)
class StepForm:
    """A step.

    Attributes:
        title: of the form's page.
        send: text of the button that sends.
        first: values of the form's first view.
        read: the request of a form; problems are noted in the form.
        changes: what an amendment changes; None for another step.
        previewed: the message of AlertService that takes the step.
        act: sends the request.
        violations: the form's field for a path of the request.
        danger: can't be taken back, and ends something.
        evidence: the list of a request that names attached files; None for a step without files.
    """

    title: Callable[[], str]
    send: Callable[[], str]
    first: Callable[[StepContext], Mapping[str, str | list[str]]]
    read: Callable[[Form, StepContext], Any]
    act: Callable[[GatewayClient, Any], Awaitable[object]]
    violations: Mapping[str, str]
    danger: bool = False
    evidence: Callable[[Any], Any] | None = None
    changes: Callable[[Any], Sequence[ContentChange]] | None = None
    previewed: Callable[[Any], Message] = lambda message: message


def revision_of(sent: Form) -> int:
    """The revision that the person read; 0 for none, which the gateway refuses."""
    text = sent.text("revision")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def options(enum: Any) -> list[tuple[str, str, str]]:
    """Choices of an enum for radios: value, text, no explanation."""
    return [(word, text, "") for word, text in enum_options(enum)]


def step_choices() -> Mapping[str, Sequence[tuple[str, ...]]]:
    """What the forms of steps let a person choose from, in the current language."""
    return {
        "reason": options(FlagReason),
        "consent": options(TransferConsent),
        "outcome": options(CloseOutcome),
        "result": options(FindingResult),
        "methods": [(method, capitalised(label(METHOD, method)), "") for method in METHODS],
        "measure": enum_options(MeasureKind),
        "requested_action": enum_options(RequestedAction),
    }


def choice(sent: Form, name: str, enum: Any) -> int:
    """The chosen value; 0, with the problem noted, for none."""
    value = words(enum).get(sent.text(name), 0)
    if not value:
        sent.problems.setdefault(name, _("Choose one."))
    return int(value)


def local_value(at: datetime, zone: ZoneInfo) -> str:
    """A time for a field `datetime-local`."""
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def question_deadline(context: StepContext, now: datetime) -> datetime:
    """What the form suggests: at the latest when half of the time until the reply is left, to act on the answer."""
    content = context.view.alert.content
    if content.HasField("reply_by") and context.view.reply_state == "due":
        left = content.reply_by.ToDatetime(UTC) - now
        return now + min(ASK_FOR, max(left / 2, timedelta(minutes=1)))
    return now + ASK_FOR


def decimal(sent: Form, name: str) -> float | None:
    """A number of a field as people write it; None for none, or with the problem noted for anything else."""
    text = sent.text(name)
    number = number_in(text)
    if text and number is None:
        sent.problems[name] = _("Enter a number, e.g. 20000 or 99.65.")
    return number


def element(sent: Form, name: str) -> str:
    """A chemical symbol of a field; empty for none, or with the problem noted for anything else."""
    text = sent.text(name)
    if text and not _ELEMENT.fullmatch(text):
        sent.problems[name] = _("Enter the element's symbol, e.g. Sb.")
        return ""
    return text


def measures_of(sent: Form) -> list[MeasureTaken]:
    """What was done with the goods: one measure, or none."""
    kind = words(MeasureKind).get(sent.text("measure"), 0)
    if not kind:
        return []
    return [
        MeasureTaken(kind=kind, element=element(sent, "measure_element"), net_mass_kg=decimal(sent, "measure_mass"))
    ]


def _acknowledge(sent: Form, context: StepContext) -> service.AcknowledgeAlertRequest:
    return service.AcknowledgeAlertRequest(
        request_id=sent.text("request_id"),
        alert=context.view.reference,
        revision=revision_of(sent),
        case_reference=sent.text("case_reference"),
    )


def _flag(sent: Form, context: StepContext) -> service.FlagAlertRequest:
    return service.FlagAlertRequest(
        request_id=sent.text("request_id"),
        alert=context.view.reference,
        revision=revision_of(sent),
        reason=choice(sent, "reason", FlagReason),  # type: ignore[arg-type]
        explanation=sent.required("explanation", _("Explain it in a sentence or two.")),
    )


def _ask(sent: Form, context: StepContext) -> service.AskQuestionRequest:
    request = service.AskQuestionRequest(
        request_id=sent.text("request_id"),
        alert=context.view.reference,
        text=sent.required("text", _("Write your question.")),
        onward_recipients=nodes_of(sent, "onward") if not context.view.own else (),
    )
    deadline = sent.moment("deadline", context.zone)
    if deadline is not None:
        request.deadline.FromDatetime(deadline)
        if deadline <= datetime.now(UTC):
            sent.problems.setdefault("deadline", _("Choose a time to come."))
    if context.view.own:
        partners = context.partners
        request.recipient = partners[0] if len(partners) == 1 else sent.text("recipient")
        if request.recipient not in partners:
            sent.problems.setdefault("recipient", _("Choose whom to ask."))
    return request


def _answer(sent: Form, context: StepContext) -> service.AnswerQuestionRequest:
    question = next((each for each in context.view.questions if each.question_id == context.question_id), None)
    request = service.AnswerQuestionRequest(
        request_id=sent.text("request_id"),
        alert=context.view.reference,
        question_id=context.question_id,
        text=sent.required("text", _("Write your answer.")),
    )
    if question is not None and question.onward:
        request.consent = choice(sent, "consent", TransferConsent)  # type: ignore[assignment]
        request.revision = revision_of(sent)
    return request


def _withdraw(sent: Form, context: StepContext) -> service.WithdrawAlertRequest:
    return service.WithdrawAlertRequest(
        request_id=sent.text("request_id"),
        alert_id=context.view.alert.id,
        revision=revision_of(sent),
        reason=sent.required("reason", _("Say why, for the partners' officers.")),
    )


def _close(sent: Form, context: StepContext) -> service.CloseAlertRequest:
    return service.CloseAlertRequest(
        request_id=sent.text("request_id"),
        alert_id=context.view.alert.id,
        revision=revision_of(sent),
        outcome=choice(sent, "outcome", CloseOutcome),  # type: ignore[arg-type]
        remarks=sent.text("remarks"),
        measures=measures_of(sent),
    )


def _nothing(context: StepContext) -> Mapping[str, str | list[str]]:
    return {}


STEP_FORMS: Final[dict[str, StepForm]] = {
    "acknowledge": StepForm(
        title=lambda: _("Acknowledge this alert"),
        send=lambda: _("Acknowledge"),
        first=_nothing,
        read=_acknowledge,
        act=lambda client, request: client.acknowledge(
            request.alert,
            revision=request.revision,
            case_reference=request.case_reference,
            request_id=request.request_id,
        ),
        violations={"case_reference": "case_reference"},
    ),
    "flag": StepForm(
        title=lambda: _("Say why you can't act"),
        send=lambda: _("Send"),
        first=_nothing,
        read=_flag,
        act=lambda client, request: client.flag(
            request.alert,
            revision=request.revision,
            reason=request.reason,
            explanation=request.explanation,
            request_id=request.request_id,
        ),
        violations={"explanation": "explanation", "reason": "reason"},
    ),
    "ask": StepForm(
        title=lambda: _("Ask a question"),
        send=lambda: _("Send the question"),
        first=lambda context: {"deadline": local_value(question_deadline(context, datetime.now(UTC)), context.zone)},
        read=_ask,
        act=lambda client, request: client.ask(
            request.alert,
            request.text,
            deadline=request.deadline.ToDatetime(UTC),
            recipient=request.recipient,
            onward_recipients=request.onward_recipients,
            request_id=request.request_id,
        ),
        violations={"text": "text", "deadline": "deadline", "onward_recipients": "onward", "recipient": "recipient"},
    ),
    "answer": StepForm(
        title=lambda: _("Answer the question"),
        send=lambda: _("Send the answer"),
        first=_nothing,
        read=_answer,
        act=lambda client, request: client.answer(
            request.alert,
            request.question_id,
            request.text,
            consent=request.consent,
            revision=request.revision,
            evidence=request.evidence,
            request_id=request.request_id,
        ),
        violations={"text": "text", "consent": "consent", "evidence": "file"},
        evidence=lambda request: request.evidence,
    ),
    "withdraw": StepForm(
        title=lambda: _("Withdraw this alert"),
        send=lambda: _("Withdraw the alert"),
        first=_nothing,
        read=_withdraw,
        act=lambda client, request: client.withdraw(
            request.alert_id, revision=request.revision, reason=request.reason, request_id=request.request_id
        ),
        violations={"reason": "reason"},
        danger=True,
    ),
    "close": StepForm(
        title=lambda: _("Close this alert"),
        send=lambda: _("Close the alert"),
        first=_nothing,
        read=_close,
        act=lambda client, request: client.close_alert(
            request.alert_id,
            revision=request.revision,
            outcome=request.outcome,
            remarks=request.remarks,
            measures=request.measures,
            request_id=request.request_id,
        ),
        violations={"remarks": "remarks", "outcome": "outcome"},
    ),
}
"""By the name in the path; findings and the amendment have modules of their own."""
