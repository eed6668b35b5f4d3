"""Puts steps of alerts, their delivery and their deadlines into cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

from gateway.cli.alert.content import evidence_line
from gateway.cli.alert.measures import measure_line
from gateway.cli.history.goods import goods_line, place_in_full
from gateway.cli.values import shown_time
from gateway.contract.enum_words import word_of
from gateway.contract.findings import FindingLedger, FindingPlace, ledgers_of
from gateway.contract.ids import FeedOrigin
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import (
    AlertAcknowledged,
    AlertAnswer,
    AlertClosed,
    AlertFinding,
    AlertFindingCorrected,
    AlertFlagged,
    AlertQuestion,
    AlertStatus,
    CloseOutcome,
    FindingResult,
    FlagReason,
    TransferConsent,
)
from gateway.v1.alert_service_pb2 import (
    AlertChange,
    AlertDeadlines,
    AlertDelivery,
    AlertSummary,
    DeadlineState,
    DeliveryState,
    StepDelivery,
)
from gateway.v1.feed_pb2 import DispositionOutcome

HISTORY_COLUMNS = marked("When", "Copy", "Who", "What", "Delivery", "Details")
DELIVERY_COLUMNS = marked("To", "Status", "Last step", "Delivery", "Receipt", "Deadlines")

_DELIVERY = {
    DeliveryState.DELIVERY_STATE_WAITING: N_("no receipt"),
    DeliveryState.DELIVERY_STATE_SENT: N_("sent, no receipt"),
    DeliveryState.DELIVERY_STATE_STORED: N_("stored"),
    DeliveryState.DELIVERY_STATE_APPLIED: N_("applied"),
    DeliveryState.DELIVERY_STATE_REJECTED: N_("rejected"),
    DeliveryState.DELIVERY_STATE_HELD: N_("held"),
}


def delivery_text(step: StepDelivery) -> str:
    """How far a step has come: what the receiving gateway has signed for."""
    text = _(_DELIVERY.get(step.state, N_("not known")))
    return f"{text}: {step.reason}" if step.reason else text


def delivery_row(delivery: AlertDelivery) -> tuple[object, ...]:
    """Cells of a copy, by DELIVERY_COLUMNS."""
    return (
        delivery.recipient,
        status_text(delivery.status, delivery.deadlines),
        delivery.last_step.event,
        delivery_text(delivery.last_step),
        shown_time(delivery.last_step, "receipted_at"),
        deadlines_text(delivery.deadlines) or None,
    )


def status_text(status: AlertStatus.ValueType, deadlines: AlertDeadlines) -> str:
    """The signed status, and what nobody has signed: the partner left, or the validity is over by this clock."""
    word = word_of(AlertStatus, status)
    if deadlines.partner_left:
        return _("{status}, the partner left", status=word)
    return _("{status}, past validity", status=word) if deadlines.expired_by_clock else word


def listed_status(summary: AlertSummary) -> str:
    """The status of a copy, and how far the step has come that says so, unless the other node has applied it."""
    status = status_text(summary.status, summary.deadlines)
    if summary.last_step.state in (DeliveryState.DELIVERY_STATE_APPLIED, DeliveryState.DELIVERY_STATE_UNSPECIFIED):
        return status
    return f"{status} ({delivery_text(summary.last_step)})"


def deadlines_text(deadlines: AlertDeadlines) -> str:
    """What is due and overdue, by the gateway's clock."""
    due, overdue = DeadlineState.DEADLINE_STATE_DUE, DeadlineState.DEADLINE_STATE_OVERDUE
    texts = (
        (deadlines.reply, {due: _("reply due"), overdue: _("reply overdue")}),
        (deadlines.question_in, {due: _("answer due"), overdue: _("answer overdue")}),
        (deadlines.question_out, {due: _("their answer due"), overdue: _("their answer overdue")}),
    )
    return listed(words[state] for state, words in texts if state in words)


def question_rows(delivery: AlertDelivery) -> list[tuple[object, ...]]:
    """Cells of a copy's open questions: id, who asked, deadline, state."""
    return [
        (
            question.question_id,
            delivery.recipient,
            question.asked_by,
            shown_time(question, "deadline"),
            word_of(DeadlineState, question.state),
        )
        for question in delivery.open_questions
    ]


def history_rows(history: Sequence[AlertChange]) -> list[tuple[object, ...]]:
    """Cells of steps, by HISTORY_COLUMNS; of a finding also what became of it."""
    ledgers = ledgers_of(history)
    return [history_row(change, _state_of(ledgers[change.recipient], change)) for change in history]


def _state_of(ledger: FindingLedger, change: AlertChange) -> str:
    """Number of the finding that a step reports or corrects, and what became of what it says; empty for other steps."""
    place = FindingPlace(change.entry.origin, change.entry.index)
    finding = ledger.known(place)
    if finding is None:
        return ""
    end = ledger.end_of(place)
    number = _("finding {number}", number=finding.number)
    if not end:
        return number
    return f"{number}, {_('corrected later') if end == 'corrected' else _('withdrawn later')}"


def history_row(change: AlertChange, state: str = "") -> tuple[object, ...]:
    """Cells of a step, by HISTORY_COLUMNS; `state`: of the finding that it says."""
    what, details = _what(change)
    details = _parts(state, details)
    receiver = FeedOrigin.parse(change.entry.origin).recipient if change.entry.origin else ""
    delivery = f"{receiver}: {delivery_text(change.delivery)}"
    return shown_time(change, "committed_at"), change.recipient, _who(change), what, delivery, details


def change_line(change: AlertChange) -> str:
    """A change on one line, for people."""
    what, details = _what(change)
    alert = f"{change.alert.publisher}/{change.alert.alert_id}" if change.HasField("alert") else ""
    when = shown_time(change, "committed_at")
    time = f"{when:%Y-%m-%d %H:%M:%S}" if when else "—"
    parts = [f"{change.position:>8}", time, alert, change.recipient, what, _who(change), details]
    return "  ".join(part for part in parts if part)


def _what(change: AlertChange) -> tuple[str, str]:
    """The kind of step, and its details."""
    what = change.event.WhichOneof("event")
    if what is None:
        return N_("erased"), ""
    details = _DETAILS.get(what)
    return what, "" if details is None else details(getattr(change.event, what))


def _who(change: AlertChange) -> str:
    """Node and system that took the step: `hk/officers`."""
    return "/".join(filter(None, (change.speaker, change.own_actor or change.event.actor)))


def _acknowledged(event: AlertAcknowledged) -> str:
    return _parts(_of(event.revision), event.case_reference)


def _flagged(event: AlertFlagged) -> str:
    return _parts(_of(event.revision), f"{word_of(FlagReason, event.reason)}: {event.explanation}")


def _question(question: AlertQuestion) -> str:
    onward = ", ".join(question.onward_recipients)
    return _parts(
        f"{question.question_id} {question.text}",
        _("answer by {time} UTC", time=f"{question.deadline.ToDatetime(UTC):%Y-%m-%d %H:%M}"),
        _("pass on to {nodes}?", nodes=onward) if onward else "",
    )


def _answer(answer: AlertAnswer) -> str:
    decision = word_of(TransferConsent, answer.consent)
    consent = _("consent {decision}", decision=decision) if answer.consent else ""
    return _parts(f"{answer.question_id} {answer.text}", consent, *map(evidence_line, answer.evidence))


def _finding(finding: AlertFinding) -> str:
    return _parts(
        word_of(FindingResult, finding.result),
        _of(finding.revision) if finding.revision else "",
        _("inspected {time} UTC", time=f"{finding.inspected_at.ToDatetime(UTC):%Y-%m-%d %H:%M}"),
        place_in_full(finding.place),
        ", ".join(finding.methods),
        *map(goods_line, finding.goods_found),
        *map(measure_line, finding.measures),
        _("weighed again: more than the alert says") if finding.mass_confirmed else "",
        finding.remarks,
        *map(evidence_line, finding.evidence),
    )


def _corrected(event: AlertFindingCorrected) -> str:
    return _parts(_("because: {reason}", reason=event.reason), _finding(event.finding))


def _closed(event: AlertClosed) -> str:
    return _parts(word_of(CloseOutcome, event.outcome), *map(measure_line, event.measures), event.remarks)


def _of(revision: int) -> str:
    return _("revision {revision}", revision=revision)


def _parts(*parts: str) -> str:
    return "; ".join(filter(None, parts))


_DETAILS: Mapping[str, Callable[[Any], str]] = {
    "published": lambda alert: alert.content.case_reference,
    "amended": lambda alert: _of(alert.revision),
    "withdrawn": lambda event: event.reason,
    "acknowledged": _acknowledged,
    "flagged": _flagged,
    "question": _question,
    "answer": _answer,
    "finding": _finding,
    "finding_corrected": _corrected,
    "finding_withdrawn": lambda event: event.reason,
    "closed": _closed,
    "disposition": lambda disposition: word_of(DispositionOutcome, disposition.outcome),
}
