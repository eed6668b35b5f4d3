"""States of an alert's deadlines by one reader's clock: nobody has signed them.

What the two sides have signed is the status in `AlertLife`. That a time has passed is what one clock says, and that
the partner has left what one node's directory says, so both stay beside the status and never change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.alerts.rules.life import AlertLife, Side


class DeadlineState(StrEnum):
    """What became of a deadline, by a reader's clock."""

    NONE = "none"
    DUE = "due"
    OVERDUE = "overdue"
    MET = "met"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """States of an alert's deadlines by one clock, which nobody has signed.

    Attributes:
        reply: of the recipient's reply.
        answers: of the questions that each side must answer; overdue when one of them is.
        expired_by_clock: the validity has passed, and no step has ended the alert.
        partner_left: no step can end it: the other side, or the reader's, is no member any more.
    """

    reply: DeadlineState
    answers: Mapping[Side, DeadlineState]
    expired_by_clock: bool
    partner_left: bool = False


def deadlines(life: AlertLife, now_unix_ms: int, *, has_left: bool) -> Deadlines:
    """States of a life's deadlines. After its end, its validity by this clock, or the partner's leaving there is none.

    Args:
        has_left: whether the other side is a former partner.
    """
    expired = life.is_due_to_expire(now_unix_ms)
    partner_left = has_left and not life.status.is_terminal
    ended = expired or partner_left or life.status.is_terminal
    reply = deadline_state(life.reply_by_unix_ms, now_unix_ms, met=life.is_replied)
    answers = {side: deadline_state(life.answer_due_unix_ms(side), now_unix_ms) for side in Side}
    if ended:
        reply, answers = DeadlineState.NONE, dict.fromkeys(Side, DeadlineState.NONE)
    return Deadlines(reply, answers, expired, partner_left)


def deadline_state(deadline_unix_ms: int | None, now_unix_ms: int, *, met: bool = False) -> DeadlineState:
    """The state of one deadline; the moment itself is still in time."""
    if deadline_unix_ms is None:
        return DeadlineState.NONE
    if met:
        return DeadlineState.MET
    return DeadlineState.OVERDUE if now_unix_ms > deadline_unix_ms else DeadlineState.DUE
