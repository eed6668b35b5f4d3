"""Decides when an alert's deadlines are warned of, at either side, from its life alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.alerts.rules.life import AlertLife, Side
from gateway.contract.ids import claimed_unix_ms


class WarnedDeadline(StrEnum):
    """What is due; VALIDITY: a partner's alert ends."""

    REPLY = "reply"
    QUESTION_IN = "question_in"
    QUESTION_OUT = "question_out"
    VALIDITY = "validity"


class Stage(StrEnum):
    """Before or after the deadline."""

    NEAR = "near"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class WarnedCopy:
    """One recipient's copy of an alert."""

    publisher: str
    alert_id: str
    recipient: str


@dataclass(frozen=True, slots=True)
class WarningTimes:
    """When a deadline is near.

    Attributes:
        before_ms: this long before it, in milliseconds, at the earliest; 0: no warning before a deadline.
        share: when this part of the time from asking to deadline is left, at the earliest.
    """

    before_ms: int
    share: float

    def near_at(self, due_ms: int, since_ms: int) -> int:
        """When a deadline is warned of; `since_ms`: when it was set, 0 where nobody knows."""
        total = due_ms - since_ms if 0 < since_ms < due_ms else 0
        return due_ms - min(self.before_ms, int(total * self.share) if total else self.before_ms)


@dataclass(frozen=True, slots=True)
class DeadlineWarning:
    """One warning of one copy's deadline; times in milliseconds since 1970."""

    key: WarnedCopy
    deadline: WarnedDeadline
    due: int
    stage: Stage
    warn_at: int

    @property
    def event_id(self) -> str:
        """Stable id of the event."""
        if self.deadline is WarnedDeadline.VALIDITY:
            return expiry_id(self.key, self.due)
        return f"deadline/{self.deadline.value}/{_path(self.key)}/{self.due}/{self.stage.value}"


def expiry_id(key: WarnedCopy, valid_until_ms: int) -> str:
    """Id of an expiry: the same whether a clock or the publisher says it, so that it is told once."""
    return f"expired/{_path(key)}/{valid_until_ms}"


def _path(key: WarnedCopy) -> str:
    return f"{key.publisher}/{key.alert_id}/{key.recipient}"


def warnings_of(
    key: WarnedCopy, life: AlertLife, times: WarningTimes, *, own: Side, published_at: int
) -> list[DeadlineWarning]:
    """Warnings of what a copy still asks for.

    The moment itself is still in time, so a deadline has passed one millisecond later. What would be due after the end
    of the validity isn't warned of.

    Args:
        own: this node's side.
        published_at: milliseconds since 1970.
    """
    until = life.valid_until_unix_ms
    found: list[DeadlineWarning] = []
    for deadline, due, since in _open_deadlines(life, own, published_at):
        if until is not None and due >= until:
            continue
        near_at = times.near_at(due, since)
        if near_at < due:
            found.append(DeadlineWarning(key, deadline, due, Stage.NEAR, near_at))
        found.append(DeadlineWarning(key, deadline, due, Stage.PASSED, due + 1))
    if own is Side.RECIPIENT and until is not None and not life.status.is_terminal:
        found.append(DeadlineWarning(key, WarnedDeadline.VALIDITY, until, Stage.PASSED, until))
    return found


def _open_deadlines(life: AlertLife, own: Side, published_at: int) -> Iterator[tuple[WarnedDeadline, int, int]]:
    """Deadline, its time, and when it was set; questions with one time are one."""
    if life.reply_due_unix_ms is not None:
        yield WarnedDeadline.REPLY, life.reply_due_unix_ms, published_at
    for deadline, side in ((WarnedDeadline.QUESTION_IN, own), (WarnedDeadline.QUESTION_OUT, own.other)):
        asked = {q.deadline_unix_ms: q.question_id for q in life.open_questions(side)}
        for due, question_id in asked.items():
            yield deadline, due, claimed_unix_ms(question_id) or 0
