"""Steps of an alert's life, in words: who of which authority said what, when, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import actor, moment_text
from gateway.console.views.alerts.field_names import violation_text
from gateway.console.views.words import capitalised, goods_text, measure_text, place_text
from gateway.contract.enum_words import word_of
from gateway.contract.findings import FindingLedger, FindingPlace, ledgers_of
from gateway.translation.labels import METHOD, label, label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.translation.step_titles import OUTCOMES, step_title
from gateway.v1.alert_pb2 import (
    AlertAnswer,
    AlertFinding,
    AlertFindingCorrected,
    AlertQuestion,
    CloseOutcome,
    FindingResult,
    FlagReason,
    TransferConsent,
)
from gateway.v1.alert_service_pb2 import AlertChange, DeliveryState
from gateway.v1.feed_pb2 import DispositionOutcome

_KINDS: Final = {
    "flagged": "warn",
    "withdrawn": "warn",
    "finding": "good",
    "finding_corrected": "good",
    "finding_withdrawn": "warn",
    "question": "info",
    "disposition": "bad",
}
"""Kinds of tags; others are quiet."""

CLOCK_TOLERANCE_S: Final = 60
"""Seconds between saying and arriving that aren't worth a word."""


@dataclass(frozen=True, slots=True)
class StepText:
    """One step as a page shows it.

    Attributes:
        name: of the event in the contract.
        title: in words.
        kind: of the tag.
        speaker: node whose authority said it.
        actor: system or person there.
        recipient: whose copy of the alert it concerns.
        facts: names with values, in words.
        said: what somebody wrote.
        said_at: by the speaker's clock.
        here_at: when it arrived, where that was later.
        delivery: word of DeliveryState, how far it has come to the other side.
        why_not: reason code where it wasn't applied there.
        question_id: of a question or answer.
        finding: number of the finding that the step says and that stands; 0 for none.
        finding_end: what became of the finding that the step says: `corrected`, `withdrawn`, or empty.
    """

    name: str
    title: str
    kind: str
    speaker: str
    actor: str
    recipient: str
    facts: tuple[tuple[str, str], ...]
    said: str
    said_at: Timestamp
    here_at: Timestamp | None
    delivery: str
    why_not: str
    question_id: str
    finding: int
    finding_end: str


def step_texts(history: Sequence[AlertChange]) -> list[StepText]:
    """All steps that say something to people: of dispositions only those that refuse or hold a step."""
    ledgers = ledgers_of(history)
    return [_step(change, ledgers[change.recipient]) for change in history if _speaks(change)]


def _speaks(change: AlertChange) -> bool:
    if change.event.WhichOneof("event") != "disposition":
        return True
    outcome = change.event.disposition.outcome
    return outcome != DispositionOutcome.DISPOSITION_OUTCOME_APPLIED


def _step(change: AlertChange, ledger: FindingLedger) -> StepText:
    place = FindingPlace(change.entry.origin, change.entry.index)
    stands = ledger.current(place)
    name = change.event.WhichOneof("event") or "erased"
    event = getattr(change.event, name) if name != "erased" else None
    facts, said = _DETAILS[name](event) if name in _DETAILS else ((), "")
    late = change.committed_at.seconds - change.event.occurred_at.seconds > CLOCK_TOLERANCE_S
    return StepText(
        name=name,
        title=step_title(name) if name != "erased" else _("Erased at the end of its retention"),
        kind=_KINDS.get(name, "quiet"),
        speaker=change.speaker,
        actor=actor(change.own_actor or change.event.actor),
        recipient=change.recipient,
        facts=tuple((fact, value) for fact, value in facts if value),
        said=said,
        said_at=change.event.occurred_at if change.event.occurred_at.seconds else change.committed_at,
        here_at=change.committed_at if late and change.event.occurred_at.seconds else None,
        delivery=word_of(DeliveryState, change.delivery.state) if change.delivery.state else "",
        why_not=change.delivery.reason,
        question_id=event.question_id if isinstance(event, (AlertQuestion, AlertAnswer)) else "",
        finding=stands.number if stands is not None else 0,
        finding_end=ledger.end_of(place),
    )


_Details = tuple[Iterable[tuple[str, str]], str]


def _revision(event: Any) -> tuple[str, str]:
    return (_("Revision"), str(event.revision) if event.revision else "")


def _question(event: AlertQuestion) -> _Details:
    onward = listed(node.upper() for node in event.onward_recipients)
    asked = (_("Asks to pass it on to"), onward)
    return ((_("Answer by"), moment_text(event.deadline)), asked), event.text


def _answer(event: AlertAnswer) -> _Details:
    consent = capitalised(label_of(TransferConsent, event.consent)) if event.consent else ""
    return ((_("Consent to pass it on"), consent),), event.text


def _finding(event: AlertFinding) -> _Details:
    goods = [goods_text(item) for item in event.goods_found]
    return (
        (_("Result"), capitalised(label_of(FindingResult, event.result))),
        (_("Inspected"), moment_text(event.inspected_at)),
        (_("Where"), place_text(event.place)),
        (_("How"), listed(label(METHOD, method) for method in event.methods)),
        *((_("Goods found"), line) for line in goods),
        *((_("Measure"), measure_text(measure)) for measure in event.measures),
        *(((_("Mass"), _("weighed again: more than the alert says")),) if event.mass_confirmed else ()),
        _revision(event),
    ), event.remarks


def _corrected(event: AlertFindingCorrected) -> _Details:
    facts, remarks = _finding(event.finding)
    return ((_("Why"), event.reason), *facts, (_("Remarks"), remarks)), ""


_DETAILS: Final[Mapping[str, Callable[[Any], _Details]]] = {
    "published": lambda event: (((_("Case"), event.content.case_reference),), ""),
    "amended": lambda event: ((_revision(event),), ""),
    "withdrawn": lambda event: ((_revision(event),), event.reason),
    "acknowledged": lambda event: ((_revision(event), (_("Case"), event.case_reference)), ""),
    "flagged": lambda event: (
        (_revision(event), (_("Why"), capitalised(label_of(FlagReason, event.reason)))),
        event.explanation,
    ),
    "question": _question,
    "answer": _answer,
    "finding": _finding,
    "finding_corrected": _corrected,
    "finding_withdrawn": lambda event: ((), event.reason),
    "closed": lambda event: (
        (
            (_("Outcome"), capitalised(label_of(CloseOutcome, event.outcome))),
            *((_("Measure"), measure_text(measure)) for measure in event.measures),
        ),
        event.remarks,
    ),
    "disposition": lambda event: (
        (
            (_("Outcome"), label_of_outcome(event.outcome)),
            (_("Why"), listed(violation_text(violation.field, violation.message) for violation in event.violations)),
        ),
        "",
    ),
}


def label_of_outcome(outcome: int) -> str:
    """What a gateway made of an entry."""
    return _(OUTCOMES.get(word_of(DispositionOutcome, outcome), ""))
