"""What an alert wants of one of its two authorities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from gateway.alerts.rules.life import AlertLife, AlertStatus, Side


class RequiredAction(IntFlag):
    """What is wanted; together they say everything that an alert wants."""

    NOTHING = 0
    ACKNOWLEDGE = 1
    ANSWER = 2
    REPLY = 4
    DECIDE = 8


@dataclass(frozen=True, slots=True)
class RequiredItem:
    """One thing that is wanted.

    Attributes:
        deadline_unix_ms: milliseconds since 1970; 0 for none.
        questions: to answer.
    """

    action: RequiredAction
    deadline_unix_ms: int = 0
    questions: int = 0


def required_actions(life: AlertLife, side: Side) -> tuple[RequiredItem, ...]:
    """What an alert wants of a side: the earliest deadline first, what has none last.

    Of the recipient: to acknowledge the current text, unless it has flagged or replied to it; to reply by `reply_by`.
    Of the publisher: to decide what becomes of an alert that the recipient has replied to or can't act on. Of both:
    answers.
    """
    if life.status.is_terminal:
        return ()
    items = [*_answers(life, side), *(_of_recipient(life) if side is Side.RECIPIENT else _of_publisher(life))]
    return tuple(sorted(items, key=lambda item: (not item.deadline_unix_ms, item.deadline_unix_ms, item.action)))


def actions_of(items: Sequence[RequiredItem]) -> RequiredAction:
    """All actions of some items."""
    actions = RequiredAction.NOTHING
    for item in items:
        actions |= item.action
    return actions


def due_unix_ms(items: Sequence[RequiredItem]) -> int:
    """The earliest deadline; 0 without one."""
    return min((item.deadline_unix_ms for item in items if item.deadline_unix_ms), default=0)


def _answers(life: AlertLife, side: Side) -> list[RequiredItem]:
    questions = life.open_questions(side)
    if not questions:
        return []
    return [RequiredItem(RequiredAction.ANSWER, life.answer_due_unix_ms(side) or 0, len(questions))]


def _of_recipient(life: AlertLife) -> list[RequiredItem]:
    items = []
    if max(life.acknowledged_revision, life.replied_revision) < life.revision:
        items.append(RequiredItem(RequiredAction.ACKNOWLEDGE))
    if life.reply_due_unix_ms:
        items.append(RequiredItem(RequiredAction.REPLY, life.reply_due_unix_ms))
    return items


def _of_publisher(life: AlertLife) -> list[RequiredItem]:
    replied = life.status is AlertStatus.FLAGGED or life.replied_revision >= life.revision
    return [RequiredItem(RequiredAction.DECIDE)] if replied else []
