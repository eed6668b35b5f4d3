"""The life of an alert between its publisher and one recipient: a table of steps; what it doesn't list is illegal.

                          publish (P)
                               │
        ┌──────────────────────▼──────────────────────┐
        │                  PUBLISHED                  │◀─┐
        └──────┬───────────────────────────────┬──────┘  │
               │ acknowledge (R)               │ flag (R)│
               ▼             flag (R)          ▼         │
        ┌──────────────┐ ─────────────▶ ┌─────────────┐  │
        │ ACKNOWLEDGED │                │   FLAGGED   │  │ amend (P)
        └──────┬───────┘ ◀───────────── └──────┬──────┘  │ from all three:
               │          acknowledge (R)      │         │ next revision
               └───────────────┬───────────────┴─────────┘
                               │ from all three open states (P):
             withdraw          │ expire           close
        ┌──────────────────────┼──────────────────────┐
        ▼                      ▼                      ▼
    WITHDRAWN               EXPIRED                CLOSED      terminal

P publisher, R recipient. In the open states both may ask and answer, and R may report a finding: the state stays.

Terminal states are final; open questions stay unanswered. R may correct and withdraw its findings in any state
(AFTERWARDS): figures follow them. Which finding it may change, `contract.findings` says. Each copy has a state of its
own.

Revisions. Publish makes revision 1, each amendment the next. Withdraw, expire and close must name the current revision,
and so must a new acknowledgement or flag: nobody acknowledges what they weren't shown. Recorded ones may name an older
text, since an amendment crosses them; they leave the status.

Deadlines are no states: nobody signs that a time has passed. `alerts.rules.deadlines` compares a life
with one reader's clock.

Two feeds. Each side writes its steps into a separate feed, so steps cross. TRANSITIONS alone allows a new step. A step
read from a feed (`recorded=True`) may have been made before the publisher's last step arrived: CROSSINGS lists such
steps; they never change a terminal state. Every order that keeps each side's order, begins with the publication and
puts answers after their questions gives both sides an equal `AlertLife`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from gateway.errors import IllegalTransitionError, RevisionConflictError

MAX_QUESTIONS_PER_SIDE = 100
"""Questions that one side may ask about one alert; keeps the state of an alert small. Per side, so that questions
that cross on the way can't make the two sides count differently."""


class AlertStatus(StrEnum):
    """Where the alert stands between its publisher and one recipient."""

    PUBLISHED = "published"
    ACKNOWLEDGED = "acknowledged"
    FLAGGED = "flagged"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CLOSED = "closed"

    @property
    def is_terminal(self) -> bool:
        return self in (AlertStatus.WITHDRAWN, AlertStatus.EXPIRED, AlertStatus.CLOSED)


class Action(StrEnum):
    """What can be done with an alert."""

    PUBLISH = "publish"
    AMEND = "amend"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    CLOSE = "close"
    ACKNOWLEDGE = "acknowledge"
    FLAG = "flag"
    REPORT_FINDING = "report_finding"
    CORRECT_FINDING = "correct_finding"
    WITHDRAW_FINDING = "withdraw_finding"
    ASK = "ask"
    ANSWER = "answer"


class Side(StrEnum):
    """Which of the alert's two authorities acts."""

    PUBLISHER = "publisher"
    RECIPIENT = "recipient"

    @property
    def other(self) -> Side:
        return Side.RECIPIENT if self is Side.PUBLISHER else Side.PUBLISHER


_Table = Mapping[tuple[AlertStatus | None, Action, Side], AlertStatus]

_NEW = None
_PUBLISHED, _ACKNOWLEDGED, _FLAGGED = AlertStatus.PUBLISHED, AlertStatus.ACKNOWLEDGED, AlertStatus.FLAGGED
_WITHDRAWN, _EXPIRED, _CLOSED = AlertStatus.WITHDRAWN, AlertStatus.EXPIRED, AlertStatus.CLOSED
_P, _R = Side.PUBLISHER, Side.RECIPIENT

TRANSITIONS: _Table = MappingProxyType(
    {
        (_NEW, Action.PUBLISH, _P): _PUBLISHED,
        (_PUBLISHED, Action.AMEND, _P): _PUBLISHED,
        (_PUBLISHED, Action.WITHDRAW, _P): _WITHDRAWN,
        (_PUBLISHED, Action.EXPIRE, _P): _EXPIRED,
        (_PUBLISHED, Action.CLOSE, _P): _CLOSED,
        (_PUBLISHED, Action.ASK, _P): _PUBLISHED,
        (_PUBLISHED, Action.ANSWER, _P): _PUBLISHED,
        (_PUBLISHED, Action.ACKNOWLEDGE, _R): _ACKNOWLEDGED,
        (_PUBLISHED, Action.FLAG, _R): _FLAGGED,
        (_PUBLISHED, Action.REPORT_FINDING, _R): _PUBLISHED,
        (_PUBLISHED, Action.ASK, _R): _PUBLISHED,
        (_PUBLISHED, Action.ANSWER, _R): _PUBLISHED,
        (_ACKNOWLEDGED, Action.AMEND, _P): _PUBLISHED,
        (_ACKNOWLEDGED, Action.WITHDRAW, _P): _WITHDRAWN,
        (_ACKNOWLEDGED, Action.EXPIRE, _P): _EXPIRED,
        (_ACKNOWLEDGED, Action.CLOSE, _P): _CLOSED,
        (_ACKNOWLEDGED, Action.ASK, _P): _ACKNOWLEDGED,
        (_ACKNOWLEDGED, Action.ANSWER, _P): _ACKNOWLEDGED,
        (_ACKNOWLEDGED, Action.FLAG, _R): _FLAGGED,
        (_ACKNOWLEDGED, Action.REPORT_FINDING, _R): _ACKNOWLEDGED,
        (_ACKNOWLEDGED, Action.ASK, _R): _ACKNOWLEDGED,
        (_ACKNOWLEDGED, Action.ANSWER, _R): _ACKNOWLEDGED,
        (_FLAGGED, Action.AMEND, _P): _PUBLISHED,
        (_FLAGGED, Action.WITHDRAW, _P): _WITHDRAWN,
        (_FLAGGED, Action.EXPIRE, _P): _EXPIRED,
        (_FLAGGED, Action.CLOSE, _P): _CLOSED,
        (_FLAGGED, Action.ASK, _P): _FLAGGED,
        (_FLAGGED, Action.ANSWER, _P): _FLAGGED,
        (_FLAGGED, Action.ACKNOWLEDGE, _R): _ACKNOWLEDGED,
        (_FLAGGED, Action.REPORT_FINDING, _R): _FLAGGED,
        (_FLAGGED, Action.ASK, _R): _FLAGGED,
        (_FLAGGED, Action.ANSWER, _R): _FLAGGED,
    }
)
"""(status, action, side) → new status, for a step about to be made. What isn't listed is illegal."""

AFTERWARDS: _Table = MappingProxyType(
    {
        (status, action, _R): status
        for status in AlertStatus
        for action in (Action.CORRECT_FINDING, Action.WITHDRAW_FINDING)
    }
)
"""What the recipient may say of its findings at any time."""

CROSSINGS: _Table = MappingProxyType(
    {
        (terminal, action, _R): terminal
        for terminal in (_WITHDRAWN, _EXPIRED, _CLOSED)
        for action in (Action.ACKNOWLEDGE, Action.FLAG, Action.REPORT_FINDING, Action.ASK, Action.ANSWER)
    }
)
"""Steps of the recipient that may still arrive, through its feed, after the publisher's last word."""

ENDING = (Action.WITHDRAW, Action.EXPIRE, Action.CLOSE)
"""Steps of the publisher that end an alert; they name the current revision."""

_SPEAKS_OF_THE_TEXT = (Action.ACKNOWLEDGE, Action.FLAG)
_ABOUT_INSPECTIONS = (Action.REPORT_FINDING, Action.CORRECT_FINDING)
UNSAID_REVISION = 0
"""Revision of a finding that doesn't say which text it followed."""


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """A request for supplementary information, for the other side to answer.

    Attributes:
        question_id: UUID given by the asking side.
        deadline_unix_ms: milliseconds since 1970; late answers count.
    """

    asked_by: Side
    question_id: str
    deadline_unix_ms: int
    answered: bool = False


@dataclass(frozen=True, slots=True)
class AlertLife:
    """State of one alert between its publisher and one recipient.

    Attributes:
        revision: number of the current text, from 1.
        acknowledged_revision: newest acknowledged revision; 0 while none.
        valid_until_unix_ms: milliseconds since 1970; None if it doesn't expire.
        questions: in order of asking side and id, so that equal lives compare equal.
        reply_by_unix_ms: when the publisher needs a reply to the current text; None if it needs none.
        informs: whether the current text asks for nothing but to take note, so that an acknowledgement replies.
        replied_revision: newest revision that the recipient flagged or reported a finding on, withdrawn or not; 0 while
            none.
    """

    revision: int
    status: AlertStatus
    acknowledged_revision: int = 0
    valid_until_unix_ms: int | None = None
    questions: tuple[Question, ...] = ()
    reply_by_unix_ms: int | None = None
    informs: bool = False
    replied_revision: int = 0

    @property
    def is_replied(self) -> bool:
        """Whether the recipient has replied to the current text."""
        replied = max(self.replied_revision, self.acknowledged_revision if self.informs else 0)
        return replied >= self.revision

    @property
    def reply_due_unix_ms(self) -> int | None:
        """When a reply that wasn't given is due; None for none."""
        return None if self.status.is_terminal or self.is_replied else self.reply_by_unix_ms

    def answer_due_unix_ms(self, by: Side) -> int | None:
        """The earliest deadline of the questions that a side must answer; None without one."""
        return min((question.deadline_unix_ms for question in self.open_questions(by)), default=None)

    def question(self, asked_by: Side, question_id: str) -> Question | None:
        return next((q for q in self.questions if (q.asked_by, q.question_id) == (asked_by, question_id)), None)

    def open_questions(self, to: Side) -> tuple[Question, ...]:
        """Questions that a side must answer; none in a terminal status."""
        if self.status.is_terminal:
            return ()
        return tuple(q for q in self.questions if q.asked_by is to.other and not q.answered)

    def is_due_to_expire(self, now_unix_ms: int) -> bool:
        """Whether the validity has passed and no step has ended the alert: the publisher's expiry is to come."""
        return not self.status.is_terminal and _has_passed(self.valid_until_unix_ms, now_unix_ms)


@dataclass(frozen=True, slots=True)
class Step:
    """An action on an alert.

    Attributes:
        revision: for publish and amend the new revision; otherwise the one read.
        at_unix_ms: by the actor's clock, in milliseconds since 1970; only expire depends on it.
        valid_until_unix_ms: publish and amend: when the text expires, or None.
        question_id: ask and answer.
        deadline_unix_ms: ask.
        reply_by_unix_ms, informs: publish and amend: as in AlertLife.
    """

    action: Action
    side: Side
    revision: int
    at_unix_ms: int = 0
    valid_until_unix_ms: int | None = None
    question_id: str = ""
    deadline_unix_ms: int = 0
    reply_by_unix_ms: int | None = None
    informs: bool = False


def advance(life: AlertLife | None, step: Step, *, recorded: bool = False) -> AlertLife:
    """Applies a step; the same at publisher and recipient.

    Args:
        life: None before publication.
        step: to apply.
        recorded: True for a step read from a feed (see the module).

    Raises:
        IllegalTransitionError: the tables, its question or its time forbid it; the message says what is allowed.
        RevisionConflictError: the step names a wrong revision.
    """
    new_status = _next_status(life, step, recorded)
    if life is None:
        return _published(step, new_status)
    _check_revision(life, step, recorded)
    match step.action:
        case Action.AMEND:
            return replace(life, revision=step.revision, status=new_status, **_text_of(step))
        case Action.EXPIRE:
            _check_expiry(life, step)
        case Action.ASK:
            return _with_question(life, step)
        case Action.ANSWER:
            return _with_answer(life, step)
        case Action.ACKNOWLEDGE:
            life = replace(life, acknowledged_revision=max(life.acknowledged_revision, step.revision))
        case Action.FLAG | Action.REPORT_FINDING | Action.CORRECT_FINDING:
            life = replace(life, replied_revision=max(life.replied_revision, _revision_meant(life, step)))
    if step.action in _SPEAKS_OF_THE_TEXT and step.revision < life.revision:
        return life
    return replace(life, status=new_status)


def allowed_actions(status: AlertStatus | None, side: Side) -> tuple[Action, ...]:
    """Actions that a side may take now; `status` is None before publication."""
    return tuple(action for action in Action if (status, action, side) in TRANSITIONS)


def _next_status(life: AlertLife | None, step: Step, recorded: bool) -> AlertStatus:
    key = (life.status if life else None, step.action, step.side)
    new_status = TRANSITIONS.get(key) or AFTERWARDS.get(key)
    if new_status is None and recorded:
        new_status = CROSSINGS.get(key)
    if new_status is None:
        raise _illegal(life, step, f"the {step.side.value} can't {_words(step.action)} {_what(life)}")
    return new_status


def _published(step: Step, status: AlertStatus) -> AlertLife:
    if step.revision != 1:
        raise RevisionConflictError(f"a new alert has revision 1, not {step.revision}", metadata={"revision": "0"})
    return AlertLife(revision=1, status=status, **_text_of(step))


def _text_of(step: Step) -> dict[str, Any]:
    """What a new text says about times and replies."""
    return {
        "valid_until_unix_ms": step.valid_until_unix_ms,
        "reply_by_unix_ms": step.reply_by_unix_ms,
        "informs": step.informs,
    }


def _revision_meant(life: AlertLife, step: Step) -> int:
    """The revision that a reply is about, from the recipient's steps alone, so that both sides mean the same."""
    if step.revision != UNSAID_REVISION:
        return step.revision
    return max(1, life.acknowledged_revision, life.replied_revision)


def _check_revision(life: AlertLife, step: Step, recorded: bool) -> None:
    if step.action is Action.AMEND:
        fits = step.revision == life.revision + 1
    elif step.action in ENDING or (step.action in _SPEAKS_OF_THE_TEXT and not recorded):
        fits = step.revision == life.revision
    elif step.action in _ABOUT_INSPECTIONS and step.revision == UNSAID_REVISION:
        fits = recorded or life.revision == 1
    else:
        fits = 1 <= step.revision <= life.revision
    if not fits:
        raise RevisionConflictError(
            f"the alert's current revision is {life.revision}; {_naming(step)}",
            metadata={"revision": str(life.revision)},
        )


def _naming(step: Step) -> str:
    if step.revision == UNSAID_REVISION:
        return f"{_words(step.action)} must name the one that was read"
    verb = "makes" if step.action is Action.AMEND else "names"
    return f"{_words(step.action)} {verb} revision {step.revision}"


def _check_expiry(life: AlertLife, step: Step) -> None:
    if not _has_passed(life.valid_until_unix_ms, step.at_unix_ms):
        raise _illegal(life, step, "the alert's valid-until time hasn't passed, so it can't expire")


def _with_question(life: AlertLife, step: Step) -> AlertLife:
    if life.question(step.side, step.question_id):
        raise _illegal(life, step, f"question {step.question_id} has been asked already")
    if sum(q.asked_by is step.side for q in life.questions) >= MAX_QUESTIONS_PER_SIDE:
        raise _illegal(life, step, f"the {step.side.value} has asked {MAX_QUESTIONS_PER_SIDE} questions, which is all")
    asked = Question(step.side, step.question_id, step.deadline_unix_ms)
    return replace(life, questions=tuple(sorted((*life.questions, asked))))


def _with_answer(life: AlertLife, step: Step) -> AlertLife:
    asked = life.question(step.side.other, step.question_id)
    if asked is None:
        raise _illegal(life, step, f"the {step.side.other.value} hasn't asked a question {step.question_id}")
    if asked.answered:
        raise _illegal(life, step, f"question {step.question_id} has been answered already")
    answered = replace(asked, answered=True)
    return replace(life, questions=tuple(answered if q is asked else q for q in life.questions))


def _illegal(life: AlertLife | None, step: Step, problem: str) -> IllegalTransitionError:
    status = life.status if life else None
    allowed = [_words(action) for action in allowed_actions(status, step.side)]
    return IllegalTransitionError(
        f"{problem}; allowed to the {step.side.value} now: {', '.join(allowed) or 'nothing'}",
        metadata={"status": status.value if status else "", "action": step.action.value, "side": step.side.value},
    )


def _what(life: AlertLife | None) -> str:
    return f"an alert that is {life.status.value}" if life else "an alert that doesn't exist"


def _words(action: Action) -> str:
    return action.value.replace("_", " ")


def _has_passed(moment_unix_ms: int | None, now_unix_ms: int) -> bool:
    return moment_unix_ms is not None and now_unix_ms >= moment_unix_ms
